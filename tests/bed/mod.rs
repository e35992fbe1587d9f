//! What the tests stand on: a real Redis or Valkey, a real Redwall in front of it, and clients that speak TLS.
//!
//! Everything listens on loopback or on Unix sockets in a folder of its own, and ends with the test.

mod authority;
mod client;
mod gauge;
mod inside;
mod peer;
mod ports;
mod redis;
mod redwall;
mod tap;
mod temp;

pub use authority::{Authority, Issued, Purpose};
pub use client::{
    Client, Identity, config as client_config, config_of, config_with_chain, stranger_config,
};
pub use gauge::{Gauge, Noted, Pipe};
pub use inside::{Inside, LIMIT, limited_backend, provider};
pub use peer::{Peer, dial_for, is_timeout, request, reset};
pub use ports::{
    OPENED, assert_that_no_port_waits, ends, free_port, in_state, ports_that_wait, redis_on_tcp,
    redis_with_tls,
};
pub use redis::{ADMIN, Backend, Direct, Server, service_user, signal};
pub use redwall::{Config, Redwall, lanes_of_this_run, passwords};
pub use tap::Tap;
pub use temp::TempDir;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the tests wait for something that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_redwall"))
}

/// A folder of development certificates, made once: a CA, a server and the clients that the tests use.
pub fn certificates() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, folder) = MADE.get_or_init(|| {
        let parent = TempDir::new("certs");
        let folder = parent.path().join("out");
        let made = program()
            .args(["certs", "--out"])
            .arg(&folder)
            .args(["--client", "alice", "--client", "bob", "--client", "carol"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        (parent, folder)
    });
    folder
}

/// Waits until `done` says so.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
