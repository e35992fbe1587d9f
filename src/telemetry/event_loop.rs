//! What one worker counts of its own loop: the steps of handshakes, who gave way, its rests, and that it still comes round.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::tally::Tally;

/// The counters of one worker's loop.
#[derive(Debug)]
pub struct EventLoop {
    steps: Tally,
    turns: Tally,
    waits: Tally,
    gave_way: Tally,
    rests: Tally,
    born: Instant,
    /// Milliseconds from `born` to the last heartbeat.
    heartbeat: AtomicU64,
}

impl Default for EventLoop {
    fn default() -> Self {
        Self {
            steps: Tally::default(),
            turns: Tally::default(),
            waits: Tally::default(),
            gave_way: Tally::default(),
            rests: Tally::default(),
            born: Instant::now(),
            heartbeat: AtomicU64::new(0),
        }
    }
}

impl EventLoop {
    /// Counts one call into TLS with a newcomer's bytes.
    pub fn step(&self) {
        self.steps.add(1);
    }

    /// Counts a newcomer whose bytes have to wait for a step.
    pub fn step_waits(&self) {
        self.waits.add(1);
    }

    /// Counts a turn of the loop in which a step was taken.
    pub fn stepped_in_turn(&self) {
        self.turns.add(1);
    }

    /// Counts a piece of a large value or a long pipeline that was left for later, so that another has its answer.
    pub fn gave_way(&self) {
        self.gave_way.add(1);
    }

    /// Counts a rest in which requests on a shared connection wait for more of them.
    pub fn rested(&self) {
        self.rests.add(1);
    }

    /// Steps, turns in which one was taken, steps that had to wait, pieces of large values and long pipelines that were left for later, and
    /// rests.
    pub fn counts(&self) -> [u64; 5] {
        [
            &self.steps,
            &self.turns,
            &self.waits,
            &self.gave_way,
            &self.rests,
        ]
        .map(Tally::value)
    }

    /// The worker has come round, at `now`.
    pub fn beat(&self, now: Instant) {
        let since = now.saturating_duration_since(self.born).as_millis();
        self.heartbeat
            .store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// How long ago the worker came round. One that has never done counts from when it was to start.
    pub fn silence(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.heartbeat.load(Relaxed));
        now.saturating_duration_since(self.born)
            .saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_never_came_round_is_as_silent_as_it_is_old() {
        let event_loop = EventLoop::default();
        let start = event_loop.born;
        let second = Duration::from_secs(1);
        assert_eq!(event_loop.silence(start + 7 * second), 7 * second);
        event_loop.beat(start + 8 * second);
        assert_eq!(event_loop.silence(start + 8 * second), Duration::ZERO);
        assert_eq!(event_loop.silence(start + 10 * second), 2 * second);
    }
}
