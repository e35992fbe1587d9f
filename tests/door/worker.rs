//! What a stranger may not do to the threads that serve everybody.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use redwall::proxy::vital;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

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

/// What ends a process that would otherwise look alive, and what doesn't.
fn act(deed: &str) {
    let thread = match deed {
        "worker" => vital::spawn_loop("redwall-worker-0", || async { panic!("a fault") }),
        "acceptor" => vital::spawn("redwall-acceptor", || panic!("a fault")),
        "session" => vital::spawn_loop("redwall-worker-0", || async {
            let session = tokio::task::spawn_local(async { panic!("a fault") });
            assert!(session.await.is_err());
        }),
        other => panic!("unknown deed {other}"),
    };
    // A fault that ends nothing but its thread would be seen here.
    drop(thread.unwrap().join());
}

#[test]
fn a_panic_that_costs_a_worker_ends_the_process_instead_of_leaving_one_that_refuses_clients() {
    const NAME: &str =
        "a_panic_that_costs_a_worker_ends_the_process_instead_of_leaving_one_that_refuses_clients";
    if let Ok(deed) = std::env::var("REDWALL_TEST_DEED") {
        return act(&deed);
    }
    for (deed, signal) in [
        ("worker", ABORTED),
        ("acceptor", ABORTED),
        ("session", None),
    ] {
        let output = alone(NAME, deed);
        assert_eq!(output.status.signal(), signal, "{deed}: {output:?}");
        assert_eq!(
            output.status.success(),
            signal.is_none(),
            "{deed}: {output:?}"
        );
    }
    // A healthy one says so, and its hearts beat.
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    assert_eq!(redwall.page("/healthz"), (200, "ok\n".to_owned()));
    for worker in ["0", "1"] {
        let beat = format!("redwall_worker_heartbeat_timestamp_seconds{{worker=\"{worker}\"}}");
        wait_until("its heart beats", || redwall.metric(&beat) > 1.7e9);
        let before = redwall.metric(&beat);
        wait_until("its heart beats on", || redwall.metric(&beat) > before);
    }
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

#[test]
fn a_client_without_tls_is_told_to_use_it_in_words_that_it_shows() {
    const HINT: &str = "this port speaks TLS: use rediss://";
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let port = redwall.address.port().to_string();
    let cli = output_of(Command::new("redis-cli").args(["-p", &port, "PING"]));
    assert!(cli.contains(HINT), "{cli}");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".clients/python/bin/python");
    let ping = "import redis, sys; redis.Redis(port=int(sys.argv[1])).ping()";
    let py = output_of(Command::new(python).args(["-c", ping, &port]));
    assert!(py.contains(HINT), "{py}");
    let said: [(&[&[u8]], &str); 3] = [
        (&[b"*1\r\n$4\r\nPING\r\n"], HINT),
        // Its first byte comes alone.
        (&[b"P", b"ING\r\n"], HINT),
        (
            &[b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
            "HTTP/1.1 400",
        ),
    ];
    for (pieces, answer) in said {
        let mut socket = TcpStream::connect(redwall.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        for piece in pieces {
            socket.write_all(piece).unwrap();
        }
        let mut heard = String::new();
        socket.read_to_string(&mut heard).unwrap();
        assert!(heard.contains(answer) && heard.len() < 1024, "{heard}");
    }
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"plaintext\"}",
        5.0,
    );
    redwall.wait_for_log("let the client use rediss://");
    assert_eq!(backend.admin(&["GET", "app:k"]), "$-1\r\n");
}
