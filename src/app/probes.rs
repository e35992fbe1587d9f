//! One probe a backend, for readiness and for what HELLO tells of the server; after a reload they follow the backends.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::backend::{self, ConnectFault, Facts};
use crate::proxy::Door;
use crate::snapshot::{BackendTarget, Database, Snapshot};

/// The probes of all databases, in the order of the configuration.
pub(super) struct Probes {
    door: Arc<Door>,
    running: Vec<Probe>,
}

struct Probe {
    target: Arc<BackendTarget>,
    task: JoinHandle<()>,
}

impl Probes {
    /// Starts them.
    pub(super) fn start(snapshot: &Snapshot, door: &Arc<Door>) -> Self {
        let mut probes = Self {
            door: Arc::clone(door),
            running: Vec::new(),
        };
        probes.follow(snapshot);
        probes
    }

    /// Starts them anew for the backends of `snapshot`, with whatever of them has changed. That a server which was up is up is no news.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) {
        let before = std::mem::take(&mut self.running);
        before.iter().for_each(|probe| probe.task.abort());
        for (index, database) in snapshot.databases.iter().enumerate() {
            let target = Arc::clone(&database.backend);
            let known = before
                .get(index)
                .filter(|probe| probe.target.is_same_server(&target))
                .map(|_| self.door.backend(index).is_up());
            let task = tokio::spawn(watch(&self.door, index, database, known));
            self.running.push(Probe { target, task });
        }
    }
}

fn watch(
    door: &Door,
    index: usize,
    database: &Arc<Database>,
    last: Option<bool>,
) -> impl Future<Output = ()> + use<> {
    let name = database.name.clone();
    let on_change = move |state: Result<&Facts, &ConnectFault>| match state {
        Ok(facts) => tracing::info!(
            database = %name, server = %facts.server, version = %facts.version, role = %facts.role, "backend is up"
        ),
        Err(fault) => tracing::warn!(database = %name, %fault, "backend is down"),
    };
    backend::health::watch(
        Arc::clone(&database.backend),
        Arc::clone(door.backend(index)),
        format!("redwall:{}:probe", database.name),
        last,
        on_change,
    )
}
