//! TLS as real clients meet it: versions, certificates, resumption.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};

use crate::bed::{Backend, Client, Config, Identity, client_config};

#[test]
fn both_versions_are_spoken_and_the_minimum_is_kept() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for (version, expected, outcome) in [
        (&TLS12, rustls::ProtocolVersion::TLSv1_2, "tls1.2"),
        (&TLS13, rustls::ProtocolVersion::TLSv1_3, "tls1.3"),
    ] {
        let config = client_config(Identity::Certificate("alice"), &[version]);
        let mut client = Client::with_config(redwall.address, config).unwrap();
        assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
        assert_eq!(client.version(), Some(expected));
        let sample = format!("redwall_handshakes_total{{database=\"main\",outcome=\"{outcome}\"}}");
        assert_eq!(redwall.metric(&sample), 1.0);
    }
    let mut strict = Config::new(&backend.url());
    strict.tls += "\nmin_version = \"1.3\"";
    let redwall = strict.start();
    assert!(
        Client::with_config(redwall.address, client_config(Identity::None, &[&TLS12])).is_err()
    );
    assert!(Client::with_config(redwall.address, client_config(Identity::None, &[&TLS13])).is_ok());
}

#[test]
fn tls_1_2_prefers_a_suite_without_a_limit_of_records() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let config = client_config(Identity::None, &[&TLS12]);
    let client = Client::with_config(redwall.address, config).unwrap();
    let suite = format!("{:?}", client.suite());
    assert!(suite.contains("CHACHA20"), "{suite}");
}

#[test]
fn without_the_required_certificate_nobody_gets_as_far_as_a_command() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls = "client_certificates = \"required\"".to_owned();
    let redwall = config.start();
    for version in [&TLS12, &TLS13] {
        // With TLS 1.3 a client learns only after its handshake that it was refused.
        if let Ok(mut client) =
            Client::with_config(redwall.address, client_config(Identity::None, &[version]))
        {
            assert_eq!(client.until_closed(), "");
        }
    }
    redwall.wait_for_log("TLS handshake failed");
    assert_eq!(
        redwall.metric("redwall_handshakes_total{database=\"main\",outcome=\"no_certificate\"}"),
        2.0
    );
    let mut client = Client::connect(redwall.address, Identity::Certificate("alice"));
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
}

#[test]
fn a_refused_certificate_is_one_log_line_that_says_whose_it_was() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let stranger = crate::bed::stranger_config();
    if let Ok(mut client) = Client::with_config(redwall.address, stranger) {
        assert_eq!(client.until_closed(), "");
    }
    redwall.wait_for_log("TLS handshake failed");
    let log = redwall.log();
    let line = log
        .lines()
        .find(|line| line.contains("TLS handshake failed"))
        .unwrap();
    for part in [
        "\"peer\":\"127.0.0.1\"",
        "stranger",
        "\"issuer\"",
        "\"expires\"",
        "\"outcome\":\"bad_certificate\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(log.matches("TLS handshake failed").count(), 1);
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_scanner_writes_a_handful_of_lines_not_one_each() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for _ in 0..60 {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(redwall.address).unwrap();
        let _ = socket.write_all(b"SSH-2.0-scanner\r\n");
        let _ = socket.read(&mut [0; 64]);
    }
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"plaintext\"}",
        60.0,
    );
    let lines = redwall.log().matches("TLS handshake failed").count();
    assert!(
        (1..=10).contains(&lines),
        "{lines} lines; at most five for each worker"
    );
}

#[test]
fn a_session_is_never_resumed_so_that_no_certificate_outlives_its_check() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for version in [&TLS12, &TLS13] {
        let config = client_config(Identity::Certificate("alice"), &[version]);
        for _ in 0..3 {
            let mut client = Client::with_config(redwall.address, Arc::clone(&config)).unwrap();
            assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
            assert_ne!(
                client.handshake_kind(),
                Some(rustls::HandshakeKind::Resumed)
            );
        }
    }
}
