//! Large values on their way to a backend: their announced bytes are charged to a budget before they are forwarded,
//! because a server sets aside the announced length at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A large request's share of its backend's budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Upload {
    in_use: Arc<AtomicU64>,
    most: u64,
    charged: u64,
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
    ) -> Result<Self, BudgetExceeded> {
        let mut upload = Self {
            in_use: Arc::clone(in_use),
            most,
            charged: 0,
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

impl Drop for Upload {
    fn drop(&mut self) {
        self.in_use.fetch_sub(self.charged, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_bytes_are_taken_before_they_arrive_and_given_back_at_the_end() {
        let in_use = Arc::new(AtomicU64::new(0));
        let mut first = Upload::begin(&in_use, 100, 60).unwrap();
        assert_eq!(Upload::begin(&in_use, 100, 60).unwrap_err(), BudgetExceeded);
        assert_eq!(in_use.load(Relaxed), 60, "a refused upload takes nothing");
        first.grow_to(90).unwrap();
        assert_eq!(first.grow_to(101), Err(BudgetExceeded));
        assert_eq!(in_use.load(Relaxed), 90);
        drop(first);
        assert_eq!(in_use.load(Relaxed), 0);
    }
}
