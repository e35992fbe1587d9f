//! What a policy may not be talked into.

mod access;
mod acl_file;
mod all_keys;
mod built_in_roles;
mod categories;
mod channels;
mod config_get;
mod globs;
mod passwords;
mod roles;
mod script_debug;
mod service_user;
mod sight;

use crate::bed::{Backend, Client, Config, Redwall, Server, Tap, TempDir, passwords, program};

/// Redwall before a real server, and a tap between them.
struct House {
    redwall: Redwall,
    tap: Tap,
    backend: Backend,
}

impl House {
    /// `server` with more lines in its configuration, and Redwall with these users beside the three that tests have.
    fn new(server: Server, more: &[&str], users: &str) -> Self {
        let backend = Backend::start_as(server, more);
        let tap = Tap::before(backend.socket());
        let mut config = Config::new(&tap.url());
        config.users += users;
        Self {
            redwall: config.start(),
            tap,
            backend,
        }
    }

    fn login(&self, user: &str) -> Client {
        Client::login(self.redwall.address, user, user)
    }

    /// Asks for each line as `user`; all must be denied without a byte on the backend.
    fn denies(&self, user: &str, lines: &[&str]) {
        let mut client = self.login(user);
        let before = self.tap.heard();
        for line in lines {
            let reply = client.ask(&words(line));
            assert!(reply.starts_with("-NOPERM"), "{user}: {line}: {reply:?}");
            let after = self.tap.heard();
            assert!(
                after == before,
                "{user}: {line}: the backend heard {:?}",
                String::from_utf8_lossy(&after[before.len()..])
            );
        }
    }

    /// Asks for each line as `user`; none may be an error.
    fn serves(&self, user: &str, lines: &[&str]) {
        let mut client = self.login(user);
        for line in lines {
            let reply = client.ask(&words(line));
            assert!(!reply.starts_with('-'), "{user}: {line}: {reply:?}");
        }
    }
}

/// A user's table; the password is the name.
fn user(name: &str, lines: &str) -> String {
    format!("[database.users.{name}]\n{lines}\n{}\n", passwords(name))
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Whether the server itself lets its user `name` run a command.
fn server_allows(backend: &Backend, name: &str, line: &str) -> bool {
    let question = format!("ACL DRYRUN {name} {line}");
    let reply = backend.admin(&words(&question));
    assert!(!reply.starts_with('-'), "{question}: {reply:?}");
    reply == "+OK\r\n"
}

/// Makes a user in the server itself.
fn make_user(backend: &Backend, name: &str, rules: &str) {
    let line = format!("ACL SETUSER {name} reset on >{name} {rules}");
    assert_eq!(backend.admin(&words(&line)), "+OK\r\n", "{line}");
}

/// What `redwall check` says of a configuration, and whether it found it sound.
fn check(config: &Config) -> (bool, String) {
    let folder = TempDir::new("check");
    let path = folder.write("redwall.toml", &config.text());
    let output = program()
        .args(["check", "--config"])
        .arg(&path)
        .env("REDWALL_TEST_SERVICE", "service")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0 | 78)),
        "{:?}: {said}",
        output.status
    );
    (output.status.success(), said)
}

/// A configuration whose users stand in an ACL file with this text besides.
fn with_acl_file(folder: &TempDir, backend: &str, text: &[u8]) -> Config {
    let file = folder.path().join("users.acl");
    std::fs::write(&file, text).unwrap();
    let mut config = Config::new(backend);
    config.users += &format!("[database.acl]\naclfile = \"{}\"\n", file.display());
    config
}
