//! A connection that is lent again brings nothing of its last holder to the next.

use crate::bed::{Backend, Client, Redwall, Server, wait_until};
use crate::track::{Seen, everywhere, own_lane_at, own_lanes, shared};

/// As many as use every connection that is kept ready, and more.
const NEXT: usize = 12;

fn root(redwall: &Redwall) -> Client {
    Client::login(redwall.address, "root", "root")
}

/// Has as many clients as there may be lanes begin a transaction at once, so that whichever lane was left is lent to one of
/// them, and looks at what each sees and at what the backend says of its lane.
fn assert_that_the_next_find_nothing(redwall: &Redwall, backend: &Backend, left: &str) {
    let mut next: Vec<Client> = (0..NEXT).map(|_| root(redwall)).collect();
    for client in &mut next {
        assert_eq!(client.ask(&["MULTI"]), "+OK\r\n", "{left}");
        assert_eq!(client.ask(&["GET", "which"]), "+QUEUED\r\n", "{left}");
        assert_eq!(client.ask(&["INCR", "count"]), "+QUEUED\r\n", "{left}");
        assert_eq!(client.ask(&["HGETALL", "hash"]), "+QUEUED\r\n", "{left}");
    }
    let lent = own_lanes(backend);
    let lent: Vec<&Seen> = lent
        .iter()
        .filter(|lane| lane.field("multi") == "3")
        .collect();
    assert_eq!(lent.len(), NEXT, "{left}");
    for lane in lent {
        assert_that_it_is_clean(lane, left);
    }
    // Whoever watched this key would lose by it, and whoever is told of it would hear.
    backend.admin(&["SET", "watched", "changed"]);
    backend.admin(&["PUBLISH", "news", "for another"]);
    for (number, client) in (1..).zip(&mut next) {
        let exec = format!("*3\r\n$4\r\nzero\r\n:{number}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        assert_eq!(client.ask(&["EXEC"]), exec, "{left}");
    }
    backend.admin(&["DEL", "count"]);
}

/// Every field of the backend's list that a holder could leave something in.
fn assert_that_it_is_clean(lane: &Seen, left: &str) {
    let clean = [
        ("name", "redwall:main:own"),
        ("db", "0"),
        ("sub", "0"),
        ("psub", "0"),
        ("user", "redwall"),
        ("redir", "-1"),
        ("resp", "2"),
    ];
    for (field, value) in clean {
        assert_eq!(lane.field(field), value, "{left}: {lane:?}");
    }
    // Servers that know them have them; the others have none.
    for (field, clean) in [
        ("ssub", "0"),
        ("watch", "0"),
        ("lib-name", ""),
        ("lib-ver", ""),
    ] {
        let value = lane.field(field);
        assert!(value.is_empty() || value == clean, "{left}: {lane:?}");
    }
    // x: in MULTI; U: by a Unix socket. An e would be NO-EVICT, a t TRACKING, a T NO-TOUCH.
    let flags = lane.field("flags").trim_matches(['x', 'U']);
    assert_eq!(flags, "", "{left}: {lane:?}");
}

/// What a client may leave behind, each on a connection of its own.
const LEAVINGS: [(&str, u8, &[&[&str]]); 11] = [
    (
        "an open transaction",
        2,
        &[&["MULTI"], &["SET", "which", "left"]],
    ),
    ("a watched key", 2, &[&["WATCH", "watched"]]),
    (
        "another database",
        2,
        &[&["MULTI"], &["SELECT", "5"], &["EXEC"]],
    ),
    (
        "another database, unfinished",
        2,
        &[&["SELECT", "5"], &["MULTI"], &["SET", "which", "left"]],
    ),
    ("another protocol", 3, &[&["MULTI"], &["PING"], &["EXEC"]]),
    (
        "a protocol that it changed",
        2,
        &[&["MULTI"], &["PING"], &["EXEC"], &["HELLO", "3"]],
    ),
    ("a subscription", 2, &[&["SUBSCRIBE", "news"]]),
    ("a subscription to a pattern", 3, &[&["PSUBSCRIBE", "n*"]]),
    (
        "a name",
        2,
        &[
            &["CLIENT", "SETNAME", "mine"],
            &["CLIENT", "SETINFO", "LIB-NAME", "mine"],
            &["WATCH", "watched"],
            &["UNWATCH"],
        ],
    ),
    (
        "the traces of CLIENT",
        3,
        &[
            &["MULTI"],
            &["PING"],
            &["EXEC"],
            &["CLIENT", "NO-EVICT", "ON"],
            &["CLIENT", "NO-TOUCH", "ON"],
            &["CLIENT", "TRACKING", "ON", "BCAST"],
            &["CLIENT", "CAPA", "REDIRECT"],
        ],
    ),
    (
        "what a script may do",
        2,
        &[
            &["EVAL", "return redis.call('select', 5)", "0"],
            &["WATCH", "watched"],
        ],
    ),
];

/// How a client lets go of the connection that it had for itself.
#[derive(Clone, Copy, Debug)]
enum LettingGo {
    /// It goes.
    Leaving,
    /// It stays, and asks for nothing for a while.
    Staying,
}

#[test]
fn a_connection_that_is_lent_again_brings_nothing_of_its_last_holder() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        for words in [
            ["SET", "which", "zero"].as_slice(),
            &["HSET", "hash", "f", "v"],
        ] {
            backend.admin(words);
        }
        let redwall = shared(&backend.url()).start();
        for (left, protocol, steps) in LEAVINGS {
            for letting_go in [LettingGo::Leaving, LettingGo::Staying] {
                let mut client = root(&redwall);
                client.hello(protocol);
                for words in steps {
                    client.ask(words);
                }
                let client = let_go(&redwall, &backend, client, letting_go);
                let left = format!("{left}, {letting_go:?}");
                assert_that_the_next_find_nothing(&redwall, &backend, &left);
                drop(client);
                wait_until_all_have_gone(&redwall);
            }
        }
    });
}

