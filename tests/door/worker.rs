//! What a stranger may not do to the threads that serve everybody.

mod house;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use redwall::proxy::vital;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use self::house::{House, PANICS, STANDS_STILL};
use crate::bed::{Backend, Client, Config, Identity, PATIENCE, Redwall, client_config, wait_until};

/// SIGABRT.
const ABORTED: Option<i32> = Some(6);

/// Runs the test of this name again in a process of its own, in which it does what `deed` says.
fn alone(test: &str, deed: &str) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("worker::{test}"), "--nocapture"])
        .env("REDWALL_TEST_DEED", deed)
        .output()
        .unwrap()
}

/// What ends a process that would otherwise look alive.
fn act(deed: &str) {
    match deed {
        "worker" => {
            let thread = vital::spawn_loop("redwall-worker-0", || async {
                drop(tokio::task::spawn_local(std::future::pending::<()>()));
                tokio::task::yield_now().await;
                panic!("a fault")
            });
            // A fault that ends nothing but its thread would be seen here.
            drop(thread.unwrap().join());
        }
        "acceptor" => {
            let house = House::start_without_books("unix:///nonexistent.sock");
            let mut socket = TcpStream::connect(house.address).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = socket.read(&mut [0; 8]);
            // Who is refused by a process that goes on would get as far as this; one that ends does so while its threads unwind.
            std::thread::park_timeout(PATIENCE);
        }
        other => panic!("unknown deed {other}"),
    }
}

/// A session that panics: nobody else notices, and nothing of it stays behind.
fn a_session_ends_alone() {
    let backend = Backend::start();
    let house = House::start(&backend.url());
    let mut others: Vec<_> = (0..4)
        .map(|_| Client::login(house.address, "app", "app"))
        .collect();
    for _ in 0..10 {
        let config = client_config(Identity::None, &[]);
        assert!(Client::with_name(house.address, config, PANICS).is_err());
    }
    for client in &mut others {
        assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
    }
    // A worker that seemed to be the idlest, or that no longer took steps, would refuse these.
    others.extend((0..20).map(|_| Client::login(house.address, "app", "app")));
    let ends = "redwall_handshakes_total{database=\"main\",outcome=\"internal\"}";
    assert_eq!(house.metric(ends), Some(10.0));
    wait_until("the books are right", || house.door.connections() == 24);
    let half_open = "redwall_half_open_connections{database=\"main\"}";
    assert_eq!(house.metric(half_open), Some(0.0));
}

#[test]
fn a_panic_that_costs_a_worker_ends_the_process_instead_of_leaving_one_that_refuses_clients() {
    const NAME: &str =
        "a_panic_that_costs_a_worker_ends_the_process_instead_of_leaving_one_that_refuses_clients";
    if let Ok(deed) = std::env::var("REDWALL_TEST_DEED") {
        return act(&deed);
    }
    for deed in ["worker", "acceptor"] {
        let output = alone(NAME, deed);
        assert_eq!(output.status.signal(), ABORTED, "{deed}: {output:?}");
    }
    a_session_ends_alone();
    one_that_stands_still_is_named_by_healthz_and_its_heart_beats_on_after();
}

/// What `/healthz` says.
fn health(status: SocketAddr) -> String {
    let mut socket = TcpStream::connect(status).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

fn one_that_stands_still_is_named_by_healthz_and_its_heart_beats_on_after() {
    let backend = Backend::start();
    let house = House::start(&backend.url());
    let status = house.show_status();
    let mut clients = [(); 2].map(|()| Client::login(house.address, "app", "app"));
    let beat = |worker: u8| {
        let sample = format!("redwall_worker_heartbeat_timestamp_seconds{{worker=\"{worker}\"}}");
        house.metric(&sample).unwrap()
    };
    assert!(health(status).starts_with("HTTP/1.1 200 "));
    let before = [beat(0), beat(1)];
    assert!(before[0] > 1.7e9, "{before:?}");
    wait_until("both hearts beat on", || {
        beat(0) > before[0] + 0.05 && beat(1) > before[1] + 0.05
    });
    // With one client each, the first worker is the next one's.
    let (address, config) = (house.address, client_config(Identity::None, &[]));
    let stuck = std::thread::spawn(move || Client::with_name(address, config, STANDS_STILL));
    wait_until("it is told", || health(status).starts_with("HTTP/1.1 503 "));
    let told = health(status);
    assert!(
        told.contains("\r\n\r\nworker 0 stands still for "),
        "{told}"
    );
    assert!(!told.contains("worker 1"), "{told}");
    assert_eq!(clients[1].ask(&["SET", "app:k", "1"]), "+OK\r\n");
    house.go_on();
    wait_until("all is well", || {
        health(status).starts_with("HTTP/1.1 200 ")
    });
    assert_eq!(clients[0].ask(&["GET", "app:k"]), "$1\r\n1\r\n");
    // The certificate isn't for its host, which it says once it is served.
    drop(stuck.join());
}

/// A client that has said hello.
fn greet(redwall: &Redwall) -> (ClientConnection, TcpStream) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection =
        ClientConnection::new(client_config(Identity::Certificate("alice"), &[]), name).unwrap();
    let mut socket = TcpStream::connect(redwall.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_tls(&mut socket).unwrap();
    (connection, socket)
}

#[test]
fn hundreds_of_handshakes_at_once_take_one_step_a_turn_and_established_clients_go_on_between() {
    const STRANGERS: usize = 300;
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut established = Client::login(redwall.address, "app", "app");
    let count = |what: &str| redwall.metric(&format!("redwall_handshake_{what}_total"));
    let before = count("steps");
    // All hellos are there when it wakes.
    redwall.signal("STOP");
    let mut strangers: Vec<_> = (0..STRANGERS).map(|_| greet(&redwall)).collect();
    redwall.signal("CONT");
    for number in 0..50 {
        let value = number.to_string();
        assert_eq!(established.ask(&["SET", "app:k", &value]), "+OK\r\n");
        assert_eq!(
            established.ask(&["GET", "app:k"]),
            format!("${}\r\n{value}\r\n", value.len())
        );
    }
    for (connection, socket) in &mut strangers {
        while connection.is_handshaking() {
            connection.complete_io(socket).unwrap();
        }
    }
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"tls1.3\"}",
        (STRANGERS + 1) as f64,
    );
    let steps = count("steps") - before;
    assert!(steps >= (2 * STRANGERS) as f64, "{steps} steps");
    assert_eq!(count("turns"), count("steps"), "a turn for each step");
    assert!(
        count("waits") > (STRANGERS / 2) as f64,
        "{} waited",
        count("waits")
    );
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn fetched(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".clients")
        .join(name)
}

