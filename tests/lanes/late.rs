//! A request whose time is over may still be carried out: what its client sends next must not overtake it.

use std::time::{Duration, Instant};

use crate::bed::{Backend, Client, Redwall, wait_until};
use crate::track::{everywhere, shared};

/// How long a request may take here.
const REQUEST_TIMEOUT: &str = "request_timeout = \"500ms\"\n";

/// What a client does that would take it to another connection, if it might go: each writes "new".
fn ways_to_write() -> [Vec<Vec<String>>; 3] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let large = format!("new{}", "x".repeat(8 * 1024));
    [
        vec![words(&["SET", "app:k", &large])],
        vec![
            words(&["MULTI"]),
            words(&["SET", "app:k", "new"]),
            words(&["EXEC"]),
        ],
        vec![words(&[
            "EVAL",
            "return redis.call('set', KEYS[1], 'new')",
            "1",
            "app:k",
        ])],
    ]
}

/// The server is kept busy for longer than a request may take, and its connections moving all the while.
const BUSY: Duration = Duration::from_millis(1500);

/// Requests for which the server counts bits, of one client: no more than may be under way on a shared connection at once.
const ROUNDS: usize = 14;

/// A request that fills a quarter of what a server takes of one connection before it looks at the next.
fn send_filler(client: &mut Client) {
    client.send(&["GET", &format!("app:{}", "f".repeat(4000))]);
}

/// Clients who keep the server busy in many small steps, on both workers' connections.
fn keep_busy(backend: &Backend, redwall: &Redwall) -> Vec<Client> {
    let mut direct = backend.direct("admin", 2);
    direct.ask(&["SETRANGE", "app:large", "134217727", "x"]);
    direct.ask(&["BITCOUNT", "app:large"]);
    let start = Instant::now();
    direct.ask(&["BITCOUNT", "app:large"]);
    let rounds = BUSY.as_nanos() / start.elapsed().as_nanos().max(1);
    let clients = usize::try_from(rounds).unwrap() / ROUNDS + 1;
    let client = |_| {
        let mut client = Client::login(redwall.address, "root", "root");
        for _ in 0..ROUNDS {
            client.send(&["BITCOUNT", "app:large"]);
            send_filler(&mut client);
        }
        client
    };
    (0..clients.clamp(2, 16)).map(client).collect()
}

/// Sends "old" and hears what becomes of it: says whether its time was over.
fn write_old(client: &mut Client) -> bool {
    for _ in 0..5 {
        send_filler(client);
    }
    client.send(&["SET", "app:k", "old"]);
    let said: Vec<String> = (0..6).map(|_| client.text()).collect();
    said[5] == "-ERR backend timeout\r\n"
}

/// Writes "new" and says whether the client was told that it is written.
fn write_new(client: &mut Client, way: &[Vec<String>]) -> bool {
    let mut last = None;
    for words in way {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if client.try_send(&words).is_err() {
            return false;
        }
        last = client.text_or_end();
    }
    last.is_some_and(|last| last == "+OK\r\n" || last == "*1\r\n+OK\r\n")
}

/// A client whose request was answered. What comes first may take longer than a request may take here, and has another client try.
fn answered(redwall: &Redwall, words: &[&str]) -> Client {
    let mut found = None;
    wait_until("a request is answered in time", || {
        let mut client = Client::login(redwall.address, "root", "root");
        client.send(words);
        let said = client.text();
        let in_time = said != "-ERR backend timeout\r\n";
        assert!(!in_time || !said.starts_with('-'), "{said}");
        found = in_time.then_some(client);
        in_time
    });
    found.unwrap()
}

/// Has both workers open one, so that nobody waits for it later.
fn open_connections_for_large_requests(redwall: &Redwall) {
    let large = "x".repeat(8 * 1024);
    let append = |_| answered(redwall, &["APPEND", "app:other", &large]);
    // Held until all are there: so they are on both.
    let others: Vec<Client> = (0..4).map(append).collect();
    drop(others);
}

