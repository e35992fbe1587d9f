//! Where the siege takes place: a Redis, a Redwall with few descriptors before it, two configurations that take turns, and the
//! certificates of those who take part.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustls::ClientConfig;

use crate::bed::{
    Authority, Backend, Config, Identity, Purpose, Redwall, certificates, client_config, config_of,
    passwords,
};

/// Descriptors that Redwall may have: enough for what the caps below let in, for nothing more.
pub const DESCRIPTORS: u64 = 1024;

/// Connections that Redwall may have in all.
pub const MAX_CLIENTS: u64 = 460;

/// Good clients stay below these, from four addresses; attackers don't.
const CAPS: &str = "max_clients_per_address = 72\nmax_half_open = 110\nmax_half_open_per_address = 40\n\
                    deny = [\"127.12.0.0/16\"]";

/// Bytes that may be held for one client.
pub const HARD_LIMIT: u64 = 256 << 10;

const LIMITS: &str = "output_soft_limit = \"64KiB\"\noutput_hard_limit = \"256KiB\"\noutput_timeout = \"2s\"\n\
                      max_request = \"128KiB\"\nmax_in_flight = 32";

/// The name of the clients' CA, which a maze of false ones bears too.
pub const AUTHORITY: &str = "Siege Root";

/// Which of the two configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In force at the start: everybody who is named is let in.
    First,
    /// A certificate is revoked, a user is switched off, an address isn't allowed any more; others have more rights than before.
    Second,
}

impl Order {
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// TLS configurations of those who take part.
pub struct Configs {
    /// No certificate.
    pub plain: Arc<ClientConfig>,
    /// The same, with TLS 1.2.
    pub plain12: Arc<ClientConfig>,
    pub alice: Arc<ClientConfig>,
    pub alice12: Arc<ClientConfig>,
    /// Proves a user that must know a password besides.
    pub bob: Arc<ClientConfig>,
    /// Revoked by the second configuration.
    pub mallory: Arc<ClientConfig>,
}

/// Everything that stands when the siege begins.
pub struct Field {
    pub backend: Backend,
    pub redwall: Redwall,
    pub configs: Configs,
    pub ipv6: SocketAddr,
    /// Resident bytes before the first client came.
    pub resident: u64,
    /// Bytes of the larger configuration with all its files.
    pub configuration: u64,
    first: String,
    second: String,
    _authority: Authority,
}

impl Field {
    pub fn lay() -> Self {
        let backend = Backend::start();
        // Too large for what may be held of it at once, so that who doesn't read it is in everybody's way.
        let big = "v".repeat(256 << 10);
        assert_eq!(backend.admin(&["SET", "hog:big", &big]), "+OK\r\n");
        let authority = Authority::new(AUTHORITY);
        let issue = |name| authority.issue(name, Purpose::Client);
        let (alice, bob, mallory) = (issue("alice"), issue("bob"), issue("mallory"));
        let unused = issue("unused");
        let lists = [
            authority.revoke(1, &[&unused]),
            authority.revoke(2, &[&unused, &mallory]),
        ];
        let text = |list: &std::path::Path, order| text(&backend, &authority, list, order);
        let first = text(&lists[0], Order::First);
        let second = text(&lists[1], Order::Second);
        let redwall = start(&first);
        let ca = certificates().join("ca.crt");
        let shows = |issued, versions: &[_]| config_of(&ca, Some(issued), versions);
        let only12: [&'static rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        let configs = Configs {
            plain: client_config(Identity::None, &[]),
            plain12: client_config(Identity::None, &only12),
            alice: shows(&alice, &[]),
            alice12: shows(&alice, &only12),
            bob: shows(&bob, &[]),
            mallory: shows(&mallory, &[]),
        };
        let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
        Self {
            ipv6: listens_on_ipv6(&redwall),
            resident: crate::bound::status_of(redwall.pid(), "VmRSS"),
            configuration: second.len() as u64 + size(&lists[1]) + 4 * size(&ca),
            backend,
            redwall,
            configs,
            first,
            second,
            _authority: authority,
        }
    }

