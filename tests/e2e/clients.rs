//! Clients that people use, over `rediss://`, with password and with certificate, in front of every server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use redis::{Commands, IntoConnectionInfo};

use crate::bed::{Backend, Config, Redwall, Server, certificates, passwords};

/// Redwall in front of `server`, with `app` (password) and `alice` (certificate).
fn start(server: Server) -> (Backend, Redwall) {
    let backend = Backend::start_as(server, &[]);
    let mut config = Config::new(&backend.url());
    config.users = format!(
        "[database.users.alice]\nrequire = \"certificate\"\ncertificates = [{{ cn = \"alice\" }}]\nrules = [\"+@all\", \"~a:*\"]\n\
         [database.users.app]\n{}\nrules = [\"+@all\", \"~app:*\", \"&app:*\"]\n",
        passwords("app")
    );
    let redwall = config.start();
    (backend, redwall)
}

fn fetched(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".clients")
        .join(name);
    assert!(
        path.exists(),
        "{} is not there: run `make clients`",
        path.display()
    );
    path
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

fn assert_ok(server: Server, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim() == "ok",
        "{server:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn redis_py_works_with_password_and_certificate() {
    for server in Server::ALL {
        let (_backend, redwall) = start(server);
        let output = Command::new(fetched("python/bin/python"))
            .arg(script("redis_py.py"))
            .arg(redwall.address.port().to_string())
            .arg(certificates())
            .output()
            .unwrap();
        assert_ok(server, &output);
    }
}

#[test]
fn ioredis_works_with_password_and_certificate() {
    for server in Server::ALL {
        let (_backend, redwall) = start(server);
        let output = Command::new("node")
            .arg(script("ioredis.js"))
            .arg(redwall.address.port().to_string())
            .arg(certificates())
            .env("NODE_PATH", fetched("node/node_modules"))
            .output()
            .unwrap();
        assert_ok(server, &output);
    }
}

/// Runs redis-cli over TLS with more arguments; returns what it printed.
fn redis_cli(redwall: &Redwall, arguments: &[&str]) -> String {
    let certs = certificates().display();
    let output = Command::new("redis-cli")
        .args([
            "--tls",
            "--cacert",
            &format!("{certs}/ca.crt"),
            "-h",
            "127.0.0.1",
        ])
        .args([
            "-p",
            &redwall.address.port().to_string(),
            "--no-auth-warning",
        ])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn redis_cli_works_with_password_and_certificate() {
    for server in Server::ALL {
        let (_backend, redwall) = start(server);
        let as_app = ["--user", "app", "--pass", "app"];
        assert_eq!(
            redis_cli(&redwall, &[&as_app[..], &["SET", "app:k", "v"]].concat()).trim(),
            "OK"
        );
        assert_eq!(
            redis_cli(&redwall, &[&as_app[..], &["-3", "GET", "app:k"]].concat()).trim(),
            "v"
        );
        assert!(redis_cli(&redwall, &[&as_app[..], &["GET", "other"]].concat()).contains("NOPERM"));
        assert!(
            redis_cli(&redwall, &["--user", "app", "--pass", "x", "GET", "app:k"])
                .contains("WRONGPASS")
        );
        let (cert, key) = (
            certificates().join("client-alice.crt"),
            certificates().join("client-alice.key"),
        );
        let as_alice = [
            "--cert",
            cert.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ];
        assert_eq!(
            redis_cli(&redwall, &[&as_alice[..], &["SET", "a:k", "v"]].concat()).trim(),
            "OK"
        );
        assert_eq!(
            redis_cli(&redwall, &[&as_alice[..], &["ACL", "WHOAMI"]].concat()).trim(),
            "alice"
        );
        assert!(
            redis_cli(&redwall, &[&as_alice[..], &["GET", "app:k"]].concat()).contains("NOPERM")
        );
    }
}

#[test]
fn the_redis_crate_works_with_password_and_certificate() {
    // That crate asks rustls for the process's provider, and rustls has two to choose from here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for server in Server::ALL {
        let (_backend, redwall) = start(server);
        let read = |name: &str| std::fs::read(certificates().join(name)).unwrap();
        let connect = |user: &str, protocol: &str, client_tls| {
            let url = format!(
                "rediss://{user}localhost:{}/0{protocol}",
                redwall.address.port()
            );
            let certificates = redis::TlsCertificates {
                client_tls,
                root_cert: Some(read("ca.crt")),
            };
            let info = url.into_connection_info().unwrap();
            redis::Client::build_with_tls(info, certificates)
                .unwrap()
                .get_connection()
        };
        for protocol in ["", "?protocol=resp3"] {
            let mut app = connect("app:app@", protocol, None).unwrap();
            let _: () = app.set("app:k", "v").unwrap();
            assert_eq!(app.get::<_, String>("app:k").unwrap(), "v");
            assert_eq!(
                app.get::<_, String>("other").unwrap_err().code(),
                Some("NOPERM")
            );
            let (first, second): (i64, i64) = redis::pipe()
                .atomic()
                .incr("app:n", 1)
                .incr("app:n", 1)
                .query(&mut app)
                .unwrap();
            assert_eq!(second, first + 1);
            let identity = redis::ClientTlsConfig {
                client_cert: read("client-alice.crt"),
                client_key: read("client-alice.key"),
            };
            let mut alice = connect("", protocol, Some(identity)).unwrap();
            assert_eq!(
                redis::cmd("ACL")
                    .arg("WHOAMI")
                    .query::<String>(&mut alice)
                    .unwrap(),
                "alice"
            );
            assert!(connect("app:wrong@", protocol, None).is_err());
        }
    }
}
