//! A server that is busy with a script, or loading, says so to whoever asks; that ends no connection.

use std::time::{Duration, Instant};

use crate::bed::{Backend, Client, Redwall, Server, TempDir, wait_until};
use crate::track::{everywhere, shared, shared_lanes};

/// A server that counts as busy soon, and whose administrator lets Redwall's users stop what runs.
fn backend(server: Server) -> Backend {
    let backend = Backend::start_as(server, &["lua-time-limit 50"]);
    let rules = [
        "ACL",
        "SETUSER",
        "redwall",
        "+script|kill",
        "+function|kill",
    ];
    assert_eq!(backend.admin(&rules), "+OK\r\n");
    backend
}

const ENDLESS: &[&str] = &["EVAL", "while true do end", "0"];

fn root(redwall: &Redwall) -> Client {
    Client::login(redwall.address, "root", "root")
}

/// Clients of both workers, in databases 0 and 3, each of which has had an answer.
fn clients(redwall: &Redwall) -> Vec<Client> {
    let client = |number: usize| {
        let mut client = root(redwall);
        if number % 4 > 1 {
            assert_eq!(client.ask(&["SELECT", "3"]), "+OK\r\n");
        }
        assert_eq!(client.ask(&["GET", "k"]), "$-1\r\n");
        client
    };
    (0..8).map(client).collect()
}

fn ids(backend: &Backend) -> Vec<String> {
    let lanes = shared_lanes(backend);
    let mut ids: Vec<String> = lanes.iter().map(|lane| lane.id().to_owned()).collect();
    ids.sort();
    ids
}

/// Longer than Redwall waits between two looks at whether a lane is in step.
const A_WHILE: Duration = Duration::from_millis(400);

#[test]
fn clients_are_told_that_the_server_is_busy_and_go_on_when_it_is_not() {
    everywhere(|server| {
        let backend = backend(server);
        let redwall = shared(&backend.url()).start();
        let mut clients = clients(&redwall);
        let lanes = ids(&backend);
        assert!(lanes.len() >= 2, "{lanes:?}");
        let mut busy = root(&redwall);
        busy.send(ENDLESS);
        wait_until("the server is busy", || {
            clients[0].ask(&["GET", "k"]).starts_with("-BUSY")
        });
        let start = Instant::now();
        while start.elapsed() < A_WHILE {
            for client in &mut clients {
                let said = client.ask(&["GET", "k"]);
                assert!(said.starts_with("-BUSY"), "{said}");
            }
        }
        // Who comes now is told too, in a database that nobody uses yet as well.
        assert!(root(&redwall).ask(&["GET", "k"]).starts_with("-BUSY"));
        let mut elsewhere = root(&redwall);
        let selected = elsewhere.ask(&["SELECT", "7"]);
        assert!(
            selected == "+OK\r\n" || selected.starts_with("-BUSY"),
            "{selected}"
        );
        assert_eq!(backend.admin(&["SCRIPT", "KILL"]), "+OK\r\n");
        assert!(busy.text().starts_with("-ERR"));
        for client in &mut clients {
            assert_eq!(client.ask(&["GET", "k"]), "$-1\r\n");
        }
        wait_until("the database that could not be had is there", || {
            elsewhere.ask(&["SELECT", "7"]) == "+OK\r\n"
        });
        assert_eq!(elsewhere.ask(&["GET", "k"]), "$-1\r\n");
        let now = ids(&backend);
        assert!(
            lanes.iter().all(|id| now.contains(id)),
            "{lanes:?}: {now:?}"
        );
    });
}

/// The operators who may have to stop a script: in the first database and in another, who asked before and who comes now.
fn operators(redwall: &Redwall) -> Vec<(&'static str, Client)> {
    let mut elsewhere = root(redwall);
    assert_eq!(elsewhere.ask(&["SELECT", "3"]), "+OK\r\n");
    let mut asked = root(redwall);
    assert_eq!(asked.ask(&["GET", "k"]), "$-1\r\n");
    let silent = root(redwall);
    vec![
        ("one in another database", elsewhere),
        ("one who has asked before", asked),
        ("one who hasn't", silent),
    ]
}

