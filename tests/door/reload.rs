//! What a reload, or a signal, may not be used for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use redwall::resp::OwnedRequest;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::bed::{
    Authority, Backend, Client, Config, Issued, PATIENCE, Purpose, Redwall, certificates,
    config_of, passwords, wait_until,
};

/// A client that has heard the server's part of the handshake and keeps its own back.
struct HalfShaken {
    connection: ClientConnection,
    socket: TcpStream,
}

impl HalfShaken {
    fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut half = Self {
            connection: ClientConnection::new(config, name).unwrap(),
            socket,
        };
        half.connection.write_tls(&mut half.socket).unwrap();
        while half.connection.is_handshaking() {
            assert!(half.connection.read_tls(&mut half.socket).unwrap() > 0);
            half.connection.process_new_packets().unwrap();
        }
        half
    }

    /// Sends the rest of the handshake with a command behind it, and returns what it hears before the server closes, or the first
    /// line of the answer.
    fn go_on(mut self, words: &[&str]) -> String {
        let request = OwnedRequest::new(words);
        let mut writer = self.connection.writer();
        writer.write_all(request.as_request().bytes()).unwrap();
        while self.connection.wants_write() {
            // The server may have closed already.
            if self.connection.write_tls(&mut self.socket).is_err() {
                return String::new();
            }
        }
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n") {
            match self.connection.read_tls(&mut self.socket) {
                Ok(count) if count > 0 => {}
                Ok(_) => break,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("the server neither answered nor closed")
                }
                Err(_) => break,
            }
            if self.connection.process_new_packets().is_err() {
                break;
            }
            // There need not be plaintext yet.
            let _ = self.connection.reader().read_to_end(&mut heard);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }
}

/// A configuration in which `own` vouches for alice, and what is left of it when something is withdrawn.
fn withdrawals(
    backend: &Backend,
    own: &Authority,
    another: &Authority,
    alice: &Issued,
) -> (String, Vec<(&'static str, String)>) {
    let mut config = Config::new(&backend.url());
    config.users += "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\n\
                     certificates = [{ cn = \"alice\" }]\n";
    let dev = format!("file = \"{}\"", certificates().join("ca.crt").display());
    let text = config.text();
    let trusting =
        |file: &Path, crl: &Path| text.replace(&dev, &format!("file = {file:?}, crl = [{crl:?}]"));
    let (ca, crl) = (own.file(), own.revoke(1, &[]));
    let text = trusting(&ca, &crl);
    let both = format!("require = \"both\"\n{}", passwords("alice"));
    let withdrawn = vec![
        ("the address", text.replace("127.0.0.0/8", "10.0.0.0/8")),
        ("the certificate", trusting(&ca, &own.revoke(2, &[alice]))),
        ("the CA", trusting(&another.file(), &another.revoke(1, &[]))),
        (
            "the mapping",
            text.replace("{ cn = \"alice\" }", "{ cn = \"alicia\" }"),
        ),
        (
            "the user",
            text.replace("require =", "enabled = false\nrequire ="),
        ),
        (
            "that it suffices",
            text.replace("require = \"certificate\"", &both),
        ),
    ];
    (text, withdrawn)
}

#[test]
fn a_handshake_begun_before_a_reload_proves_only_what_still_holds_after_it() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let alice = own.issue("alice", Purpose::Client);
    let another = Authority::new("another");
    let (text, withdrawals) = withdrawals(&backend, &own, &another, &alice);
    let who = |redwall: &Redwall, after: &str| {
        let shown = config_of(&certificates().join("ca.crt"), Some(&alice), &[]);
        let half = HalfShaken::connect(redwall.address, shown);
        redwall.reload(after);
        half.go_on(&["ACL", "WHOAMI"])
    };
    for (withdrawn, after) in withdrawals {
        let redwall = Redwall::start(&text);
        // A reload that withdraws nothing is not noticed.
        assert!(who(&redwall, &text).starts_with("$5\r\n"), "{withdrawn}");
        assert_eq!(who(&redwall, &after), "", "{withdrawn}");
    }
}

/// Whether the process has a thread of this name.
fn has_thread(pid: u32, name: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    })
}

#[test]
fn a_sighup_at_any_moment_neither_ends_the_process_nor_gives_rights_on_its_way_out() {
    let backend = Backend::start();
    // So much to read that the signal comes while it is read.
    let users = (0..5_000).map(|user| format!("user u{user} on #{user:064x} +@all ~u{user}:*\n"));
    let folder = crate::bed::TempDir::new("acl");
    let aclfile = folder.write("users.acl", &users.collect::<String>());
    let mut config = Config::new(&backend.url());
    config.users = format!("[database.acl]\naclfile = {aclfile:?}\n{}", config.users);
    let mut redwall = Redwall::spawn(&config.text());
    wait_until("it reads its files", || {
        has_thread(redwall.pid(), "redwall-load")
    });
    for _ in 0..3 {
        redwall.signal("HUP");
    }
    redwall.wait_until_ready();
    redwall.wait_for_log("configuration reloaded");
    // Many signals are one or two reloads: one runs, one waits.
    let before = redwall.times_logged("configuration reloaded");
    for _ in 0..50 {
        redwall.signal("HUP");
    }
    redwall.hang_up("configuration reloaded");
    let reloads = redwall.times_logged("configuration reloaded") - before;
    assert!(reloads < 25, "{reloads} reloads for 51 signals");

    let mut stays = Client::login(redwall.address, "root", "root");
    let mut loses = Client::login(redwall.address, "reader", "reader");
    let mut gains = Client::login(redwall.address, "app", "app");
    for client in [&mut stays, &mut loses, &mut gains] {
        assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    }
    redwall.signal("TERM");
    redwall.wait_for_log("draining");
    let text = config.text().replace("\"~app:*\"", "\"~*\"");
    redwall.reload(&text.replace(
        "[database.users.reader]",
        "[database.users.reader]\nenabled = false",
    ));
    assert_eq!(loses.until_closed(), "");
    assert_eq!(gains.until_closed(), "");
    assert_eq!(stays.ask(&["PING"]), "+QUEUED\r\n");
    assert_eq!(stays.ask(&["EXEC"]), "*1\r\n+PONG\r\n");
    assert!(redwall.wait().success());
}
