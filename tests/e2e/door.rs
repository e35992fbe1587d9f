//! The door under pressure: half-open connections, slow and senseless handshakes, and the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::bed::{Backend, Client, Config, Identity, PATIENCE, passwords, wait_until};

fn alice() -> String {
    format!(
        "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{{ cn = \"alice\" }}]\n\
         [database.users.app]\nrules = [\"+@all\", \"~app:*\"]\n{}\n",
        passwords("app")
    )
}

#[test]
fn a_client_that_its_certificate_has_logged_in_is_not_half_open() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = alice();
    config.database = "max_half_open = 4\nmax_half_open_per_address = 3".to_owned();
    let redwall = config.start();
    let mut clients: Vec<_> = (0..8)
        .map(|_| Client::connect(redwall.address, Identity::Certificate("alice")))
        .collect();
    for client in &mut clients {
        assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
    }
    assert_eq!(
        redwall.metric("redwall_half_open_connections{database=\"main\"}"),
        0.0
    );
    // Silent ones push each other out, and nobody else.
    let silent: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(redwall.address).unwrap())
        .collect();
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"evicted\"}",
        17.0,
    );
    for client in &mut clients {
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    }
    drop(silent);
    drop(clients);
    wait_until("everybody is gone", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 0.0
    });
}

#[test]
fn a_client_that_its_certificate_has_logged_in_has_its_backend_connection_at_once() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = alice();
    let redwall = config.start();
    let _client = Client::connect(redwall.address, Identity::Certificate("alice"));
    wait_until("the backend is connected", || {
        let list = backend.admin(&["CLIENT", "LIST"]);
        let names = list.matches("name=redwall:main:").count();
        names > list.matches("name=redwall:main:probe").count()
    });
}

#[test]
fn one_that_is_pushed_out_between_handshake_and_login_is_closed_and_counted_once() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "max_half_open = 2".to_owned();
    let redwall = config.start();
    let mut first = Client::connect(redwall.address, Identity::None);
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"tls1.3\"}",
        1.0,
    );
    let mut others: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(redwall.address).unwrap())
        .collect();
    assert_eq!(first.until_closed(), "");
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"evicted\"}",
        1.0,
    );
    others.clear();
    drop(first);
    wait_until("the books are empty", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 0.0
            && redwall.metric("redwall_half_open_connections{database=\"main\"}") == 0.0
    });
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
}

#[test]
fn a_handshake_that_drips_is_ended_at_its_deadline() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls += "\nhandshake_timeout = \"600ms\"";
    let redwall = config.start();
    let mut socket = TcpStream::connect(redwall.address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(10)))
        .unwrap();
    // A ClientHello of 16 KiB that never ends, a byte each time.
    let mut hello = vec![22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    hello.resize(20_000, 0);
    let begun = Instant::now();
    let ended = hello.iter().any(|byte| {
        let written = socket.write_all(&[*byte]);
        written.is_err() || matches!(socket.read(&mut [0; 16]), Ok(0)) || begun.elapsed() > PATIENCE
    });
    assert!(ended);
    let taken = begun.elapsed();
    assert!(
        taken >= Duration::from_millis(500) && taken < Duration::from_secs(5),
        "{taken:?}"
    );
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"timeout\"}",
        1.0,
    );
}

#[test]
fn two_hundred_senseless_connections_are_survived_without_a_panic() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let mut seed = 88_172_645_463_325_252_u64;
    let mut dice = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut sockets = Vec::new();
    for turn in 0..200_u64 {
        let mut socket = TcpStream::connect(redwall.address).unwrap();
        let mut bytes: Vec<u8> = (0..dice() % 3000).map(|_| dice() as u8).collect();
        match turn % 5 {
            0 => {}
            1 => bytes
                .splice(0..0, [22, 3, 1, 2, 0, 1, 0, 1, 0xfc])
                .for_each(drop),
            2 => bytes
                .splice(0..0, *b"GET / HTTP/1.1\r\n\r\n")
                .for_each(drop),
            3 => bytes.splice(0..0, *b"*1\r\n$4\r\nPING\r\n").for_each(drop),
            _ => bytes.splice(0..0, [23, 3, 3, 0, 20]).for_each(drop),
        }
        let _ = socket.write_all(&bytes);
        // Some end at once, some half, some stay.
        match turn % 3 {
            0 => drop(socket),
            1 => {
                let _ = socket.shutdown(std::net::Shutdown::Write);
                sockets.push(socket);
            }
            _ => sockets.push(socket),
        }
    }
    assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
    drop(sockets);
    wait_until("all are gone but one", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 1.0
    });
    assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
    assert!(!redwall.log().contains("panicked"), "{}", redwall.log());
    assert_eq!(
        redwall.metric("redwall_connections_closed_total{database=\"main\",reason=\"internal\"}"),
        0.0
    );
}

#[test]
fn who_has_not_logged_in_does_not_hold_up_the_end() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.server = "drain_timeout = \"60s\"".to_owned();
    config.tls += "\nhandshake_timeout = \"60s\"";
    let mut redwall = config.start();
    let silent = TcpStream::connect(redwall.address).unwrap();
    let mut half = TcpStream::connect(redwall.address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    let mut not_logged_in = Client::connect(redwall.address, Identity::None);
    not_logged_in.send_raw(b"*3\r\n$4\r\nAUTH\r\n");
    redwall.wait_for_metric("redwall_connections{database=\"main\"}", 3.0);
    redwall.signal("TERM");
    assert!(redwall.wait().success());
    redwall.wait_for_log("\"drained\"");
    drop((silent, half));
}
