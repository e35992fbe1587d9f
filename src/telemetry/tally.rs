//! A count that one thread writes and any may read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds up what its one writer adds, without a locked instruction. A second writer would lose counts: what several threads count
/// needs `fetch_add`.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Adds `more`.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// The sum.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
