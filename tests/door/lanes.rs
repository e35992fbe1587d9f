//! Connections to the backend: what they cost when clients come and go, and how fast they may be opened.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::bed::{
    Authority, Backend, Client, Config, Purpose, Redwall, Server, TempDir, wait_until,
};

/// A Redis on a TCP port of `ip`, without TLS.
fn redis_on_tcp(ip: &str) -> (Backend, u16) {
    let port = free_port();
    let lines = [format!("port {port}"), format!("bind {ip}")];
    let lines = lines.each_ref().map(String::as_str);
    (Backend::start_as(Server::Redis70, &lines), port)
}

/// A port that nobody listens on and that no other connection, of whatever program, has at its far end.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if ends().iter().all(|end| end.remote != port) {
            return port;
        }
    }
}

/// A connection's state in the kernel's table.
const TIME_WAIT: &str = "06";

/// One end of a TCP connection as the kernel shows it.
struct End {
    local: u16,
    remote: u16,
    state: String,
    /// Bytes that the peer hasn't acknowledged, and bytes that the program hasn't read.
    queued: (u64, u64),
}

fn ends() -> Vec<End> {
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
fn ports_that_wait(backend: u16) -> usize {
    let waits = |end: &End| end.remote == backend && end.state == TIME_WAIT;
    ends().into_iter().filter(waits).count()
}

fn in_state(state: &str) -> String {
    format!("redwall_backend_connections{{database=\"main\",state=\"{state}\"}}")
}

const OPENED: &str = "redwall_backend_connections_opened_total{database=\"main\"}";

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

fn assert_that_no_port_waits(redwall: &Redwall, port: u16, rounds: usize) {
    for round in 0..rounds {
        come_and_go(redwall, round);
    }
    // The probe's is left.
    wait_until("the clients' backend connections are closed", || {
        redwall.metric(&in_state("open")) == 1.0 && redwall.metric(&in_state("connecting")) == 0.0
    });
    assert_eq!(redwall.metric(OPENED), rounds as f64);
    assert_eq!(ports_that_wait(port), 0);
}

#[test]
fn hundreds_of_clients_that_come_and_go_leave_no_port_of_a_tcp_backend_in_time_wait() {
    let (backend, port) = redis_on_tcp("127.0.0.1");
    let redwall = Config::new(&format!("redis://127.0.0.1:{port}")).start();
    assert_that_no_port_waits(&redwall, port, 400);
    // Nor do connections that the backend doesn't let in.
    backend.admin(&["ACL", "SETUSER", "redwall", "resetpass", ">other"]);
    for _ in 0..20 {
        let mut client = Client::login(redwall.address, "app", "app");
        assert_eq!(
            client.ask(&["GET", "app:k"]),
            "-ERR backend unavailable\r\n"
        );
    }
    assert_eq!(ports_that_wait(port), 0);
}

#[test]
fn hundreds_of_clients_that_come_and_go_leave_no_port_of_a_tls_backend_in_time_wait() {
    let ca = Authority::new("backends");
    let own = ca.issue("localhost", Purpose::Server);
    let port = free_port();
    let lines = [
        format!("tls-port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("tls-cert-file {}", own.cert.display()),
        format!("tls-key-file {}", own.key.display()),
        format!("tls-ca-cert-file {}", ca.file().display()),
        "tls-auth-clients no".to_owned(),
    ];
    let lines = lines.each_ref().map(String::as_str);
    let _backend = Backend::start_as(Server::Redis70, &lines);
    let mut config = Config::new(&format!("rediss://127.0.0.1:{port}"));
    config.backend_more = format!("server_name = \"localhost\"\nca = {:?}\n", ca.file());
    assert_that_no_port_waits(&config.start(), port, 200);
}

#[test]
fn a_write_that_is_on_its_way_is_carried_out_though_its_client_has_died_and_its_time_is_over() {
    let (backend, port) = redis_on_tcp("127.0.0.1");
    let mut config = Config::new(&format!("redis://127.0.0.1:{port}"));
    config.backend_more = "request_timeout = \"1s\"\n".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    backend.freeze();
    let value = "v".repeat(800_000);
    client.send(&["SET", "app:k", &value]);
    // All of it is in the kernel's hands, and most of that on Redwall's side still.
    wait_until("the write has left Redwall", || {
        let ends = ends();
        let sent = ends.iter().filter(|end| end.remote == port);
        let received = ends.iter().filter(|end| end.local == port);
        let sent: u64 = sent.map(|end| end.queued.0).sum();
        let received: u64 = received.map(|end| end.queued.1).sum();
        sent > 0 && sent + received > value.len() as u64
    });
    drop(client);
    wait_until("Redwall has given the client up", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 0.0
    });
    backend.thaw();
    let mut direct = backend.direct("admin", 2);
    let wanted = format!(":{}\r\n", value.len());
    wait_until("the write is carried out", || {
        direct.ask(&["STRLEN", "app:k"]) == wanted.as_bytes()
    });
}

/// Connections that the backend has taken so far, by its statistics.
fn connections_received(stats: Vec<u8>) -> u32 {
    let stats = String::from_utf8(stats).unwrap();
    let (_, rest) = stats.split_once("total_connections_received:").unwrap();
    rest.split('\r').next().unwrap().parse().unwrap()
}

#[test]
fn a_crowd_gets_its_backend_connections_in_the_order_in_which_it_came_and_never_faster_than_the_limit()
 {
    const LIMIT: u32 = 5;
    const CROWD: u32 = 15;
    let (backend, port) = redis_on_tcp("127.0.0.1");
    let mut config = Config::new(&format!("redis://127.0.0.1:{port}"));
    config.backend_more = format!("max_connects_per_second = {LIMIT}\nconnect_timeout = \"20s\"\n");
    let redwall = config.start();
    let mut direct = backend.direct("admin", 2);
    let mut received = || connections_received(direct.ask(&["INFO", "stats"]));
    let (start, first) = (Instant::now(), received());
    let mut clients: Vec<Client> = (0..CROWD)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        client.send(&["GET", "app:k"]);
    }
    assert!(redwall.metric(&in_state("connecting")) > 0.0);
    wait_until("all have been served", || {
        let taken = received() - first;
        let most = 1.0 + f64::from(LIMIT) * start.elapsed().as_secs_f64();
        assert!(f64::from(taken) <= most, "{taken} at {most}");
        taken == CROWD
    });
    for client in &mut clients {
        assert_eq!(client.text(), "$-1\r\n");
    }
    assert_eq!(redwall.metric(OPENED), f64::from(CROWD));
    assert_eq!(received(), first + CROWD);
    let list = String::from_utf8(direct.ask(&["CLIENT", "LIST"])).unwrap();
    let word = |line: &str, key: &str| {
        let mut words = line.split(' ');
        words.find_map(|word| word.strip_prefix(key)?.parse::<u32>().ok())
    };
    // By the backend's numbers, which it gives in the order in which it takes connections.
    let taken = list.lines().filter_map(|line| {
        let client = word(line, "name=redwall:main:")?;
        Some((word(line, "id=")?, client))
    });
    let taken: BTreeMap<u32, u32> = taken.collect();
    assert_eq!(taken.len(), CROWD as usize, "{list}");
    assert!(taken.values().is_sorted(), "{taken:?}");
}

