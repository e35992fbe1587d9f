//! How fast connections to a backend may be opened: a bucket of tokens for all workers together, and the queue before it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::sleep;

/// A bucket that fills by so many tokens a second; each connection takes one. It holds a tenth of a second's tokens, at
/// least one: after a pause connections may come at once, but never many more in a second than are allowed.
///
/// No clock: time is a parameter. The rate is one too, because a reload may change it.
#[derive(Debug, Default)]
pub struct Pace {
    /// When the bucket will be full again, if nothing is taken; `None` before the first.
    full_at: Option<Instant>,
}

impl Pace {
    /// Takes a token.
    ///
    /// # Errors
    /// How long to wait for the next one, if there is none.
    pub fn take(&mut self, now: Instant, per_second: u32) -> Result<(), Duration> {
        let per_second = per_second.max(1);
        // Rounded up, so that the limit is never exceeded.
        let interval = Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(per_second)));
        let held = (per_second / 10).max(1);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let missing = full_at.saturating_duration_since(now);
        let wait = missing.saturating_sub(interval * (held - 1));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = Some(full_at + interval);
        Ok(())
    }
}

/// Lets connections through at a backend's pace, in the order in which they came. One that gives up leaves the queue and
/// takes nothing.
#[derive(Debug)]
pub(super) struct Gate {
    /// Its one permit is the first place in the queue.
    queue: Semaphore,
    pace: Mutex<Pace>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            queue: Semaphore::new(1),
            pace: Mutex::default(),
        }
    }
}

impl Gate {
    /// Waits for this connection's turn; for how long is for the caller to bound.
    pub(super) async fn pass(&self, per_second: u32) {
        // It is never closed.
        let _first = self.queue.acquire().await;
        while let Err(wait) = self.take(per_second) {
            sleep(wait).await;
        }
    }

    fn take(&self, per_second: u32) -> Result<(), Duration> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.take(Instant::now(), per_second)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What a bucket answers when it is asked at these milliseconds.
    fn answers(per_second: u32, asked: &[u64]) -> Vec<Result<(), u64>> {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let ask = |at: &u64| {
            let taken = pace.take(start + Duration::from_millis(*at), per_second);
            taken.map_err(|wait| u64::try_from(wait.as_millis()).unwrap())
        };
        asked.iter().map(ask).collect()
    }

    #[test]
    fn tokens_come_at_the_rate_and_only_a_tenth_of_a_second_of_them_is_kept() {
        type Case = (
            &'static str,
            u32,
            &'static [u64],
            &'static [Result<(), u64>],
        );
        let cases: [Case; 6] = [
            ("the first is free", 1, &[0], &[Ok(())]),
            (
                "a slow one keeps one token only, however long nobody came",
                5,
                &[0, 0, 199, 200, 10_000, 10_000],
                &[Ok(()), Err(200), Err(1), Ok(()), Ok(()), Err(200)],
            ),
            (
                "who is refused takes nothing",
                4,
                &[0, 1, 2, 3, 250],
                &[Ok(()), Err(249), Err(248), Err(247), Ok(())],
            ),
            (
                "a fast one keeps a tenth of a second",
                30,
                &[0, 0, 0, 0, 34, 34],
                &[Ok(()), Ok(()), Ok(()), Err(33), Ok(()), Err(32)],
            ),
            (
                "and no more after a pause",
                30,
                &[0, 9_000, 9_000, 9_000, 9_000],
                &[Ok(()), Ok(()), Ok(()), Ok(()), Err(33)],
            ),
            (
                "no rate at all is one a second",
                0,
                &[0, 0],
                &[Ok(()), Err(1000)],
            ),
        ];
        for (name, per_second, asked, wanted) in cases {
            assert_eq!(answers(per_second, asked), wanted, "{name}");
        }
    }

    #[test]
    fn no_second_ever_sees_more_than_the_limit_and_what_is_kept() {
        let start = Instant::now();
        for per_second in [1, 3, 7, 19, 20, 333, 2_000] {
            let mut pace = Pace::default();
            // Asked a thousand times a second, for ten seconds, with a pause in between.
            let asked = (0..4_000).chain(7_000..10_000);
            let taken: Vec<u64> = asked
                .flat_map(|at| [at; 4])
                .filter(|at| {
                    pace.take(start + Duration::from_millis(*at), per_second)
                        .is_ok()
                })
                .collect();
            let most = u64::from(per_second + (per_second / 10).max(1));
            for from in (0..9_000).step_by(50) {
                let window = taken.iter().filter(|at| (from..from + 1_000).contains(*at));
                assert!(window.count() as u64 <= most, "{per_second} from {from}");
            }
            assert!(
                taken.len() as u64 >= 6 * u64::from(per_second),
                "{per_second}"
            );
        }
    }

    #[test]
    fn a_new_rate_holds_after_no_more_than_one_old_interval() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        assert_eq!(pace.take(start, 1), Ok(()));
        assert_eq!(pace.take(start, 2_000), Err(Duration::from_micros(900_500)));
        assert_eq!(pace.take(start + Duration::from_secs(1), 2_000), Ok(()));
    }

    #[tokio::test]
    async fn who_came_first_goes_first_and_who_gives_up_costs_nobody_a_turn() {
        let (gate, start) = (Arc::new(Gate::default()), Instant::now());
        let (sender, mut passed) = tokio::sync::mpsc::unbounded_channel();
        let come = |number| {
            let (gate, sender) = (Arc::clone(&gate), sender.clone());
            tokio::spawn(async move {
                gate.pass(19).await;
                sender.send(number).unwrap();
            })
        };
        let come: Vec<_> = (0..5).map(come).collect();
        drop(sender);
        assert_eq!(passed.recv().await, Some(0));
        // One at the head of the queue, and one within it.
        come[1].abort();
        come[3].abort();
        let mut order = Vec::new();
        while let Some(number) = passed.recv().await {
            order.push(number);
        }
        assert_eq!(order, [2, 4]);
        assert!(start.elapsed() >= Duration::from_secs(1) * 2 / 19);
    }
}
