//! Replies from a shared lane: they go from the lane's read buffer straight to the client's socket, in the lane's own turn.
//!
//! The client's task isn't woken for them, unless it has something to do because of them.

use std::time::Instant;

use super::connection::{Connection, End, Phase};
use crate::lane::{Large, Piece, Taken};
use crate::session::{LARGE, Route};
use crate::snapshot::LostReplies;
use crate::telemetry::CloseReason;

/// What stands for a reply that is lost with its lane.
const LOST: &str = "ERR backend connection was lost";

impl Connection {
    /// Takes what a shared lane has got for the client.
    pub(super) fn take_replies(&mut self, piece: &Piece<'_>, now: Instant) -> Taken {
        if self.ended.is_some() || self.given_up {
            return Taken::All;
        }
        let taken = self
            .deliver_piece(piece, now)
            .unwrap_or_else(|End(reason)| {
                self.ended = Some(reason);
                Taken::All
            });
        if self.has_something_to_do() {
            self.way.waker.wake_by_ref();
        }
        taken
    }

    fn deliver_piece(&mut self, piece: &Piece<'_>, now: Instant) -> Result<Taken, End> {
        let mut alike = Alike::default();
        let taken = self.deliver_replies(piece, &mut alike, now);
        self.count_latency(&alike, now);
        taken
    }

    fn deliver_replies(
        &mut self,
        piece: &Piece<'_>,
        alike: &mut Alike,
        now: Instant,
    ) -> Result<Taken, End> {
        match self.session.outstanding() {
            (_, 0) if self.out.is_empty() && self.session.shared_route() == Route::Client => {
                for len in piece.lens() {
                    self.end_reply(len, alike, now)?;
                }
                let taken = self.begin_reply(piece, now);
                let bytes = match taken {
                    Taken::All => piece.bytes,
                    Taken::ButRest => piece.ended(),
                };
                self.send_now(bytes, now)?;
                Ok(taken)
            }
            // Answers of Redwall's own stand between them, or some come too late.
            _ => {
                let mut at = 0;
                for len in piece.lens() {
                    if self.session.shared_route() == Route::Client {
                        self.out.extend_from_slice(&piece.bytes[at..at + len]);
                    }
                    self.end_reply(len, alike, now)?;
                    at += len;
                }
                let route = self.session.shared_route();
                let taken = self.begin_reply(piece, now);
                if taken == Taken::All && route == Route::Client {
                    self.out.extend_from_slice(piece.rest());
                }
                let out = std::mem::take(&mut self.out);
                self.send_now(&out, now)?;
                Ok(taken)
            }
        }
    }

    /// The last `len` bytes of a reply have come.
    #[inline(always)]
    fn end_reply(&mut self, len: usize, alike: &mut Alike, now: Instant) -> Result<(), End> {
        let since = self.session.on_shared_end(now, &mut self.out);
        let since = since.map_err(|fault| {
            tracing::error!(database = %self.database.name, %fault, "replies could not be paired");
            End(CloseReason::Backend)
        })?;
        if alike.since != Some(since) {
            self.count_latency(alike, now);
            *alike = Alike {
                since: Some(since),
                replies: 0,
            };
        }
        alike.replies += 1;
        let whole = self.coming_in + len as u64;
        self.coming_in = 0;
        self.way.stay.replied(whole);
        if whole > LARGE as u64 {
            self.way.stay.had_large_reply(now);
        }
        Ok(())
    }

    /// Counts how long replies have taken.
    fn count_latency(&self, alike: &Alike, now: Instant) {
        if let Some(since) = alike.since
            && let Some(shard) = self.worker.shard.database(self.database_index)
        {
            shard.latency(now.saturating_duration_since(since), alike.replies);
        }
    }

    /// Something may have come of a reply that goes on.
    fn begin_reply(&mut self, piece: &Piece<'_>, now: Instant) -> Taken {
        let len = piece.rest().len();
        if len == 0 {
            return Taken::All;
        }
        if let Some(large) = &piece.large
            && self.asks_again(large, now)
        {
            return Taken::ButRest;
        }
        self.coming_in += len as u64;
        self.session.on_shared_beginning(now);
        Taken::All
    }

