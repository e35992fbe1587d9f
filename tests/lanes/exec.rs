//! A transaction whose EXEC could answer with more or fewer frames than it should must leave nothing behind on its connection.

use crate::bed::{Backend, Client, Redwall, Server, wait_until};
use crate::relay::{Moment, Relay};
use crate::track::{everywhere, shared};

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";

/// What could end in more or fewer frames than EXEC announces.
const REFUSED: [&[&str]; 9] = [
    &["SUBSCRIBE", "app:a", "app:b"],
    &["PSUBSCRIBE", "app:a*", "app:b*"],
    &["SSUBSCRIBE", "app:a", "app:b"],
    &["UNSUBSCRIBE"],
    &["PUNSUBSCRIBE"],
    &["SUNSUBSCRIBE"],
    &["AUTH", "root", "wrong"],
    &["AUTH", "root", "root"],
    &["HELLO", "3", "AUTH", "root", "wrong"],
];

/// A client, still connected, that has had a transaction answered in which it asked for what nobody else can have.
fn transact(redwall: &Redwall, number: usize) -> Client {
    let mut client = Client::login(redwall.address, "app", "app");
    let (key, value) = (format!("app:{number}"), format!("only for {number}"));
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.ask(&["SET", &key, &value]), "+QUEUED\r\n");
    assert_eq!(client.ask(&["ECHO", &value]), "+QUEUED\r\n");
    let exec = format!("*2\r\n+OK\r\n${}\r\n{value}\r\n", value.len());
    assert_eq!(client.ask(&["EXEC"]), exec);
    client
}

/// Many clients in turn, on both workers, each with a transaction of its own: each hears only what is its own.
fn assert_that_everybody_is_in_step(redwall: &Redwall) {
    for number in 0..8 {
        let mut client = transact(redwall, number);
        let value = format!("only for {number}");
        let value = format!("${}\r\n{value}\r\n", value.len());
        assert_eq!(client.ask(&["GET", &format!("app:{number}")]), value);
    }
}

#[test]
fn what_could_put_replies_out_of_step_is_refused_in_a_transaction_which_fails_then() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        for protocol in [2, 3] {
            for words in REFUSED {
                let mut client = Client::login(redwall.address, "root", "root");
                client.hello(protocol);
                assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
                assert_eq!(client.ask(&["SET", "app:k", "1"]), "+QUEUED\r\n");
                let said = client.ask(words);
                assert!(said.starts_with("-"), "{words:?}: {said}");
                assert_eq!(client.ask(&["PING"]), "+QUEUED\r\n", "{words:?}");
                assert_eq!(client.ask(&["EXEC"]), ABORTED, "{words:?}");
                assert_eq!(client.ask(&["EXISTS", "app:k"]), ":0\r\n", "{words:?}");
            }
        }
        assert_that_everybody_is_in_step(&redwall);
    });
}

#[test]
fn a_message_that_comes_inside_a_transaction_s_answer_is_passed_on_and_counts_for_nothing() {
    let said: [&[&str]; 5] = [
        &["SUBSCRIBE", "app:news"],
        &["MULTI"],
        &["PUBLISH", "app:news", "hi"],
        &["ECHO", "mine"],
        &["EXEC"],
    ];
    // What a server sends without Redwall in between: an old one puts the message into the array, others behind it.
    let inside = "*2\r\n>3\r\n$7\r\nmessage\r\n$8\r\napp:news\r\n$2\r\nhi\r\n:1\r\n$4\r\nmine\r\n";
    let behind = "*2\r\n:1\r\n$4\r\nmine\r\n>3\r\n$7\r\nmessage\r\n$8\r\napp:news\r\n$2\r\nhi\r\n";
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut client = Client::login(redwall.address, "app", "app");
        client.hello(3);
        for words in said {
            client.send(words);
        }
        client.send(&["EXISTS", "app:none"]);
        let heard: String = (0..4).map(|_| client.text()).collect();
        let (_, heard) = heard.split_once("+QUEUED\r\n+QUEUED\r\n").unwrap();
        let mut heard = heard.to_owned();
        while !heard.ends_with(":0\r\n") {
            heard += &client.text();
        }
        let expected = match server {
            Server::Redis70 => inside,
            Server::Redis82 | Server::Valkey81 | Server::Valkey91 => behind,
        };
        assert_eq!(heard, format!("{expected}:0\r\n"));
        drop(client);
        assert_that_everybody_is_in_step(&redwall);
    });
}

#[test]
fn a_reply_too_many_behind_a_transaction_never_reaches_the_next_client_on_its_connection() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let surplus = b"$7\r\nforeign\r\n";
        let relay = Relay::before(backend.socket(), Moment::After(b"EXEC\r\n"), surplus);
        let redwall = shared(&relay.url()).start();
        let clients: Vec<Client> = (0..4).map(|number| transact(&redwall, number)).collect();
        // Each is used next for an echo, or else by the next client.
        wait_until("their connections are used again", || {
            drop(transact(&redwall, 9));
            relay.slips() >= clients.len()
        });
    });
}
