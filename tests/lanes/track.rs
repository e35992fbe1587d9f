//! What all these tests stand on: a database whose clients share lanes, and the lanes as the backend sees them.

use crate::bed::{Backend, Config, Server, wait_until};

/// Does `experiment` on each server that is supported.
pub fn everywhere(experiment: impl Fn(Server)) {
    for server in Server::ALL {
        eprintln!("on {server:?}");
        experiment(server);
    }
}

/// The name of shared lanes at the backend.
pub const SHARED: &str = "redwall:main:shared";

/// The name of lanes that are lent to a single client, or ready to be.
pub const OWN: &str = "redwall:main:own";

/// A configuration in which clients share lanes to `backend`.
pub fn shared(backend: &str) -> Config {
    let mut config = Config::new(backend);
    config.database = "lanes = \"shared\"\n".to_owned();
    config
}

/// A configuration in which each client has its own connection to `backend`.
pub fn unshared(backend: &str) -> Config {
    let mut config = Config::new(backend);
    config.database = "lanes = \"own\"\n".to_owned();
    config
}

/// A connection to the backend, as its CLIENT LIST shows it.
#[derive(Clone, Debug)]
pub struct Seen {
    line: String,
}

impl Seen {
    /// A field's text; empty if the server doesn't have it.
    pub fn field(&self, key: &str) -> &str {
        let mut words = self.line.split(' ');
        words
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
            .unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.field("id")
    }
}

/// The backend's connections of that name, in the order in which they were made.
pub fn lanes(backend: &Backend, name: &str) -> Vec<Seen> {
    let list = backend.admin(&["CLIENT", "LIST"]);
    let lines = list.lines().filter(|line| line.starts_with("id="));
    let seen = lines.map(|line| Seen {
        line: line.to_owned(),
    });
    seen.filter(|seen| seen.field("name") == name).collect()
}

/// The lanes that clients share.
pub fn shared_lanes(backend: &Backend) -> Vec<Seen> {
    lanes(backend, SHARED)
}

/// The lanes that are lent to a single client, or ready to be.
pub fn own_lanes(backend: &Backend) -> Vec<Seen> {
    lanes(backend, OWN)
}

/// The one connection of that name on which `command` (as `blpop` or `client|list`) was the last.
pub fn lane_at(backend: &Backend, name: &str, command: &str) -> Option<Seen> {
    let mut lanes = lanes(backend, name);
    lanes.retain(|seen| seen.field("cmd") == command);
    (lanes.len() == 1).then(|| lanes.remove(0))
}

/// Waits for the one own lane whose last command is `command`, as `blpop` or `client|list`.
pub fn own_lane_at(backend: &Backend, command: &str) -> Seen {
    let mut lane = None;
    wait_until(&format!("one own lane is at {command}"), || {
        lane = lane_at(backend, OWN, command);
        lane.is_some()
    });
    lane.unwrap()
}

/// Has the backend close a lane.
pub fn kill_lane(backend: &Backend, lane: &Seen) {
    let killed = backend.admin(&["CLIENT", "KILL", "ID", lane.id()]);
    assert_eq!(killed, ":1\r\n", "{lane:?}");
}
