//! What all these tests stand on: a database whose clients share lanes, and the lanes as the backend sees them.

use crate::bed::{Backend, Config, Server, wait_until};

/// Does `experiment` on each server that is supported.
pub fn everywhere(experiment: impl Fn(Server)) {
    for server in Server::ALL {
        eprintln!("on {server:?}");
        experiment(server);
    }
}

/// A configuration in which clients share lanes to `backend`.
pub fn shared(backend: &str) -> Config {
    let mut config = Config::new(backend);
    config.database = "lanes = \"shared\"\n".to_owned();
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

    fn is_shared(&self) -> bool {
        self.field("name") == "redwall:main:shared"
    }

    fn is_own(&self) -> bool {
        self.field("name") == "redwall:main:own"
    }
}

fn all(backend: &Backend) -> impl Iterator<Item = Seen> {
    let list = backend.admin(&["CLIENT", "LIST"]);
    let lines = list.lines().filter(|line| line.starts_with("id="));
    let seen: Vec<Seen> = lines
        .map(|line| Seen {
            line: line.to_owned(),
        })
        .collect();
    seen.into_iter()
}

/// The lanes that clients share.
pub fn shared_lanes(backend: &Backend) -> Vec<Seen> {
    all(backend).filter(Seen::is_shared).collect()
}

/// The lanes that are lent to a single client, or ready to be.
pub fn own_lanes(backend: &Backend) -> Vec<Seen> {
    all(backend).filter(Seen::is_own).collect()
}

/// Waits for the one own lane whose last command is `command`, as `blpop` or `client|list`.
pub fn own_lane_at(backend: &Backend, command: &str) -> Seen {
    let mut lanes = Vec::new();
    wait_until(&format!("one own lane is at {command}"), || {
        lanes = own_lanes(backend);
        lanes.retain(|seen| seen.field("cmd") == command);
        lanes.len() == 1
    });
    lanes.remove(0)
}

/// Has the backend close a lane.
pub fn kill_lane(backend: &Backend, lane: &Seen) {
    let killed = backend.admin(&["CLIENT", "KILL", "ID", lane.id()]);
    assert_eq!(killed, ":1\r\n", "{lane:?}");
}
