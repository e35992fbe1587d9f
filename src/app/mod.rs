//! The composition root: everything that runs is made here, in one readable order, and ends here.

mod fault;
mod probes;
mod reload;
mod restart;
mod signals;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::config::{Config, Note, Severity, Workers};
use crate::load::Loaded;
use crate::load::provider::Records;
use crate::proxy::Door;
use crate::proxy::acceptor::{self, Acceptor, Bound};
use crate::proxy::worker::{self, Course, Start, WorkerHandle};
use crate::snapshot::{Published, Snapshot};
use crate::status::{self, Status};
use crate::telemetry::{Metrics, log};
pub use fault::AppFault;
use probes::Probes;
use reload::Reloads;
use signals::{Request, Signals};

/// Runs Redwall by the configuration `file` until a signal ends it.
///
/// # Errors
/// [`AppFault`] if it can't start. Nothing has been served then.
pub fn run(file: &Path) -> Result<(), AppFault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AppFault::Start)?;
    runtime.block_on(async {
        // Before any file is read: a SIGHUP that comes meanwhile must not end the process.
        let mut signals = Signals::install().map_err(AppFault::Start)?;
        let loaded = tokio::select! {
            loaded = reload::load(file.to_owned(), 1) => loaded.map_err(AppFault::Load)?,
            () = signals.end() => return Ok(()),
        };
        let running = Running::start(file, loaded).await?;
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
    reload: Arc<Notify>,
}

impl Running {
    /// Binds before it dials, so that a busy port is told at once; then starts workers, acceptor, probes and status.
    async fn start(file: &Path, loaded: Loaded) -> Result<Self, AppFault> {
        let Loaded {
            config,
            snapshot,
            notes,
        } = loaded;
        let level = log::install(&config.log).map_err(AppFault::Log)?;
        tell(&notes);
        let bound = acceptor::bind(&snapshot)
            .map_err(|(address, error)| AppFault::Bind { address, error })?;
        let status_listeners = bind_status(&config).await?;
        let names = snapshot.databases.iter();
        let names: Vec<String> = names.map(|database| database.name.clone()).collect();
        let metrics = Arc::new(Metrics::new(&names).map_err(AppFault::Metrics)?);
        let door = Arc::new(Door::new(&snapshot, Arc::clone(&metrics)));
        show_loaded(&snapshot, &metrics, SystemTime::now());
        let count = workers(&config, &snapshot);
        let published = Arc::new(Published::new(snapshot));
        let (course, watched) = watch::channel(Course::Running);
        let workers = start_workers(count, &published, &door, &metrics, &watched)?;
        announce(&bound, count, &status_listeners);
        let probes = Probes::start(&published.current(), &door);
        let acceptor = Acceptor {
            published: Arc::clone(&published),
            door: Arc::clone(&door),
            metrics: Arc::clone(&metrics),
            workers: Arc::new(workers),
        };
        acceptor.spawn(bound, watched).map_err(AppFault::Start)?;
        let draining = Arc::new(AtomicBool::new(false));
        serve_status(
            status_listeners,
            Status {
                metrics: Arc::clone(&metrics),
                door: Arc::clone(&door),
                databases: names,
                draining: Arc::clone(&draining),
            },
        );
        let reload = Arc::new(Notify::new());
        let reloads = Reloads {
            file: file.to_owned(),
            started_with: config,
            published: Arc::clone(&published),
            door: Arc::clone(&door),
            metrics: Arc::clone(&metrics),
            probes,
            level,
        };
        tokio::spawn(reloads.serve(Arc::clone(&reload)));
        Ok(Self {
            published,
            door,
            course,
            draining,
            metrics,
            reload,
        })
    }

    /// Reloads at each SIGHUP until the signal to end.
    async fn until(self, mut signals: Signals) {
        while signals.next().await == Request::Reload {
            self.reload.notify_one();
        }
        self.drain(signals).await;
    }

    /// Waits until the clients are gone, the time is over or a second signal comes. A reload may still take rights away.
    async fn drain(self, mut signals: Signals) {
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
        let ended = async {
            while signals.next().await == Request::Reload {
                self.reload.notify_one();
            }
        };
        let drain_timeout = self.published.current().process.drain_timeout;
        tokio::select! {
            () = empty => tracing::info!("drained"),
            () = tokio::time::sleep(drain_timeout) => {
                tracing::warn!(connections = self.door.connections(), "drain timeout: closing what is left");
            }
            () = ended => tracing::warn!(connections = self.door.connections(), "second signal: ending at once"),
        }
    }
}

async fn bind_status(config: &Config) -> Result<Vec<TcpListener>, AppFault> {
    let mut listeners = Vec::new();
    for address in config.status.listen.iter().map(|placed| placed.value) {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.map_err(|error| AppFault::Bind { address, error })?);
    }
    Ok(listeners)
}

fn serve_status(listeners: Vec<TcpListener>, status: Status) {
    let status = Arc::new(status);
    for listener in listeners {
        tokio::spawn(status::serve(listener, Arc::clone(&status)));
    }
}

/// How many workers: where nothing is written, as many as there are cores, less one where a backend needs a core of this machine.
fn workers(config: &Config, snapshot: &Snapshot) -> usize {
    if let Workers::Exactly(workers) = config.server.workers {
        return (workers as usize).max(1);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let backend_here = snapshot
        .databases
        .iter()
        .any(|database| database.backend.address.is_on_this_machine());
    (cores - usize::from(backend_here && cores > 1)).max(1)
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
    (0..count).map(start).collect()
}

/// Says where Redwall listens, on lines that a person or a script can wait for.
fn announce(bound: &[Bound], workers: usize, status: &[TcpListener]) {
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
        workers,
        version = env!("CARGO_PKG_VERSION"),
        records = Records::of_this_machine().library(),
        "redwall is ready"
    );
}

/// Says what there is to say of a configuration that has been loaded.
fn tell(notes: &[Note]) {
    for Note {
        file,
        at,
        severity,
        text,
    } in notes
    {
        let place = format!("{}:{}:{}", file.display(), at.line, at.column);
        match severity {
            Severity::Warning => tracing::warn!(place, "{text}"),
            Severity::Info => tracing::debug!(place, "{text}"),
        }
    }
}

/// Shows in the metrics that `snapshot` was loaded, and when its certificates end.
fn show_loaded(snapshot: &Snapshot, metrics: &Metrics, at: SystemTime) {
    let databases = snapshot.databases.iter();
    let expiries = databases.map(|database| (database.name.as_str(), &database.expiries[..]));
    metrics.configuration.loaded(at, expiries);
    metrics.show_max_clients(snapshot.process.max_clients);
}
