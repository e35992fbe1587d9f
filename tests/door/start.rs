//! How a start that fails must end, so that a supervisor neither gives up what would heal nor repeats what won't.

use std::net::TcpListener;

use crate::bed::{Config, TempDir, program};

/// Runs the program with `config`; its exit code and what it said.
fn run(config: &str) -> (Option<i32>, String) {
    let folder = TempDir::new("start");
    let path = folder.write("redwall.toml", config);
    let output = program()
        .args(["run", "--config"])
        .arg(path)
        .env("REDWALL_TEST_SERVICE", "service")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// A configuration, the code with which it ends, and what is said of it.
type Case = (&'static str, String, i32, &'static str);

/// What is missing, unreadable or busy, and may be otherwise the next time.
fn what_may_heal(text: &str, busy: &str) -> Vec<Case> {
    let on_busy = format!("listen = [\"{busy}\"]");
    let status = format!("[status]\nlisten = \"{busy}\"");
    let [held, late] = ["another process holds this port", "environment variable"];
    let with = |old, new: &str| text.replace(old, new);
    vec![
        ("late key", with("server.key", "late.key"), 1, "late.key"),
        ("folder", with("server.key", ""), 1, "not a regular file"),
        ("late secret", with("TEST_SERVICE", "TEST_LATE"), 1, late),
        (
            "port",
            with("listen = [\"127.0.0.1:0\"]", &on_busy),
            1,
            held,
        ),
        (
            "status port",
            with("[status]\nlisten = \"127.0.0.1:0\"", &status),
            1,
            held,
        ),
    ]
}

/// What stays wrong until somebody changes it, also where something is missing besides.
fn what_stays_faulty(text: &str) -> Vec<Case> {
    let rule = text.replace("\"+@all\"", "\"+nosuchcommand\"");
    let both = rule.replace("server.key", "late.key");
    let workers = text.replace("workers = 2", "workers = \"many\"");
    vec![
        ("faulty text", workers, 78, "workers"),
        ("faulty rule", rule, 78, "unknown command"),
        ("both", both, 78, "unknown command"),
    ]
}

#[test]
fn a_late_file_or_a_busy_port_may_heal_and_a_faulty_text_does_not_and_no_backend_is_dialled_before()
{
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    backend.set_nonblocking(true).unwrap();
    let url = format!("redis://{}", backend.local_addr().unwrap());
    let text = Config::new(&url).text();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    let cases = [what_may_heal(&text, &busy), what_stays_faulty(&text)];
    for (case, config, code, why) in cases.concat() {
        assert_ne!(config, text, "{case}");
        let (ended, said) = run(&config);
        assert_eq!(ended, Some(code), "{case}: {said}");
        assert!(said.contains(why), "{case}: {said}");
        let dialled = backend.accept().map(|_| ());
        assert_eq!(
            dialled.map_err(|error| error.kind()),
            Err(std::io::ErrorKind::WouldBlock),
            "{case}: nobody was dialled"
        );
    }
}
