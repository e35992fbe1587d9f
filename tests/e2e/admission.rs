//! Where a client comes from: judged before a TLS byte is spent.

use std::io::Read;
use std::net::TcpStream;

use crate::bed::{Backend, Client, Config, Identity, PATIENCE, wait_until};

/// Whether the door closes at once, without a byte.
fn is_closed_at_once(address: std::net::SocketAddr) -> bool {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    match socket.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn an_address_that_no_entry_allows_is_closed_before_tls() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    for (allow, database, reason) in [
        ("[]", "", "not_allowed"),
        ("[\"10.0.0.0/8\"]", "", "not_allowed"),
        ("[\"0.0.0.0/0\"]", "deny = [\"127.0.0.1\"]", "denied"),
    ] {
        config.allow = allow.to_owned();
        config.database = database.to_owned();
        let redwall = config.start();
        assert!(is_closed_at_once(redwall.address), "{allow} {database}");
        let sample =
            format!("redwall_connections_refused_total{{database=\"main\",reason=\"{reason}\"}}");
        assert_eq!(redwall.metric(&sample), 1.0, "{allow} {database}");
    }
}

#[test]
fn a_database_and_an_address_have_only_so_many_connections() {
    let backend = Backend::start();
    for (database, reason) in [
        ("max_clients = 2", "database_full"),
        ("max_clients_per_address = 2", "address_full"),
    ] {
        let mut config = Config::new(&backend.url());
        config.database = database.to_owned();
        let redwall = config.start();
        let first = Client::login(redwall.address, "app", "app");
        let _second = Client::login(redwall.address, "app", "app");
        assert!(is_closed_at_once(redwall.address), "{database}");
        let sample =
            format!("redwall_connections_refused_total{{database=\"main\",reason=\"{reason}\"}}");
        assert_eq!(redwall.metric(&sample), 1.0);
        drop(first);
        wait_until("there is room again", || {
            Client::try_connect(redwall.address, Identity::None)
                .is_ok_and(|mut client| client.ask(&["AUTH", "app", "app"]) == "+OK\r\n")
        });
    }
}

#[test]
fn silent_connections_give_way_to_newcomers() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "max_half_open = 4".to_owned();
    let redwall = config.start();
    let silent: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(redwall.address).unwrap())
        .collect();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    assert!(redwall.metric("redwall_half_open_connections{database=\"main\"}") <= 4.0);
    wait_until("the evicted are counted", || {
        redwall.metric("redwall_handshakes_total{database=\"main\",outcome=\"evicted\"}") >= 16.0
    });
    drop(silent);
}

#[test]
fn a_connection_that_does_not_log_in_in_time_is_closed() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls += "\nhandshake_timeout = \"300ms\"";
    let redwall = config.start();
    assert!(is_closed_at_once(redwall.address), "no handshake in time");
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(client.until_closed(), "", "no login in time");
    let mut logged_in = Client::login(redwall.address, "app", "app");
    assert!(logged_in.is_silent(std::time::Duration::from_millis(700)));
    assert_eq!(logged_in.ask(&["PING"]), "+PONG\r\n");
}