/// What is answered in the clear to these pieces, each of which is taken in before the next is sent.
fn heard(redwall: &Redwall, pieces: &[&[u8]]) -> String {
    let mut socket = TcpStream::connect(redwall.address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let sample = "redwall_handshakes_total{database=\"main\",outcome=\"plaintext\"}";
    let before = redwall.metric(sample);
    for piece in pieces {
        socket.write_all(piece).unwrap();
        redwall.wait_for_metric(sample, before + 1.0);
    }
    let mut heard = Vec::new();
    // Whoever sends more than is read away is reset in the end.
    let _ = socket.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

/// What clients that don't use TLS show their users.
fn shown_in_the_clear(redwall: &Redwall) -> Vec<(&'static str, String)> {
    let port = redwall.address.port().to_string();
    let ask = "import redis, sys; redis.Redis(port=int(sys.argv[1])).ping()";
    let login =
        "import redis, sys; redis.Redis(port=int(sys.argv[1]), protocol=2, password='app').ping()";
    let ioredis = "const r = new (require('ioredis'))({port: process.argv[1], retryStrategy: () => null}); \
        r.on('error', e => console.log(e.message)); r.ping().catch(e => console.log(e.message))";
    let cli = |more: &[&str]| output_of(Command::new("redis-cli").args(["-p", &port]).args(more));
    let python = |code: &str| {
        output_of(Command::new(fetched("python/bin/python")).args(["-c", code, &port]))
    };
    let mut node = Command::new("node");
    node.env("NODE_PATH", fetched("node/node_modules"));
    vec![
        ("redis-cli", cli(&["PING"])),
        ("redis-cli, RESP3", cli(&["-3", "PING"])),
        ("redis-cli, password", cli(&["-a", "app", "PING"])),
        ("redis-py", python(ask)),
        ("redis-py, password", python(login)),
        ("ioredis", output_of(node.args(["-e", ioredis, &port]))),
    ]
}

#[test]
fn a_client_without_tls_is_told_to_use_it_in_words_that_it_shows() {
    const HINT: &str = "this port speaks TLS: use rediss://";
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for (client, shown) in shown_in_the_clear(&redwall) {
        assert!(shown.contains(HINT), "{client}: {shown}");
    }
    let said: [(&[&[u8]], &str); 6] = [
        (&[b"*1\r\n$4\r\nPING\r\n"], HINT),
        (&[b"P", b"ING\r\n"], HINT),
        (&[b"\x15\x03\x01\0\x02\x02\x28"], HINT),
        (&[&[b'x'; 100_000]], HINT),
        (
            &[b"G", b"ET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
            "HTTP/1.1 400 ",
        ),
        (&[&b"*1\r\n$4\r\nPING\r\n".repeat(10_000)], HINT),
    ];
    for (pieces, answer) in said {
        let heard = heard(&redwall, pieces);
        assert!(heard.contains(answer) && heard.len() < 1024, "{heard}");
    }
    redwall.wait_for_log("let the client use rediss://");
    // Those who speak TLS are not told of it.
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    // One that begins and doesn't end is answered in time.
    let mut silent = TcpStream::connect(redwall.address).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    silent.write_all(b"P").unwrap();
    let mut told = String::new();
    silent.read_to_string(&mut told).unwrap();
    assert!(told.contains(HINT), "{told}");
}
