//! One thread accepts for all listeners, judges each address before a byte is read, and hands the socket to the least
//! loaded worker.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::door::Door;
use super::vital;
use super::worker::{Accepted, Course, LoadGuard, WorkerHandle};
use crate::snapshot::{BACKLOG, ClientLimits, LEAVING, Listener, Published, Snapshot, Transport};
use crate::telemetry::{AcceptFault, Metrics};

/// After this much silence the kernel asks whether the client is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How often it asks again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long accept rests when the process is out of descriptors or memory: another try would fail as well.
const PAUSE: Duration = Duration::from_millis(50);

/// How often the log says that accept rests.
const PAUSE_TOLD: Duration = Duration::from_secs(60);

/// An address that is bound and not yet served.
pub struct Bound {
    socket: std::net::TcpListener,
    /// Where it listens; the port is the real one where the configuration says 0.
    pub address: SocketAddr,
    transport: Transport,
    database: usize,
}

impl Bound {
    /// What is spoken there, for the log.
    pub fn transport_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "tls",
            Transport::Plaintext => "plaintext",
        }
    }
}

/// Binds all listeners of a snapshot, or none.
///
/// # Errors
/// The address that can't be bound, and why.
pub fn bind(snapshot: &Snapshot) -> Result<Vec<Bound>, (SocketAddr, io::Error)> {
    let mut bound = Vec::new();
    for (database, entry) in snapshot.databases.iter().enumerate() {
        for listener in &entry.listeners {
            let families = families(listener.address, &entry.listeners);
            let socket = listen(listener.address, families, &entry.limits)
                .map_err(|error| (listener.address, error))?;
            let address = socket
                .local_addr()
                .map_err(|error| (listener.address, error))?;
            bound.push(Bound {
                socket,
                address,
                transport: listener.transport,
                database,
            });
        }
    }
    Ok(bound)
}

/// Whose connections an IPv6 listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    /// IPv6 alone.
    Ipv6,
    /// IPv4 too, as the configuration says of `[::]`.
    Both,
}

/// `[::]` takes IPv4 too, unless `0.0.0.0` stands beside it on the same port: the kernel lets only one of them have it.
fn families(address: SocketAddr, beside: &[Listener]) -> Families {
    let is_ipv4_twin = |other: &Listener| {
        let other = other.address;
        other.port() == address.port() && other.is_ipv4() && other.ip().is_unspecified()
    };
    let has_twin = address.port() != 0 && beside.iter().any(is_ipv4_twin);
    match address.ip().is_unspecified() && !has_twin {
        true => Families::Both,
        false => Families::Ipv6,
    }
}

fn listen(
    address: SocketAddr,
    families: Families,
    limits: &ClientLimits,
) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(families == Families::Ipv6)?;
    }
    set_inherited(&socket, limits)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets on a listening socket what the sockets accepted from it inherit, so that accept costs no more calls. Those that were accepted
/// before keep what they have.
///
/// # Errors
/// The operating system's.
pub fn set_inherited(listener: &impl AsFd, limits: &ClientLimits) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE_INTERVAL),
    )?;
    socket.set_tcp_user_timeout(Some(user_timeout(limits)))?;
    // Without it the kernel takes megabytes for a client that doesn't read, and only then does `output_timeout` begin.
    socket.set_send_buffer_size(limits.send_buffer)
}

/// How long the kernel may wait for a client to acknowledge what it was sent, or to open its window. Never shorter than the output
/// time-out, by which Redwall itself judges a client that reads slowly, nor so short that a gap in the network ends connections.
fn user_timeout(limits: &ClientLimits) -> Duration {
    limits.output_timeout.max(KEEPALIVE) + KEEPALIVE_INTERVAL
}

/// Accepts for all listeners.
pub struct Acceptor {
    /// The snapshot in force.
    pub published: Arc<Published>,
    /// What all threads share.
    pub door: Arc<Door>,
    /// Counts refusals and errors.
    pub metrics: Arc<Metrics>,
    /// Where sockets go.
    pub workers: Arc<Vec<WorkerHandle>>,
}

