//! On one worker, who moves a large value or a long pipeline gives way to those who wait for an answer.
//!
//! A worker that moves piece after piece never sleeps. A backend on the same machine that was woken on the worker's core can't answer the others
//! then before the kernel takes the core away, which can be milliseconds. So where an answer is awaited, the next piece waits for it.
//! Never reads or writes a socket.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::telemetry::Shard;

/// To a request that was made longer ago nobody gives way: its backend is busy with something else. Who does is woken then, or up to
/// two milliseconds later: the timer's grain is one.
const LONGEST: Duration = Duration::from_millis(1);

/// Who waits for an answer over a shared lane, and who gives way to that. An answer is whatever comes on such a lane.
pub(super) struct RightOfWay {
    /// When the first request since the last answer was made.
    asked: Cell<Option<Instant>>,
    answers: Cell<Answers>,
    waiting: RefCell<Vec<Waker>>,
    /// There is somebody who gives way.
    begun: Notify,
    shard: Arc<Shard>,
}

/// Number of answers so far; after 2^32 it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answers(NonZeroU32);

/// A piece of something large that has been moved, and what the next one gives way to: one answer that there hadn't been then.
#[derive(Debug)]
pub(super) struct Moved {
    then: Answers,
    gave_way: bool,
}

impl RightOfWay {
    /// Nobody waits yet; who gives way is counted in `shard`.
    pub(super) fn new(shard: Arc<Shard>) -> Self {
        Self {
            asked: Cell::new(None),
            answers: Cell::new(Answers(NonZeroU32::MIN)),
            waiting: RefCell::default(),
            begun: Notify::new(),
            shard,
        }
    }

    /// Somebody has asked something.
    pub(super) fn asked(&self, now: Instant) {
        if self.asked.get().is_none() {
            self.asked.set(Some(now));
        }
    }

    /// Somebody has an answer: those who gave way go on.
    pub(super) fn answered(&self) {
        self.asked.set(None);
        let Answers(before) = self.answers.get();
        let answers = before.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.answers.set(Answers(answers));
        self.go_on();
    }

    fn go_on(&self) {
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// A piece of something large has been moved, and there is more of it.
    pub(super) fn moved(&self) -> Moved {
        Moved {
            then: self.answers.get(),
            gave_way: false,
        }
    }

    /// Whether the piece behind `moved` is left for later; then `waker` is woken.
    pub(super) fn gives_way(&self, moved: &mut Moved, now: Instant, waker: &Waker) -> bool {
        let long = |asked: Instant| now.saturating_duration_since(asked) > LONGEST;
        if self.answers.get() != moved.then || self.asked.get().is_none_or(long) {
            return false;
        }
        if !std::mem::replace(&mut moved.gave_way, true) {
            self.shard.event_loop().gave_way();
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.begun.notify_one();
        }
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        true
    }
}

/// Has those who give way go on when they have waited for long enough.
pub(super) async fn limit(right_of_way: Rc<RightOfWay>) {
    loop {
        right_of_way.begun.notified().await;
        tokio::time::sleep(LONGEST).await;
        right_of_way.go_on();
    }
}

#[cfg(test)]
mod tests;
