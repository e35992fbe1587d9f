//! What strangers may not fill, hold up, forge or be puzzled by.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DnType, KeyPair};
use redwall::admission::slots::SlotLimits;
use redwall::admission::{Decision, Slots};
use redwall::telemetry::log::{Line, LineLimiter};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, Socket, Type};

use crate::bed::{
    Authority, Backend, Client, Config, Identity, PATIENCE, Purpose, Redwall, TempDir,
    certificates, client_config, config_of, config_with_chain,
};

const LIMITS: SlotLimits = SlotLimits {
    connections: 10_000,
    per_address: 50,
    half_open: 4_096,
    half_open_per_address: 20,
    ipv6_prefix: 64,
};

/// The `number`th address of a host's own network.
fn of_one_host(number: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, number, 0, 0, number))
}

#[test]
fn one_host_with_five_thousand_ipv6_addresses_takes_the_places_of_one() {
    let mut slots = Slots::new(LIMITS);
    let mut evicted = 0;
    for number in 0..5_000 {
        match slots.admit(of_one_host(number)) {
            Decision::AdmitAndEvict { .. } => evicted += 1,
            Decision::Admit(_) | Decision::Refuse(_) => {}
        }
    }
    assert_eq!((slots.connections(), slots.addresses()), (20, 1));
    assert_eq!(evicted, 5_000 - 20);
    // Nobody else has less room for it.
    let other: IpAddr = "2001:db8:0:2::1".parse().unwrap();
    assert!(matches!(slots.admit(other), Decision::Admit(_)));

    let (mut lines, now) = (LineLimiter::default(), Instant::now());
    let written = (0..5_000).filter(|number| {
        let place = LIMITS.place(of_one_host(*number));
        matches!(lines.permit(place, now), Line::Write { .. })
    });
    assert_eq!(written.count(), 5);

    // In a running one, over IPv6: an address has its cap, whoever else comes.
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "max_clients_per_address = 5".to_owned();
    config.allow = "[\"127.0.0.0/8\", \"::1\"]".to_owned();
    let text = config.text().replace(
        "listen = [\"127.0.0.1:0\"]",
        "listen = [\"127.0.0.1:0\", \"[::1]:0\"]",
    );
    let redwall = Redwall::start(&text);
    let log = redwall.log();
    let (_, rest) = log.split_once("\"address\":\"[::1]:").unwrap();
    let port: u16 = rest.split('"').next().unwrap().parse().unwrap();
    let flood: Vec<_> = (0..50)
        .map(|_| TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap())
        .collect();
    redwall.wait_for_metric(
        "redwall_connections_refused_total{database=\"main\",reason=\"address_full\"}",
        45.0,
    );
    assert!(Client::try_connect(redwall.address, Identity::None).is_ok());
    drop(flood);
}

/// Connects from an address of the test's choice on loopback.
fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A ClientHello as the library makes it.
fn hello() -> Vec<u8> {
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let config = client_config(Identity::None, &[]);
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

/// Reads until the server closes; how long that took.
fn closed_after(mut stream: TcpStream, since: Instant) -> Duration {
    let mut heard = Vec::new();
    // A reset is an end too.
    if let Err(error) = stream.read_to_end(&mut heard) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    since.elapsed()
}

#[test]
fn silence_and_dribble_keep_nobody_out_hold_little_and_end_at_one_deadline() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "max_half_open = 16".to_owned();
    config.tls += "\nhandshake_timeout = \"2s\"";
    let redwall = config.start();
    // One host is silent hundreds of times over; another gets in at each try.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.extend((0..20).map(|_| connect_from([127, 0, 0, 66], redwall.address)));
        let mut client = Client::login(redwall.address, "app", "app");
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    }
    drop(silent);

    // A hello in records of one byte: six bytes on the wire for each, and nothing of it may be held without end.
    let mut endless = connect_from([127, 0, 0, 67], redwall.address);
    let mut sent = 0;
    let body = [0x16, 3, 1, 0, 1, 1];
    let head: Vec<u8> = [1, 0, 0xff, 0xff]
        .iter()
        .flat_map(|byte| [0x16, 3, 1, 0, 1, *byte])
        .collect();
    let mut write = endless.write_all(&head);
    while write.is_ok() && sent < 8 << 20 {
        write = endless.write_all(&body.repeat(100));
        sent += 600;
    }
    assert!(write.is_err(), "megabytes were taken");
    redwall.wait_for_log("handshake of more than 32768 bytes");

    // One that dribbles, one that stops within, one that completes it and never logs in: one deadline for all.
    let since = Instant::now();
    let mut dribbles = connect_from([127, 0, 0, 68], redwall.address);
    let mut stops = connect_from([127, 0, 0, 69], redwall.address);
    let mut never_logs_in = Client::connect(redwall.address, Identity::None);
    let hello = hello();
    stops.write_all(&hello[..100]).unwrap();
    for byte in &hello[..15] {
        dribbles.write_all(&[*byte]).unwrap();
        std::thread::park_timeout(Duration::from_millis(100));
    }
    never_logs_in.until_closed();
    let ends = [
        since.elapsed(),
        closed_after(dribbles, since),
        closed_after(stops, since),
    ];
    for end in ends {
        assert!((1..4).contains(&end.as_secs()), "{end:?}");
    }
}

