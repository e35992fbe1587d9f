//! What befalls the backend while the crowd works: connections are killed, the process stands still, the process is killed and comes again.

use std::time::Duration;

use redwall::config::Lanes;

use crate::bed::{Backend, Direct, wait_until};
use crate::crowd::{Crowd, Weather};
use crate::dice::Dice;
use crate::field::REQUEST_TIMEOUT;
use crate::reply::content;

/// How long the backend stands still.
const FROZEN: Duration = Duration::from_millis(300);

/// Does what the weather is, as the crowd's work goes on.
pub fn rage(crowd: &Crowd, backend: &mut Backend) {
    let rounds = crowd.scale.rounds * crowd.scale.clients;
    match crowd.weather() {
        Weather::Calm => {
            for part in 1..4 {
                crowd.wait_for_rounds(rounds * part / 4);
                crowd.field.reload(part);
            }
            they_share(crowd, backend);
        }
        Weather::Kills => {
            let dice = Dice::of(&[crowd.seed]);
            kill_connections(crowd, backend, rounds, dice);
        }
        Weather::Freeze => {
            for part in [1, 2] {
                crowd.wait_for_rounds(rounds * part / 3);
                backend.freeze();
                std::thread::park_timeout(FROZEN);
                backend.thaw();
            }
        }
        Weather::Stall => {
            crowd.wait_for_rounds(rounds / 3);
            backend.freeze();
            std::thread::park_timeout(REQUEST_TIMEOUT + Duration::from_secs(1));
            backend.thaw();
        }
        Weather::Restart => {
            crowd.wait_for_rounds(rounds / 3);
            backend.restart();
        }
    }
}

/// A connection of Redwall's dies at each thirtieth of the way.
fn kill_connections(crowd: &Crowd, backend: &Backend, rounds: usize, mut dice: Dice) {
    let mut admin = backend.direct("admin", 2);
    for part in 1..30 {
        crowd.wait_for_rounds(rounds * part / 30);
        let mut connections = connections(&mut admin);
        if dice.one_in(2) && connections.iter().any(Connection::is_shared) {
            connections.retain(Connection::is_shared);
        }
        if !connections.is_empty() {
            let victim = &connections[dice.below(connections.len())];
            admin.ask(&["CLIENT", "KILL", "ID", &victim.id]);
        }
    }
}

/// Clients are on shared connections where they may be, and only there.
fn they_share(crowd: &Crowd, backend: &Backend) {
    let connections = connections(&mut backend.direct("admin", 2));
    let all = connections.len();
    let shared = connections.iter().filter(|one| one.is_shared()).count();
    println!("{shared} of {all} connections to the backend are shared");
    let expected = match crowd.scale.lanes {
        Lanes::Shared => shared > 0,
        Lanes::Own => shared == 0,
    };
    if !expected && !crowd.is_stopped() {
        crowd.fault(format!("{shared} of {all} connections are shared"));
    }
}

/// A connection of Redwall's to the backend.
struct Connection {
    id: String,
    name: String,
}

impl Connection {
    fn is_shared(&self) -> bool {
        self.name.ends_with(":shared")
    }
}

/// Those that there are now.
fn connections(admin: &mut Direct) -> Vec<Connection> {
    let list = admin.ask(&["CLIENT", "LIST"]);
    let list = String::from_utf8_lossy(content(&list).unwrap()).into_owned();
    let connection = |line: &str| {
        let field = |name: &str| {
            let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
            Some(fields.find(|(key, _)| *key == name)?.1.to_owned())
        };
        let (id, name) = (field("id")?, field("name")?);
        name.starts_with("redwall:")
            .then_some(Connection { id, name })
    };
    list.lines().filter_map(connection).collect()
}

/// Waits until the backend has all its data.
pub fn wait_until_loaded(backend: &Backend) {
    wait_until("the backend has loaded", || {
        backend.admin(&["PING"]) == "+PONG\r\n"
    });
}
