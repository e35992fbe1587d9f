//! On one worker, who moves a large value gives way to those who wait for an answer.
//!
//! A worker that moves piece after piece never sleeps. A backend that was woken on the worker's core can't answer the others then before the
//! kernel takes the core away, which can be milliseconds. So before the next piece the worker waits for the next answer. Never reads
//! or writes a socket.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::telemetry::Shard;

/// Nobody gives way to one request for longer: its backend is busy with something else.
const LONGEST: Duration = Duration::from_millis(1);

/// Who waits for an answer over a shared lane, and who gives way to that.
pub(super) struct RightOfWay {
    /// When the first request since the last answer was made.
    asked: Cell<Option<Instant>>,
    answers: Cell<Answers>,
    waiting: RefCell<Vec<Waker>>,
    /// There is somebody who gives way.
    begun: Notify,
    shard: Arc<Shard>,
}

/// How many answers there were when a client had moved its piece: it gives way to the next one, and to no more. After 2^32 it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers(NonZeroU32);

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
        let Answers(before) = self.answers();
        let answers = before.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.answers.set(Answers(answers));
        self.go_on();
    }

    fn go_on(&self) {
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// What was answered so far.
    pub(super) fn answers(&self) -> Answers {
        self.answers.get()
    }

    /// Whether a client that has moved a piece of a large value, when there had been so many answers, leaves the next piece for later; then
    /// `waker` is woken. It does if an answer is awaited that there hasn't been since, and not for long.
    pub(super) fn gives_way(&self, then: Answers, now: Instant, waker: &Waker) -> bool {
        let long = |asked: Instant| now.saturating_duration_since(asked) > LONGEST;
        if self.answers() != then || self.asked.get().is_none_or(long) {
            return false;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.begun.notify_one();
        }
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
            self.shard.event_loop().gave_way();
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
