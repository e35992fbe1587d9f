//! What a stranger may not fill, hold up or write, who has shown nothing yet.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use redwall::admission::slots::SlotLimits;
use redwall::admission::{Decision, SlotId, Slots};
use redwall::telemetry::log::{Line, LineLimiter};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{Domain, Socket, Type};

use crate::bed::{
    Authority, Backend, Client, Config, Identity, PATIENCE, Purpose, Redwall, client_config,
    config_of, wait_until,
};

/// Connects from an address of one's own.
fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    if from.is_ipv6() {
        // An address of a route is this machine's, but on no interface.
        socket.set_freebind_v6(true).unwrap();
    }
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

fn handshakes(redwall: &Redwall, outcome: &str) -> f64 {
    let sample = format!("redwall_handshakes_total{{database=\"main\",outcome=\"{outcome}\"}}");
    redwall.metric(&sample)
}

fn half_open(redwall: &Redwall) -> f64 {
    redwall.metric("redwall_half_open_connections{database=\"main\"}")
}

/// 5,000 addresses of one /64.
fn addresses() -> impl Iterator<Item = Ipv6Addr> {
    (1..=5_000_u128).map(|host| Ipv6Addr::from_bits((0xfd00_0016 << 96) | host))
}

/// An address of another /64 of the same site.
fn elsewhere(network: u16, host: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0x16, 0, network, 0, 0, 0, host).into()
}

/// The books of connections and of log lines, as they would be kept for a database.
fn books() {
    let limits = SlotLimits {
        connections: 10_000,
        per_address: 60,
        half_open: 4_096,
        half_open_per_address: 50,
        ipv6_prefix: 64,
    };
    let mut slots = Slots::new(limits);
    let honest = slots.admit(elsewhere(1, 1));
    let mut lines = LineLimiter::default();
    let now = Instant::now();
    let mut written = 0;
    let mut evicted: Vec<SlotId> = Vec::new();
    for address in addresses() {
        match slots.admit(address.into()) {
            Decision::AdmitAndEvict { evicted: slot, .. } => evicted.push(slot),
            Decision::Admit(_) => {}
            Decision::Refuse(refusal) => panic!("{refusal:?}"),
        }
        let line = lines.permit(limits.place(address.into()), now);
        written += u32::from(line != Line::Withhold);
    }
    assert_eq!((slots.half_open(), slots.addresses()), (51, 2));
    assert_eq!(evicted.len(), 4_950);
    assert!(matches!(honest, Decision::Admit(slot) if !evicted.contains(&slot)));
    assert_eq!(written, 5);
}

const NETWORK: &str = "REDWALL_TEST_NETWORK";

/// Runs the test of this name again in a network of its own, to which all of fd00:16::/32 is this machine.
fn in_a_network_of_its_own(test: &str) {
    let network = "ip link set lo up && ip -6 route add local fd00:16::/32 dev lo";
    let alone = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "sh", "-c"]);
        unshare.arg(format!("{network} && {command}")).arg("sh");
        unshare
    };
    if !alone("true").status().is_ok_and(|status| status.success()) {
        eprintln!("no network namespaces here: only the books were looked at");
        return;
    }
    let again = alone("exec \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("strangers::{test}"), "--nocapture"])
        .env(NETWORK, "own")
        .output()
        .unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&[again.stdout, again.stderr].concat())
    );
}

/// A Redwall with few places for each address.
fn few_places(backend: &Backend, more: &str) -> Redwall {
    let mut config = Config::new(&backend.url());
    config.allow = "[\"::1\", \"fd00:16::/32\"]".to_owned();
    config.database =
        format!("max_clients_per_address = 20\nmax_half_open_per_address = 15\n{more}");
    let listen = "listen = [\"127.0.0.1:0\"]\nallow";
    let text = config.text();
    assert!(text.contains(listen));
    let everywhere = "listen = [\"[::]:0\"]\nallow";
    let mut redwall = Redwall::start(&text.replacen(listen, everywhere, 1));
    redwall.address.set_ip(elsewhere(9, 1));
    redwall
}

