//! Durations, and their percentiles.

use std::time::Duration;

/// Durations that were measured.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `p50_us=... p99_us=... p999_us=... max_us=...`; nothing where there is no sample.
    pub(crate) fn summary(&mut self) -> String {
        self.0.sort_unstable();
        [("p50", 500), ("p99", 990), ("p999", 999), ("max", 1000)]
            .into_iter()
            .filter_map(|(name, permille)| {
                let sample = self.at(permille)?;
                Some(format!(" {name}_us={:.1}", sample.as_secs_f64() * 1e6))
            })
            .collect()
    }

    /// The sample below which `permille` of a thousand lie; the samples are sorted.
    pub(crate) fn at(&self, permille: usize) -> Option<Duration> {
        let last = self.0.len().checked_sub(1)?;
        self.0
            .get((self.0.len() * permille / 1000).min(last))
            .copied()
    }
}
