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

#[test]
fn a_late_file_or_a_busy_port_may_heal_and_a_faulty_text_does_not_and_no_backend_is_dialled_before()
{
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    backend.set_nonblocking(true).unwrap();
    let url = format!("redis://{}", backend.local_addr().unwrap());
    let text = Config::new(&url).text();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    let cases = [
        (
            "late key",
            text.replace("server.key", "late.key"),
            1,
            "late.key",
        ),
        (
            "late secret",
            text.replace("REDWALL_TEST_SERVICE", "REDWALL_TEST_LATE"),
            1,
            "environment variable",
        ),
        (
            "busy port",
            text.replace(
                "listen = [\"127.0.0.1:0\"]",
                &format!("listen = [\"{busy}\"]"),
            ),
            1,
            "another process holds this port",
        ),
        (
            "faulty text",
            text.replace("workers = 2", "workers = \"many\""),
            78,
            "workers",
        ),
        (
            "faulty rule",
            text.replace("\"+@all\"", "\"+nosuchcommand\""),
            78,
            "unknown command",
        ),
        // Where both are wrong, no restart heals it.
        (
            "both",
            text.replace("server.key", "late.key")
                .replace("\"+@all\"", "\"+nosuchcommand\""),
            78,
            "unknown command",
        ),
    ];
    for (case, config, code, why) in cases {
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