fn times_set(backend: &Backend) -> usize {
    let stats = backend.admin(&["INFO", "commandstats"]);
    let line = stats.lines().find(|line| line.starts_with("cmdstat_set:"));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
    calls.map_or(0, |calls| calls.parse().unwrap())
}

#[test]
fn a_write_that_timed_out_never_overwrites_the_one_that_its_client_sends_after_it() {
    everywhere(|server| {
        for way in ways_to_write() {
            let backend = Backend::start_as(server, &[]);
            let mut config = shared(&backend.url());
            config.backend_more = REQUEST_TIMEOUT.to_owned();
            let redwall = config.start();
            open_connections_for_large_requests(&redwall);
            let mut client = answered(&redwall, &["GET", "app:k"]);
            let _others = keep_busy(&backend, &redwall);
            write_old(&mut client);
            if write_new(&mut client, &way) {
                wait_until("both are written", || times_set(&backend) == 2);
                let value = backend.admin(&["GETRANGE", "app:k", "0", "2"]);
                assert_eq!(value, "$3\r\nnew\r\n", "{way:?}");
            }
        }
    });
}

#[test]
fn a_write_that_a_stalled_server_carries_out_late_never_overwrites_a_newer_one() {
    everywhere(|server| {
        for way in ways_to_write() {
            let backend = Backend::start_as(server, &[]);
            let mut config = shared(&backend.url());
            config.backend_more = REQUEST_TIMEOUT.to_owned();
            let redwall = config.start();
            open_connections_for_large_requests(&redwall);
            let mut client = answered(&redwall, &["GET", "app:k"]);
            backend.freeze();
            assert!(write_old(&mut client));
            std::thread::scope(|scope| {
                let new = scope.spawn(|| write_new(&mut client, &way));
                // The client's new write must be on its way, or held back, while the server stands still.
                std::thread::park_timeout(Duration::from_millis(100));
                backend.thaw();
                if new.join().unwrap() {
                    wait_until("both are written", || times_set(&backend) == 2);
                    let value = backend.admin(&["GETRANGE", "app:k", "0", "2"]);
                    assert_eq!(value, "$3\r\nnew\r\n", "{way:?}");
                }
            });
        }
    });
}

/// The elements of a list, in order.
fn elements(backend: &Backend, key: &str) -> Vec<String> {
    let list = backend.admin(&["LRANGE", key, "0", "-1"]);
    let words = list.split("\r\n").skip(2).step_by(2);
    words.map(|word| word.chars().take(8).collect()).collect()
}

#[test]
fn a_client_s_writes_are_carried_out_in_its_order_on_whatever_connection_they_travel() {
    let large = |name: &str| format!("{name:<8}{}", "x".repeat(8 * 1024));
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        open_connections_for_large_requests(&redwall);
        let mut client = answered(&redwall, &["GET", "app:k"]);
        // More than a server takes of one connection before it looks at the next; one that stands still takes nothing.
        backend.freeze();
        for _ in 0..20 {
            send_filler(&mut client);
        }
        let (second, fifth) = (large("second"), large("fifth"));
        let writes: [&[&str]; 9] = [
            &["RPUSH", "app:list", "first"],
            &["RPUSH", "app:list", &second],
            &["RPUSH", "app:list", "third"],
            &[
                "EVAL",
                "return redis.call('rpush', KEYS[1], 'fourth')",
                "1",
                "app:list",
            ],
            &["RPUSH", "app:list", &fifth],
            &["MULTI"],
            &["RPUSH", "app:list", "sixth"],
            &["EXEC"],
            &["RPUSH", "app:list", "seventh"],
        ];
        for words in writes {
            client.send(words);
        }
        backend.thaw();
        for _ in 0..20 + writes.len() {
            let said = client.text();
            assert!(!said.starts_with('-'), "{said}");
        }
        let order = [
            "first", "second", "third", "fourth", "fifth", "sixth", "seventh",
        ];
        let found = elements(&backend, "app:list");
        let found: Vec<&str> = found.iter().map(|word| word.trim()).collect();
        assert_eq!(found, order);
    });
}
