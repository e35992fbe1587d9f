//! Transactions that arrive as a whole travel over shared connections, in one piece: nobody else's command is ever queued by one, nor
//! carried out in the midst of it.

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Gauge, Redwall, Server, wait_until};
use crate::track::{OWN, SHARED, everywhere, own_lanes, shared, shared_lanes};

fn pipeline(requests: &[&[&str]]) -> Vec<u8> {
    let bytes = |words: &&[&str]| OwnedRequest::new(words).as_request().bytes().to_vec();
    requests.iter().flat_map(bytes).collect()
}

fn said(client: &mut Client, frames: usize) -> Vec<String> {
    (0..frames).map(|_| client.text()).collect()
}

/// All clients are on the same lanes.
fn with_one_worker(backend: &str) -> Redwall {
    let text = shared(backend).text();
    Redwall::start(&text.replace("workers = 2\n", "workers = 1\n"))
}

/// Whether anybody has used a lane of its own.
fn own_lane_was_used(gauge: &Gauge) -> bool {
    gauge.count("EXEC", |pipe| pipe.name == OWN) > 0
}

#[test]
fn a_transaction_that_arrives_as_a_whole_costs_no_connection_of_its_own() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        for protocol in [2, 3] {
            let mut client = Client::login(redwall.address, "app", "app");
            client.hello(protocol);
            client.send_raw(&pipeline(&[
                &["SET", "app:n", "1"],
                &["multi"],
                &["INCR", "app:n"],
                &["LPUSH", "app:n", "x"],
                &["GET", "app:n"],
                &["exec"],
                &["GET", "app:n"],
                &["PING"],
            ]));
            let wrong_type =
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
            let exec = format!("*3\r\n:2\r\n{wrong_type}$1\r\n2\r\n");
            let expected = [
                "+OK\r\n",
                "+OK\r\n",
                "+QUEUED\r\n",
                "+QUEUED\r\n",
                "+QUEUED\r\n",
                &exec,
                "$1\r\n2\r\n",
                "+PONG\r\n",
            ];
            assert_eq!(said(&mut client, 8), expected, "{server:?}");
        }
        assert_eq!(gauge.count("EXEC", |pipe| pipe.name == SHARED), 2);
        assert!(!own_lane_was_used(&gauge));
    });
}

#[test]
fn nobody_s_command_is_carried_out_in_the_midst_of_another_s_transaction() {
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 60;
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = with_one_worker(&gauge.url());
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let address = redwall.address;
                scope.spawn(move || {
                    let mut client = Client::login(address, "app", "app");
                    let (key, list) = (format!("app:{number}"), format!("app:{number}:list"));
                    for round in 0..ROUNDS {
                        client.send_raw(&pipeline(&[
                            &["INCR", &key],
                            &["MULTI"],
                            &["INCR", &key],
                            &["RPUSH", &list, "a"],
                            &["EXEC"],
                            &["INCR", &key],
                        ]));
                        let (first, second) = (3 * round + 1, 3 * round + 2);
                        let expected = [
                            format!(":{first}\r\n"),
                            "+OK\r\n".to_owned(),
                            "+QUEUED\r\n".to_owned(),
                            "+QUEUED\r\n".to_owned(),
                            format!("*2\r\n:{second}\r\n:{}\r\n", round + 1),
                            format!(":{}\r\n", second + 1),
                        ];
                        assert_eq!(said(&mut client, 6), expected);
                    }
                });
            }
        });
        assert!(!own_lane_was_used(&gauge));
        let mut transactions = 0;
        for pipe in gauge.pipes().iter().filter(|pipe| pipe.name == SHARED) {
            let begins = |at: &usize| pipe.requests[*at].is("MULTI");
            for at in (0..pipe.requests.len()).filter(begins) {
                let inside = &pipe.requests[at..at + 4];
                let names: Vec<&str> = inside.iter().map(|noted| &*noted.words[0]).collect();
                assert_eq!(names, ["MULTI", "INCR", "RPUSH", "EXEC"], "{server:?}");
                let list = format!("{}:list", inside[1].words[1]);
                assert_eq!(inside[2].words[1], list, "{server:?}");
                transactions += 1;
            }
        }
        assert_eq!(transactions, CLIENTS * ROUNDS);
    });
}

/// What is logged of a lane that is closed because of EXEC's answer.
const NOT_OVER: &str = "doesn't say that the transaction is over";