impl Acceptor {
    /// Starts the acceptor's thread. It closes its listeners when `course` says that Redwall drains.
    ///
    /// # Errors
    /// The operating system's.
    pub fn spawn(
        self,
        bound: Vec<Bound>,
        course: watch::Receiver<Course>,
    ) -> io::Result<std::thread::JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        vital::spawn("redwall-acceptor", move || {
            let acceptor = Arc::new(self);
            runtime.block_on(async move {
                let mut listeners = tokio::task::JoinSet::new();
                for listener in bound {
                    listeners.spawn(serve(Arc::clone(&acceptor), listener, course.clone()));
                }
                drop(acceptor);
                while let Some(ended) = listeners.join_next().await {
                    if ended.is_err() {
                        tracing::error!("the acceptor failed: ending the process");
                        std::process::abort();
                    }
                }
            });
        })
    }

    /// Those who connect from now on have the limits of the snapshot in force.
    fn renew(&self, listener: &TcpListener, database: usize) {
        let snapshot = self.published.current();
        let Some(database) = snapshot.databases.get(database) else {
            return;
        };
        if let Err(error) = set_inherited(listener, &database.limits) {
            tracing::warn!(%error, database = %database.name, "a listener keeps its old send_buffer and time-outs");
        }
    }

    /// Waits while too many that were told to make room still have their descriptors. That they have left the books doesn't mean that
    /// their worker has had its turn.
    async fn let_out(&self) {
        let is_crowded = || {
            let loads = self.workers.iter().map(|worker| &worker.load);
            let held: usize = loads.map(|load| load.load(Ordering::Relaxed)).sum();
            let most = self.published.current().process.max_clients;
            held >= most.saturating_add(LEAVING) && held >= self.door.connections() + LEAVING
        };
        while is_crowded() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn dispatch(&self, bound: (usize, Transport), socket: tokio::net::TcpStream, peer: SocketAddr) {
        let (index, transport) = bound;
        // An IPv4 client of a listener for both comes in IPv6 clothes; from here on it is what it is.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let snapshot = self.published.current();
        let Some(database) = snapshot.databases.get(index) else {
            return;
        };
        let most = snapshot.process.max_clients;
        let ticket = match self.door.admit(index, database, peer.ip(), most) {
            Ok(ticket) => ticket,
            Err(reason) => {
                self.metrics.refused(&database.name, reason);
                tracing::debug!(%peer, database = %database.name, reason = reason.text(), "connection refused");
                return;
            }
        };
        let least = self
            .workers
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        let (Some(worker), Ok(local), Ok(socket)) = (least, socket.local_addr(), socket.into_std())
        else {
            return;
        };
        let load = LoadGuard::new(&worker.load);
        let accepted = Accepted {
            socket,
            peer,
            local,
            database: Arc::clone(database),
            index,
            generation: snapshot.generation,
            transport,
            ticket,
            load,
            since: Instant::now(),
        };
        if worker.sender.send(accepted).is_err() {
            tracing::error!("a worker is gone: ending the process");
            std::process::abort();
        }
    }
}

async fn serve(acceptor: Arc<Acceptor>, bound: Bound, mut course: watch::Receiver<Course>) {
    let listener = match TcpListener::from_std(bound.socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, address = %bound.address, "a listener could not be served");
            std::process::abort();
        }
    };
    let mut rest = Rest::default();
    let mut snapshots = acceptor.published.subscribe();
    loop {
        let accept = async {
            acceptor.let_out().await;
            listener.accept().await
        };
        tokio::select! {
            accepted = accept => match accepted {
                Ok((socket, peer)) => acceptor.dispatch((bound.database, bound.transport), socket, peer),
                Err(error) => rest.after(&acceptor.metrics, &error).await,
            },
            Ok(()) = snapshots.changed() => acceptor.renew(&listener, bound.database),
            changed = course.changed() => {
                if changed.is_err() || *course.borrow_and_update() == Course::Draining {
                    return;
                }
            }
        }
    }
}

/// What a listener does after an error of accept, none of which ends it. A connection that ended before it was accepted costs
/// nothing; a shortage needs time, and would otherwise be met again at once, millions of times.
#[derive(Default)]
struct Rest {
    told: Option<Instant>,
}

impl Rest {
    async fn after(&mut self, metrics: &Metrics, error: &io::Error) {
        let fault = fault_of(error);
        metrics.accept_error(fault);
        match fault {
            AcceptFault::Connection => {}
            AcceptFault::Shortage | AcceptFault::Other => {
                self.tell(error, Instant::now());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn tell(&mut self, error: &io::Error, now: Instant) {
        if self
            .told
            .is_none_or(|told| now.duration_since(told) >= PAUSE_TOLD)
        {
            self.told = Some(now);
            tracing::warn!(%error, "no connection could be accepted: trying again every 50 ms");
        }
    }
}

/// Source: accept(2), "Errors", which tells of errors that belong to the new connection and not to the listener.
fn fault_of(error: &io::Error) -> AcceptFault {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => AcceptFault::Shortage,
        Some(
            Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::TIMEDOUT
            | Errno::PERM
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NONET,
        ) => AcceptFault::Connection,
        Some(_) | None => AcceptFault::Other,
    }
}

#[cfg(test)]
mod tests;
