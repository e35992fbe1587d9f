//! `[server]`, `[status]` and `[log]`: what concerns the whole process.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::document::{Section, Table, Value};
use super::network::{listen_list, said_twice};
use super::position::{At, Placed};
use super::units::{ByteSize, duration, size};

pub(crate) const SERVER: Section = Section {
    path: "[server]",
    keys: &["workers", "drain_timeout", "max_clients", "max_memory"],
};

pub(crate) const STATUS: Section = Section {
    path: "[status]",
    keys: &["listen", "off_loopback"],
};

pub(crate) const LOG: Section = Section {
    path: "[log]",
    keys: &["format", "level"],
};

/// How many threads serve clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as the machine has cores, less one where a backend is on the same machine.
    Auto,
    /// This many, at least one.
    Exactly(u32),
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Threads that serve clients.
    pub workers: Workers,
    /// How long a drain waits for clients before it ends their connections.
    pub drain_timeout: Duration,
    /// Most connections of clients in the whole process, half-open ones included. Fewer where there are too few descriptors.
    pub max_clients: Placed<u32>,
    /// Bytes that may be held for all clients together; beyond it the largest holder is closed.
    pub max_memory: ByteSize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: Workers::Auto,
            drain_timeout: Duration::from_secs(30),
            max_clients: Placed::new(10_000, At::START),
            max_memory: ByteSize::mebibytes(512),
        }
    }
}

impl Server {
    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&SERVER)?;
        let default = Self::default();
        let workers = table.or("workers", default.workers, workers);
        let drain = Duration::from_secs(1)..=Duration::from_secs(3_600);
        let drain_timeout = table.or("drain_timeout", default.drain_timeout, |value| {
            duration(value, drain)
        });
        let max_clients = table.or("max_clients", default.max_clients, |value| {
            let number = value.number(1..=1_000_000)?;
            Some(Placed::new(number, value.at()))
        });
        let memory = ByteSize::mebibytes(16)..=ByteSize::mebibytes(1 << 20);
        let max_memory = table.or("max_memory", default.max_memory, |value| {
            size(value, memory)
        });
        Some(Self {
            workers: workers?,
            drain_timeout: drain_timeout?,
            max_clients: max_clients?,
            max_memory: max_memory?,
        })
    }
}

fn workers(value: &Value<'_>) -> Option<Workers> {
    if value.as_text().is_some() {
        return value.word(&[("auto", Workers::Auto)]);
    }
    value.number(1..=1024).map(Workers::Exactly)
}

/// `[status]`: where `/metrics`, `/healthz` and `/readyz` are served, in plain text and to whoever can connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The addresses; none: not served.
    pub listen: Vec<Placed<SocketAddr>>,
}

impl Default for Status {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9121));
        Self {
            listen: vec![Placed::new(address, At::START)],
        }
    }
}

impl Status {
    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&STATUS)?;
        let listen = status_listen(&table);
        let again = listen_list(&table, "off_loopback");
        let listen = listen?;
        said_twice(&table, &listen, &again?, ["listen", "off_loopback"])?;
        Some(Self { listen })
    }
}

fn status_listen(table: &Table<'_>) -> Option<Vec<Placed<SocketAddr>>> {
    match table.get("listen") {
        Some(_) => listen_list(table, "listen"),
        None => Some(Status::default().listen),
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important line that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Our faults only.
    Error,
    /// And the operator's.
    Warn,
    /// And what happened.
    Info,
    /// And the clients' faults.
    Debug,
    /// And every step.
    Trace,
}

impl LogLevel {
    /// The level's name, as log filters take it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// Which lines are written.
    pub level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Info,
        }
    }
}

pub(crate) const FORMATS: [(&str, LogFormat); 2] =
    [("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(crate) const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

impl Log {
    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&LOG)?;
        let default = Self::default();
        let format = table.or("format", default.format, |value| value.word(&FORMATS));
        let level = table.or("level", default.level, |value| value.word(&LEVELS));
        Some(Self {
            format: format?,
            level: level?,
        })
    }
}
