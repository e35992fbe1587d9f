//! A worker's connections as its clock and its control see them: whom to wake, and when.
//!
//! One sweep ten times a second stands in for a timer per connection, which would have to be set at every command.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use super::door::Ticket;

/// Connections that are woken in one turn when all must be: each may check a signature then, which takes 40 us.
const WAKES_A_TURN: usize = 8;

/// All seats of a worker.
#[derive(Default)]
pub(super) struct Seats {
    entries: RefCell<Vec<Entry>>,
    free: RefCell<Vec<usize>>,
}

#[derive(Default)]
struct Entry {
    waker: Option<Waker>,
    deadline: Option<Instant>,
}

/// One connection's seat; given back when dropped.
pub(super) struct Seat {
    seats: Rc<Seats>,
    index: usize,
    ticket: Ticket,
}

impl Seats {
    /// A seat for the connection that `ticket` admits.
    pub(super) fn take(self: &Rc<Self>, ticket: Ticket) -> Seat {
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut entries = self.entries.borrow_mut();
            entries.push(Entry::default());
            entries.len() - 1
        });
        Seat {
            seats: Rc::clone(self),
            index,
            ticket,
        }
    }

    /// Wakes every connection whose deadline has come.
    pub(super) fn sweep(&self, now: Instant) {
        for entry in self.entries.borrow_mut().iter_mut() {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.deadline = None;
                entry.waker.iter().for_each(Waker::wake_by_ref);
            }
        }
    }

    /// Wakes every connection: something that concerns all has changed. It wakes a few a turn of the worker's loop, because each
    /// has something to judge then, and nobody's command may wait for all of them.
    pub(super) async fn wake_all(self: Rc<Self>) {
        let mut next = 0;
        loop {
            {
                let entries = self.entries.borrow();
                let Some(rest) = entries.get(next..).filter(|rest| !rest.is_empty()) else {
                    return;
                };
                let few = rest.iter().take(WAKES_A_TURN);
                few.flat_map(|entry| &entry.waker)
                    .for_each(Waker::wake_by_ref);
            }
            next += WAKES_A_TURN;
            tokio::task::yield_now().await;
        }
    }
}

impl Seat {
    /// Remembers the task to wake.
    pub(super) fn register(&self, waker: &Waker) {
        if let Some(entry) = self.seats.entries.borrow_mut().get_mut(self.index) {
            entry.waker = Some(waker.clone());
        }
        self.ticket.eviction.register(waker);
    }

    /// Has the connection woken at `deadline`, or soon after; `None` for never.
    pub(super) fn wake_at(&self, deadline: Option<Instant>) {
        if let Some(entry) = self.seats.entries.borrow_mut().get_mut(self.index) {
            entry.deadline = deadline;
        }
    }

    /// Whether another connection needs this one's place.
    pub(super) fn is_evicted(&self) -> bool {
        self.ticket.eviction.is_evicted()
    }

    /// The client has proven who it is.
    pub(super) fn established(&self) {
        self.ticket.established();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(entry) = self.seats.entries.borrow_mut().get_mut(self.index) {
            *entry = Entry::default();
        }
        self.seats.free.borrow_mut().push(self.index);
    }
}
