//! Large values: what a server sets aside for them, what is judged before they go, and what one connection may be asked for.

use std::io::{Read, Write};

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Direct, Gauge, Redwall, Server, passwords, wait_until};
use crate::track::{SHARED, Seen, lanes, shared};

const MIB: usize = 1 << 20;

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

/// A SET up to where its value of `len` bytes begins.
fn set_head(key: &str, len: usize) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${len}\r\n", key.len()).into_bytes()
}

fn field(info: &str, name: &str) -> u64 {
    let mut lines = info.lines().map(str::trim_end);
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

#[test]
fn four_who_announce_large_values_and_send_none_of_them_push_nobodys_keys_out_of_memory() {
    const ANNOUNCED: usize = 40 * MIB;
    for server in Server::ALL {
        let full = ["maxmemory 64mb", "maxmemory-policy allkeys-lru"];
        let backend = Backend::start_as(server, &full);
        let mut admin = backend.direct("admin", 2);
        let keys = (0..2_000).map(|key| OwnedRequest::new(&["SET", &format!("app:{key}"), "v"]));
        admin.ask_all(&keys.collect::<Vec<_>>());
        let mut config = shared(&backend.url());
        config.limits = "max_uploads = \"48MiB\"".to_owned();
        let redwall = config.start();
        let mut clients: Vec<Client> = (0..4)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        clients[0].send_raw(&set_head("app:big", ANNOUNCED));
        redwall.wait_for_metric(
            "redwall_commands_total{command=\"set\",verdict=\"allowed\"}",
            1.0,
        );
        for client in &mut clients[1..] {
            client.send_raw(&set_head("app:big", ANNOUNCED));
            let heard = client.text();
            assert!(
                heard.starts_with("-ERR too many bytes of large values"),
                "{heard}"
            );
        }
        let mut other = Client::login(redwall.address, "app", "app");
        assert_eq!(other.ask(&["SET", "app:0", "w"]), "+OK\r\n");
        assert_eq!(admin.ask(&["DBSIZE"]), b":2000\r\n");
        let evicted = || field(&backend.admin(&["INFO", "stats"]), "evicted_keys");
        assert_eq!(evicted(), 0, "{server:?}");

        // Without Redwall in between they do.
        let crowd: Vec<Direct> = (0..4).map(|_| backend.direct("admin", 2)).collect();
        for direct in &crowd {
            let head = set_head("app:big", ANNOUNCED);
            direct.stream().write_all(&head).unwrap();
        }
        wait_until("keys are evicted", || {
            backend.admin(&["SET", "app:0", "w"]);
            evicted() > 0
        });
    }
}

#[test]
fn a_command_whose_end_may_forbid_it_goes_to_the_backend_whole_or_not_at_all() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let mut config = shared(&gauge.url());
        config.users += "[database.users.writer]\nrules = [\"+set\", \"+mset\", \"%W~a:*\"]\n";
        config.users += &passwords("writer");
        let redwall = config.start();
        let mut client = Client::login(redwall.address, "writer", "writer");
        let value = "v".repeat(2 * MIB);
        assert_eq!(client.ask(&["SET", "a:k", &value]), "+OK\r\n");
        // All but the end is here, and the end is what forbids it.
        for (head, end) in [
            ("*4\r\n$3\r\nSET\r\n$3\r\na:k\r\n", "$3\r\nGET\r\n"),
            (
                "*5\r\n$4\r\nMSET\r\n$3\r\na:k\r\n",
                "$3\r\nb:k\r\n$1\r\nv\r\n",
            ),
        ] {
            client.send_raw(format!("{head}$2097152\r\n{}\r\n", "w".repeat(2 * MIB)).as_bytes());
            client.send_raw(end.as_bytes());
            let heard = client.text();
            let beginning = &heard[..heard.len().min(60)];
            assert!(heard.starts_with("-NOPERM"), "{server:?}: {beginning}");
        }
        // One that is cut off in the middle leaves nothing, and what went before it stays.
        client.send_raw(&set_head("a:k", 2 * MIB));
        client.send_raw("x".repeat(MIB).as_bytes());
        wait_until("it is on its way", || {
            gauge
                .pipes()
                .iter()
                .any(|pipe| pipe.has_begun("SET\r\n$3\r\na:k"))
        });
        drop(client);
        wait_until("its connection is closed", || {
            redwall.metric("redwall_connections{database=\"main\"}") == 0.0
        });
        assert_eq!(
            backend.admin(&["GETRANGE", "a:k", "0", "1"]),
            "$2\r\nvv\r\n"
        );
        assert_eq!(gauge.count("SET", |_| true), 1);
        let pipes = gauge.pipes();
        assert!(
            !pipes
                .iter()
                .any(|pipe| pipe.has_begun("MSET") || pipe.count("MSET") > 0)
        );
    }
}

