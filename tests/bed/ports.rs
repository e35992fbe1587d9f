//! TCP ports as the kernel shows them, for a backend that is reached by TCP.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use redwall::config::Lanes;

use super::{Authority, Backend, Client, Issued, Redwall, Server, lanes_of_this_run, wait_until};

/// A Redis on a TCP port of `ip`, without TLS.
pub fn redis_on_tcp(ip: &str) -> (Backend, u16) {
    let port = free_port();
    let lines = [format!("port {port}"), format!("bind {ip}")];
    let lines = lines.each_ref().map(String::as_str);
    (Backend::start_as(Server::Redis70, &lines), port)
}

/// A Redis that speaks TLS, shows `own` and asks for a certificate that `ca` has issued.
pub fn redis_with_tls(ca: &Authority, own: &Issued, more: &[&str]) -> (Backend, u16) {
    let port = free_port();
    let lines = [
        format!("tls-port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("tls-cert-file {}", own.cert.display()),
        format!("tls-key-file {}", own.key.display()),
        format!("tls-ca-cert-file {}", ca.file().display()),
        "tls-auth-clients yes".to_owned(),
    ];
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    (Backend::start_as(Server::Redis70, &lines), port)
}

/// Ports that are given to nobody who doesn't ask for them, so that a free one stays free until its server has started.
const ASKED_FOR: std::ops::Range<u16> = 10_000..32_000;

/// A port that nobody listens on and that no other connection, of whatever program, has at its far end.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let span = u32::from(ASKED_FOR.end - ASKED_FOR.start);
    loop {
        // Other processes of tests begin elsewhere.
        let number = std::process::id() * 97 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = ASKED_FOR.start + (number % span) as u16;
        let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free && ends().iter().all(|end| end.remote != port) {
            return port;
        }
    }
}

/// A connection's state in the kernel's table.
pub const TIME_WAIT: &str = "06";

/// One end of a TCP connection as the kernel shows it.
pub struct End {
    pub local: u16,
    pub remote: u16,
    pub state: String,
    /// Bytes that the peer hasn't acknowledged, and bytes that the program hasn't read.
    pub queued: (u64, u64),
}

pub fn ends() -> Vec<End> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let port = |address: &str| hexadecimal(address.rsplit(':').next().unwrap()) as u16;
    let end = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (sent, received) = fields[4].split_once(':').unwrap();
        End {
            local: port(fields[1]),
            remote: port(fields[2]),
            state: fields[3].to_owned(),
            queued: (hexadecimal(sent), hexadecimal(received)),
        }
    };
    table.lines().skip(1).map(end).collect()
}

/// Redwall's connections to the backend's port that are over and still hold a local port.
pub fn ports_that_wait(backend: u16) -> usize {
    let waits = |end: &End| end.remote == backend && end.state == TIME_WAIT;
    ends().into_iter().filter(waits).count()
}

/// The metric of Redwall's backend connections in a state.
pub fn in_state(state: &str) -> String {
    format!("redwall_backend_connections{{database=\"main\",state=\"{state}\"}}")
}

/// The metric of those that were opened for clients.
pub const OPENED: &str = "redwall_backend_connections_opened_total{database=\"main\"}";

/// A client that comes, does one thing and goes, each time in another way.
fn come_and_go(redwall: &Redwall, round: usize) {
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SET", "app:k", "v"]), "+OK\r\n");
    match round % 4 {
        0 => client.leave(),
        1 => assert_eq!(client.ask(&["QUIT"]), "+OK\r\n"),
        2 => assert!(client.ask(&["SUBSCRIBE", "app:news"]).starts_with("*3")),
        // It just falls silent, in a transaction.
        _ => assert_eq!(client.ask(&["MULTI"]), "+OK\r\n"),
    }
}

/// Connections that stand whoever comes and goes: the probe's, shared lanes of two workers, and lanes that wait for somebody.
const STANDING: f64 = 16.0;

/// Clients come and go, and no port waits for them afterwards.
pub fn assert_that_no_port_waits(redwall: &Redwall, port: u16, rounds: usize) {
    for round in 0..rounds {
        come_and_go(redwall, round);
    }
    let (left, opened) = match lanes_of_this_run() {
        // The probe's.
        Lanes::Own => (1.0, rounds as f64),
        // Half of the clients needed no lane of their own.
        Lanes::Shared => (STANDING, rounds as f64 / 2.0 + STANDING),
    };
    wait_until("the clients' backend connections are closed", || {
        redwall.metric(&in_state("open")) <= left && redwall.metric(&in_state("connecting")) == 0.0
    });
    match lanes_of_this_run() {
        Lanes::Own => assert_eq!(redwall.metric(OPENED), opened),
        Lanes::Shared => assert!(
            redwall.metric(OPENED) <= opened,
            "{}",
            redwall.metric(OPENED)
        ),
    }
    assert_eq!(ports_that_wait(port), 0);
}
