//! When something of a connection is over, by the clock. What comes of it is decided where it is looked at.

use std::time::Instant;

use super::connection::{Connection, Phase};

impl Connection {
    pub(super) fn upload_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Streaming(upload) => Some(upload.deadline(self.database.limits.upload_timeout)),
            Phase::Requests | Phase::ReadingAway | Phase::Ending(_) => None,
        }
    }

    pub(super) fn reply_deadline(&self) -> Option<Instant> {
        if !self.way.has_lane() || self.is_backend_excused() {
            return None;
        }
        let allowed = self.database.limits.request_timeout;
        let reply = self.session.reply_deadline(allowed);
        reply.into_iter().chain(self.late_deadline()).min()
    }

    /// Whether the backend can't have answered: its replies aren't read, or it waits for the rest of the only request.
    pub(super) fn is_backend_excused(&self) -> bool {
        let streaming = matches!(self.phase, Phase::Streaming(_));
        self.has_enough_coming() || (streaming && self.session.outstanding().0 == 1)
    }

    pub(super) fn output_deadline(&self) -> Option<Instant> {
        (self.client.unsent() > 0).then(|| self.output_moved + self.database.limits.output_timeout)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [
            self.login_deadline,
            self.reply_deadline(),
            self.output_deadline(),
            self.upload_deadline(),
            self.way.own_lane_deadline(&self.session),
            self.quiet,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
