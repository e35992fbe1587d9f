//! Clients that go away: at once, with data on its way, or in the middle of something that blocks.

use std::io::{Read, Write};

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Config, Identity, client_config, passwords, wait_until};

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

fn wait_for_blocked(backend: &Backend, count: usize) {
    wait_until("the client is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains(&format!("blocked_clients:{count}\r\n"))
    });
}

#[test]
fn an_element_stays_when_the_client_that_waited_for_it_is_gone() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let behind = request(&["SET", "app:k", &"x".repeat(10_000)]);
    for (what, rest) in [
        ("nothing behind it", Vec::new()),
        ("requests behind it", behind.repeat(300)),
        ("nonsense behind it", b"*nonsense\r\n".to_vec()),
        ("half a request behind it", b"*2\r\n$3\r\nGE".to_vec()),
    ] {
        let mut client = Client::login(redwall.address, "app", "app");
        client.send(&["BLPOP", "app:l", "0"]);
        wait_for_blocked(&backend, 1);
        client.send_raw(&rest);
        drop(client);
        wait_for_blocked(&backend, 0);
        backend.admin(&["RPUSH", "app:l", "x"]);
        assert_eq!(backend.admin(&["LLEN", "app:l"]), ":1\r\n", "{what}");
        backend.admin(&["DEL", "app:l"]);
    }
}

#[test]
fn what_a_client_sent_before_it_left_is_carried_out() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for round in 0..20 {
        let mut client = Client::connect(redwall.address, Identity::None);
        let mut bytes = request(&["AUTH", "app", "app"]);
        for number in 0..20 {
            bytes.extend(request(&["SET", &format!("app:{round}:{number}"), "1"]));
        }
        client.send_raw(&bytes);
        client.leave();
        drop(client);
    }
    wait_until("everything is there", || {
        backend.admin(&["DBSIZE"]) == ":400\r\n"
    });
}

#[test]
fn what_comes_with_the_end_of_the_handshake_and_a_goodbye_is_carried_out_and_answered() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = format!(
        "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{{ cn = \"alice\" }}]\n\
         [database.users.app]\nrules = [\"+@all\", \"~app:*\"]\n{}\n",
        passwords("app")
    );
    let redwall = config.start();
    let config = client_config(Identity::Certificate("alice"), &[&rustls::version::TLS13]);
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(config, name).unwrap();
    let mut socket = std::net::TcpStream::connect(redwall.address).unwrap();
    socket.set_read_timeout(Some(crate::bed::PATIENCE)).unwrap();
    while tls.is_handshaking() {
        while tls.wants_write() && tls.is_handshaking() {
            tls.write_tls(&mut socket).unwrap();
        }
        if tls.is_handshaking() {
            tls.read_tls(&mut socket).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
    // The client's last flight, its commands and its goodbye go in one write.
    for words in [&["SET", "a:k", "1"][..], &["GET", "a:k"], &["PING"]] {
        tls.writer().write_all(&request(words)).unwrap();
    }
    tls.send_close_notify();
    let mut last = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut last).unwrap();
    }
    socket.write_all(&last).unwrap();
    let mut heard = Vec::new();
    while tls.read_tls(&mut socket).unwrap() > 0 {
        tls.process_new_packets().unwrap();
        let _ = tls.reader().read_to_end(&mut heard);
    }
    assert_eq!(
        String::from_utf8_lossy(&heard),
        "+OK\r\n$1\r\n1\r\n+PONG\r\n"
    );
    assert_eq!(backend.admin(&["EXISTS", "a:k"]), ":1\r\n");
}

#[test]
fn a_subscriber_that_leaves_is_gone_at_the_backend_too() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.ask(&["SUBSCRIBE", "app:c"]);
    assert!(backend.admin(&["PUBSUB", "CHANNELS"]).contains("app:c"));
    client.leave();
    wait_until("nobody listens", || {
        backend.admin(&["PUBSUB", "CHANNELS"]) == "*0\r\n"
    });
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"client\"}",
        1.0,
    );
}

#[test]
fn all_that_a_client_sent_before_it_left_is_answered_however_much_it_is_and_wherever_it_has_to_go()
{
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for (what, words) in [
        ("own answers", &[&["PING"][..]; 2000][..]),
        (
            "own answers behind one of the backend's",
            &[&[&["GET", "app:k"][..]][..], &[&["PING"][..]; 2000]].concat(),
        ),
        (
            "another database",
            &[&["SELECT", "3"][..], &["SET", "app:k", "1"]],
        ),
    ] {
        let mut client = Client::login(redwall.address, "app", "app");
        let bytes: Vec<u8> = words.iter().flat_map(|words| request(words)).collect();
        client.send_raw(&bytes);
        client.leave();
        let said = client.until_closed();
        assert_eq!(
            said.matches("\r\n").count(),
            words.len(),
            "{what}: {said:.300?}"
        );
    }
}
