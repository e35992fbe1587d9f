//! Connections to the backend: how they end, and what is told of those that can't be had.

use std::net::ToSocketAddrs;
use std::path::Path;
use std::process::Command;

use crate::bed::{
    Authority, Backend, Client, Config, Purpose, Server, TempDir, assert_that_no_port_waits, ends,
    free_port, redis_on_tcp, wait_until,
};

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
    config.backend_more = "request_timeout = \"3s\"\n".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    let value = "v".repeat(800_000);
    // It travels over a connection that is there already.
    assert_eq!(
        client.ask(&["SET", "app:before", &value[..8_000]]),
        "+OK\r\n"
    );
    backend.freeze();
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

#[test]
fn who_waits_longer_for_a_backend_connection_than_connecting_may_take_is_told() {
    let (_backend, port) = redis_on_tcp("127.0.0.1");
    let mut config = Config::new(&format!("redis://127.0.0.1:{port}"));
    config.database = "lanes = \"own\"".to_owned();
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

#[test]
fn a_client_that_waits_for_its_writes_on_a_connection_that_stood_ready_is_answered() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.backend_more = "request_timeout = \"2s\"".to_owned();
    let redwall = config.start();
    for round in 0..20 {
        let mut client = Client::login(redwall.address, "app", "app");
        // At once, so that it waits when the replies before it have come, and nothing else happens.
        client.send_raw(b"SET app:k 1\r\nSET app:k 2\r\nWAIT 0 10\r\n");
        for wanted in ["+OK\r\n", "+OK\r\n", ":0\r\n"] {
            assert_eq!(client.text(), wanted, "round {round}");
        }
    }
}

#[test]
fn a_reload_that_asks_for_other_lanes_is_for_clients_that_come_afterwards_and_ends_nobody() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "lanes = \"shared\"".to_owned();
    let redwall = config.start();
    // A client, and whether it has a connection to the backend that bears its number.
    let connect = || {
        let mut client = Client::login(redwall.address, "app", "app");
        let number = client.ask(&["CLIENT", "ID"]);
        assert!(!client.ask(&["GET", "app:n"]).starts_with('-'));
        let name = format!(
            " name=redwall:main:{} ",
            number.trim_matches([':', '\r', '\n'])
        );
        let has_its_own = backend.admin(&["CLIENT", "LIST"]).contains(&name);
        (client, has_its_own)
    };
    let mut clients = vec![connect()];
    for lanes in ["own", "shared", "own"] {
        config.database = format!("lanes = \"{lanes}\"");
        redwall.reload(&config.text());
        clients.push(connect());
        for (number, (client, _)) in clients.iter_mut().enumerate() {
            assert_eq!(client.ask(&["MULTI"]), "+OK\r\n", "client {number}");
            assert_eq!(client.ask(&["INCR", "app:n"]), "+QUEUED\r\n");
            assert!(client.ask(&["EXEC"]).starts_with("*1\r\n:"));
        }
    }
    let own: Vec<bool> = clients.iter().map(|(_, own)| *own).collect();
    assert_eq!(own, [false, true, false, true]);
    assert_eq!(backend.admin(&["GET", "app:n"]), "$1\r\n9\r\n");
}
