//! Why a connection to the backend can't be had: what the log says of it, and what a client is told.

use std::io;
use std::time::Duration;

/// What a client gets that selects a database number which the backend hasn't got.
pub const OUT_OF_RANGE: &str = "ERR DB index is out of range";

/// What a client gets whose connection can't be had because the backend is busy with a script, as from the backend itself.
const BUSY: &str =
    "BUSY the backend is busy running a script. You can only call SCRIPT KILL or FUNCTION KILL.";

/// The same where it is loading.
const LOADING: &str = "LOADING the backend is loading the dataset in memory";

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectFault {
    /// The host name could not be resolved, or has no address.
    Resolve(io::Error),
    /// No address took the connection; the last one's error.
    Dial(io::Error),
    /// TLS failed, or the certificate is not the backend's.
    Tls(io::Error),
    /// The connection broke, or was closed, before login was over.
    Broken(io::Error),
    /// It took longer than allowed.
    Timeout(Duration),
    /// So many connections were wanted at once that its turn to be opened didn't come in the time that is allowed.
    Crowded(Duration),
    /// The backend refused the login; the first word of its error.
    Refused {
        /// What Redwall asked.
        command: &'static str,
        /// The error's first word, as `WRONGPASS`.
        code: String,
    },
    /// The backend said something that isn't an answer to what it was asked.
    Undecodable,
    /// The backend runs in a mode that Redwall doesn't serve: its redirects would lead clients round the wall.
    Mode(String),
}

impl ConnectFault {
    /// The error that a client gets whose command needed the connection.
    pub fn client_text(&self) -> &'static str {
        match self {
            Self::Mode(_) => {
                "ERR backend refused: it runs in cluster or sentinel mode, whose redirects would lead round the wall"
            }
            Self::Refused {
                command: "SELECT",
                code,
            } if code == "ERR" => OUT_OF_RANGE,
            Self::Refused { code, .. } if code == "BUSY" => BUSY,
            Self::Refused { code, .. } if code == "LOADING" => LOADING,
            Self::Resolve(_)
            | Self::Dial(_)
            | Self::Tls(_)
            | Self::Broken(_)
            | Self::Timeout(_)
            | Self::Crowded(_)
            | Self::Refused { .. }
            | Self::Undecodable => "ERR backend unavailable",
        }
    }

    /// Whether the backend took the connection and it was lost before the login was over: killed, or closed with its process. Another
    /// may come to stay. A refusal stays one, and so does a fault of TLS, which can come as late as this.
    pub(super) fn is_loss(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let Self::Broken(error) = self else {
            return false;
        };
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        )
    }
}

impl std::fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "could not resolve the backend's host name: {error}"),
            Self::Dial(error) => write!(f, "could not connect to the backend: {error}"),
            Self::Tls(error) => write!(f, "TLS with the backend failed: {error}"),
            Self::Broken(error) => write!(f, "the backend broke off during login: {error}"),
            Self::Timeout(allowed) => write!(
                f,
                "the backend did not complete connect and login within {allowed:?}"
            ),
            Self::Crowded(allowed) => write!(
                f,
                "`max_connects_per_second` let others go first for {allowed:?}"
            ),
            Self::Refused { command, code } => write!(f, "the backend refused {command}: {code}"),
            Self::Undecodable => {
                f.write_str("the backend's answer to the login is not a Redis reply")
            }
            Self::Mode(mode) => write!(
                f,
                "the backend runs in {mode} mode, which is not supported: its redirects would lead clients round the wall"
            ),
        }
    }
}

impl std::error::Error for ConnectFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Dial(error) | Self::Tls(error) | Self::Broken(error) => {
                Some(error)
            }
            Self::Timeout(_)
            | Self::Crowded(_)
            | Self::Refused { .. }
            | Self::Undecodable
            | Self::Mode(_) => None,
        }
    }
}
