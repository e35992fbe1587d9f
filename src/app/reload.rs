//! Reload: the same path from files to a snapshot as at the start, all or nothing.
//!
//! One reload runs and at most one waits. On any fault the snapshot in force stays as it is. Nothing here runs on a worker: files
//! are read on a thread of their own with a low priority, and old snapshots are freed there too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::probes::Probes;
use super::restart;
use crate::config::{Config, Fault};
use crate::load::{self, LoadFault, Loaded};
use crate::proxy::Door;
use crate::snapshot::{Published, Snapshot};
use crate::telemetry::{Metrics, log};

/// How often it is looked whether old snapshots are of use to anybody.
const RETIRED_INTERVAL: Duration = Duration::from_secs(1);

/// Loads a configuration on a thread of its own, so that whoever awaits it stays responsive.
///
/// # Errors
/// Every fault of the configuration.
pub(super) async fn load(file: PathBuf, generation: u64) -> Result<Loaded, Vec<LoadFault>> {
    let (sender, loaded) = oneshot::channel();
    let reader = file.clone();
    let thread = std::thread::Builder::new()
        .name("redwall-load".to_owned())
        .spawn(move || {
            yield_to_workers();
            // Whoever waited may have gone.
            drop(sender.send(load::load(&reader, generation)));
        });
    match (thread, loaded.await) {
        (Ok(_), Ok(loaded)) => loaded,
        (Err(error), _) => Err(failed(&file, format!("can't be read: {error}"))),
        (Ok(_), Err(_)) => Err(failed(&file, "reading it failed unexpectedly".to_owned())),
    }
}

fn failed(file: &Path, what: String) -> Vec<LoadFault> {
    vec![LoadFault::Unreadable(Fault {
        file: file.to_owned(),
        at: crate::config::At::START,
        what,
        expected: "a configuration that can be read".to_owned(),
    })]
}

/// Gives the calling thread a low priority: workers that need its core go first, and a tenth of a busy core is left for it, so that a
/// machine under attack still takes rights away in time.
fn yield_to_workers() {
    // Where the kernel refuses, the thread competes with the workers, and that is all. On Linux the priority is the thread's own.
    let _ = rustix::process::setpriority_process(None, 10);
}

/// Reloads whenever it is asked to.
pub(super) struct Reloads {
    pub(super) file: PathBuf,
    /// The configuration that the process was started with, for what only a restart changes.
    pub(super) started_with: Config,
    pub(super) published: Arc<Published>,
    pub(super) door: Arc<Door>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) probes: Probes,
    pub(super) level: log::LevelHandle,
}

impl Reloads {
    /// Serves requests for as long as it is polled. Requests that come while a reload runs are one request.
    pub(super) async fn serve(mut self, asked: Arc<Notify>) {
        let mut retired = Vec::new();
        loop {
            tokio::select! {
                () = asked.notified() => {
                    if let Some(old) = self.reload().await {
                        retired.push(old);
                    }
                }
                () = tokio::time::sleep(RETIRED_INTERVAL), if !retired.is_empty() => {
                    free(retired.extract_if(.., |old| is_unused(old)).collect());
                }
            }
        }
    }

    /// Reloads once; returns the snapshot that was in force before, if it isn't any more.
    async fn reload(&mut self) -> Option<Arc<Snapshot>> {
        let generation = self.published.generation() + 1;
        let loaded = load(self.file.clone(), generation).await;
        match loaded.and_then(|loaded| restart::check(&self.started_with, loaded)) {
            Ok(loaded) => Some(self.apply(loaded)),
            Err(faults) => {
                self.metrics.configuration.refused();
                for fault in &faults {
                    tracing::error!(%fault, "fault in the configuration");
                }
                tracing::error!(
                    faults = faults.len(),
                    generation = self.published.generation(),
                    "reload refused: the configuration in force stays"
                );
                None
            }
        }
    }

    fn apply(&mut self, loaded: Loaded) -> Arc<Snapshot> {
        let Loaded {
            config,
            snapshot,
            notes,
        } = loaded;
        super::tell(&notes);
        self.level.set(&config.log);
        self.door.follow(&snapshot);
        let generation = snapshot.generation;
        let old = self.published.publish(snapshot);
        let current = self.published.current();
        self.probes.follow(&current);
        super::show_loaded(&current, &self.metrics, SystemTime::now());
        tracing::info!(generation, "configuration reloaded");
        old
    }
}

/// Whether nobody holds a large part of `snapshot` any more.
fn is_unused(snapshot: &Arc<Snapshot>) -> bool {
    let unused_tls = |config| Arc::strong_count(config) == 1;
    Arc::strong_count(snapshot) == 1
        && snapshot.databases.iter().all(|database| {
            Arc::strong_count(database) == 1
                && Arc::strong_count(&database.policy) == 1
                && database.tls.iter().all(|tls| unused_tls(&tls.config))
        })
}

/// Frees what may take long to free, where nobody waits for it.
fn free(unused: Vec<Arc<Snapshot>>) {
    if unused.is_empty() {
        return;
    }
    let thread = std::thread::Builder::new().name("redwall-free".to_owned());
    // Without a thread it is freed here, which delays the next reload.
    drop(thread.spawn(move || {
        yield_to_workers();
        drop(unused);
    }));
}
