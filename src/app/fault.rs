//! Why Redwall could not start.

use std::net::SocketAddr;

use crate::load::LoadFault;

/// Why Redwall could not start, or could not go on.
#[derive(Debug)]
pub enum AppFault {
    /// The configuration can't be loaded.
    Load(Vec<LoadFault>),
    /// The log can't be opened.
    Log(String),
    /// An address could not be bound.
    Bind {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// A thread, a runtime or a signal handler could not be had.
    Start(std::io::Error),
    /// The metrics contradict each other.
    Metrics(prometheus::Error),
}

impl std::fmt::Display for AppFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Load(faults) => {
                let lines: Vec<String> = faults.iter().map(LoadFault::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Log(error) => write!(f, "the log can't be opened: {error}"),
            Self::Bind { address, error } if error.kind() == std::io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: another process holds this port"
                )
            }
            Self::Bind { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Start(error) => write!(f, "cannot start: {error}"),
            Self::Metrics(error) => write!(f, "cannot register metrics: {error}"),
        }
    }
}

impl std::error::Error for AppFault {}
