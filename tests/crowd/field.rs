//! Where the crowd works: a backend that keeps its data over a restart, a Redwall before it, and who is who.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use redwall::config::Lanes;
use redwall::resp::Protocol;
use rustls::ClientConfig;

use crate::bed::{
    Authority, Backend, Config, Issued, Peer, Purpose, Redwall, Server, certificates, config_of,
    dial_for, passwords,
};

/// How long anything may take at most.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a reply may take, that isn't awaited for what may not come.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The numbers of the databases that the clients use.
pub const DATABASES: usize = 4;

/// The database of which nobody expects anything.
pub const ASIDE: usize = 15;

/// Users: each but the last has the keys that begin with its name.
pub const USERS: usize = 9;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything with the keys that begin with its user's name.
    OwnKeys,
    /// The same, and it may read what full users show.
    OwnKeysAndShown,
    /// Everything.
    Full,
}

/// Who a client is, for its whole time.
#[derive(Clone, Copy, Debug)]
pub struct Me {
    pub number: usize,
}

impl Me {
    /// Who another client is.
    pub fn other(self, number: usize) -> Self {
        Self { number }
    }

    fn index(self) -> usize {
        self.number % USERS
    }

    pub fn user(self) -> String {
        user(self.index())
    }

    pub fn rights(self) -> Rights {
        rights(self.index())
    }

    /// Whether its certificate isn't enough.
    pub fn needs_password(self) -> bool {
        needs_password(self.index())
    }

    /// A key of its own on connection `life`.
    pub fn key(self, life: usize, what: &str) -> Vec<u8> {
        format!("{}:{}:{life}:{what}", self.user(), self.number).into_bytes()
    }

    /// The key that others may read.
    pub fn public_key(self) -> Vec<u8> {
        match self.rights() {
            Rights::Full => format!("shown:{}", self.number).into_bytes(),
            Rights::OwnKeys | Rights::OwnKeysAndShown => {
                format!("{}:{}:shown", self.user(), self.number).into_bytes()
            }
        }
    }

    /// Whether the rules let it read what `other` shows.
    pub fn may_read(self, other: Self) -> bool {
        match (self.rights(), other.rights()) {
            (Rights::Full, _) | (Rights::OwnKeysAndShown, Rights::Full) => true,
            _ => self.index() == other.index(),
        }
    }

    /// What it counts from on connection `life`, so that each number is one client's.
    pub fn base(self, life: usize) -> usize {
        (self.number + 1) * 1_000_000_000 + life * 1_000_000
    }
}

fn user(index: usize) -> String {
    match rights(index) {
        Rights::Full => "full".to_owned(),
        Rights::OwnKeys | Rights::OwnKeysAndShown => format!("u{index}"),
    }
}

fn rights(index: usize) -> Rights {
    match index {
        8 => Rights::Full,
        0..4 => Rights::OwnKeysAndShown,
        _ => Rights::OwnKeys,
    }
}

fn needs_password(index: usize) -> bool {
    index % 2 == 1
}

/// What stands when the crowd comes.
pub struct Field {
    pub redwall: Redwall,
    text: String,
    /// A TLS configuration for each user: any version, and 1.2 alone.
    configs: Vec<[Arc<ClientConfig>; 2]>,
    _authority: Authority,
}

/// A backend that writes each command down before it answers, so that it has all that it has answered after it was killed. By any other
/// policy a client that reads slowly is sometimes answered in the turn in which its request was read, before the file is written to.
/// Source: `installClientWriteHandler`, Redis 7.0.
pub fn backend(server: Server) -> Backend {
    let lines = [
        "appendonly yes",
        "appendfsync always",
        "auto-aof-rewrite-min-size 512mb",
    ];
    Backend::start_as(server, &lines)
}

impl Field {
    pub fn lay(backend: &Backend, lanes: Lanes) -> Self {
        let authority = Authority::new("Crowd Root");
        let issued: Vec<_> = (0..USERS)
            .map(|index| authority.issue(&user(index), Purpose::Client))
            .collect();
        let ca = certificates().join("ca.crt");
        let only12: [&'static rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        let shows = |issued: &Issued| {
            [
                config_of(&ca, Some(issued), &[]),
                config_of(&ca, Some(issued), &only12),
            ]
        };
        let text = text(backend, &authority, lanes);
        Self {
            redwall: Redwall::start(&text),
            text,
            configs: issued.iter().map(shows).collect(),
            _authority: authority,
        }
    }

    /// Has another configuration obeyed, by which everybody here may do what they might.
    pub fn reload(&self, number: usize) {
        let more = format!("[database.users.new{number}]\n{}\n", passwords("new"));
        self.redwall.reload(&(self.text.clone() + &more));
    }

    /// A connection of a client, after its handshake.
    pub fn connect(&self, me: Me) -> std::io::Result<Peer> {
        let from = Ipv4Addr::new(127, 0, 1, 1 + (me.number % 8) as u8);
        let socket = dial_for(PATIENCE, IpAddr::V4(from), self.redwall.address)?;
        let [any, only12] = &self.configs[me.index()];
        let config = if me.number.is_multiple_of(7) {
            only12
        } else {
            any
        };
        Peer::shake(socket, config)
    }
}

fn text(backend: &Backend, authority: &Authority, lanes: Lanes) -> String {
    let mut config = Config::new(&backend.url());
    config.tls = "client_certificates = \"required\"".to_owned();
    config.database = match lanes {
        Lanes::Shared => "lanes = \"shared\"".to_owned(),
        Lanes::Own => "lanes = \"own\"".to_owned(),
    };
    config.backend_more = format!("request_timeout = \"{}s\"", REQUEST_TIMEOUT.as_secs());
    config.users = (0..USERS).map(entry).collect();
    let dev = format!(
        "name = \"dev\", file = \"{}\"",
        certificates().join("ca.crt").display()
    );
    let own = format!("name = \"crowd\", file = {:?}", authority.file());
    let text = config.text();
    assert!(text.contains(&dev));
    text.replace(&dev, &own)
        .replace("level = \"debug\"", "level = \"info\"")
}

/// A user's table.
fn entry(index: usize) -> String {
    let name = user(index);
    let rules = match rights(index) {
        Rights::Full => "roles = [\"full-access\"]".to_owned(),
        Rights::OwnKeys => format!("rules = [\"+@all\", \"~{name}:*\", \"&{name}:*\"]"),
        Rights::OwnKeysAndShown => {
            format!("rules = [\"+@all\", \"~{name}:*\", \"%R~shown:*\", \"&{name}:*\"]")
        }
    };
    let proof = match needs_password(index) {
        true => format!("require = \"both\"\n{}", passwords(&name)),
        false => "require = \"certificate\"".to_owned(),
    };
    format!("[database.users.{name}]\n{rules}\n{proof}\ncertificates = [{{ cn = \"{name}\" }}]\n")
}

/// A protocol by its number.
pub fn protocol(number: u8) -> Protocol {
    match number {
        3 => Protocol::Resp3,
        _ => Protocol::Resp2,
    }
}