/// A server that queues what comes after MULTI, and never knows of an end.
fn without_exec(server: Server) -> Backend {
    Backend::start_as(server, &["rename-command EXEC \"\""])
}

#[test]
fn nobody_else_s_commands_are_queued_by_a_transaction_that_a_server_does_not_end() {
    everywhere(|server| {
        let backend = without_exec(server);
        let redwall = with_one_worker(&backend.url());
        let mut others: Vec<Client> = (0..4)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        for other in &mut others {
            assert_eq!(other.ask(&["SET", "app:k", "before"]), "+OK\r\n");
        }
        let mut client = Client::login(redwall.address, "app", "app");
        backend.freeze();
        let block = pipeline(&[&["MULTI"], &["SET", "app:t", "x"], &["EXEC"]]);
        client.send_raw(&block);
        for other in &mut others {
            other.send(&["SET", "app:k", "behind"]);
        }
        // Those behind it are on the same connection by then, or come later.
        std::thread::park_timeout(std::time::Duration::from_millis(30));
        backend.thaw();
        for other in &mut others {
            // Closed, or served elsewhere: never told that its command waits for somebody's EXEC.
            if let Some(said) = other.text_or_end() {
                assert_eq!(said, "+OK\r\n", "{server:?}");
            }
        }
        let got = client.until_closed();
        assert!("+OK\r\n+QUEUED\r\n".starts_with(&got), "{server:?}: {got}");
        redwall.wait_for_log(NOT_OVER);
        // From now on it happens to the one who asks for it alone.
        let mut witness = Client::login(redwall.address, "app", "app");
        assert_eq!(witness.ask(&["SET", "app:k", "after"]), "+OK\r\n");
        let mut again = Client::login(redwall.address, "app", "app");
        again.send_raw(&block);
        assert_eq!(again.text(), "+OK\r\n");
        assert_eq!(again.text(), "+QUEUED\r\n");
        assert!(again.text().starts_with("-ERR unknown command"));
        assert_eq!(witness.ask(&["GET", "app:k"]), "$5\r\nafter\r\n");
        assert_eq!(backend.admin(&["EXISTS", "app:t"]), ":0\r\n");
    });
}

#[test]
fn a_server_that_comes_back_mended_is_given_transactions_over_shared_connections_again() {
    let mut backend = Backend::start();
    let gauge = Gauge::before(backend.socket());
    let redwall = with_one_worker(&gauge.url());
    let block = pipeline(&[&["MULTI"], &["INCR", "app:n"], &["EXEC"]]);
    let shared = || gauge.count("EXEC", |pipe| pipe.name == SHARED);
    // Its file says otherwise, and that is read when it starts.
    let change = ["ACL", "SETUSER", "redwall", "-multi"];
    assert_eq!(backend.admin(&change), "+OK\r\n");
    let mut client = Client::login(redwall.address, "app", "app");
    client.send_raw(&block);
    client.until_closed();
    redwall.wait_for_log(NOT_OVER);
    assert_eq!(shared(), 1);
    let mut again = Client::login(redwall.address, "app", "app");
    again.send_raw(&block);
    assert!(again.text().starts_with("-NOPERM"));
    assert_eq!(shared(), 1, "nobody else is concerned");
    backend.restart();
    wait_until("a transaction shares", || {
        let mut client = Client::login(redwall.address, "app", "app");
        client.send_raw(&block);
        let _ = client.text_or_end();
        shared() > 1
    });
}

#[test]
fn a_transaction_that_the_server_discards_leaves_its_connection_to_the_others() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut client = Client::login(redwall.address, "app", "app");
        let mut other = Client::login(redwall.address, "app", "app");
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
        assert_eq!(other.ask(&["GET", "app:k"]), "$-1\r\n");
        let before: Vec<String> = shared_lanes(&backend)
            .iter()
            .map(|lane| lane.id().to_owned())
            .collect();
        assert_eq!(
            backend.admin(&["CONFIG", "SET", "maxmemory", "1"]),
            "+OK\r\n"
        );
        client.send_raw(&pipeline(&[
            &["MULTI"],
            &["SET", "app:k", "1"],
            &["EXEC"],
            &["GET", "app:k"],
        ]));
        assert_eq!(client.text(), "+OK\r\n");
        assert!(client.text().starts_with("-OOM"));
        assert!(client.text().starts_with("-EXECABORT"));
        assert_eq!(client.text(), "$-1\r\n");
        assert_eq!(other.ask(&["GET", "app:k"]), "$-1\r\n");
        let after = shared_lanes(&backend);
        assert!(
            before
                .iter()
                .all(|id| after.iter().any(|lane| lane.id() == id))
        );
    });
}