#[test]
fn who_waits_longer_for_a_backend_connection_than_connecting_may_take_is_told() {
    let (_backend, port) = redis_on_tcp("127.0.0.1");
    let mut config = Config::new(&format!("redis://127.0.0.1:{port}"));
    config.backend_more = "max_connects_per_second = 1\nconnect_timeout = \"1s\"\n".to_owned();
    let redwall = config.start();
    let mut clients: Vec<Client> = (0..5)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        client.send(&["GET", "app:k"]);
    }
    let replies: Vec<String> = clients.iter_mut().map(Client::text).collect();
    assert_eq!(replies[0], "$-1\r\n");
    assert!(replies[1..].contains(&"-ERR backend unavailable\r\n".to_owned()));
    redwall.wait_for_log("`max_connects_per_second` let others go first");
}

/// Set where this test runs by a hosts file of its own.
const SEVERAL: &str = "several.redwall.test";
const INSIDE: &str = "REDWALL_TEST_INSIDE";

#[test]
fn a_backend_of_which_only_the_last_address_lives_is_reached() {
    if std::env::var_os(INSIDE).is_some() {
        return reach_the_last_address();
    }
    let may_unshare = Command::new("unshare").args(["-rm", "true"]).output();
    if !may_unshare.is_ok_and(|output| output.status.success()) {
        eprintln!("no namespace can be had: only backend::connect's own tests try all addresses");
        return;
    }
    let folder = TempDir::new("hosts");
    let hosts: String = (1..=3)
        .map(|last| format!("127.0.0.{last} {SEVERAL}\n"))
        .collect();
    let hosts = folder.write("hosts", &hosts);
    let output = again_with(&hosts).output().unwrap();
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success() && String::from_utf8_lossy(stdout).contains("1 passed"),
        "{}{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    );
}

/// This test once more, in a namespace where `hosts` stands in place of the machine's file.
fn again_with(hosts: &Path) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let name = "lanes::a_backend_of_which_only_the_last_address_lives_is_reached";
    command
        .args(["-rm", "sh", "-c", script])
        .arg(hosts)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1");
    command
}

fn reach_the_last_address() {
    let addresses: Vec<_> = (SEVERAL, 1).to_socket_addrs().unwrap().collect();
    assert_eq!(addresses.len(), 3);
    let (_backend, port) = redis_on_tcp(&addresses[2].ip().to_string());
    let redwall = Config::new(&format!("redis://{SEVERAL}:{port}")).start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SET", "app:k", "v"]), "+OK\r\n");
}
