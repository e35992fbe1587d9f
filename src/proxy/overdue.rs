//! Requests whose time is over. Whether the backend carries them out nobody knows, so nothing of the client's may overtake them: it
//! is told, and stays where its late replies will come, which are dropped.
//!
//! A client whose state at the backend hangs on such a reply can't go on, and one whose own lane stands still altogether neither.

use std::time::Instant;

use super::connection::{Connection, Phase};
use super::place::Place;
use crate::telemetry::CloseReason;

/// What stands for the reply.
const TEXT: &str = "ERR backend timeout";

impl Connection {
    /// The oldest request that the client waits for is overdue, or its own lane has stood still for too long.
    pub(super) fn on_overdue(&mut self, now: Instant) {
        let between = matches!(self.phase, Phase::Requests | Phase::ReadingAway);
        let is_dead = self.late_deadline().is_some_and(|deadline| now >= deadline);
        let mut told = 0;
        if between && !is_dead {
            let allowed = self.database.limits.request_timeout;
            let answered = self
                .session
                .answer_overdue(TEXT, allowed, now, &mut self.out);
            told = match answered {
                Ok(told @ 1..) => return self.count(told),
                Ok(told) | Err(told) => told,
            };
        }
        self.count(told + usize::from(!self.session.is_answered()));
        self.session.give_up(TEXT, &mut self.out);
        self.given_up = true;
        self.phase = Phase::Ending(CloseReason::BackendTimeout);
        self.way.lane.close();
    }

    /// When its own lane has stood still for so long although replies are late that none is expected any more. A lane that others use
    /// sees to that itself.
    pub(super) fn late_deadline(&self) -> Option<Instant> {
        if let Place::Shared(_) = self.way.place {
            return None;
        }
        let since = self.session.late_since()?;
        Some(since + 2 * self.database.limits.request_timeout)
    }

    fn count(&self, requests: usize) {
        if let Some(shard) = self.worker.shard.database(self.database_index) {
            shard.timed_out(requests);
        }
    }
}
