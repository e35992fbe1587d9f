//! A server that has become another: what a client had there counts no more, so its session ends, as a fail-over ends it.

use std::time::{Duration, Instant};

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Config, Redwall, Server, wait_until};
use crate::relay::Address;
use crate::track::{
    Seen, everywhere, kill_lane, lane_at, own_lanes, shared, shared_lanes, unshared,
};

/// Keys enough that a server that has seen half of a SCAN has many to go.
const KEYS: usize = 2000;

fn fill(backend: &Backend) {
    let write = |key| OwnedRequest::new(&["SET", &format!("app:{key}"), "v"]);
    let requests: Vec<OwnedRequest> = (0..KEYS).map(write).collect();
    backend.direct("admin", 2).ask_all(&requests);
}

/// Clients of every kind: on a lane that others share, and on one of their own.
fn clients(redwall: &Redwall) -> Vec<Client> {
    let states: [&[&str]; 6] = [
        &["GET", "app:k"],
        &["GET", "app:k"],
        &["WATCH", "app:k"],
        &["MULTI"],
        &["SUBSCRIBE", "app:news"],
        &["EVAL", "return 1", "0"],
    ];
    let client = |words: &&[&str]| {
        let mut client = Client::login(redwall.address, "root", "root");
        assert!(!client.ask(words).starts_with('-'), "{words:?}");
        client
    };
    states.iter().map(client).collect()
}

/// Clients who come now are served by the server that is there now, on connections that are not older than it.
fn assert_that_newcomers_use_none_of(old: &[String], redwall: &Redwall, backend: &Backend) {
    let mut newcomers: Vec<Client> = (0..6)
        .map(|_| Client::login(redwall.address, "root", "root"))
        .collect();
    for client in &mut newcomers {
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
        assert_eq!(client.ask(&["WATCH", "app:k"]), "+OK\r\n");
        assert_eq!(client.ask(&["EXISTS", "app:k"]), ":0\r\n");
    }
    let is_old = |lane: &Seen| old.iter().any(|old| old == lane.id());
    let mut used = own_lanes(backend);
    used.retain(|lane| lane.field("cmd") == "exists");
    assert_eq!(used.len(), newcomers.len(), "{used:?}");
    for lane in used {
        assert!(!is_old(&lane), "{lane:?}");
    }
    wait_until("the old shared connections are closed", || {
        !shared_lanes(backend).iter().any(is_old)
    });
}

fn ids(backend: &Backend) -> Vec<String> {
    let lanes = shared_lanes(backend).into_iter().chain(own_lanes(backend));
    lanes.map(|lane| lane.id().to_owned()).collect()
}

#[test]
fn nobody_reads_on_from_a_server_that_has_become_a_replica() {
    everywhere(|server| {
        let primary = Backend::start_as(server, &[]);
        let redwall = shared(&primary.url()).start();
        let mut clients = clients(&redwall);
        let before = ids(&primary);
        assert!(!before.is_empty());
        // Of one that can't be reached: what is read here stays as it was for good.
        let demoted = primary.admin(&["REPLICAOF", "127.0.0.1", "1"]);
        assert!(demoted.starts_with("+OK"), "{demoted}");
        for client in &mut clients {
            assert_eq!(client.until_closed(), "");
        }
        // Who comes now asks a replica, and can know it.
        let mut client = Client::login(redwall.address, "root", "root");
        assert!(client.ask(&["INFO", "replication"]).contains("role:slave"));
        assert_that_newcomers_use_none_of(&before, &redwall, &primary);
    });
}