    pub fn text(&self, order: Order) -> &str {
        match order {
            Order::First => &self.first,
            Order::Second => &self.second,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.redwall.address
    }

    /// Sets how many descriptors Redwall may have from now on; as many as at the start, at most.
    pub fn let_have(&self, descriptors: u64) {
        limit(self.redwall.pid(), descriptors);
    }
}

/// An address of an attacker, or of a good client if `kind` is 0.
pub fn from(kind: u8, number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, kind, 0, 1 + number))
}

/// An address that only the first configuration allows.
pub fn withdrawn(number: u8) -> IpAddr {
    from(200, number)
}

/// As many descriptors as the system lets this process have: both ends of everything are here.
pub fn raise_own_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

fn limit(pid: u32, descriptors: u64) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let limit = Rlimit {
        current: Some(descriptors),
        maximum: Some(DESCRIPTORS),
    };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

/// The process has read nothing yet when its limit is set.
fn start(text: &str) -> Redwall {
    let mut redwall = Redwall::spawn(text);
    limit(redwall.pid(), DESCRIPTORS);
    redwall.wait_until_ready();
    redwall
}

fn listens_on_ipv6(redwall: &Redwall) -> SocketAddr {
    let log = redwall.log();
    let (_, rest) = log.split_once("\"address\":\"[::1]:").unwrap();
    let port = rest.split('"').next().unwrap().parse().unwrap();
    SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))
}

fn text(backend: &Backend, authority: &Authority, list: &std::path::Path, order: Order) -> String {
    let mut config = Config::new(&backend.url());
    config.server = format!(
        "max_clients = {MAX_CLIENTS}\n{}",
        crate::bound::server_lines()
    );
    config.limits = LIMITS.to_owned();
    config.database = CAPS.to_owned();
    config.tls = "client_certificates = \"optional\"\nhandshake_timeout = \"3s\"".to_owned();
    config.allow = match order {
        Order::First => "[\"127.0.0.0/9\", \"127.200.0.0/16\", \"::1\"]".to_owned(),
        Order::Second => "[\"127.0.0.0/9\", \"::1\"]".to_owned(),
    };
    config.users = users(order);
    let dev = format!(
        "name = \"dev\", file = \"{}\"",
        certificates().join("ca.crt").display()
    );
    let own = format!(
        "name = \"clients\", file = {:?}, crl = [{list:?}]",
        authority.file()
    );
    let text = config.text();
    assert!(text.contains(&dev));
    text.replace(&dev, &own)
        .replace("\"127.0.0.1:0\"]", "\"127.0.0.1:0\", \"[::1]:0\"]")
        .replace("level = \"debug\"", "level = \"info\"")
}

fn users(order: Order) -> String {
    let (more, off) = match order {
        Order::First => ("", ""),
        Order::Second => (", \"~more:*\"", "enabled = false\n"),
    };
    let rules = "rules = [\"+@all\", \"~app:*\", \"&app:*\"]";
    let growing = format!("rules = [\"+@all\", \"~app:*\", \"&app:*\"{more}]");
    let mut users = format!(
        "[database.users.app]\n{growing}\n{}\n\
         [database.users.alice]\n{rules}\nrequire = \"certificate\"\ncertificates = [{{ cn = \"alice\" }}]\n\
         [database.users.bob]\n{rules}\nrequire = \"both\"\ncertificates = [{{ cn = \"bob\" }}]\n{}\n\
         [database.users.mallory]\n{rules}\nrequire = \"certificate\"\ncertificates = [{{ cn = \"mallory\" }}]\n\
         [database.users.turncoat]\n{off}{rules}\n{}\n\
         [database.users.hog]\nrules = [\"+@all\", \"~hog:*\"]\n{}\n",
        passwords("app"),
        passwords("bob"),
        passwords("turncoat"),
        passwords("hog"),
    );
    if order == Order::Second {
        for number in 0..50 {
            users += &format!(
                "[database.users.u{number}]\nroles = [\"read-only\"]\npasswords = [{{ sha256 = \"{number:064x}\" }}]\n"
            );
        }
    }
    users
}