#[test]
fn a_transaction_that_is_not_all_permitted_or_may_not_all_share_goes_over_its_client_s_own_connection()
 {
    let backend = Backend::start();
    let gauge = Gauge::before(backend.socket());
    let redwall = shared(&gauge.url()).start();
    let long = vec![["INCR", "app:n"].as_slice(); 31];
    let large = "x".repeat(4096);
    let cases: [(&[&[&str]], &str); 6] = [
        (&[&["INCR", "app:n"], &["GET", "other"]], "-EXECABORT"),
        (&[&["INCR", "app:n"], &["NOSUCH"]], "-EXECABORT"),
        (&[&["EVAL", "return 1", "0"]], "*1"),
        (&[&["BLPOP", "app:l", "0"], &["SELECT", "0"]], "*2"),
        (&long, "*31"),
        (&[&["SET", "app:large", &large]], "*1"),
    ];
    for (number, (inner, answer)) in cases.iter().enumerate() {
        let mut client = Client::login(redwall.address, "root", "root");
        if number == 0 {
            client = Client::login(redwall.address, "app", "app");
        }
        let block = [&[["MULTI"].as_slice()], *inner, &[["EXEC"].as_slice()]].concat();
        client.send_raw(&pipeline(&block));
        let last = said(&mut client, block.len()).pop().unwrap();
        assert!(last.starts_with(answer), "{inner:?}: {last}");
    }
    assert_eq!(gauge.count("MULTI", |pipe| pipe.name == SHARED), 0);
    assert_eq!(gauge.count("MULTI", |pipe| pipe.name == OWN), cases.len());
    wait_until("its connection is there for others", || {
        !own_lanes(&backend).is_empty()
    });
}

#[test]
fn a_transaction_shares_up_to_its_bound_and_as_the_first_thing_that_its_client_asks_for() {
    let backend = Backend::start();
    let gauge = Gauge::before(backend.socket());
    let redwall = with_one_worker(&gauge.url());
    for inner in [0, 14, 15, 30] {
        let mut client = Client::login(redwall.address, "app", "app");
        let incr = vec![["INCR", "app:n"].as_slice(); inner];
        let block = [vec![["MULTI"].as_slice()], incr, vec![["EXEC"].as_slice()]].concat();
        client.send_raw(&pipeline(&block));
        let last = said(&mut client, block.len()).pop().unwrap();
        assert!(last.starts_with(&format!("*{inner}\r\n")), "{last}");
    }
    assert!(!own_lane_was_used(&gauge));
}

/// What a server says to MULTI, SET and EXEC, whoever else is on the connection.
fn refused(backend: &Backend, change: &[&str], expected: [&str; 3]) {
    let redwall = with_one_worker(&backend.url());
    let mut client = Client::login(redwall.address, "root", "root");
    let mut other = Client::login(redwall.address, "root", "root");
    for client in [&mut client, &mut other] {
        assert!(client.ask(&["GET", "app:k"]).starts_with('$'));
    }
    let ids = || -> Vec<String> {
        let lanes = shared_lanes(backend);
        lanes.iter().map(|lane| lane.id().to_owned()).collect()
    };
    let before = ids();
    if !change.is_empty() {
        assert_eq!(backend.admin(change), "+OK\r\n");
    }
    client.send_raw(&pipeline(&[
        &["MULTI"],
        &["SET", "app:k", "1"],
        &["EXEC"],
        &["GET", "app:k"],
    ]));
    for (said, expected) in said(&mut client, 3).iter().zip(expected) {
        assert!(said.starts_with(expected), "{change:?}: {said}");
    }
    assert_eq!(client.text(), other.ask(&["GET", "app:k"]), "{change:?}");
    assert_eq!(ids(), before, "{change:?}");
}

