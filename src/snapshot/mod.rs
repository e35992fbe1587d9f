//! What every connection obeys now: immutable, replaced as a whole, with a generation that tells old from new.
//!
//! Only types. `load` builds a snapshot from files; `app` publishes it; workers look at it.

mod same_server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use tokio::sync::watch;

use crate::acl::Policy;
use crate::admission::Admission;
use crate::admission::certificate::CertificateMapping;
use crate::admission::slots::SlotLimits;
pub use crate::config::{BackendAddress, Lanes, LostReplies};
use crate::config::{Secret, TlsVersion};
pub use same_server::CaDigest;

/// All that is in force.
#[derive(Debug)]
pub struct Snapshot {
    /// Grows with every snapshot of the process.
    pub generation: u64,
    /// What concerns the process as a whole.
    pub process: ProcessLimits,
    /// The databases, in the order of the configuration; a connection remembers its database's index.
    pub databases: Vec<Arc<Database>>,
}

/// Bounds of the process that a reload may change.
#[derive(Clone, Debug)]
pub struct ProcessLimits {
    /// Most connections of clients, half-open ones included: as many as are asked for, or as there are descriptors for.
    pub max_clients: usize,
    /// Bytes that may be held for all clients together.
    pub max_memory: usize,
    /// How long clients may take to end once Redwall is told to.
    pub drain_timeout: Duration,
}

/// One named endpoint: where it listens, who may enter, and what is behind it.
#[derive(Debug)]
pub struct Database {
    /// Its name in logs and metrics.
    pub name: String,
    /// The addresses that it listens on.
    pub listeners: Vec<Listener>,
    /// Which addresses may connect.
    pub admission: Admission,
    /// How many may be connected.
    pub slots: SlotLimits,
    /// TLS for its clients; `None` if it has plaintext listeners only.
    pub tls: Option<ListenerTls>,
    /// From a client's certificate to its user.
    pub certificate_users: Vec<CertificateMapping>,
    /// Users and their rights.
    pub policy: Arc<Policy>,
    /// Where its data is.
    pub backend: Arc<BackendTarget>,
    /// Over which connections the commands of clients travel there; a reload's new value is for clients that come afterwards.
    pub lanes: Lanes,
    /// What becomes of a client whose replies are lost with a backend connection.
    pub lost_replies: LostReplies,
    /// Bounds on what one client may use, and deadlines.
    pub limits: ClientLimits,
    /// When its certificates and revocation lists end, in Unix seconds: the earliest of each kind, by the kind's name.
    pub expiries: Vec<(&'static str, u64)>,
}

/// TLS for a database's clients.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// What new handshakes obey.
    pub config: Arc<rustls::ServerConfig>,
    /// Who judges clients' certificates, those of established connections too; `None` where none are asked for.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// Digest of all that `verifier` was made of: where it is the same, so is the judgement.
    pub trust: [u8; 32],
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// Connections that the kernel may hold while the acceptor is busy. 128, the usual figure, loses SYNs at the first burst.
pub const BACKLOG: i32 = 4096;

/// Connections beyond `max_clients` that may be on their way out, to make room for others, and hold their descriptors meanwhile.
pub const LEAVING: usize = 16;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// IP and port.
    pub address: SocketAddr,
    /// What is spoken there.
    pub transport: Transport,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS.
    Tls,
    /// Redis's protocol in the clear, because the configuration asks for it by name.
    Plaintext,
}

/// Bounds and deadlines of one client's connection.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Accept, handshake and login must be over after this.
    pub login_timeout: Duration,
    /// A backend's answer to a command that doesn't block must be there after this.
    pub request_timeout: Duration,
    /// Bytes must move towards a client that doesn't read within this.
    pub output_timeout: Duration,
    /// Largest bulk string, in bytes.
    pub max_bulk: u64,
    /// Largest request that is held whole, in bytes.
    pub max_held_request: u64,
    /// Most requests that wait for their replies; beyond it nothing more is forwarded.
    pub max_in_flight: usize,
    /// Most channels and patterns that one client is subscribed to.
    pub max_subscriptions: usize,
    /// Bytes held for a client above which nothing more of it is forwarded.
    pub soft_output: usize,
    /// Bytes held for a client above which it is closed.
    pub hard_output: usize,
    /// Bytes of large values that may be on their way to the backend at once, announced ones counted.
    pub max_uploads: u64,
    /// 64 KiB of a large value must arrive within this, and so on.
    pub upload_timeout: Duration,
    /// Bytes of output that the kernel is asked to take for a client (`SO_SNDBUF`); it holds up to twice as many.
    pub send_buffer: usize,
}

/// How to reach and log in to a backend.
#[derive(Debug)]
pub struct BackendTarget {
    /// Where it listens.
    pub address: BackendAddress,
    /// TLS to it, always verified.
    pub tls: Option<BackendTls>,
    /// The service user; `None` for `default`.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Name resolution, connect, TLS and login must be over after this.
    pub connect_timeout: Duration,
    /// Most connections that are opened for clients in a second, by all workers together.
    pub max_connects_per_second: u32,
}

/// TLS to a backend.
#[derive(Clone, Debug)]
pub struct BackendTls {
    /// CA, optional client certificate, versions.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that its certificate must have.
    pub server_name: rustls::pki_types::ServerName<'static>,
    /// The CAs by which it is verified, to tell them from others.
    pub ca: CaDigest,
}

/// The snapshot in force, for all threads.
#[derive(Debug)]
pub struct Published {
    generation: AtomicU64,
    current: watch::Sender<Arc<Snapshot>>,
}

impl Published {
    /// Puts the first snapshot in force.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            generation: AtomicU64::new(snapshot.generation),
            current: watch::Sender::new(Arc::new(snapshot)),
        }
    }

    /// The generation in force: one atomic load, for every turn of every connection.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The snapshot in force.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    /// Puts `next` in force, for everybody's next step, and returns the one before. It may be large: the caller drops it where
    /// nobody waits.
    pub fn publish(&self, next: Snapshot) -> Arc<Snapshot> {
        let mut next = Arc::new(next);
        // Both under the lock: whoever sees the new number finds the new snapshot, and whoever is told of it sees the number.
        self.current.send_modify(|current| {
            self.generation.store(next.generation, Ordering::Release);
            std::mem::swap(current, &mut next);
        });
        next
    }

    /// Tells of every later snapshot.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.subscribe()
    }
}