    /// What can neither be held for the client, nor kept from those who wait behind it until the client has taken it, it asks for again
    /// on its own lane, which is read at its pace: if nobody can tell that it was asked twice. To everything else the request is as if
    /// it had just come: it is judged by the policy of that moment.
    fn asks_again(&mut self, large: &Large<'_>, now: Instant) -> bool {
        // Encrypted it is longer.
        let most = large.least_len + large.least_len / 64 + self.coming() as u64;
        let may_be_held = most <= self.database.limits.hard_output as u64;
        let between_requests = matches!(self.phase, Phase::Requests) && !self.client_has_left;
        if may_be_held || !between_requests || !self.session.take_back() {
            return false;
        }
        let front = self.consumed..self.consumed;
        drop(self.input.splice(front, large.request.iter().copied()));
        self.scanner.rewind();
        self.waiting = None;
        self.way.stay.had_large_reply(now);
        tracing::debug!(
            database = %self.database.name, peer = %self.peer, bytes = large.least_len,
            "asked again for a reply that can't be held in front of others"
        );
        true
    }

    /// Writes to the client what its socket takes, and holds the rest.
    pub(super) fn send_now(&mut self, bytes: &[u8], now: Instant) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(shard) = self.worker.shard.database(self.database_index) {
            shard.sent(bytes.len());
        }
        let before = self.client.unsent();
        let sent = self
            .client
            .send_now(bytes, &mut self.worker.seal_scratch.borrow_mut());
        sent.map_err(|_| End(CloseReason::Transport))?;
        if before == 0 {
            self.output_moved = now;
        }
        if self.client.unsent() > 0 {
            self.weigh();
            if self.coming() > self.database.limits.hard_output {
                return Err(End(CloseReason::Overflow));
            }
        }
        Ok(())
    }

    /// Whether the client's task must look: output that waits for the socket, input that waited for replies, an end.
    fn has_something_to_do(&self) -> bool {
        self.client.unsent() > 0
            || self.consumed < self.input.len()
            || !matches!(self.phase, Phase::Requests)
            || self.client_has_left
            || self.ended.is_some()
            || self.worker.is_draining()
    }

    /// Whether its lane may be read although the next reply there is this client's; if not it wakes the lane later.
    pub(super) fn hold_up_its_lane(&mut self) -> HeldUp {
        let held_up = if self.ended.is_some() {
            HeldUp::No
        } else if !self.charge.has_room(&self.way.waker) {
            HeldUp::ByAll
        } else if self.to_be_taken() > self.database.limits.soft_output {
            HeldUp::ByOne
        } else {
            HeldUp::No
        };
        self.holds_up = held_up != HeldUp::No;
        held_up
    }

    /// The lane is gone on which the client had replies coming: it is closed, as it would be by a server, unless an error is wanted.
    pub(super) fn lose_replies(&mut self, loss: Loss) {
        if loss == Loss::OfAll || !self.answer_lost() {
            self.ended = Some(CloseReason::Backend);
        }
        self.way.waker.wake_by_ref();
    }

    /// Has an error stand for each reply that is lost with a lane, where that is wanted and the client can go on.
    pub(super) fn answer_lost(&mut self) -> bool {
        let wanted = self.database.lost_replies == LostReplies::Error;
        let between = matches!(self.phase, Phase::Requests | Phase::ReadingAway);
        wanted && between && self.session.answer_lost(LOST, &mut self.out)
    }
}

/// Replies in a row that were asked for at the same moment, and have come at the same: they are counted at once.
#[derive(Default)]
struct Alike {
    since: Option<Instant>,
    replies: u64,
}

/// What is lost with a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The replies that it owed.
    OfReplies,
    /// The backend as its clients knew it, or the certainty whose its replies were.
    OfAll,
}

/// Why a lane isn't read for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldUp {
    /// It may be read.
    No,
    /// The client has so much coming.
    ByOne,
    /// All clients together hold too much.
    ByAll,
}
