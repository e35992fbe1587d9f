//! What a stranger may not do to the process as a whole, by what the kernel gives it.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::bed::{Backend, Client, Config, Identity, Redwall, certificates, program, wait_until};

/// An account that owns nothing, on every Linux.
const NOBODY: u32 = 65_534;

/// A command that runs the program, found from anywhere, as somebody without rights.
fn as_nobody() -> std::process::Command {
    let mut command = program();
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// Lets everybody read what is in a folder.
fn open_to_all(folder: &std::path::Path) {
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(folder, 0o755);
    for entry in std::fs::read_dir(folder).unwrap() {
        set(&entry.unwrap().path(), 0o644);
    }
}

#[test]
fn secrets_of_the_environment_cannot_be_read_by_other_processes_of_the_same_user() {
    let backend = Backend::start();
    let text = Config::new(&backend.url()).text();
    let is_root = rustix::process::getuid().is_root();
    // Only root can start it as somebody else; somebody else's own child is as good.
    let redwall = if is_root {
        let folder = crate::bed::TempDir::new("nobody");
        let copy = |name: &str| {
            let text = std::fs::read_to_string(certificates().join(name)).unwrap();
            folder.write(name, &text);
        };
        ["server.crt", "server.key", "ca.crt"]
            .iter()
            .for_each(|name| copy(name));
        open_to_all(folder.path());
        let text = text.replace(
            &certificates().display().to_string(),
            &folder.path().display().to_string(),
        );
        let redwall = Redwall::spawn_by(as_nobody(), &text, &[]);
        redwall.wait_for_log("redwall is ready");
        redwall
    } else {
        Redwall::start(&text)
    };
    let environment = format!("/proc/{}/environ", redwall.pid());
    if is_root {
        // The process is somebody else's; what it keeps to itself is root's.
        let owner = |path: String| std::fs::metadata(path).unwrap().uid();
        assert_eq!(owner(format!("/proc/{}", redwall.pid())), NOBODY);
        assert_eq!(owner(environment), 0);
    } else {
        let error = std::fs::read(&environment).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    }
}

/// What the flooded process may open.
const DESCRIPTORS: u64 = 400;

fn set_descriptors(redwall: &Redwall, most: u64) {
    let pid = Pid::from_raw(i32::try_from(redwall.pid()).unwrap());
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(DESCRIPTORS),
    };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[test]
fn a_flood_takes_no_descriptor_that_a_client_inside_needs_and_running_out_is_a_rest_not_a_spin() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.server = "max_clients = 5000".to_owned();
    let mut limited = std::process::Command::new("sh");
    limited.args([
        "-c",
        &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""),
        program().get_program().to_str().unwrap(),
    ]);
    let mut redwall = Redwall::spawn_by(limited, &config.text(), &[]);
    redwall.wait_until_ready();
    let most = redwall.metric("redwall_max_clients");
    assert!((50.0..200.0).contains(&most), "{most} of 400");
    redwall.wait_for_log("RLIMIT_NOFILE");
    let mut inside = Client::login(redwall.address, "app", "app");
    let flood: Vec<_> = (0..600)
        .map(|_| TcpStream::connect(redwall.address).unwrap())
        .collect();
    redwall.wait_for_metric(
        "redwall_connections_refused_total{database=\"main\",reason=\"process_full\"}",
        601.0 - most,
    );
    assert_eq!(
        redwall.metric("redwall_accept_errors_total{kind=\"shortage\"}"),
        0.0
    );
    // It still dials: a new lane for whoever has lost its own.
    backend.admin(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(inside.ask(&["SET", "app:k", "v"]), "+OK\r\n");
    drop(flood);
    wait_until("the flood is gone", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 1.0
    });

    // Now they really run out, as when the whole machine has none left.
    set_descriptors(&redwall, 3);
    let mut waiting = TcpStream::connect(redwall.address).unwrap();
    wait_until("accept has failed", || {
        redwall.has_logged("no connection could be accepted")
    });
    for _ in 0..200 {
        assert_eq!(inside.ask(&["GET", "app:k"]), "$1\r\nv\r\n");
    }
    std::thread::sleep(Duration::from_millis(500));
    set_descriptors(&redwall, DESCRIPTORS);
    waiting.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 4];
    std::io::Read::read_exact(&mut waiting, &mut answer).unwrap();
    assert_eq!(&answer, b"-ERR");
    let errors = redwall.metric("redwall_accept_errors_total{kind=\"shortage\"}");
    assert!((1.0..200.0).contains(&errors), "{errors} errors");
}

#[test]
fn a_thousand_that_connect_while_nobody_accepts_are_all_served() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    redwall.signal("STOP");
    let strangers: Vec<_> = (0..1000)
        .map(|_| {
            // The kernel answers for a listener as long as its backlog has room; beyond, a connect takes a second and more.
            TcpStream::connect_timeout(&redwall.address, Duration::from_millis(900)).unwrap()
        })
        .collect();
    redwall.signal("CONT");
    redwall.wait_for_metric("redwall_connections{database=\"main\"}", 1000.0);
    drop(strangers);
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
}

#[test]
fn a_client_that_reads_slowly_is_not_given_up_and_one_that_never_reads_costs_a_bounded_amount() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits =
        "send_buffer = \"64KiB\"\noutput_timeout = \"2s\"\noutput_soft_limit = \"64KiB\""
            .to_owned();
    let redwall = config.start();
    let value = "x".repeat(1 << 20);
    let mut root = Client::login(redwall.address, "root", "root");
    assert_eq!(root.ask(&["SET", "app:big", &value]), "+OK\r\n");
    // One that reads a little now and then, for longer than the time-out.
    let mut slow = Client::login(redwall.address, "app", "app");
    shrink(&slow);
    for _ in 0..4 {
        slow.send(&["GET", "app:big"]);
    }
    // One that never reads: what Redwall has sent of its megabytes lies in the kernel's buffers.
    let mut never = Client::login(redwall.address, "app", "app");
    shrink(&never);
    let sent = || redwall.metric("redwall_sent_bytes_total{database=\"main\"}");
    let read = std::thread::spawn(move || {
        let mut whole = 0;
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(900));
            whole += slow.frame().len();
        }
        whole
    });
    assert_eq!(
        read.join().unwrap(),
        4 * (value.len() + "$1048576\r\n\r\n".len())
    );
    let before = sent();
    for _ in 0..16 {
        never.send(&["GET", "app:big"]);
    }
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"output_timeout\"}",
        1.0,
    );
    // Twice send_buffer, as much again in the client's, and what Redwall itself holds.
    let taken = sent() - before;
    assert!(
        taken < 1_500_000.0,
        "{taken} bytes for one that doesn't read"
    );
    assert!(Client::try_connect(redwall.address, Identity::None).is_ok());
}

/// Has the client's kernel take little, so that what is measured is the server's.
fn shrink(client: &Client) {
    socket2::SockRef::from(client.socket())
        .set_recv_buffer_size(64 << 10)
        .unwrap();
}
