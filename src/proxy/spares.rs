//! Connections of a worker that stand ready for clients which need one for themselves: a command that waits for what comes next
//! mustn't miss what comes while a connection is made.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lanes::MOST_KINDS;
use super::worker::Worker;
use crate::backend::{Login, Purpose, connect};
use crate::lane::Spare;
use crate::resp::Protocol;
use crate::snapshot::{BackendTarget, Database};

/// So many stand ready, or are on the way, of each kind that is in use.
const READY: usize = 2;

/// Connections that clients have left are kept up to this number of a kind.
const MOST: usize = 16;

/// A kind that nobody has used for so long is given up.
const IDLE: Duration = Duration::from_secs(60);

/// What tells one kind from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// Index of the database.
    pub(super) database: usize,
    /// The selected number.
    pub(super) number: u32,
    pub(super) protocol: Protocol,
}

/// All that stand ready on a worker.
#[derive(Default)]
pub(super) struct Spares {
    shelves: RefCell<HashMap<Kind, Shelf>>,
}

struct Shelf {
    ready: Vec<Kept>,
    /// On their way.
    coming: usize,
    used: Instant,
}

struct Kept {
    spare: Spare,
    target: Arc<BackendTarget>,
    incarnation: u64,
}

impl Spares {
    /// A connection of this kind, if one stands ready. Others are made in its place.
    pub(super) fn take(
        &self,
        worker: &Rc<Worker>,
        kind: Kind,
        database: &Arc<Database>,
        now: Instant,
    ) -> Option<Spare> {
        let incarnation = worker.door.backend(kind.database).incarnation();
        let taken = {
            let mut shelves = self.shelves.borrow_mut();
            let shelf = shelves.get_mut(&kind);
            shelf.and_then(|shelf| {
                std::iter::from_fn(|| shelf.ready.pop())
                    .find_map(|kept| kept.fit_for(database, incarnation))
            })
        };
        self.want(worker, kind, database, now);
        taken
    }

    /// Has some of this kind made, if they aren't there.
    pub(super) fn want(
        &self,
        worker: &Rc<Worker>,
        kind: Kind,
        database: &Arc<Database>,
        now: Instant,
    ) {
        let mut shelves = self.shelves.borrow_mut();
        if !shelves.contains_key(&kind) && shelves.len() >= MOST_KINDS {
            let free = shelves.iter().filter(|(_, shelf)| shelf.coming == 0);
            let oldest = free.min_by_key(|(_, shelf)| shelf.used);
            let Some(oldest) = oldest.map(|(kind, _)| *kind) else {
                return;
            };
            shelves.remove(&oldest);
        }
        let shelf = shelves.entry(kind).or_insert(Shelf {
            ready: Vec::new(),
            coming: 0,
            used: now,
        });
        shelf.used = now;
        while shelf.ready.len() + shelf.coming < READY {
            shelf.coming += 1;
            let made = make(Rc::clone(worker), kind, Arc::clone(database));
            drop(tokio::task::spawn_local(made));
        }
    }

    /// A client has left its connection clean: once it has proven to be in step it stands ready for another.
    pub(super) fn give_back(
        worker: &Rc<Worker>,
        kind: Kind,
        database: &Arc<Database>,
        (spare, incarnation): (Spare, u64),
    ) {
        let (worker, database) = (Rc::clone(worker), Arc::clone(database));
        drop(tokio::task::spawn_local(async move {
            let proven = spare.proven(database.limits.request_timeout).await;
            if let Some(spare) = proven {
                worker
                    .spares
                    .keep(kind, &database.backend, incarnation, spare);
            }
        }));
    }

    fn keep(&self, kind: Kind, target: &Arc<BackendTarget>, incarnation: u64, spare: Spare) {
        let mut shelves = self.shelves.borrow_mut();
        let Some(shelf) = shelves
            .get_mut(&kind)
            .filter(|shelf| shelf.ready.len() < MOST)
        else {
            return;
        };
        shelf.ready.push(Kept {
            spare,
            target: Arc::clone(target),
            incarnation,
        });
    }

    /// Gives up what nobody has used for a while, and what leads to a backend that isn't there any more.
    pub(super) fn sweep(&self, worker: &Worker, now: Instant) {
        let unused = |shelf: &Shelf| now.saturating_duration_since(shelf.used) > IDLE;
        self.shelves.borrow_mut().retain(|kind, shelf| {
            let incarnation = worker.door.backend(kind.database).incarnation();
            shelf.ready.retain(|kept| kept.incarnation == incarnation);
            shelf.coming > 0 || !unused(shelf)
        });
    }
}

impl Kept {
    /// The connection, if it leads to the backend as it is now and is still alive.
    fn fit_for(mut self, database: &Database, incarnation: u64) -> Option<Spare> {
        let current = Arc::ptr_eq(&self.target, &database.backend)
            || self.target.is_same_server(&database.backend);
        (current && self.incarnation == incarnation && self.spare.is_alive()).then_some(self.spare)
    }
}

/// Makes one connection. If it can't be had, the client that needs one is told when it tries.
async fn make(worker: Rc<Worker>, kind: Kind, database: Arc<Database>) {
    let status = Arc::clone(worker.door.backend(kind.database));
    let name = own_name(&database);
    let login = Login {
        protocol: kind.protocol,
        number: kind.number,
        name: &name,
    };
    let connected = connect(&database.backend, &status, Purpose::Spare, login).await;
    if let Some(shelf) = worker.spares.shelves.borrow_mut().get_mut(&kind) {
        shelf.coming -= 1;
    }
    match connected {
        Ok(connected) => {
            let incarnation = status.learned(&database.backend, &connected.facts);
            let spare = Spare::new(connected, incarnation);
            worker
                .spares
                .keep(kind, &database.backend, incarnation, spare);
        }
        Err(fault) => worker.door.on_connect_fault(kind.database, &fault),
    }
}

/// What the backend's CLIENT LIST shows for connections that one client after another has for itself.
pub(super) fn own_name(database: &Database) -> String {
    format!("redwall:{}:own", database.name)
}