/// Below what has a connection for itself.
const VALUE: usize = 800_000;

/// Its reply in all.
const REPLY: usize = VALUE + "$800000\r\n\r\n".len();

/// Whether a server closes a connection of the test's own that asks for forty such replies before it reads one.
fn is_closed_directly(backend: &Backend) -> bool {
    let direct = backend.direct("admin", 2);
    let gets = request(&["GET", "app:k"]).repeat(40);
    direct.stream().write_all(&gets).unwrap();
    backend.admin(&["PING"]);
    let mut rest = 40 * REPLY;
    let mut buffer = vec![0; MIB];
    while rest > 0 {
        match direct.stream().read(&mut buffer) {
            Ok(0) | Err(_) => return true,
            Ok(count) => rest -= count,
        }
    }
    false
}

#[test]
fn many_who_each_fetch_a_few_values_have_no_more_of_them_coming_together_than_a_server_bears() {
    const CLIENTS: usize = 10;
    const FETCHED: usize = 100_000;
    // Half of the least limit that is common, and half as much again, because their size is judged by averages.
    const BORNE: usize = 12 * MIB / FETCHED;
    let backend = Backend::start();
    backend.admin(&["SET", "app:k", &"v".repeat(FETCHED)]);
    let gauge = Gauge::before(backend.socket());
    let text = shared(&gauge.url()).text();
    let redwall = Redwall::start(&text.replace("workers = 2\n", "workers = 1\n"));
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    // Each and the connection that they share have seen how large these are.
    for client in &mut clients {
        assert!(client.ask_bytes(&["GET", "app:k"]).len() > FETCHED);
    }
    for _ in 0..5 {
        for client in &mut clients {
            client.send_raw(&request(&["GET", "app:k"]).repeat(32));
        }
        for _ in 0..32 {
            for client in &mut clients {
                assert!(client.frame().len() > FETCHED);
            }
        }
    }
    let pipes = gauge.pipes();
    let most = pipes.iter().filter(|pipe| pipe.name == SHARED);
    let most = most.map(|pipe| pipe.most_unanswered).max().unwrap();
    assert!((32..=BORNE).contains(&most), "{most} of {BORNE}");
}

/// One fetches so many of them in a pipeline, which reaches the server in one piece, while others ask for little.
fn fetch_beside(others: &mut [Client], backend: &Backend, redwall: &Redwall, gets: usize) {
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask_bytes(&["GET", "app:k"]).len(), REPLY);
    let forwarded = "redwall_commands_total{command=\"get\",verdict=\"allowed\"}";
    let before = redwall.metric(forwarded);
    backend.freeze();
    client.send_raw(&request(&["GET", "app:k"]).repeat(gets));
    redwall.wait_for_metric(forwarded, before + 1.0);
    backend.thaw();
    for _ in 0..gets {
        for other in &mut *others {
            other.send(&["STRLEN", "app:k"]);
        }
        assert_eq!(client.frame().len(), REPLY);
        for other in &mut *others {
            assert_eq!(other.text(), ":800000\r\n");
        }
    }
    // What is larger than the server takes ends its own connection, and nobody else's.
    let _ = client.try_send(&["SET", "app:large", &"v".repeat(MIB + MIB / 2)]);
    client.until_closed_or_frame();
}

#[test]
fn one_who_fetches_many_values_in_a_pipeline_costs_nobody_the_connection_that_all_share() {
    for server in Server::ALL {
        for (limit, gets) in [
            (["client-output-buffer-limit", "normal 16mb 0 0"], 40),
            (["maxmemory-clients", "3mb"], 10),
        ] {
            let backend = Backend::start_as(server, &["proto-max-bulk-len 1mb"]);
            backend.admin(&["SET", "app:k", &"v".repeat(VALUE)]);
            backend.admin(&["CONFIG", "SET", limit[0], limit[1]]);
            // Valkey 9.1 writes while it works, sometimes fast enough for its limit of output.
            let is_sure = server != Server::Valkey91 || limit[0] == "maxmemory-clients";
            assert!(
                is_closed_directly(&backend) || !is_sure,
                "{server:?}: {limit:?}"
            );
            let redwall = shared(&backend.url()).start();
            let mut others: Vec<Client> = (0..3)
                .map(|_| Client::login(redwall.address, "app", "app"))
                .collect();
            for other in &mut others {
                assert_eq!(other.ask(&["STRLEN", "app:k"]), ":800000\r\n");
            }
            let lanes = lanes(&backend, SHARED);
            let is_kept = |lane: &Seen| lane.field("flags").contains('e');
            assert!(!lanes.is_empty() && lanes.iter().all(is_kept), "{lanes:?}");
            fetch_beside(&mut others, &backend, &redwall, gets);
            for other in &mut others {
                assert_eq!(other.ask(&["STRLEN", "app:k"]), ":800000\r\n");
            }
        }
    }
}
