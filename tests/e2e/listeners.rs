//! Where Redwall listens, and for what.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::bed::{Backend, Client, Config, Identity, PATIENCE, Redwall, free_port};

#[test]
fn an_ipv6_listener_serves_and_judges_ipv6_addresses() {
    let backend = Backend::start();
    for (allow, served) in [
        ("[\"::1\"]", true),
        ("[\"127.0.0.1\", \"2001:db8::/32\"]", false),
    ] {
        let mut config = Config::new(&backend.url());
        config.allow = allow.to_owned();
        let text = config
            .text()
            .replace("listen = [\"127.0.0.1:0\"]", "listen = [\"[::1]:0\"]");
        let redwall = Redwall::start(&text);
        assert!(redwall.address.is_ipv6());
        match Client::try_connect(redwall.address, Identity::None) {
            Ok(mut client) => {
                assert!(served, "{allow}");
                assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
                assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
                assert!(client.ask(&["CLIENT", "INFO"]).contains(" addr=[::1]:"));
            }
            Err(error) => assert!(!served, "{error}"),
        }
    }
}

/// Says something in the clear and returns what comes back until the other side closes or says no more.
fn in_the_clear(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(bytes).unwrap();
    let mut heard = Vec::new();
    let _ = socket.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn a_plaintext_listener_is_there_where_it_is_asked_for_and_only_there() {
    let backend = Backend::start();
    let session = b"AUTH app app\r\nSET app:k 1\r\nGET other\r\nQUIT\r\n";
    let mut config = Config::new(&backend.url());
    let redwall = config.start();
    assert_eq!(redwall.listens("plaintext"), None);
    assert!(!in_the_clear(redwall.address, session).contains("OK"));
    config.database = "plaintext_listen = [\"127.0.0.1:0\"]".to_owned();
    let redwall = config.start();
    let heard = in_the_clear(redwall.listens("plaintext").unwrap(), session);
    assert!(heard.starts_with("+OK\r\n+OK\r\n-NOPERM"), "{heard}");
    assert!(heard.ends_with("\r\n+OK\r\n"), "{heard}");
    let tls = redwall.listens("tls").unwrap();
    assert!(!in_the_clear(tls, session).contains("OK"));
    let mut client = Client::login(tls, "app", "app");
    assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
}

#[test]
fn a_client_in_the_clear_that_closes_its_side_still_gets_its_answers() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "plaintext_listen = [\"127.0.0.1:0\"]".to_owned();
    let redwall = config.start();
    let mut socket = TcpStream::connect(redwall.listens("plaintext").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(b"AUTH app app\r\nSET app:k 1\r\nGET app:k\r\nPING\r\n")
        .unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    socket.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "+OK\r\n+OK\r\n$1\r\n1\r\n+PONG\r\n");
}

#[test]
fn a_listener_for_all_addresses_serves_ipv4_and_ipv6_and_judges_each_as_what_it_is() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.allow = "[\"127.0.0.1\"]".to_owned();
    let text = config
        .text()
        .replace("listen = [\"127.0.0.1:0\"]", "listen = [\"[::]:0\"]");
    let redwall = Redwall::start(&text);
    let port = redwall.address.port();
    let mut client = Client::login(([127, 0, 0, 1], port).into(), "app", "app");
    assert!(client.ask(&["CLIENT", "INFO"]).contains(" addr=127.0.0.1:"));
    let ipv6 = (std::net::Ipv6Addr::LOCALHOST, port).into();
    assert!(Client::try_connect(ipv6, Identity::None).is_err());
    let refused = "redwall_connections_refused_total{database=\"main\",reason=\"not_allowed\"}";
    assert_eq!(redwall.metric(refused), 1.0);
}

#[test]
fn both_families_may_be_listed_side_by_side_on_one_port() {
    let backend = Backend::start();
    let port = free_port();
    let mut config = Config::new(&backend.url());
    config.allow = "[\"127.0.0.1\", \"::1\"]".to_owned();
    let both = format!("listen = [\"[::]:{port}\", \"0.0.0.0:{port}\"]");
    let text = config.text().replacen(
        "listen = [\"127.0.0.1:0\"]\nallow",
        &format!("{both}\nallow"),
        1,
    );
    let _redwall = Redwall::start(&text);
    Client::login(([127, 0, 0, 1], port).into(), "app", "app");
    Client::login((std::net::Ipv6Addr::LOCALHOST, port).into(), "app", "app");
}