/// A client from an address of its own; what AUTH is answered, or nothing.
fn login_from(from: IpAddr, redwall: &Redwall) -> Option<Client> {
    let socket = connect_from(from, redwall.address);
    let config = client_config(Identity::None, &[]);
    let mut client = Client::over(socket, config, "localhost").ok()?;
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    Some(client)
}

/// Floods a running Redwall from 5,000 addresses.
fn flood() {
    let backend = Backend::start();
    let redwall = few_places(&backend, "max_half_open = 1000");
    let honest = connect_from(elsewhere(1, 1), redwall.address);
    let mut newest = VecDeque::new();
    for address in addresses() {
        newest.push_back(connect_from(address.into(), redwall.address));
        if newest.len() > 200 {
            newest.pop_front();
        }
    }
    wait_until("all have been seen", || {
        handshakes(&redwall, "evicted") + handshakes(&redwall, "abandoned") >= 4_985.0
    });
    assert_eq!(half_open(&redwall), 16.0, "the network's fifteen, and one");
    let config = client_config(Identity::None, &[]);
    let mut honest = Client::over(honest, config, "localhost").unwrap();
    assert_eq!(honest.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    drop(newest);

    let mut clients: Vec<_> = (1..=20)
        .map(|host| login_from(elsewhere(2, host), &redwall).unwrap())
        .collect();
    assert!(login_from(elsewhere(2, 99), &redwall).is_none());
    let refused = "redwall_connections_refused_total{database=\"main\",reason=\"address_full\"}";
    assert_eq!(redwall.metric(refused), 1.0);
    for client in &mut clients {
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    }

    for host in 1..=60 {
        let mut socket = connect_from(elsewhere(3, host), redwall.address);
        socket.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    }
    let lines = redwall.times_logged("TLS handshake failed");
    assert!((1..=10).contains(&lines), "{lines} lines of two workers");

    let redwall = few_places(&backend, "ipv6_prefix = 128");
    let clients = (1..=30).map(|host| login_from(elsewhere(2, host), &redwall));
    assert!(clients.collect::<Vec<_>>().iter().all(Option::is_some));
}

#[test]
fn five_thousand_addresses_of_one_ipv6_network_have_the_places_of_one_address() {
    if std::env::var_os(NETWORK).is_some() {
        return flood();
    }
    books();
    in_a_network_of_its_own(
        "five_thousand_addresses_of_one_ipv6_network_have_the_places_of_one_address",
    );
}

/// Hundreds of silent connections of one address, and good clients of another.
fn silence() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "max_half_open = 64".to_owned();
    config.tls += "\nhandshake_timeout = \"60s\"";
    let redwall = config.start();
    let slow = TcpStream::connect(redwall.address).unwrap();
    let flood = IpAddr::from(Ipv4Addr::new(127, 0, 17, 66));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.extend((0..30).map(|_| connect_from(flood, redwall.address)));
        let mut client = Client::login(redwall.address, "app", "app");
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    }
    wait_until("all have been seen", || {
        handshakes(&redwall, "evicted") >= (600 - 64) as f64
    });
    assert!(half_open(&redwall) <= 64.0);
    // It had begun before all of them, and is none of the busiest address.
    let config = client_config(Identity::None, &[]);
    let mut slow = Client::over(slow, config, "localhost").unwrap();
    assert_eq!(slow.ask(&["AUTH", "app", "app"]), "+OK\r\n");
}

/// Handshakes of one-byte records, which are held, and one that is too long.
fn crumbs() {
    const STRANGERS: u64 = 200;
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls += "\nhandshake_timeout = \"60s\"";
    let redwall = config.start();
    let before = redwall.resident();
    let crumbs = one_byte_records(32 * 1024);
    let held: Vec<_> = (0..STRANGERS)
        .map(|_| {
            let mut socket = TcpStream::connect(redwall.address).unwrap();
            socket.write_all(&crumbs).unwrap();
            socket
        })
        .collect();
    // Each has two steps to go, so that what came before this one's has been read.
    let mut last = Client::login(redwall.address, "app", "app");
    assert_eq!(last.ask(&["PING"]), "+PONG\r\n");
    let each = redwall.resident().saturating_sub(before) / STRANGERS;
    assert!(each < 128 * 1024, "{each} bytes for each");
    assert_eq!(
        half_open(&redwall),
        STRANGERS as f64,
        "none is over the bound"
    );
    for mut socket in held {
        socket.write_all(&[22]).unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    }
    redwall.wait_for_log("handshake of more than 32768 bytes");
    assert_eq!(handshakes(&redwall, "protocol"), STRANGERS as f64);
}

