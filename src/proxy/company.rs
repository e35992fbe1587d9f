//! How much one client may have under way on a shared lane where others ask too: twice as much as all of them together, so that a
//! long pipeline waits for itself and not the others for it, while two of them let each other grow. No I/O, no lane is touched.

use std::time::{Duration, Instant};

use super::gathering::ClientNumber;

/// Who has asked within this time is there.
const PRESENT: Duration = Duration::from_millis(100);

/// So many requests each client may have under way, however few the others have: what a backend does in less than a tenth of a
/// millisecond, and enough to be worth a write.
pub(super) const ALWAYS: usize = 16;

/// A client of whose requests so many bytes wait has a long pipeline. Who has less waiting will soon be done, and may have left by then.
pub(super) const LONG: usize = 4 * 1024;

/// What a lane knows of whether its clients are alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Company {
    last: ClientNumber,
    /// When one asked who isn't the one who had asked before.
    changed: Option<Instant>,
}

impl Company {
    /// Nobody has asked yet.
    pub(super) const NONE: Self = Self {
        last: ClientNumber::FIRST,
        changed: None,
    };

    /// A client asks for something.
    #[inline(always)]
    pub(super) fn asked(&mut self, client: ClientNumber, now: Instant) {
        if self.last != client {
            *self = Self {
                last: client,
                changed: Some(now),
            };
        }
    }

    /// Most requests that a client may have under way, of which the lane owes it `own` and all together `owed`; `None` while nobody else
    /// is there.
    pub(super) fn most(&self, own: usize, owed: usize, now: Instant) -> Option<usize> {
        let changed = self.changed?;
        let alone = now.saturating_duration_since(changed) > PRESENT;
        (!alone).then(|| ALWAYS.max(2 * owed.saturating_sub(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::gathering::Resting;

    fn two() -> [ClientNumber; 2] {
        let worker = Resting::default();
        [worker.next_number(), worker.next_number()]
    }

    /// Both of two clients have asked.
    fn both(now: Instant) -> (Company, [ClientNumber; 2]) {
        let (mut company, clients) = (Company::NONE, two());
        clients
            .iter()
            .for_each(|client| company.asked(*client, now));
        (company, clients)
    }

    #[test]
    fn who_is_alone_is_not_bounded() {
        let now = Instant::now();
        for client in two() {
            let mut company = Company::NONE;
            assert_eq!(company.most(0, 0, now), None);
            company.asked(client, now);
            company.asked(client, now + PRESENT);
            let later = now + 2 * PRESENT;
            company.asked(client, later);
            assert_eq!(company.most(128, 128, later), None, "{client:?}");
        }
    }

    #[test]
    fn beside_others_a_client_has_twice_as_much_under_way_as_they_have() {
        let now = Instant::now();
        let (company, _) = both(now);
        assert_eq!(company.most(0, 0, now), Some(ALWAYS));
        assert_eq!(company.most(16, 17, now), Some(ALWAYS));
        assert_eq!(company.most(20, 80, now), Some(120));
        let elsewhere = company.most(80, 20, now);
        assert_eq!(elsewhere, Some(ALWAYS), "not all of it is this lane's");
    }

    #[test]
    fn two_with_long_pipelines_let_each_other_have_all_that_one_may() {
        let now = Instant::now();
        let (company, _) = both(now);
        let (mut one, mut other) = (0, 0);
        for _ in 0..10 {
            one = company.most(one, one + other, now).unwrap().min(128);
            other = company.most(other, one + other, now).unwrap().min(128);
        }
        assert_eq!((one, other), (128, 128));
    }

    #[test]
    fn who_has_not_asked_for_a_while_has_gone() {
        let now = Instant::now();
        let (mut company, [first, second]) = both(now);
        let last = now + PRESENT;
        company.asked(second, last);
        assert_eq!(company.most(16, 16, last), Some(ALWAYS));
        assert_eq!(company.most(16, 16, last + Duration::from_millis(1)), None);
        company.asked(first, last + PRESENT);
        assert_eq!(company.most(16, 16, last + PRESENT), Some(ALWAYS));
    }
}
