//! What all threads share about the databases: the books of their connections, their upload budgets, their backends' state,
//! and the memory of all clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::memory::Memory;
use super::upload::Uploads;
use super::vital::intact;
use crate::admission::slots::SlotRefusal;
use crate::admission::{Decision, Refusal, SlotId, Slots};
use crate::backend::{BackendStatus, ConnectFault};
use crate::snapshot::{Database, Snapshot};
use crate::telemetry::{Metrics, RefusalReason};

/// The shared side of all databases.
pub struct Door {
    databases: Vec<Entrance>,
    metrics: Arc<Metrics>,
    memory: Arc<Memory>,
}

/// The shared side of one database.
struct Entrance {
    name: String,
    books: Mutex<Books>,
    uploads: Arc<Uploads>,
    backend: Arc<BackendStatus>,
}

struct Books {
    slots: Slots,
    /// How to tell a half-open connection that it must go.
    evictions: HashMap<SlotId, Arc<Eviction>>,
}

impl Books {
    /// Tells a connection that is out of the books already.
    fn evict(&mut self, evicted: SlotId) {
        if let Some(eviction) = self.evictions.remove(&evicted) {
            eviction.evict();
        }
    }
}

/// Tells one connection that another needs its place.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    evicted: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Eviction {
    fn evict(&self) {
        self.evicted.store(true, Ordering::Release);
        if let Some(waker) = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            waker.wake();
        }
    }

    /// Whether the connection must go.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Acquire)
    }

    /// Wakes `waker` when the connection must go.
    pub(super) fn register(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }
}

/// An admitted connection's place in the books; leaves them when dropped.
pub(super) struct Ticket {
    door: Arc<Door>,
    database: usize,
    slot: SlotId,
    pub(super) eviction: Arc<Eviction>,
}

impl Ticket {
    /// The connection has proven who it is: it can't be evicted any more.
    pub(super) fn established(&self) {
        if let Some(entrance) = self.door.databases.get(self.database) {
            let mut books = entrance.books();
            // One that was evicted a moment ago finds out at its next turn.
            let _ = books.slots.established(self.slot);
            books.evictions.remove(&self.slot);
            self.door.show(entrance, &books.slots);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(entrance) = self.door.databases.get(self.database) {
            let mut books = entrance.books();
            books.slots.closed(self.slot);
            books.evictions.remove(&self.slot);
            self.door.show(entrance, &books.slots);
        }
    }
}

impl Entrance {
    fn books(&self) -> MutexGuard<'_, Books> {
        intact(self.books.lock())
    }
}

impl Door {
    /// The shared side of the databases of the first snapshot.
    pub fn new(snapshot: &Snapshot, metrics: Arc<Metrics>) -> Self {
        let entrance = |database: &Arc<Database>| Entrance {
            name: database.name.clone(),
            books: Mutex::new(Books {
                slots: Slots::new(database.slots),
                evictions: HashMap::new(),
            }),
            uploads: Arc::default(),
            backend: Arc::new(BackendStatus::new(
                &database.backend,
                metrics.backend.of(&database.name),
            )),
        };
        Self {
            databases: snapshot.databases.iter().map(entrance).collect(),
            metrics,
            memory: Arc::new(Memory::new(snapshot.process.max_memory)),
        }
    }

    /// Takes limits and backends of a new snapshot, whose databases stand in the same order.
    pub fn follow(&self, snapshot: &Snapshot) {
        for (entrance, database) in self.databases.iter().zip(&snapshot.databases) {
            entrance.books().slots.set_limits(database.slots);
            entrance.backend.leads_to(&database.backend);
        }
    }

    /// Judges a connection from `address` right after accept, by its address first and then by the books.
    pub(super) fn admit(
        self: &Arc<Self>,
        index: usize,
        database: &Database,
        address: IpAddr,
        most: usize,
    ) -> Result<Ticket, RefusalReason> {
        database
            .admission
            .admit(address)
            .map_err(|refusal| match refusal {
                Refusal::NotAllowed => RefusalReason::NotAllowed,
                Refusal::Denied => RefusalReason::Denied,
                Refusal::NotPrivate => RefusalReason::NotPrivate,
            })?;
        let connections = self.connections();
        if connections > most || (connections == most && !self.make_room()) {
            return Err(RefusalReason::ProcessFull);
        }
        let entrance = &self.databases[index];
        let mut books = entrance.books();
        let (slot, evicted) = match books.slots.admit(address) {
            Decision::Admit(slot) => (slot, None),
            Decision::AdmitAndEvict { slot, evicted } => (slot, Some(evicted)),
            Decision::Refuse(SlotRefusal::Connections) => return Err(RefusalReason::DatabaseFull),
            Decision::Refuse(SlotRefusal::PerAddress) => return Err(RefusalReason::AddressFull),
        };
        if let Some(evicted) = evicted {
            books.evict(evicted);
        }
        let eviction = Arc::new(Eviction::default());
        books.evictions.insert(slot, Arc::clone(&eviction));
        self.show(entrance, &books.slots);
        Ok(Ticket {
            door: Arc::clone(self),
            database: index,
            slot,
            eviction,
        })
    }

    /// Has a half-open connection leave, of the database that has the most of them. Returns whether there was one.
    fn make_room(&self) -> bool {
        let half_open = |entrance: &&Entrance| entrance.books().slots.half_open();
        let Some(entrance) = self.databases.iter().max_by_key(half_open) else {
            return false;
        };
        let mut books = entrance.books();
        let Some(evicted) = books.slots.give_way() else {
            return false;
        };
        books.evict(evicted);
        self.show(entrance, &books.slots);
        true
    }

    fn show(&self, entrance: &Entrance, slots: &Slots) {
        let label = [entrance.name.as_str()];
        self.metrics
            .connections
            .with_label_values(&label)
            .set(slots.connections() as i64);
        self.metrics
            .half_open
            .with_label_values(&label)
            .set(i64::from(slots.half_open()));
    }

    /// Connections of all databases.
    pub fn connections(&self) -> usize {
        self.databases
            .iter()
            .map(|entrance| entrance.books().slots.connections())
            .sum()
    }

    /// What is known of a database's backend.
    ///
    /// # Panics
    /// Never for the index of a configured database, which is all that there is.
    pub fn backend(&self, index: usize) -> &Arc<BackendStatus> {
        &self.databases[index].backend
    }

    /// Which process and role each database's backend was last, by the databases' order.
    pub(super) fn incarnations(&self) -> impl Iterator<Item = u64> {
        self.databases
            .iter()
            .map(|entrance| entrance.backend.incarnation())
    }

    /// The bytes of large values that are on their way to a database's backend.
    pub(super) fn uploads(&self, index: usize) -> &Arc<Uploads> {
        &self.databases[index].uploads
    }

    /// The memory of all clients.
    pub(super) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Bytes that are held for all clients now, and how many may be.
    pub fn client_memory(&self) -> (usize, usize) {
        (self.memory.held(), self.memory.budget())
    }

    /// A connection to a backend could not be had.
    pub(super) fn on_connect_fault(&self, index: usize, fault: &ConnectFault) {
        let name = &self.databases[index].name;
        self.metrics
            .backend
            .connect_failures
            .with_label_values(&[name.as_str()])
            .inc();
        // The probe tells the operator once; each client that meets the fault needn't.
        tracing::debug!(database = %name, %fault, "could not get a backend connection");
    }
}
