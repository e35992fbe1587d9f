//! Subscriptions in RESP2 and RESP3, and commands that block.

use std::time::Duration;

use crate::bed::{Backend, Client, Config, wait_until};

#[test]
fn a_subscriber_in_resp2_gets_its_messages_and_may_do_nothing_else() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut subscriber = Client::login(redwall.address, "app", "app");
    let mut publisher = Client::login(redwall.address, "app", "app");
    subscriber.send(&["SUBSCRIBE", "app:a", "app:b"]);
    assert_eq!(
        subscriber.text(),
        "*3\r\n$9\r\nsubscribe\r\n$5\r\napp:a\r\n:1\r\n"
    );
    assert_eq!(
        subscriber.text(),
        "*3\r\n$9\r\nsubscribe\r\n$5\r\napp:b\r\n:2\r\n"
    );
    assert_eq!(publisher.ask(&["PUBLISH", "app:b", "hi"]), ":1\r\n");
    assert_eq!(
        subscriber.text(),
        "*3\r\n$7\r\nmessage\r\n$5\r\napp:b\r\n$2\r\nhi\r\n"
    );
    assert!(
        subscriber
            .ask(&["GET", "app:k"])
            .starts_with("-ERR Can't execute 'get': only (P|S)SUBSCRIBE")
    );
    assert_eq!(subscriber.ask(&["PING"]), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    subscriber.send(&["UNSUBSCRIBE"]);
    let left = [subscriber.text(), subscriber.text()];
    assert!(
        left.iter().all(|text| text.contains("unsubscribe")),
        "{left:?}"
    );
    assert_eq!(subscriber.ask(&["GET", "app:k"]), "$-1\r\n");
}

#[test]
fn a_subscriber_in_resp3_goes_on_with_commands_between_its_messages() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut subscriber = Client::login(redwall.address, "app", "app");
    let mut publisher = Client::login(redwall.address, "app", "app");
    subscriber.hello(3);
    assert_eq!(
        subscriber.ask(&["SUBSCRIBE", "app:a"]),
        ">3\r\n$9\r\nsubscribe\r\n$5\r\napp:a\r\n:1\r\n"
    );
    assert_eq!(
        subscriber.ask(&["SSUBSCRIBE", "app:s"]),
        ">3\r\n$10\r\nssubscribe\r\n$5\r\napp:s\r\n:1\r\n"
    );
    for round in 0..50 {
        subscriber.send(&["SET", "app:k", &round.to_string()]);
        publisher.ask(&["PUBLISH", "app:a", "x"]);
        let mut frames = [subscriber.text(), subscriber.text()];
        frames.sort();
        assert_eq!(
            frames,
            [
                "+OK\r\n",
                ">3\r\n$7\r\nmessage\r\n$5\r\napp:a\r\n$1\r\nx\r\n"
            ]
        );
    }
    assert_eq!(
        subscriber.ask(&["UNSUBSCRIBE"]),
        ">3\r\n$11\r\nunsubscribe\r\n$5\r\napp:a\r\n:0\r\n"
    );
    assert_eq!(subscriber.ask(&["GET", "app:k"]), "$2\r\n49\r\n");
}

#[test]
fn a_subscriber_may_change_its_protocol_and_back() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut subscriber = Client::login(redwall.address, "app", "app");
    let mut publisher = Client::login(redwall.address, "app", "app");
    subscriber.hello(3);
    subscriber.ask(&["SUBSCRIBE", "app:a"]);
    assert!(subscriber.hello(2).starts_with("*14\r\n$6\r\nserver"));
    assert_eq!(publisher.ask(&["PUBLISH", "app:a", "x"]), ":1\r\n");
    assert_eq!(
        subscriber.text(),
        "*3\r\n$7\r\nmessage\r\n$5\r\napp:a\r\n$1\r\nx\r\n"
    );
    subscriber.send(&["UNSUBSCRIBE"]);
    subscriber.send(&["HELLO", "3"]);
    subscriber.send(&["GET", "app:none"]);
    assert!(subscriber.text().starts_with("*3\r\n$11\r\nunsubscribe"));
    assert!(subscriber.text().starts_with("%7\r\n$6\r\nserver"));
    assert_eq!(subscriber.text(), "_\r\n");
}

#[test]
fn what_redwall_answers_itself_never_stands_inside_a_message() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut subscriber = Client::login(redwall.address, "app", "app");
    let mut publisher = Client::login(redwall.address, "app", "app");
    subscriber.hello(3);
    subscriber.ask(&["SUBSCRIBE", "app:a"]);
    let text = "m".repeat(8 << 20);
    publisher.send(&["PUBLISH", "app:a", &text]);
    for _ in 0..200 {
        subscriber.send(&["PING"]);
    }
    let mut pongs = 0;
    let mut messages = 0;
    while pongs < 200 || messages < 1 {
        let frame = subscriber.frame();
        match frame.first() {
            Some(b'+') => pongs += 1,
            _ => {
                assert_eq!(frame.len(), text.len() + 40);
                assert!(!frame.contains(&b'+'));
                messages += 1;
            }
        }
    }
}

#[test]
fn a_pattern_is_granted_only_with_the_very_text_of_a_rule() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert!(client.ask(&["PSUBSCRIBE", "app:a*"]).starts_with("-NOPERM"));
    assert_eq!(
        client.ask(&["PSUBSCRIBE", "app:*"]),
        "*3\r\n$10\r\npsubscribe\r\n$5\r\napp:*\r\n:1\r\n"
    );
}

#[test]
fn a_blocked_client_gets_what_is_pushed_and_its_pipeline_waits_behind() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut blocked = Client::login(redwall.address, "app", "app");
    let mut other = Client::login(redwall.address, "app", "app");
    blocked.send(&["BLPOP", "app:l", "0"]);
    blocked.send(&["PING"]);
    blocked.send(&["GET", "other"]);
    assert!(blocked.is_silent(Duration::from_millis(100)));
    assert_eq!(other.ask(&["LPUSH", "app:l", "x"]), ":1\r\n");
    assert_eq!(blocked.text(), "*2\r\n$5\r\napp:l\r\n$1\r\nx\r\n");
    assert_eq!(blocked.text(), "+PONG\r\n");
    assert!(blocked.text().starts_with("-NOPERM"));
}

#[test]
fn a_blocked_client_that_goes_away_takes_nothing_with_it() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut blocked = Client::login(redwall.address, "app", "app");
    blocked.send(&["BLPOP", "app:l", "0"]);
    wait_until("the client is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains("blocked_clients:1")
    });
    drop(blocked);
    wait_until("nobody is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains("blocked_clients:0")
    });
    let mut other = Client::login(redwall.address, "app", "app");
    assert_eq!(other.ask(&["LPUSH", "app:l", "x"]), ":1\r\n");
    assert_eq!(other.ask(&["LLEN", "app:l"]), ":1\r\n");
}
