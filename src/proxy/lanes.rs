//! A worker's shared lanes: one for each database number, protocol and class of requests that somebody uses, and another where
//! one doesn't keep up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared_lane::{Key, SharedLane};
use super::worker::Worker;
use crate::snapshot::Database;

/// Lanes of one kind that take requests, at most: when none of them moves, clients go to lanes of their own.
const MOST_OF_A_KIND: usize = 8;

/// Kinds of which there are lanes, or connections that stand ready, before those that nobody uses make room: a client could have one
/// opened for each of a server's database numbers.
pub(super) const MOST_KINDS: usize = 128;

/// A lane that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// All shared lanes of a worker.
#[derive(Default)]
pub(super) struct SharedLanes {
    by_key: RefCell<HashMap<Key, Vec<Rc<SharedLane>>>>,
    /// By database, which process its backend was when it was last looked at.
    incarnations: RefCell<Vec<Cell<u64>>>,
}

impl SharedLanes {
    /// The lane that a client without outstanding replies should use; `None` if none moves and there can't be another.
    pub(super) fn join(
        &self,
        worker: &Rc<Worker>,
        key: Key,
        database: &Arc<Database>,
        now: Instant,
    ) -> Option<Rc<SharedLane>> {
        let incarnation = worker.door.backend(key.database).incarnation();
        let mut by_key = self.by_key.borrow_mut();
        if !by_key.contains_key(&key) && by_key.len() >= MOST_KINDS {
            retire_one(by_key.values().flatten());
        }
        let lanes = by_key.entry(key).or_default();
        lanes.retain(|lane| {
            let current = Arc::ptr_eq(&lane.target, &database.backend)
                || lane.target.is_same_server(&database.backend);
            if !current {
                lane.retire();
            }
            current && !lane.is_over(now)
        });
        if let Some(lane) = lanes.iter().find(|lane| lane.is_joinable(now, incarnation)) {
            return Some(Rc::clone(lane));
        }
        if lanes.iter().filter(|lane| lane.is_open()).count() >= MOST_OF_A_KIND {
            return None;
        }
        let lane = SharedLane::begin(worker, key, database);
        lanes.push(Rc::clone(&lane));
        Some(lane)
    }

    /// A lane that stands still, for when no other can be had.
    pub(super) fn standing(&self, key: Key, incarnation: u64) -> Option<Rc<SharedLane>> {
        let by_key = self.by_key.borrow();
        let mut lanes = by_key.get(&key)?.iter();
        let found = lanes.find(|lane| lane.is_open() && lane.is_of(incarnation));
        found.cloned()
    }

    /// What is to be done about all lanes from time to time.
    pub(super) fn sweep(&self, worker: &Rc<Worker>, now: Instant) {
        let mut by_key = self.by_key.borrow_mut();
        for (key, lanes) in by_key.iter_mut() {
            let incarnation = worker.door.backend(key.database).incarnation();
            for lane in lanes.iter() {
                lane.sweep(now, incarnation, IDLE);
            }
            lanes.retain(|lane| !lane.is_over(now));
            retire_surplus(lanes, now, incarnation);
        }
        by_key.retain(|_, lanes| !lanes.is_empty());
        drop(by_key);
        self.look_for_replaced(worker);
    }

    /// Wakes all connections when another process is behind some database: those that used the old one have to end.
    fn look_for_replaced(&self, worker: &Rc<Worker>) {
        let mut known = self.incarnations.borrow_mut();
        let current: Vec<u64> = worker.door.incarnations().collect();
        if known.len() != current.len() {
            *known = current.into_iter().map(Cell::new).collect();
            return;
        }
        let mut changed = false;
        for (known, current) in known.iter().zip(current) {
            changed |= known.replace(current) != current;
        }
        if changed {
            drop(tokio::task::spawn_local(
                Rc::clone(&worker.seats).wake_all(),
            ));
        }
    }
}

/// Another lane is made where one stands still. When both move again one of them is given up: what travels together costs less.
fn retire_surplus(lanes: &[Rc<SharedLane>], now: Instant, incarnation: u64) {
    let moving = |lane: &&Rc<SharedLane>| lane.is_open() && lane.is_joinable(now, incarnation);
    if let Some(surplus) = lanes.iter().filter(moving).skip(1).last() {
        surplus.retire();
    }
}

/// Retires the lane that nobody has used for longest, if there is one that nobody uses.
fn retire_one<'a>(lanes: impl Iterator<Item = &'a Rc<SharedLane>>) {
    let unused = lanes.filter_map(|lane| Some((lane.idle_since()?, lane)));
    if let Some((_, lane)) = unused.min_by_key(|(since, _)| *since) {
        lane.retire();
    }
}
