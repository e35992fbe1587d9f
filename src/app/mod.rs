//! The composition root: everything that runs is made here, in one readable order, and ends here.

mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::backend;
use crate::proxy::Door;
use crate::proxy::acceptor::{self, Acceptor, Bound};
use crate::proxy::worker::{self, Course, Start, WorkerHandle};
use crate::snapshot::{Published, Snapshot};
use crate::status::{self, Status};
use crate::telemetry::Metrics;
pub use signals::Signals;

/// What the process is told once, at its start.
#[derive(Clone, Debug)]
pub struct Process {
    /// Number of workers.
    pub workers: usize,
    /// Where the status pages are.
    pub status: Vec<SocketAddr>,
}

/// Why Redwall could not start, or could not go on.
#[derive(Debug)]
pub enum AppFault {
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

/// Runs Redwall until a signal ends it.
///
/// # Errors
/// [`AppFault`] if it can't start. Nothing has been served then.
pub fn run(process: &Process, snapshot: Snapshot) -> Result<(), AppFault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AppFault::Start)?;
    runtime.block_on(async {
        let signals = Signals::install().map_err(AppFault::Start)?;
        let running = Running::start(process, snapshot).await?;
        running.until(signals).await;
        Ok(())
    })
}

/// Everything that runs.
struct Running {
    published: Arc<Published>,
    door: Arc<Door>,
    course: watch::Sender<Course>,
    draining: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

impl Running {
    /// Binds before it dials, so that a busy port is told at once; then starts workers, acceptor, probes and status.
    async fn start(process: &Process, snapshot: Snapshot) -> Result<Self, AppFault> {
        let bound = acceptor::bind(&snapshot)
            .map_err(|(address, error)| AppFault::Bind { address, error })?;
        let mut status_listeners = Vec::new();
        for address in process.status.iter().copied() {
            let listener = TcpListener::bind(address).await;
            status_listeners.push(listener.map_err(|error| AppFault::Bind { address, error })?);
        }
        let names: Vec<String> = snapshot
            .databases
            .iter()
            .map(|database| database.name.clone())
            .collect();
        let metrics = Arc::new(Metrics::new(&names).map_err(AppFault::Metrics)?);
        let door = Arc::new(Door::new(&snapshot, Arc::clone(&metrics)));
        let published = Arc::new(Published::new(snapshot));
        let (course, watched) = watch::channel(Course::Running);
        let workers = start_workers(process.workers, &published, &door, &metrics, &watched)?;
        announce(&bound, process, &status_listeners);
        watch_backends(&published.current(), &door);
        show_certificates(&published.current(), &metrics);
        metrics.show_max_clients(published.current().process.max_clients);
        let acceptor = Acceptor {
            published: Arc::clone(&published),
            door: Arc::clone(&door),
            metrics: Arc::clone(&metrics),
            workers: Arc::new(workers),
        };
        acceptor.spawn(bound, watched).map_err(AppFault::Start)?;
        let draining = Arc::new(AtomicBool::new(false));
        let status = Arc::new(Status {
            metrics: Arc::clone(&metrics),
            door: Arc::clone(&door),
            databases: names,
            draining: Arc::clone(&draining),
        });
        for listener in status_listeners {
            tokio::spawn(status::serve(listener, Arc::clone(&status)));
        }
        Ok(Self {
            published,
            door,
            course,
            draining,
            metrics,
        })
    }

    /// Waits for the signal to end, then until the clients are gone, the time is over or a second signal comes.
    async fn until(self, mut signals: Signals) {
        signals.end().await;
        let drain_timeout = self.published.current().process.drain_timeout;
        tracing::info!(connections = self.door.connections(), "draining");
        self.draining.store(true, Ordering::Relaxed);
        self.metrics.drains();
        // The workers hold receivers for as long as they run.
        let _ = self.course.send(Course::Draining);
        let empty = async {
            while self.door.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = empty => tracing::info!("drained"),
            () = tokio::time::sleep(drain_timeout) => {
                tracing::warn!(connections = self.door.connections(), "drain timeout: closing what is left");
            }
            () = signals.end() => tracing::warn!(connections = self.door.connections(), "second signal: ending at once"),
        }
    }
}

fn start_workers(
    count: usize,
    published: &Arc<Published>,
    door: &Arc<Door>,
    metrics: &Arc<Metrics>,
    course: &watch::Receiver<Course>,
) -> Result<Vec<WorkerHandle>, AppFault> {
    let next_client = Arc::new(AtomicU64::new(1));
    let start = |index| {
        let start = Start {
            published: Arc::clone(published),
            door: Arc::clone(door),
            metrics: Arc::clone(metrics),
            course: course.clone(),
            next_client: Arc::clone(&next_client),
        };
        worker::spawn(index, start).map_err(AppFault::Start)
    };
    (0..count.max(1)).map(start).collect()
}

/// Says where Redwall listens, on lines that a person or a script can wait for.
fn announce(bound: &[Bound], process: &Process, status: &[TcpListener]) {
    for listener in bound {
        tracing::info!(address = %listener.address, transport = listener.transport_name(), "listening");
    }
    for address in status
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
    {
        tracing::info!(%address, "status pages");
    }
    tracing::info!(
        workers = process.workers,
        version = env!("CARGO_PKG_VERSION"),
        "redwall is ready"
    );
}

/// One probe a backend, for readiness and for what HELLO tells of the server.
fn watch_backends(snapshot: &Snapshot, door: &Arc<Door>) {
    for (index, database) in snapshot.databases.iter().enumerate() {
        let name = database.name.clone();
        let on_change = move |state: Result<&backend::Facts, &backend::ConnectFault>| match state {
            Ok(facts) => tracing::info!(
                database = %name, server = %facts.server, version = %facts.version, role = %facts.role, "backend is up"
            ),
            Err(fault) => tracing::warn!(database = %name, %fault, "backend is down"),
        };
        let probe_name = format!("redwall:{}:probe", database.name);
        let status = Arc::clone(door.backend(index));
        tokio::spawn(backend::health::watch(
            Arc::clone(&database.backend),
            status,
            probe_name,
            on_change,
        ));
    }
}

fn show_certificates(snapshot: &Snapshot, metrics: &Metrics) {
    for database in &snapshot.databases {
        if let Some(expiry) = database.certificate_expiry {
            metrics
                .certificate_expiry
                .with_label_values(&[database.name.as_str()])
                .set(i64::try_from(expiry).unwrap_or(i64::MAX));
        }
    }
}