#[test]
fn whatever_a_server_refuses_in_a_transaction_its_connection_stays_as_it_was() {
    everywhere(|server| {
        let cases: [(&[&str], [&str; 3]); 5] = [
            (
                &["CONFIG", "SET", "min-replicas-to-write", "1"],
                ["+OK", "-NOREPLICAS", "-EXECABORT"],
            ),
            (
                &["ACL", "SETUSER", "redwall", "-set"],
                ["+OK", "-NOPERM", "-EXECABORT"],
            ),
            (
                &["ACL", "SETUSER", "redwall", "-exec"],
                ["+OK", "+QUEUED", "-EXECABORT"],
            ),
            (
                &["CLIENT", "PAUSE", "100", "WRITE"],
                ["+OK", "+QUEUED", "*1"],
            ),
            (&["CLIENT", "PAUSE", "100", "ALL"], ["+OK", "+QUEUED", "*1"]),
        ];
        for (change, expected) in cases {
            refused(&Backend::start_as(server, &[]), change, expected);
        }
        let replica = Backend::start_as(server, &["replicaof 127.0.0.1 1"]);
        refused(&replica, &[], ["+OK", "-READONLY", "-EXECABORT"]);
    });
}

/// Of an error only its first word: texts differ from version to version.
fn shown(frame: &str) -> &str {
    match frame.split_once(' ') {
        Some((first, _)) if frame.starts_with('-') => first,
        Some(_) | None => frame.trim_end(),
    }
}

/// Requests of all kinds, those first that may stand anywhere.
const WORDS: [&str; 26] = [
    "SET k v",
    "INCR n",
    "INCR n",
    "GET k",
    "GET n",
    "LPUSH k a",
    "RPUSH l a b",
    "APPEND k y",
    "XREAD STREAMS s 0",
    "XADD s 1-* a b",
    "DBSIZE",
    "MULTI",
    "multi",
    "EXEC",
    "exec",
    "EXEC x",
    "DISCARD",
    "SELECT 1",
    "SELECT 0",
    "PING",
    "ECHO x",
    "WATCH n",
    "UNWATCH",
    "BLPOP l 0.01",
    "NOSUCH",
    "GET",
];

/// How many of them may be in a transaction that shares.
const PLAIN: usize = 11;

/// Requests of all kinds, most of them in transactions of what may share; `pick` chooses one of so many.
fn anything(pick: &mut impl FnMut(usize) -> usize) -> Vec<&'static str> {
    let mut lines = Vec::new();
    for _ in 0..=pick(12) {
        if pick(3) == 0 {
            lines.push(WORDS[pick(WORDS.len())]);
            continue;
        }
        lines.push("MULTI");
        for _ in 0..pick(6) {
            let among = if pick(8) == 0 { WORDS.len() } else { PLAIN };
            lines.push(WORDS[pick(among)]);
        }
        lines.push("EXEC");
    }
    lines
}

#[test]
fn a_pipeline_of_anything_and_transactions_is_answered_as_by_the_server_itself() {
    const ROUNDS: usize = 100;
    everywhere(|server| {
        let (behind, direct) = (
            Backend::start_as(server, &[]),
            Backend::start_as(server, &[]),
        );
        let gauge = Gauge::before(behind.socket());
        let redwall = with_one_worker(&gauge.url());
        let mut others: Vec<Client> = (0..3)
            .map(|_| Client::login(redwall.address, "root", "root"))
            .collect();
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut pick = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        for round in 0..ROUNDS {
            for backend in [&behind, &direct] {
                backend.admin(&["FLUSHALL"]);
            }
            let lines = anything(&mut pick);
            let words: Vec<Vec<&str>> =
                lines.iter().map(|line| line.split(' ').collect()).collect();
            let requests: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
            let mut server_itself = direct.direct("admin", 2);
            let mut client = Client::login(redwall.address, "root", "root");
            for other in &mut others {
                other.send(&["GET", "other"]);
            }
            client.send_raw(&pipeline(&requests));
            for other in &mut others {
                other.send(&["STRLEN", "other"]);
            }
            for words in &requests {
                let expected = String::from_utf8_lossy(&server_itself.ask(words)).into_owned();
                let said = client.text();
                assert_eq!(
                    shown(&said),
                    shown(&expected),
                    "{server:?} {round}: {words:?} of {lines:?}"
                );
            }
            for other in &mut others {
                assert_eq!(said(other, 2), ["$-1\r\n", ":0\r\n"]);
            }
        }
        assert!(gauge.count("EXEC", |pipe| pipe.name == SHARED) > ROUNDS / 2);
        assert!(own_lane_was_used(&gauge));
    });
}
