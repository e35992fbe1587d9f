//! A right that is withdrawn while a command waits for its way to the backend is withdrawn from that command too.

use crate::bed::{Backend, Client, Redwall, wait_until};
use crate::track::{everywhere, shared, shared_lanes};

/// The file's text without the right to run `command`.
fn without(text: &str, command: &str) -> String {
    let rules = "rules = [\"+@all\", \"~app:*\"";
    assert!(text.contains(rules));
    let fewer = format!("rules = [\"+@all\", \"-{command}\", \"~app:*\"");
    text.replace(rules, &fewer)
}

#[test]
fn a_command_behind_a_blocking_one_is_judged_by_the_rights_of_the_moment_in_which_it_runs() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let config = shared(&backend.url());
        let redwall = config.start();
        let mut client = Client::login(redwall.address, "app", "app");
        client.send(&["BLPOP", "app:list", "0"]);
        client.send(&["SET", "app:k", "v"]);
        client.send(&["GET", "app:k"]);
        wait_until("the client is blocked", || {
            let clients = backend.admin(&["INFO", "clients"]);
            clients.contains("blocked_clients:1")
        });
        redwall.reload(&without(&config.text(), "set"));
        backend.admin(&["LPUSH", "app:list", "x"]);
        assert_eq!(client.text(), "*2\r\n$8\r\napp:list\r\n$1\r\nx\r\n");
        assert!(client.text().starts_with("-NOPERM"));
        assert_eq!(client.text(), "$-1\r\n");
    });
}

#[test]
fn a_command_that_waits_for_another_connection_is_judged_by_the_rights_of_the_moment_in_which_it_gets_it()
 {
    let large = "v".repeat(8 * 1024);
    let cases: [(&str, &[&str]); 4] = [
        ("append", &["APPEND", "app:list", &large]),
        ("multi", &["MULTI"]),
        ("blpop", &["BLPOP", "app:list", "0"]),
        ("subscribe", &["SUBSCRIBE", "app:news"]),
    ];
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let config = shared(&backend.url());
        let redwall = config.start();
        for (command, words) in cases {
            let mut client = Client::login(redwall.address, "app", "app");
            assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
            backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]);
            client.send(&["DEL", "app:k"]);
            client.send(words);
            client.send(&["ECHO", "behind"]);
            wait_until("the first is held by the backend", || {
                let lanes = shared_lanes(&backend);
                lanes.iter().any(|lane| lane.field("flags").contains('b'))
            });
            redwall.reload(&without(&config.text(), command));
            backend.admin(&["CLIENT", "UNPAUSE"]);
            assert_eq!(client.text(), ":0\r\n");
            let said = client.text();
            assert!(said.starts_with("-NOPERM"), "{command}: {said}");
            assert_eq!(client.text(), "$6\r\nbehind\r\n", "{command}");
            redwall.reload(&config.text());
        }
    });
}
