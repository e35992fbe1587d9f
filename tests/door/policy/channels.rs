//! Channels on which servers speak to each other, or tell of keys.

use super::{House, user, words};
use crate::bed::{Client, Server};

const RESERVED: [&str; 4] = [
    "__sentinel__:hello",
    "__keyspace@0__:x",
    "__keyevent@0__:set",
    "__redis__:invalidate",
];

/// Patterns that match one of these channels, or could.
const PATTERNS: [&str; 9] = [
    "*",
    "__k*",
    "__sentinel__:hello",
    "?_sentinel__:*",
    "\\_\\_keyspace@0__:*",
    "[_]_redis__:*",
    "[^a]*",
    "__key?????@*",
    "_*hello",
];

#[test]
fn nobody_but_an_operator_speaks_where_servers_speak_to_each_other() {
    for server in Server::ALL {
        let users = user("mallory", "rules = \"+@all -@dangerous ~* &*\"")
            + &user("tenant", "rules = \"+@all -@dangerous ~tenant:* &*\"")
            + &user("watcher", "rules = \"+@pubsub %R~* &*\"")
            + &user("op", "rules = \"+@all ~* &*\"\noperator = true");
        let house = House::new(server, &["notify-keyspace-events KEA"], &users);
        let mut watcher = house.login("watcher");
        for name in RESERVED {
            join(&mut watcher, &["SUBSCRIBE", name]);
        }
        forged_messages_are_refused(&house);
        house.denies(
            "tenant",
            &RESERVED
                .map(|name| format!("SUBSCRIBE news {name}"))
                .each_ref()
                .map(String::as_str),
        );
        house.denies(
            "tenant",
            &RESERVED
                .map(|name| format!("SSUBSCRIBE {name}"))
                .each_ref()
                .map(String::as_str),
        );
        house.denies(
            "tenant",
            &PATTERNS
                .map(|name| format!("PSUBSCRIBE {name}"))
                .each_ref()
                .map(String::as_str),
        );
        // The first that the watcher hears is an operator's, not a forger's.
        let mut op = house.login("op");
        for name in RESERVED {
            assert_eq!(op.ask(&["PUBLISH", name, "true"]), ":1\r\n", "{server:?}");
            let heard = watcher.text();
            assert!(heard.contains(name) && heard.contains("true"), "{heard:?}");
        }
        ordinary_channels_work(&house);
    }
}

/// Alone, in a transaction, and in a message so large that it is passed on while it arrives.
fn forged_messages_are_refused(house: &House) {
    let large = "x".repeat(2 * 1024 * 1024);
    for who in ["mallory", "root"] {
        for name in RESERVED {
            let before = house.tap.heard();
            let mut client = house.login(who);
            for command in ["PUBLISH", "SPUBLISH", "publish"] {
                for message in ["forged", &large] {
                    let reply = client.ask(&[command, name, message]);
                    assert!(reply.starts_with("-NOPERM"), "{who}: {name}: {reply:?}");
                }
            }
            assert!(house.tap.heard() == before, "{who}: {name}");
            assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
            assert!(
                client
                    .ask(&["PUBLISH", name, "forged"])
                    .starts_with("-NOPERM")
            );
            assert!(client.ask(&["EXEC"]).starts_with("-EXECABORT"));
        }
    }
}

fn ordinary_channels_work(house: &House) {
    let mut tenant = house.login("tenant");
    for line in ["SUBSCRIBE news", "PSUBSCRIBE sport.*", "SUBSCRIBE __mine"] {
        join(&mut tenant, &words(line));
    }
    let mut mallory = house.login("mallory");
    for name in ["news", "sport.ski", "__mine"] {
        assert_eq!(mallory.ask(&["PUBLISH", name, "v"]), ":1\r\n", "{name}");
        assert!(tenant.text().contains(name));
    }
    // Whoever may read every key may hear of them.
    let mut watcher = house.login("watcher");
    join(&mut watcher, &["PSUBSCRIBE", "__keyevent@*"]);
    assert_eq!(mallory.ask(&["SET", "k", "v"]), "+OK\r\n");
    assert!(watcher.text().contains("__keyevent@0__:set"));
}

fn join(client: &mut Client, words: &[&str]) {
    let reply = client.ask(words);
    assert!(reply.contains("subscribe"), "{words:?}: {reply:?}");
}
