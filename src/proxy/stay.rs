//! How long a client stays on a lane that it needed, and how much it may have under way on a shared one. No I/O, no lane is touched.

use std::time::{Duration, Instant};

use crate::session::Trace;

/// How long a client stays on a lane that it no longer needs.
pub(super) const STAY: Duration = Duration::from_millis(100);

/// After so long it leaves even while it goes on asking.
pub(super) const STAY_AT_MOST: Duration = Duration::from_secs(1);

/// How long a client that was sent a large reply has a lane for itself.
const LARGE_STAY: Duration = Duration::from_secs(2);

/// Requests of one client that may be under way on a shared lane at first, when nothing is known of its replies.
const FIRST_WINDOW: u32 = 32;

/// And at most: each reply that comes allows one more, and large ones allow fewer.
const MOST_WINDOW: u32 = 128;

/// Bytes of replies that one client may have coming from a shared lane, judged by the largest of its last replies.
const MOST_EXPECTED: u64 = 4 * 1024 * 1024;

/// Why a client is where it is, and how much it may have under way there.
pub(super) struct Stay {
    /// What its own lane has carried.
    pub(super) trace: Trace,
    /// Until when it keeps its own lane, or the one for bulk.
    pub(super) own_until: Option<Instant>,
    pub(super) bulk_until: Option<Instant>,
    window: u32,
    /// The largest of its last replies, in bytes; forgotten by and by.
    pub(super) reply: u64,
}

impl Default for Stay {
    fn default() -> Self {
        Self {
            trace: Trace::None,
            own_until: None,
            bulk_until: None,
            window: FIRST_WINDOW,
            reply: 0,
        }
    }
}

impl Stay {
    /// Most requests that may be under way on a shared lane.
    pub(super) fn window(&self) -> usize {
        let window = u64::from(self.window);
        if self.reply.saturating_mul(window) <= MOST_EXPECTED {
            return self.window as usize;
        }
        (MOST_EXPECTED / self.reply).clamp(1, window) as usize
    }

    /// A whole reply of `len` bytes has come.
    pub(super) fn replied(&mut self, len: u64) {
        self.reply = len.max(self.reply - self.reply / 8);
        self.window = MOST_WINDOW.min(self.window + 1);
    }

    /// A large reply has come: the next one is better read at its client's pace.
    pub(super) fn had_large_reply(&mut self, now: Instant) {
        self.own_until = Some(now + LARGE_STAY);
    }
}
