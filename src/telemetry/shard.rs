//! One worker's counters: only this worker writes them, so that counting costs no traffic between cores.

use super::event_loop::EventLoop;
use super::histogram::Histogram;
use super::tally::Tally;
use crate::command::CommandId;

/// Declares an enum whose variants are metric label values, with an index for arrays.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All values, in the order of their index.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value's text in metrics and logs.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

labels! {
    /// What became of a command.
    VerdictLabel {
        /// Judged and sent to the backend.
        Allowed = "allowed",
        /// Refused by the policy.
        Denied = "denied",
        /// Answered by Redwall itself.
        Answered = "answered",
        /// Permitted, but the backend could not take it.
        Unavailable = "unavailable",
    }
}

labels! {
    /// How a TLS handshake ended.
    HandshakeOutcome {
        /// Done, with TLS 1.2.
        Tls12 = "tls1.2",
        /// Done, with TLS 1.3.
        Tls13 = "tls1.3",
        /// The client went away before it was done.
        Abandoned = "abandoned",
        /// Not done within its deadline.
        Timeout = "timeout",
        /// It made room for another half-open connection.
        Evicted = "evicted",
        /// Redwall shut down.
        Drained = "drained",
        /// A reload withdrew the address's right to connect.
        Withdrawn = "withdrawn",
        /// A certificate was asked for and none came.
        NoCertificate = "no_certificate",
        /// The client's certificate was refused.
        BadCertificate = "bad_certificate",
        /// The certificate names nobody, or more than one user.
        Unmapped = "unmapped_certificate",
        /// The client spoke in the clear.
        Plaintext = "plaintext",
        /// What came was not TLS, though it began so.
        NotTls = "not_tls",
        /// Anything else that breaks the protocol.
        Protocol = "protocol",
        /// A fault of Redwall's own.
        Internal = "internal",
    }
}

labels! {
    /// Why a connection was refused right after accept.
    RefusalReason {
        /// No allow entry contains the address.
        NotAllowed = "not_allowed",
        /// A deny entry contains the address.
        Denied = "denied",
        /// The database takes private addresses only.
        NotPrivate = "not_private",
        /// The process has all the connections that it may have.
        ProcessFull = "process_full",
        /// The database has all the connections that it may have.
        DatabaseFull = "database_full",
        /// The address has all the connections that it may have.
        AddressFull = "address_full",
    }
}

labels! {
    /// What kept accept from giving a connection.
    AcceptFault {
        /// The process or the machine is out of descriptors or memory.
        Shortage = "shortage",
        /// The connection ended, or a packet filter forbade it, before it was accepted.
        Connection = "connection",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// Why an established connection ended.
    CloseReason {
        /// The client closed it, or sent QUIT.
        Client = "client",
        /// The client broke the Redis protocol.
        Protocol = "protocol",
        /// TLS failed after the handshake, or the socket did.
        Transport = "transport",
        /// Not logged in within the deadline.
        LoginTimeout = "login_timeout",
        /// The backend connection broke while it was needed.
        Backend = "backend",
        /// The backend did not answer within the deadline.
        BackendTimeout = "backend_timeout",
        /// The client sent or left unread more than it may.
        Overflow = "overflow",
        /// All clients together held more than they may, and it held the most.
        Memory = "memory",
        /// The client did not read for too long.
        OutputTimeout = "output_timeout",
        /// A large value arrived too slowly.
        UploadTimeout = "upload_timeout",
        /// A half-open connection made room for another.
        Evicted = "evicted",
        /// Its right to be here was withdrawn.
        Revoked = "revoked",
        /// Its database has another backend now.
        BackendChanged = "backend_changed",
        /// Its keys had encrypted as much as they may.
        WornOut = "worn_out",
        /// Redwall shut down.
        Drained = "drained",
        /// A fault of Redwall's own.
        Internal = "internal",
    }
}

/// A column of counters, one for each value of a label.
#[derive(Debug)]
pub struct Counters(Vec<Tally>);

impl Counters {
    pub(crate) fn new(len: usize) -> Self {
        Self((0..len).map(|_| Tally::default()).collect())
    }

    pub(crate) fn add(&self, index: usize) {
        if let Some(counter) = self.0.get(index) {
            counter.add(1);
        }
    }

    pub(crate) fn value(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, Tally::value)
    }
}

/// What one worker counts of one database.
#[derive(Debug)]
pub struct DatabaseShard {
    pub(crate) handshakes: Counters,
    pub(crate) closed: Counters,
    pub(crate) opened: Tally,
    pub(crate) logins: Counters,
    pub(crate) latency: Histogram,
    pub(crate) timed_out: Tally,
    pub(crate) bytes_in: Tally,
    pub(crate) bytes_out: Tally,
}

/// One worker's counters.
#[derive(Debug)]
pub struct Shard {
    /// By row x verdict.
    pub(crate) commands: Counters,
    pub(crate) denials: Counters,
    pub(crate) databases: Vec<DatabaseShard>,
    event_loop: EventLoop,
}

impl Shard {
    /// Counters for `databases` databases, `rows` command rows and `denial_reasons` reasons.
    pub fn new(databases: usize, rows: usize, denial_reasons: usize) -> Self {
        Self {
            commands: Counters::new(rows * VerdictLabel::ALL.len()),
            denials: Counters::new(denial_reasons),
            databases: (0..databases)
                .map(|_| DatabaseShard {
                    handshakes: Counters::new(HandshakeOutcome::ALL.len()),
                    closed: Counters::new(CloseReason::ALL.len()),
                    opened: Tally::default(),
                    logins: Counters::new(2),
                    latency: Histogram::default(),
                    timed_out: Tally::default(),
                    bytes_in: Tally::default(),
                    bytes_out: Tally::default(),
                })
                .collect(),
            event_loop: EventLoop::default(),
        }
    }

    /// What this worker counts of its own loop.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    /// Counts a command of a known row.
    pub fn command(&self, row: CommandId, verdict: VerdictLabel) {
        self.commands
            .add(usize::from(row.0) * VerdictLabel::ALL.len() + verdict as usize);
    }

    /// Counts a denial by its reason's index.
    pub fn denial(&self, reason: usize) {
        self.denials.add(reason);
    }

    /// What this worker counts of a database; `database` is its index in the configuration.
    pub fn database(&self, database: usize) -> Option<&DatabaseShard> {
        self.databases.get(database)
    }
}

impl DatabaseShard {
    /// Counts a handshake's end.
    pub fn handshake(&self, outcome: HandshakeOutcome) {
        self.handshakes.add(outcome as usize);
    }

    /// Counts an established connection.
    pub fn opened(&self) {
        self.opened.add(1);
    }

    /// Counts an established connection's end.
    pub fn closed(&self, reason: CloseReason) {
        self.closed.add(reason as usize);
    }

    /// Counts a login that succeeded or failed.
    pub fn login(&self, succeeded: bool) {
        self.logins.add(usize::from(succeeded));
    }

    /// Counts the time from a command's being forwarded to its reply's end, of `replies` that took equally long.
    pub fn latency(&self, duration: std::time::Duration, replies: u64) {
        self.latency.observe(duration, replies);
    }

    /// Counts requests whose replies didn't come within the deadline.
    pub fn timed_out(&self, requests: usize) {
        self.timed_out.add(requests as u64);
    }

    /// Counts plaintext bytes received from clients.
    pub fn received(&self, bytes: usize) {
        self.bytes_in.add(bytes as u64);
    }

    /// Counts plaintext bytes sent to clients.
    pub fn sent(&self, bytes: usize) {
        self.bytes_out.add(bytes as u64);
    }
}
