//! A latency histogram that one worker writes and a scrape reads.

use std::time::Duration;

use super::tally::Tally;

/// Upper bounds of the buckets in microseconds: from 50 us to 10 s, about three a decade.
pub const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// Counts of durations by bucket, with their sum.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Tally; BOUNDS_MICROS.len() + 1],
    sum_micros: Tally,
}

/// A histogram's figures at one moment; adds up over workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Count in each bucket, not cumulative; the last one is above all bounds.
    pub buckets: [u64; BOUNDS_MICROS.len() + 1],
    /// Sum of all durations in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Counts a duration, `times` over.
    pub fn observe(&self, duration: Duration, times: u64) {
        let seconds = duration.as_secs().saturating_mul(1_000_000);
        let micros = seconds.saturating_add(u64::from(duration.subsec_micros()));
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].add(times);
        self.sum_micros.add(micros.saturating_mul(times));
    }

    /// Adds this histogram's figures to `reading`.
    pub fn add_to(&self, reading: &mut Reading) {
        for (total, bucket) in reading.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.value();
        }
        reading.sum_micros += self.sum_micros.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_is_not_below_it() {
        let histogram = Histogram::default();
        for micros in [0, 50, 51, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(micros), 1);
        }
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        assert_eq!((reading.buckets[0], reading.buckets[1]), (2, 1));
        assert_eq!((reading.buckets[16], reading.buckets[17]), (1, 1));
        assert_eq!(reading.sum_micros, 20_000_102);
        histogram.observe(Duration::from_micros(60), 3);
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        assert_eq!((reading.buckets[1], reading.sum_micros), (4, 20_000_282));
    }
}
