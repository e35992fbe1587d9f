//! What surrounds the lanes: workers, refused certificates, keys that wear out.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::AlertDescription;
use rustls::version::TLS13;

use crate::bed::{
    Authority, Backend, Client, Gauge, Inside, LIMIT, Pipe, Purpose, Redwall, Server,
    limited_backend, redis_with_tls, stranger_config, wait_until,
};
use crate::track::{SHARED, own_lanes, shared, shared_lanes};

#[test]
fn sixteen_clients_of_eight_workers_are_two_to_each() {
    const WORKERS: usize = 8;
    let backend = Backend::start();
    let gauge = Gauge::before(backend.socket());
    let text = shared(&gauge.url()).text();
    assert!(text.contains("workers = 2\n"));
    let redwall = Redwall::start(&text.replace("workers = 2\n", "workers = 8\n"));
    let mut clients: Vec<Client> = (0..2 * WORKERS)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.ask(&["GET", &format!("app:{number}")]), "$-1\r\n");
    }
    let pipes = gauge.pipes();
    let clients_of = |pipe: &Pipe| {
        let gets = pipe.requests.iter().filter(|request| request.is("GET"));
        gets.map(|request| request.words[1].clone())
            .collect::<BTreeSet<_>>()
            .len()
    };
    let busy: Vec<usize> = pipes
        .iter()
        .map(clients_of)
        .filter(|clients| *clients > 0)
        .collect();
    assert_eq!(busy, [2; WORKERS]);
    assert!(
        pipes
            .iter()
            .all(|pipe| clients_of(pipe) == 0 || pipe.name == SHARED)
    );
}

#[test]
fn each_whose_certificate_is_refused_while_it_writes_is_told_so() {
    const CLIENTS: usize = 20;
    let backend = Backend::start();
    let redwall = shared(&backend.url()).start();
    let mut other = Client::login(redwall.address, "app", "app");
    let config = stranger_config();
    let bytes = b"*1\r\n$4\r\nPING\r\n".repeat(20_000);
    let mut told = 0;
    for _ in 0..CLIENTS {
        let Ok(mut client) = Client::with_config(redwall.address, Arc::clone(&config)) else {
            continue;
        };
        assert_eq!(client.version(), Some(TLS13.version));
        client.try_send_raw(&bytes);
        told += usize::from(client.alert() == Some(AlertDescription::UnknownCA));
        assert_eq!(other.ask(&["PING"]), "+PONG\r\n");
    }
    assert_eq!(told, CLIENTS);
}

#[test]
fn nobody_notices_that_the_keys_of_a_shared_connection_to_the_backend_wear_out() {
    let ca = Authority::new("backends");
    let own = ca.issue("localhost", Purpose::Server);
    let shown = ca.issue("redwall", Purpose::Client);
    let (backend, port) = redis_with_tls(&ca, &own, &["tls-protocols TLSv1.2"]);
    let mut config = shared(&format!("rediss://localhost:{port}"));
    config.backend_more = format!(
        "ca = {:?}\ncert = {:?}\nkey = {:?}\n",
        ca.file(),
        shown.cert,
        shown.key
    );
    let redwall = Inside::start(&config, |database| {
        database.backend = Arc::new(limited_backend(&database.backend, &ca, &shown));
    });
    // There is no quiet moment: while one reads, the others' requests are on their way.
    std::thread::scope(|scope| {
        for client in 0..4 {
            let address = redwall.address;
            scope.spawn(move || {
                let mut connection = Client::login(address, "app", "app");
                let key = format!("app:{client}");
                connection.send(&["INCR", &key]);
                for number in 1..=2 * LIMIT {
                    connection.send(&["INCR", &key]);
                    assert_eq!(connection.text(), format!(":{number}\r\n"));
                }
            });
        }
    });
    let clients = backend.admin(&["CLIENT", "LIST"]);
    let lanes = clients.lines().filter(|line| line.contains(SHARED));
    assert!(lanes.count() <= 2, "{clients}");
}

#[test]
fn one_who_selects_every_database_of_a_server_that_has_many_leaves_connections_for_others() {
    /// As many kinds of connections as are kept: one that is shared and two that stand ready, of each.
    const KINDS: usize = 128;
    let backend = Backend::start_as(Server::Redis70, &["databases 1000"]);
    let redwall = shared(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    for number in 0..3 * KINDS {
        let number = number.to_string();
        assert_eq!(client.ask(&["SELECT", &number]), "+OK\r\n");
        assert_eq!(client.ask(&["SET", "app:k", &number]), "+OK\r\n");
    }
    wait_until("what nobody uses has made room", || {
        let (shared, own) = (shared_lanes(&backend).len(), own_lanes(&backend).len());
        shared <= KINDS + 2 && own <= 2 * (KINDS + 2)
    });
    for number in [0, KINDS, 3 * KINDS - 1] {
        let number = number.to_string();
        assert_eq!(client.ask(&["SELECT", &number]), "+OK\r\n");
        let value = format!("${}\r\n{number}\r\n", number.len());
        assert_eq!(client.ask(&["GET", "app:k"]), value);
    }
}
