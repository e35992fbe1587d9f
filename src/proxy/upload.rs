//! Large values on their way to a backend: their announced bytes are charged to a budget before they are forwarded,
//! because a server sets aside the announced length at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// So many bytes must arrive within the database's `upload_timeout`, and so many again: whoever is slower keeps its share of the
/// budget from others.
const LEAST_PROGRESS: usize = 64 * 1024;

/// A large request's share of its backend's budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Upload {
    in_use: Arc<AtomicU64>,
    most: u64,
    charged: u64,
    /// Bytes that have arrived since then.
    arrived: usize,
    since: Instant,
}

/// The budget has no room for that many more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BudgetExceeded;

impl Upload {
    /// Charges `announced` bytes to a budget of which `in_use` are taken and `most` may be.
    pub(super) fn begin(
        in_use: &Arc<AtomicU64>,
        most: u64,
        announced: u64,
        now: Instant,
    ) -> Result<Self, BudgetExceeded> {
        let mut upload = Self {
            in_use: Arc::clone(in_use),
            most,
            charged: 0,
            arrived: 0,
            since: now,
        };
        upload.grow_to(announced)?;
        Ok(upload)
    }

    /// The request turns out to announce more.
    pub(super) fn grow_to(&mut self, announced: u64) -> Result<(), BudgetExceeded> {
        let more = announced.saturating_sub(self.charged);
        let charge = |taken: u64| taken.checked_add(more).filter(|sum| *sum <= self.most);
        self.in_use
            .fetch_update(Relaxed, Relaxed, charge)
            .map_err(|_| BudgetExceeded)?;
        self.charged += more;
        Ok(())
    }
}

impl Upload {
    /// More of it has arrived.
    pub(super) fn arrived(&mut self, bytes: usize, now: Instant) {
        self.arrived += bytes;
        if self.arrived >= LEAST_PROGRESS {
            self.excuse(now);
        }
    }

    /// Its time begins anew: it isn't the client's fault that nothing arrives.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.arrived = 0;
        self.since = now;
    }

    /// When it is too slow, if no more arrives.
    pub(super) fn deadline(&self, allowed: Duration) -> Instant {
        self.since + allowed
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.in_use.fetch_sub(self.charged, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_a_byte_now_and_then_is_too_slow_and_who_goes_on_is_not() {
        let (start, allowed) = (Instant::now(), Duration::from_secs(10));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut upload = Upload::begin(&Arc::default(), 100, 60, start).unwrap();
        for second in 1..10 {
            upload.arrived(1, at(second));
        }
        assert_eq!(upload.deadline(allowed), at(10));
        upload.arrived(LEAST_PROGRESS, at(9));
        assert_eq!(upload.deadline(allowed), at(19));
        upload.excuse(at(15));
        assert_eq!(upload.deadline(allowed), at(25));
    }

    #[test]
    fn announced_bytes_are_taken_before_they_arrive_and_given_back_at_the_end() {
        let in_use = Arc::new(AtomicU64::new(0));
        let mut first = Upload::begin(&in_use, 100, 60, Instant::now()).unwrap();
        assert_eq!(
            Upload::begin(&in_use, 100, 60, Instant::now()).unwrap_err(),
            BudgetExceeded
        );
        assert_eq!(in_use.load(Relaxed), 60, "a refused upload takes nothing");
        first.grow_to(90).unwrap();
        assert_eq!(first.grow_to(101), Err(BudgetExceeded));
        assert_eq!(in_use.load(Relaxed), 90);
        drop(first);
        assert_eq!(in_use.load(Relaxed), 0);
    }
}
