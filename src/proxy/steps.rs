//! How much of a worker's time its handshakes have: one step a turn of its loop, and established clients have the rest.
//!
//! A step is one call into TLS with bytes that have arrived: it may cost as much as a hundred commands. A newcomer asks for its
//! step when its bytes are there, and the step is over when the call returns, so nobody holds one while a peer is awaited.
//! Never reads or writes a socket.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::telemetry::Shard;

/// Whose step is next, on one worker. First come, first served.
pub(super) struct Steps {
    queue: RefCell<Queue>,
    shard: Arc<Shard>,
}

#[derive(Default)]
struct Queue {
    /// Whether this turn's step has been taken.
    taken: bool,
    next_number: u64,
    /// In ascending order of their numbers.
    waiting: VecDeque<Waiting>,
    /// Has the worker's own future polled at the next turn.
    turn: Option<Waker>,
}

struct Waiting {
    number: u64,
    waker: Waker,
    /// Whether it has been woken and hasn't come yet: where the run queue is longer than a turn, several are on their way.
    called: bool,
}

/// One newcomer's place in the queue, once it has to wait; given back when dropped.
pub(super) struct Place {
    steps: Rc<Steps>,
    number: Cell<Option<u64>>,
}

impl Steps {
    /// A gate that is open, which counts in `shard`.
    pub(super) fn new(shard: Arc<Shard>) -> Self {
        Self {
            queue: RefCell::default(),
            shard,
        }
    }

    /// Whether somebody waits for a step.
    pub(super) fn is_wanted(&self) -> bool {
        !self.queue.borrow().waiting.is_empty()
    }

    /// Renews the step at each turn of the loop, for ever.
    ///
    /// Must be part of the future that the worker's runtime blocks on: that one is polled once a turn and no oftener, after the
    /// driver and before the tasks. Source: tokio 1.54, `CoreGuard::block_on` of the current-thread scheduler.
    pub(super) async fn renew_each_turn(&self) -> Infallible {
        std::future::poll_fn(|context| {
            self.on_turn(context.waker());
            Poll::Pending
        })
        .await
    }

    fn on_turn(&self, turn: &Waker) {
        let mut queue = self.queue.borrow_mut();
        if std::mem::take(&mut queue.taken) {
            self.shard.event_loop().stepped_in_turn();
        }
        queue.turn = Some(turn.clone());
        // There is more to do at the next turn as well, and the loop must not rest before.
        queue.come_round_if(!queue.waiting.is_empty());
        let next = queue.waiting.iter_mut().find(|waiting| !waiting.called);
        let next = next.map(|waiting| {
            waiting.called = true;
            waiting.waker.clone()
        });
        drop(queue);
        next.iter().for_each(Waker::wake_by_ref);
    }
}

impl Queue {
    fn come_round_if(&self, needed: bool) {
        if needed {
            self.turn.iter().for_each(Waker::wake_by_ref);
        }
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.waiting
            .binary_search_by_key(&number, |waiting| waiting.number)
            .ok()
    }
}

impl Place {
    /// A newcomer that has not asked yet.
    pub(super) fn new(steps: &Rc<Steps>) -> Self {
        Self {
            steps: Rc::clone(steps),
            number: Cell::new(None),
        }
    }

    /// Takes this turn's step, or waits for one. Who waits asks again whenever it is polled, or is dropped.
    pub(super) fn poll_step(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.steps.queue.borrow_mut();
        let first = queue.waiting.front().map(|waiting| waiting.number);
        let poll = if !queue.taken && (first.is_none() || first == self.number.get()) {
            queue.taken = true;
            queue.waiting.pop_front();
            self.number.set(None);
            self.steps.shard.event_loop().step();
            Poll::Ready(())
        } else {
            self.wait(&mut queue, context.waker());
            Poll::Pending
        };
        queue.come_round_if(true);
        poll
    }

    fn wait(&self, queue: &mut Queue, waker: &Waker) {
        let known = self.number.get().and_then(|number| queue.position(number));
        if let Some(waiting) = known.and_then(|position| queue.waiting.get_mut(position)) {
            waiting.waker.clone_from(waker);
            waiting.called = false;
            return;
        }
        let number = queue.next_number;
        queue.next_number += 1;
        self.number.set(Some(number));
        queue.waiting.push_back(Waiting {
            number,
            waker: waker.clone(),
            called: false,
        });
        self.steps.shard.event_loop().step_waits();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(number) = self.number.get() else {
            return;
        };
        let mut queue = self.steps.queue.borrow_mut();
        if let Some(position) = queue.position(number) {
            queue.waiting.remove(position);
        }
        // It may have been the one that was called.
        queue.come_round_if(!queue.waiting.is_empty());
    }
}

#[cfg(test)]
mod tests;