#[test]
fn an_operator_can_stop_a_script_that_keeps_the_server_busy() {
    everywhere(|server| {
        let backend = backend(server);
        let redwall = shared(&backend.url()).start();
        for (who, mut operator) in operators(&redwall) {
            let mut busy = root(&redwall);
            busy.send(ENDLESS);
            let mut other = root(&redwall);
            wait_until("the server is busy", || {
                other.ask(&["GET", "k"]).starts_with("-BUSY")
            });
            assert_eq!(operator.ask(&["SCRIPT", "KILL"]), "+OK\r\n", "{who}");
            assert!(busy.text().starts_with("-ERR"), "{who}");
            assert_eq!(operator.ask(&["GET", "k"]), "$-1\r\n", "{who}");
        }
        let mut busy = root(&redwall);
        busy.send(ENDLESS);
        let mut other = root(&redwall);
        wait_until("the server is busy", || {
            other.ask(&["GET", "k"]).starts_with("-BUSY")
        });
        assert_eq!(
            root(&redwall).ask(&["SCRIPT", "KILL"]),
            "+OK\r\n",
            "one who comes now"
        );
    });
}

#[test]
fn an_operator_can_stop_a_function_that_keeps_the_server_busy() {
    let library =
        "#!lua name=endless\nredis.register_function('endless', function() while true do end end)";
    everywhere(|server| {
        let backend = backend(server);
        backend.admin(&["FUNCTION", "LOAD", library]);
        let redwall = shared(&backend.url()).start();
        for (who, mut operator) in operators(&redwall) {
            let mut busy = root(&redwall);
            busy.send(&["FCALL", "endless", "0"]);
            let mut other = root(&redwall);
            wait_until("the server is busy", || {
                other.ask(&["GET", "k"]).starts_with("-BUSY")
            });
            assert_eq!(operator.ask(&["FUNCTION", "KILL"]), "+OK\r\n", "{who}");
            assert!(busy.text().starts_with("-ERR"), "{who}");
        }
    });
}

/// A server that is loading so slowly that clients come meanwhile.
fn loading(server: Server, folder: &TempDir) -> Backend {
    let folder = format!("dir {}", folder.path().display());
    let filled = Backend::start_as(server, &[&folder, "rdbcompression no"]);
    let value = "v".repeat(2000);
    for key in 0..100 {
        filled.admin(&["SET", &format!("key:{key}"), &value]);
    }
    assert_eq!(filled.admin(&["SAVE"]), "+OK\r\n");
    drop(filled);
    // Microseconds a key; and how many bytes are loaded between two looks at the clients.
    let slowly = [
        "key-load-delay 50000",
        "loading-process-events-interval-bytes 1024",
    ];
    Backend::start_as(server, &[&folder, slowly[0], slowly[1]])
}

#[test]
fn clients_are_told_that_the_server_is_loading_and_go_on_when_it_has_loaded() {
    everywhere(|server| {
        let folder = TempDir::new("loading");
        let backend = loading(server, &folder);
        let redwall = shared(&backend.url()).start();
        let mut clients: Vec<Client> = (0..4).map(|_| root(&redwall)).collect();
        for client in &mut clients {
            let said = client.ask(&["GET", "key:1"]);
            assert!(said.starts_with("-LOADING"), "{said}");
        }
        let lanes = ids(&backend);
        assert!(!lanes.is_empty());
        backend.admin(&["CONFIG", "SET", "key-load-delay", "0"]);
        for client in &mut clients {
            wait_until("all is loaded", || {
                client.ask(&["STRLEN", "key:1"]) == ":2000\r\n"
            });
        }
        assert_eq!(ids(&backend), lanes);
    });
}
