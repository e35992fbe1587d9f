//! Status pages, metrics, logs, and the end.

use std::process::{Command, Stdio};

use redwall::config::Lanes;

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Config, lanes_of_this_run, program, wait_until};

#[test]
fn the_status_pages_tell_that_it_lives_and_is_ready() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    assert_eq!(redwall.page("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(redwall.page("/readyz").0, 200);
    assert_eq!(redwall.page("/readyz/main").0, 200);
    assert_eq!(redwall.page("/readyz/other").0, 404);
    assert_eq!(redwall.page("/nosuch").0, 404);
}

#[test]
fn promtool_finds_nothing_to_complain_of_in_the_metrics() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.ask(&["GET", "app:k"]);
    client.ask(&["GET", "other"]);
    let (status, metrics) = redwall.page("/metrics");
    assert_eq!(status, 200);
    for name in [
        "redwall_build_info{version=",
        "redwall_command_duration_seconds_bucket",
        "redwall_backend_up{database=\"main\"} 1",
        "redwall_denials_total",
        "redwall_tls_expiry_timestamp_seconds{database=\"main\",kind=\"server_certificate\"}",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "{name} in\n{metrics}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn sigterm_lets_what_is_under_way_finish_and_then_ends_cleanly() {
    let backend = Backend::start();
    let mut redwall = Config::new(&backend.url()).start();
    let mut idle = Client::login(redwall.address, "app", "app");
    assert_eq!(idle.ask(&["PING"]), "+PONG\r\n");
    let mut blocked = Client::login(redwall.address, "app", "app");
    blocked.send(&["BLPOP", "app:l", "0"]);
    wait_until("the client is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains("blocked_clients:1")
    });
    redwall.signal("TERM");
    assert_eq!(idle.until_closed(), "", "an idle client is closed at once");
    wait_until("it is no longer ready", || redwall.page("/readyz").0 == 503);
    assert!(Client::try_connect(redwall.address, crate::bed::Identity::None).is_err());
    backend.admin(&["RPUSH", "app:l", "x"]);
    assert_eq!(blocked.until_closed(), "*2\r\n$5\r\napp:l\r\n$1\r\nx\r\n");
    assert!(redwall.wait().success());
}

#[test]
fn each_reply_of_a_pipeline_counts_in_the_durations() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let get = OwnedRequest::new(&["GET", "app:k"]);
    client.send_raw(&get.as_request().bytes().repeat(10));
    for _ in 0..10 {
        assert_eq!(client.text(), "$-1\r\n");
    }
    let count = "redwall_command_duration_seconds_count{database=\"main\"}";
    redwall.wait_for_metric(count, 10.0);
}

#[test]
fn the_drain_has_a_deadline_and_a_second_signal_ends_it() {
    let backend = Backend::start();
    for (server, signals) in [
        ("drain_timeout = \"1s\"", 1),
        ("drain_timeout = \"60s\"", 2),
    ] {
        let mut config = Config::new(&backend.url());
        config.server = server.to_owned();
        let mut redwall = config.start();
        let mut blocked = Client::login(redwall.address, "app", "app");
        blocked.send(&["BLPOP", "app:l", "0"]);
        wait_until("the client is blocked", || {
            backend
                .admin(&["INFO", "clients"])
                .contains("blocked_clients:1")
        });
        for _ in 0..signals {
            redwall.signal("TERM");
            redwall.wait_for_log("draining");
        }
        assert!(redwall.wait().success());
        wait_until("nobody is blocked", || {
            backend
                .admin(&["INFO", "clients"])
                .contains("blocked_clients:0")
        });
    }
}

#[test]
fn backend_connections_say_whose_they_are() {
    for (database, lanes) in [
        ("lanes = \"own\"", Lanes::Own),
        ("lanes = \"shared\"", Lanes::Shared),
        ("", lanes_of_this_run()),
    ] {
        let backend = Backend::start();
        let mut config = Config::new(&backend.url());
        config.database = database.to_owned();
        let redwall = config.start();
        let mut client = Client::login(redwall.address, "app", "app");
        let number = client.ask(&["CLIENT", "ID"]);
        let whose = match lanes {
            Lanes::Own => number.trim_start_matches(':').trim_end(),
            Lanes::Shared => "shared",
        };
        client.ask(&["GET", "app:k"]);
        let list = backend.admin(&["CLIENT", "LIST"]);
        assert!(
            list.contains(&format!(" name=redwall:main:{whose} ")),
            "{database}: {list}"
        );
    }
}

#[test]
fn a_busy_port_is_told_at_once_and_is_no_fault_of_the_configuration() {
    let backend = Backend::start();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let config = Config::new(&backend.url()).text().replacen(
        "listen = [\"127.0.0.1:0\"]",
        &format!("listen = [\"{address}\"]"),
        1,
    );
    let folder = crate::bed::TempDir::new("busy");
    let path = folder.write("redwall.toml", &config);
    let output = program()
        .args(["run", "--config"])
        .arg(path)
        .env("REDWALL_TEST_SERVICE", "x")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!(
            "cannot listen on {address}: another process holds this port"
        )),
        "{said}"
    );
}

#[test]
fn work_spreads_over_the_workers() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut clients: Vec<_> = (0..20)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    }
    let tasks = std::fs::read_dir(format!("/proc/{}/task", redwall.pid())).unwrap();
    let names: Vec<_> = tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default())
        .collect();
    for name in ["redwall-worker-0", "redwall-worker-1"] {
        // The kernel keeps 15 characters of a thread's name.
        assert!(
            names.iter().any(|found| found.trim() == &name[..15]),
            "{names:?}"
        );
    }
    let ids: std::collections::HashSet<_> = clients
        .iter_mut()
        .map(|client| client.ask(&["CLIENT", "ID"]))
        .collect();
    assert_eq!(ids.len(), 20, "numbers are unique over all workers");
}