fn let_go(
    redwall: &Redwall,
    backend: &Backend,
    client: Client,
    letting_go: LettingGo,
) -> Option<Client> {
    match letting_go {
        LettingGo::Leaving => {
            drop(client);
            wait_until_all_have_gone(redwall);
            None
        }
        LettingGo::Staying => {
            // One that is left clean is asked for an echo; one that isn't, but in use, stays as it is.
            let is_left = |lane: &Seen| matches!(lane.field("cmd"), "echo" | "info" | "select");
            let in_use = ["multi", "set", "watch", "subscribe", "psubscribe"];
            let is_kept = |lane: &Seen| in_use.contains(&lane.field("cmd"));
            wait_until("the lane is left", || {
                let lanes = own_lanes(backend);
                lanes.iter().all(|lane| is_left(lane) || is_kept(lane))
            });
            Some(client)
        }
    }
}

fn wait_until_all_have_gone(redwall: &Redwall) {
    wait_until("Redwall has seen all clients go", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 0.0
    });
}

/// What becomes of a lane after a client's use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    LentAgain,
    Closed,
}

/// What a client does, the backend's name for the last of it, and what becomes of its lane then.
const USES: [(&[&[&str]], &str, Fate); 8] = [
    (&[&["MULTI"], &["PING"], &["EXEC"]], "exec", Fate::LentAgain),
    (
        &[&["WATCH", "k"], &["MULTI"], &["DISCARD"]],
        "discard",
        Fate::LentAgain,
    ),
    (
        &[&["WATCH", "k"], &["GET", "k"], &["UNWATCH"]],
        "unwatch",
        Fate::LentAgain,
    ),
    (&[&["BLPOP", "full", "0"]], "blpop", Fate::LentAgain),
    (&[&["EVAL", "return 1", "0"]], "eval", Fate::Closed),
    (
        &[&["MULTI"], &["EVAL", "return 1", "0"], &["EXEC"]],
        "exec",
        Fate::Closed,
    ),
    (
        &[&["WATCH", "k"], &["EVAL", "return 1", "0"], &["UNWATCH"]],
        "unwatch",
        Fate::Closed,
    ),
    (
        &[&["SUBSCRIBE", "news"], &["UNSUBSCRIBE", "news"]],
        "unsubscribe",
        Fate::Closed,
    ),
];

#[test]
fn a_connection_is_lent_again_after_a_transaction_and_closed_after_what_may_leave_traces() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        for (steps, command, fate) in USES {
            backend.admin(&["RPUSH", "full", "x"]);
            let mut client = root(&redwall);
            for words in steps {
                client.ask(words);
            }
            let lane = own_lane_at(&backend, command);
            let mut found = Fate::LentAgain;
            wait_until("the client lets go of its lane", || {
                let lanes = own_lanes(&backend);
                let now = lanes.iter().find(|now| now.id() == lane.id());
                found = now.map_or(Fate::Closed, |_| Fate::LentAgain);
                now.is_none_or(|now| now.field("cmd") == "echo")
            });
            assert_eq!(found, fate, "{steps:?}");
            assert!(!client.ask(&["GET", "k"]).starts_with('-'));
        }
        // A client that goes while its command still waits takes its connection with it, or the element would be lost.
        let mut client = root(&redwall);
        client.send(&["BLPOP", "empty", "0"]);
        let lane = own_lane_at(&backend, "blpop");
        drop(client);
        wait_until("the lane is closed", || {
            own_lanes(&backend).iter().all(|now| now.id() != lane.id())
        });
        assert_eq!(backend.admin(&["RPUSH", "empty", "x"]), ":1\r\n");
        assert_eq!(backend.admin(&["LLEN", "empty"]), ":1\r\n");
    });
}
