//! Whether one client alone asks on a shared connection: then its long pipeline keeps nobody waiting. Pure.

use std::time::{Duration, Instant};

/// So long after two have asked in turns a connection counts as used by several: who asks now and then is among them.
const SEVERAL: Duration = Duration::from_millis(100);

/// Who has asked of late. `O` tells one client from another.
#[derive(Debug)]
pub(super) struct Askers<O> {
    last: Option<O>,
    /// When somebody else asked than the one before.
    changed: Option<Instant>,
}

impl<O: Clone + PartialEq> Askers<O> {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            changed: None,
        }
    }

    /// `by` has asked.
    #[inline]
    pub(super) fn asked(&mut self, by: &O, now: Instant) {
        if self.last.as_ref() == Some(by) {
            return;
        }
        if self.last.replace(by.clone()).is_some() {
            self.changed = Some(now);
        }
    }

    /// Whether nobody but one client has asked of late.
    pub(super) fn are_one(&self, now: Instant) -> bool {
        self.changed
            .is_none_or(|changed| now.saturating_duration_since(changed) > SEVERAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_alone_until_another_asks_and_again_when_that_was_a_while_ago() {
        let (mut askers, now) = (Askers::new(), Instant::now());
        assert!(askers.are_one(now));
        (0..3).for_each(|_| askers.asked(&1, now));
        assert!(askers.are_one(now));
        askers.asked(&2, now);
        assert!(!askers.are_one(now + SEVERAL));
        askers.asked(&1, now + SEVERAL);
        let later = now + SEVERAL + SEVERAL;
        assert!(!askers.are_one(later));
        askers.asked(&1, later);
        assert!(askers.are_one(later + Duration::from_millis(1)));
    }
}