/// Shows a certificate whose subject forges log lines, and asks for odd names.
fn forge(redwall: SocketAddr) {
    let mut parameters = CertificateParams::default();
    let forged = format!(
        "x\n{{\"level\":\"INFO\",\"message\":\"login failed\",\"peer\":\"192.0.2.1\"}}\r\x1b[2J\x1b[31m{}",
        "A".repeat(9_000)
    );
    parameters
        .distinguished_name
        .push(DnType::CommonName, forged);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let ca = certificates().join("ca.crt");
    let config = config_with_chain(&ca, vec![certificate.der().clone()], key);
    if let Ok(mut client) = Client::with_config(redwall, config) {
        assert_eq!(client.until_closed(), "");
    }
    let mut client = Client::connect(redwall, Identity::None);
    let answer = client.ask(&["AUTH", "a\r\nlogin failed peer=192.0.2.1\x1b[31m", "wrong"]);
    assert!(answer.starts_with("-WRONGPASS"), "{answer}");
}

#[test]
fn a_certificate_forges_no_log_line_and_fills_none() {
    let backend = Backend::start();
    for format in ["json", "text"] {
        let text = Config::new(&backend.url())
            .text()
            .replace("format = \"json\"", &format!("format = {format:?}"));
        // The text format doesn't say where it listens in a way that the bed reads.
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let text = text.replace(
            "listen = [\"127.0.0.1:0\"]",
            &format!("listen = [\"{free}\"]"),
        );
        let redwall = Redwall::spawn(&text);
        redwall.wait_for_log("backend is up");
        forge(free);
        redwall.wait_for_log("TLS handshake failed");
        redwall.wait_for_log("login failed");
        let log = redwall.log();
        let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        assert_eq!(told("TLS handshake failed"), 1, "{format}: {log}");
        let real = log
            .lines()
            .filter(|line| line.contains("login failed") && !line.contains("TLS handshake"));
        assert_eq!(real.count(), 1, "{format}: {log}");
        assert!(!log.contains('\x1b') && !log.contains('\r'), "{format}");
        let line = log
            .lines()
            .find(|line| line.contains("TLS handshake failed"))
            .unwrap();
        assert!(line.len() < 2_000, "{format}: {} bytes", line.len());
        assert!(
            !line.contains(&"A".repeat(300)),
            "{format}: cut at 256 bytes"
        );
        if format == "json" {
            let starts: BTreeSet<_> = log
                .lines()
                .map(|line| line.starts_with('{') && line.ends_with('}'))
                .collect();
            assert_eq!(starts, BTreeSet::from([true]));
        }
    }
}

fn openssl(arguments: &[&str]) -> std::process::Output {
    let output = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    output.expect("openssl, which scripts/need.sh installs")
}

/// A self-signed client certificate with a key that is too short, and the key.
fn weak(folder: &TempDir) -> (String, String) {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("weak.crt"), file("weak.key"));
    let made = openssl(&[
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=alice",
        "-newkey",
        "rsa:1024",
        "-out",
        &cert,
        "-keyout",
        &key,
    ]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (cert, key)
}

fn with_alpn(protocol: &[u8]) -> Arc<ClientConfig> {
    let mut config = (*client_config(Identity::None, &[])).clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// Names that are found exactly, by wildcard, not sent at all or held by no certificate.
fn names_find_their_certificate(backend: &Backend) {
    let own = Authority::new("own");
    let issue = |names: &'static [&'static str]| {
        own.issue_with(names[0], Purpose::Server, |parameters| {
            let dns = names
                .iter()
                .map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap()));
            parameters.subject_alt_names = dns.collect();
            let address = rcgen::SanType::IpAddress([127, 0, 0, 1].into());
            parameters.subject_alt_names.push(address);
        })
    };
    let first = issue(&["first.example"]);
    let second = issue(&["*.wild.example"]);
    let certs = certificates().display();
    let text = Config::new(&backend.url()).text().replace(
        &format!("{{ cert = \"{certs}/server.crt\", key = \"{certs}/server.key\" }}"),
        &format!(
            "{{ cert = {:?}, key = {:?} }}, {{ cert = {:?}, key = {:?} }}",
            first.cert, first.key, second.cert, second.key
        ),
    );
    let redwall = Redwall::start(&text);
    let connect =
        |name: &str| Client::with_name(redwall.address, config_of(&own.file(), None, &[]), name);
    for name in ["first.example", "a.wild.example", "127.0.0.1"] {
        assert!(connect(name).is_ok(), "{name}");
    }
    for name in ["b.a.wild.example", "stranger.example"] {
        // It gets the first certificate, and is the one that refuses.
        let refused = connect(name).err().unwrap().to_string();
        assert!(refused.contains("first.example"), "{name}: {refused}");
    }
}

#[test]
fn odd_clients_are_served_or_told_the_cause_and_the_remedy() {
    let backend = Backend::start();
    names_find_their_certificate(&backend);
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::with_config(redwall.address, with_alpn(b"h2")).unwrap();
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    let folder = TempDir::new("odd");
    let address = redwall.address.to_string();
    let connect = ["s_client", "-connect", &address, "-tls1_2", "-cipher"];
    let (cert, private) = weak(&folder);
    let shown = ["DEFAULT@SECLEVEL=0", "-cert", &cert, "-key", &private];
    openssl(&[&connect[..], &shown].concat());
    redwall.wait_for_log("1024 bits, want 2048 or more");
    openssl(&[&connect[..], &["AES128-SHA@SECLEVEL=0"]].concat());
    redwall.wait_for_log("only static RSA");
    let log = redwall.log();
    let failed = log
        .lines()
        .filter(|line| line.contains("TLS handshake failed"));
    for line in failed {
        assert!(!line.contains("\"remedy\":\"\""), "{line}");
    }
}