#[test]
fn nobody_reads_on_from_a_server_that_has_become_a_replica_on_a_connection_of_his_own_either() {
    everywhere(|server| {
        let primary = Backend::start_as(server, &[]);
        let redwall = unshared(&primary.url()).start();
        let mut untouched = Client::login(redwall.address, "root", "root");
        let mut clients = clients(&redwall);
        let demoted = primary.admin(&["REPLICAOF", "127.0.0.1", "1"]);
        assert!(demoted.starts_with("+OK"), "{demoted}");
        for client in &mut clients {
            assert_eq!(client.until_closed(), "");
        }
        // One that has asked for nothing yet has nothing that counts no more.
        let said = untouched.ask(&["INFO", "replication"]);
        assert!(said.contains("role:slave"), "{said}");
    });
}

/// What a client is told that asks for the next keys; `None` if it is closed.
fn scan(client: &mut Client, cursor: &str) -> Option<String> {
    let asked = client.try_send(&["SCAN", cursor, "COUNT", "10"]);
    asked.ok().and_then(|()| client.text_or_end())
}

#[test]
fn a_scan_never_goes_on_at_another_server_than_it_began_at() {
    everywhere(|server| {
        scan_while_the_server_is_replaced(server, shared);
        scan_while_the_server_is_replaced(server, unshared);
    });
}

fn scan_while_the_server_is_replaced(server: Server, config: fn(&str) -> Config) {
    let mut first = Backend::start_as(server, &[]);
    let second = Backend::start_as(server, &[]);
    fill(&first);
    fill(&second);
    let address = Address::of(&first.socket());
    let redwall = config(&address.url()).start();
    let begin = |_| {
        let mut client = Client::login(redwall.address, "root", "root");
        let said = scan(&mut client, "0").unwrap();
        let cursor = said.split("\r\n").nth(2).unwrap().to_owned();
        (client, cursor)
    };
    let mut clients: Vec<(Client, String)> = (0..4).map(begin).collect();
    address.move_to(&second.socket());
    first.kill();
    // One asks at once, and again until it is closed; the others wait.
    let (eager, cursor) = &mut clients[0];
    wait_until("the one who asks is closed", || {
        let said = scan(eager, cursor);
        if let Some(said) = &said {
            assert_eq!(said, "-ERR backend unavailable\r\n");
        }
        said.is_none()
    });
    for (client, _) in &mut clients {
        assert_eq!(client.until_closed(), "");
    }
    let mut another = Client::login(redwall.address, "root", "root");
    assert!(scan(&mut another, "0").unwrap().starts_with("*2"));
}

#[test]
fn nobody_stays_with_a_server_whose_address_has_moved_once_that_is_seen() {
    everywhere(|server| {
        let (first, second) = (
            Backend::start_as(server, &[]),
            Backend::start_as(server, &[]),
        );
        let address = Address::of(&first.socket());
        let redwall = shared(&address.url()).start();
        let mut clients = clients(&redwall);
        let before = ids(&first);
        assert!(!before.is_empty());
        // It goes on serving those who are connected, as one does that was cut off from its watchers.
        address.move_to(&second.socket());
        // Subscribers need connections of their own, the later ones new ones.
        let mut newcomers = Vec::new();
        wait_until("a connection to the second is wanted", || {
            let mut client = Client::login(redwall.address, "app", "app");
            client.send(&["SUBSCRIBE", "app:news"]);
            newcomers.push(client);
            !ids(&second).is_empty()
        });
        for client in &mut clients {
            assert_eq!(client.until_closed(), "");
        }
        // The first server's are given up, or at least given to nobody any more.
        for number in 0..6 {
            let mut client = Client::login(redwall.address, "root", "root");
            for words in [["SET", "app:k", "v"].as_slice(), &["WATCH", "app:k"]] {
                assert_eq!(client.ask(words), "+OK\r\n");
            }
            let key = format!("app:{number}");
            assert_eq!(client.ask(&["SET", &key, "v"]), "+OK\r\n");
            assert_eq!(second.admin(&["EXISTS", &key]), ":1\r\n");
        }
        assert_eq!(first.admin(&["DBSIZE"]), ":0\r\n");
    });
}