/// The beginning of a ClientHello of 64 KiB, a record for each of its bytes.
fn one_byte_records(len: usize) -> Vec<u8> {
    let hello = [1, 0, 0xff, 0xff].into_iter().chain(std::iter::repeat(0));
    hello
        .flat_map(|byte| [22, 3, 1, 0, 1, byte])
        .take(len)
        .collect()
}

/// A client that takes most of its time for the handshake, and then doesn't log in.
fn dawdling() {
    const DEADLINE: Duration = Duration::from_secs(3);
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls += "\nhandshake_timeout = \"3s\"";
    let redwall = config.start();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(client_config(Identity::None, &[]), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    let begun = Instant::now();
    let mut socket = TcpStream::connect(redwall.address).unwrap();
    socket.set_nodelay(true).unwrap();
    let pause = Duration::from_millis(20);
    socket.set_read_timeout(Some(pause)).unwrap();
    let mut bytes = hello.iter();
    // A byte a pause, for two thirds of the time.
    while begun.elapsed() < DEADLINE * 2 / 3 {
        let byte = bytes.next().expect("a hello that lasts");
        socket.write_all(&[*byte]).unwrap();
        assert!(
            socket.read(&mut [0]).is_err(),
            "nothing comes before its end"
        );
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(bytes.as_slice()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    let mut tls = rustls::StreamOwned::new(connection, socket);
    let mut said = Vec::new();
    let _ = tls.read_to_end(&mut said);
    let taken = begun.elapsed();
    assert_eq!(said, b"");
    // A deadline of its own for the login would end two seconds later.
    assert!(taken >= DEADLINE - pause, "{taken:?}");
    assert!(taken < DEADLINE + DEADLINE / 2, "{taken:?}");
    let closed = "redwall_connections_closed_total{database=\"main\",reason=\"login_timeout\"}";
    redwall.wait_for_metric(closed, 1.0);
}

/// A client whose handshake never ends, though a byte of it comes all the time.
fn dribbling() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.tls += "\nhandshake_timeout = \"1s\"";
    let redwall = config.start();
    let begun = Instant::now();
    let mut socket = TcpStream::connect(redwall.address).unwrap();
    let pause = Duration::from_millis(10);
    socket.set_read_timeout(Some(pause)).unwrap();
    let open = |read: std::io::Result<usize>| {
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    for byte in one_byte_records(32 * 1024) {
        if socket.write_all(&[byte]).is_err() || !open(socket.read(&mut [0])) {
            break;
        }
        assert!(begun.elapsed() < 3 * DEADLINE, "it is still open");
    }
    assert!(begun.elapsed() >= DEADLINE - pause, "it had its time");
    wait_until("it is counted", || handshakes(&redwall, "timeout") == 1.0);
}

#[test]
fn strangers_who_keep_silent_crumble_or_dawdle_keep_nobody_out_and_fill_nothing() {
    silence();
    crumbs();
    dribbling();
    dawdling();
}

/// What a log watcher would take for a failed login from elsewhere, if it stood on a line of its own.
const FORGED: &str =
    "\n2026-11-25T00:00:00.000000Z  INFO login failed peer=203.0.113.9\n\x1b[2J\x1b]0;owned\x07";

/// Whatever strangers say for the log to repeat.
fn slander(redwall: &Redwall, own: &Authority) {
    let ca = crate::bed::certificates().join("ca.crt");
    // The last one's chain is too long to be looked at, so that nothing of it is repeated.
    let long = [FORGED.repeat(40), "x".repeat(15_000), "x".repeat(20_000)];
    for (number, name) in [FORGED.to_owned()].iter().chain(&long).enumerate() {
        let file = format!("slander{number}");
        let shown = own.issue_with(&file, Purpose::Client, |parameters| {
            parameters
                .distinguished_name
                .push(rcgen::DnType::CommonName, name.as_str());
        });
        if let Ok(mut client) =
            Client::with_config(redwall.address, config_of(&ca, Some(&shown), &[]))
        {
            assert_eq!(client.until_closed(), "");
        }
    }
    for user in [FORGED, "a\r\nb", "\0\u{9b}2J"] {
        let mut client = Client::connect(redwall.address, Identity::None);
        assert!(
            client
                .ask(&["AUTH", user, "wrong"])
                .starts_with("-WRONGPASS")
        );
        assert!(
            client
                .ask(&["HELLO", "3", "AUTH", user, "wrong"])
                .starts_with("-WRONGPASS")
        );
        let named = client.ask(&["CLIENT", "SETNAME", user]);
        assert!(named.starts_with('-'), "{named}");
    }
    for (host, name) in (1..).zip([FORGED, "\u{9b}2J", "a b"]) {
        let from = Ipv4Addr::new(127, 0, 18, host).into();
        let mut socket = connect_from(from, redwall.address);
        socket.write_all(&hello_for(name)).unwrap();
        let _ = socket.read(&mut [0; 64]);
    }
}

/// A ClientHello that asks for the host `name`, whatever that is.
fn hello_for(name: &str) -> Vec<u8> {
    const HOST: &str = "redwall-test-host.example";
    let config = client_config(Identity::None, &[]);
    let server = ServerName::try_from(HOST).unwrap();
    let mut connection = ClientConnection::new(config, server).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    let place = hello
        .windows(HOST.len())
        .position(|at| at == HOST.as_bytes())
        .unwrap();
    // The name keeps its length, so that nothing else must change.
    let odd = name.bytes().cycle().take(HOST.len());
    hello.splice(place..place + HOST.len(), odd).for_each(drop);
    hello
}

#[test]
fn what_strangers_call_themselves_never_makes_a_log_line_of_its_own() {
    let backend = Backend::start();
    let own = Authority::new(FORGED);
    for format in ["json", "text"] {
        let config = Config::new(&backend.url()).text();
        let json = "format = \"json\"";
        assert!(config.contains(json));
        let redwall = Redwall::start(&config.replace(json, &format!("format = \"{format}\"")));
        slander(&redwall, &own);
        redwall.wait_for_log("login failed");
        wait_until("all certificates were refused", || {
            handshakes(&redwall, "bad_certificate") >= 4.0
        });
        let log = redwall.log();
        let subjects: Vec<_> = log.lines().filter_map(subject).collect();
        assert_eq!(
            subjects.len(),
            3,
            "one line for each that was looked at: {log}"
        );
        let cut = |subject: &&String| subject.len() <= 256 && subject.ends_with("\"...");
        assert_eq!(subjects.iter().filter(cut).count(), 2, "{subjects:?}");
        assert!(
            log.contains("CN=\\\\n2026") || log.contains("CN=\\n2026"),
            "{log}"
        );
        for line in log.lines() {
            let begins = match format {
                "json" => line.starts_with("{\"timestamp\":\"") && line.ends_with('}'),
                _ => is_stamped(line),
            };
            assert!(begins && !line.contains("owned\x07"), "{line:?}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!line.starts_with("2026-11-25T00:00:00.000000Z"), "{line:?}");
            assert!(line.len() < 1_600, "{} bytes: {line}", line.len());
        }
    }
}

/// The subject in a line, as it is once a reader of JSON has undone what JSON itself escapes.
fn subject(line: &str) -> Option<String> {
    if let Some((_, rest)) = line.split_once(" subject=") {
        return rest.split_once(" issuer=").map(|(it, _)| it.to_owned());
    }
    let (_, rest) = line.split_once("\"subject\":\"")?;
    let mut subject = String::new();
    let mut rest = rest.chars();
    loop {
        match rest.next()? {
            '"' => return Some(subject),
            '\\' => subject.push(rest.next()?),
            other => subject.push(other),
        }
    }
}

/// Whether a line of the text format begins with its time and its level.
fn is_stamped(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let time = words
        .next()
        .is_some_and(|word| word.len() == 27 && word.ends_with('Z'));
    time && matches!(words.next(), Some("ERROR" | "WARN" | "INFO" | "DEBUG"))
}