#[test]
fn a_connection_that_stands_ready_does_not_outlive_what_its_server_was() {
    everywhere(|server| {
        let primary = Backend::start_as(server, &[]);
        let redwall = shared(&primary.url()).start();
        let mut client = Client::login(redwall.address, "root", "root");
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
        let mut ready = Vec::new();
        wait_until("connections stand ready", || {
            ready = own_lanes(&primary);
            ready.retain(|lane| lane.field("cmd") == "info");
            ready.len() >= 2
        });
        let demoted = primary.admin(&["REPLICAOF", "127.0.0.1", "1"]);
        assert!(demoted.starts_with("+OK"), "{demoted}");
        assert_eq!(client.until_closed(), "");
        wait_until("they are closed", || {
            let is_ready = |lane: &Seen| ready.iter().any(|ready| ready.id() == lane.id());
            !own_lanes(&primary).iter().any(is_ready)
        });
    });
}

/// How long clients are watched after the move: the old server is asked for its role once a second.
const WATCHED: Duration = Duration::from_secs(4);

/// The address moves to another server, and the old one lives on as a replica.
fn closings_after_a_move(server: Server, config: fn(&str) -> Config) -> usize {
    let (first, second) = (
        Backend::start_as(server, &[]),
        Backend::start_as(server, &[]),
    );
    let address = Address::of(&first.socket());
    let redwall = config(&address.url()).start();
    let mut client = Client::login(redwall.address, "root", "root");
    assert_eq!(client.ask(&["SET", "app:k", "first"]), "+OK\r\n");
    address.move_to(&second.socket());
    let demoted = first.admin(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(demoted.starts_with("+OK"), "{demoted}");
    assert_eq!(client.until_closed(), "");
    let (begun, mut closings) = (Instant::now(), 0);
    let mut client = Client::login(redwall.address, "root", "root");
    while begun.elapsed() < WATCHED {
        let asked = client.try_send(&["GET", "app:k"]);
        if asked.ok().and_then(|()| client.text_or_end()).is_none() {
            closings += 1;
            client = Client::login(redwall.address, "root", "root");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    closings
}

#[test]
fn an_old_server_that_lives_on_after_its_address_has_moved_disturbs_nobody_any_more() {
    for config in [shared, unshared] {
        let closings = closings_after_a_move(Server::Redis70, config);
        assert!(closings <= 1, "{closings}");
    }
}

#[test]
fn who_asks_for_the_first_time_asks_the_server_that_is_there_now() {
    let (first, second) = (Backend::start(), Backend::start());
    let address = Address::of(&first.socket());
    let redwall = unshared(&address.url()).start();
    let names = |backend: &Backend| backend.admin(&["CLIENT", "LIST"]);
    let mut early = Client::login(redwall.address, "root", "root");
    // Its connection is made before it asks for anything; its name ends with its number.
    let name = format!("redwall:main:{}", early.ask(&["CLIENT", "ID"])[1..].trim());
    wait_until("its connection is there", || {
        names(&first).contains(&format!("name={name} "))
    });
    let mut used = Client::login(redwall.address, "root", "root");
    assert_eq!(used.ask(&["SET", "app:k", "first"]), "+OK\r\n");
    let of_used = format!("redwall:main:{}", used.ask(&["CLIENT", "ID"])[1..].trim());
    address.move_to(&second.socket());
    // The one who has asked for something loses its connection, and finds out that another server is there.
    kill_lane(&first, &lane_at(&first, &of_used, "set").unwrap());
    let _ = used.try_send(&["GET", "app:k"]);
    assert_eq!(used.until_closed(), "");
    assert_eq!(early.ask(&["SET", "app:k", "early"]), "+OK\r\n");
    assert_eq!(first.admin(&["GET", "app:k"]), "$5\r\nfirst\r\n");
    assert_eq!(second.admin(&["GET", "app:k"]), "$5\r\nearly\r\n");
}
