//! The bytes of a connection's loop: from the lane to the client as the session routes them, from the client into the input,
//! and out again. What a request's bytes mean is `requests`' matter.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::connection::{BYTES_A_TURN, Connection, End, Phase};
use super::place::{Place, Site};
use crate::client::{Received, grow_towards};
use crate::resp::Frame;
use crate::session::{LARGE, Route};
use crate::telemetry::{CloseReason, DatabaseShard};

/// Most bytes that are held for a client that isn't logged in: more than the largest request that it may send.
const HELD_BEFORE_LOGIN: usize = 256 * 1024;

/// From so many bytes on, room is made for a request as a whole.
const HELD_WHOLE_FROM: usize = 32 * 1024;

/// Bytes that a large request has beside those that its arguments are announced with, and what its last read has for TLS.
const BESIDE_ARGUMENTS: usize = 4 * 1024;

/// A piece of a reply of so many bytes is encrypted where it was read, and not copied before.
const STRAIGHT_FROM: usize = 4 * 1024;

/// Why a backend's bytes could not be passed on.
enum Undelivered {
    /// Nobody can say whose they are.
    Unpaired(String),
    /// The client can't take them.
    End(End),
}

fn unpaired(fault: impl std::fmt::Display) -> Undelivered {
    Undelivered::Unpaired(fault.to_string())
}

impl Connection {
    /// Reads frames from the lane, unless the client has too much coming already. Returns how many bytes it read.
    pub(super) fn pull_from_lane(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<usize, End> {
        if self.way.lane.is_connecting() {
            // What can't be had is told when it is needed.
            let site = Site {
                worker: &self.worker,
                database: &self.database,
                index: self.database_index,
                now,
            };
            let _ = self.way.own_readiness(&self.session, site, context);
        }
        if self.has_enough_coming() {
            return Ok(0);
        }
        let worker = Rc::clone(&self.worker);
        let mut scratch = worker.lane_scratch.borrow_mut();
        let space = &mut scratch[..BYTES_A_TURN];
        let received = match self.way.lane.poll_receive(context, space) {
            Poll::Pending => return Ok(0),
            Poll::Ready(Ok(received)) => received,
            Poll::Ready(Err(fault)) => {
                drop(scratch);
                return self.on_lane_lost(&fault.to_string()).map(usize::from);
            }
        };
        let delivered = self.deliver(
            &scratch[..received],
            now,
            worker.shard.database(self.database_index),
        );
        drop(scratch);
        match delivered {
            Ok(()) => Ok(received),
            Err(Undelivered::Unpaired(reason)) => Err(self.on_unpaired(&reason)),
            Err(Undelivered::End(end)) => Err(end),
        }
    }

    /// Passes a backend's bytes on as the session routes them.
    fn deliver(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        shard: Option<&DatabaseShard>,
    ) -> Result<(), Undelivered> {
        while !bytes.is_empty() {
            let Some(scanner) = self.way.lane.scanner() else {
                return Ok(());
            };
            let step = scanner.advance(bytes).map_err(unpaired)?;
            let (piece, rest) = bytes.split_at(step.consumed);
            let Some(kind) = step.end.as_ref().or(scanner.current()).map(Frame::kind) else {
                return Ok(());
            };
            if self.session.route(kind, now).map_err(unpaired)? == Route::Client {
                self.pass_on(piece, now)?;
            }
            bytes = rest;
            if let Some(frame) = &step.end {
                let ended = self
                    .session
                    .on_frame(frame, now, &mut self.out)
                    .map_err(unpaired)?;
                if frame.len() > LARGE as u64 {
                    self.way.stay.had_large_reply(now);
                }
                if let (Some(ended), Some(shard)) = (ended, shard) {
                    shard.latency(now.saturating_duration_since(ended.since), 1);
                }
            }
        }
        if self.session.outstanding().0 == 0 {
            self.way.lane.all_answered();
        }
        Ok(())
    }

    /// A piece of a reply goes to the client: a large one at once, straight from where it was read.
    fn pass_on(&mut self, piece: &[u8], now: Instant) -> Result<(), Undelivered> {
        if piece.len() < STRAIGHT_FROM {
            self.out.extend_from_slice(piece);
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.send_now(&out, now).map_err(Undelivered::End)?;
        self.send_now(piece, now).map_err(Undelivered::End)
    }

    /// The lane is gone. A client that misses a reply, or whose state was there, is closed, as it would be by a server, unless an error is
    /// wanted: that makes libraries believe that they had a reply.
    fn on_lane_lost(&mut self, reason: &str) -> Result<bool, End> {
        self.way.lane.close();
        self.way.place = Place::Nowhere;
        let idle = self.session.is_idle() && !matches!(self.phase, Phase::Streaming(_));
        if idle || self.answer_lost() {
            return Ok(true);
        }
        tracing::warn!(database = %self.database.name, reason, "backend connection was lost while in use");
        self.push_last_words();
        Err(End(CloseReason::Backend))
    }

    /// Nobody can say any more which reply is whose: whatever came before may have been another's, so the client goes too.
    fn on_unpaired(&mut self, reason: &str) -> End {
        self.way.lane.close();
        tracing::error!(database = %self.database.name, reason, "replies could not be paired");
        self.push_last_words();
        End(CloseReason::Backend)
    }

    /// Replies that were complete when the lane broke are still the client's.
    fn push_last_words(&mut self) {
        // What can't be sealed or sent now can't be sent at all.
        let _ = self.client.send(&mut self.out);
    }

    /// Reads from the client. It is read also while nothing of it is forwarded, because a client may write its whole
    /// pipeline before it reads, and because its end must be seen while it waits in a blocking command; only when the
    /// backend takes nothing, or the cap is reached, is it left alone.
    pub(super) fn pull_from_client(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let backend_is_full = self.way.lane.unsent() > self.database.limits.soft_output;
        if self.client_has_left || backend_is_full || !self.reads_on() {
            return Ok(false);
        }
        let waiting = self.input.len() - self.consumed;
        if waiting + self.coming() > self.most_held() {
            return Err(End(CloseReason::Overflow));
        }
        let before = self.input.len();
        self.make_room_for_the_rest();
        let mut scratch = self.worker.client_scratch.borrow_mut();
        let received = self
            .client
            .poll_receive(context, &mut scratch, &mut self.input);
        drop(scratch);
        if let Some(shard) = self.worker.shard.database(self.database_index) {
            shard.received(self.input.len() - before);
        }
        if matches!(self.phase, Phase::Ending(_)) {
            // Nothing of it counts any more.
            self.drop_input(self.input.len());
        }
        match received {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(Received::Bytes)) => Ok(true),
            Poll::Ready(Ok(Received::End)) => {
                self.client_has_left = true;
                Ok(true)
            }
            Poll::Ready(Err(fault)) => {
                tracing::debug!(database = %self.database.name, peer = %self.peer, %fault, "client connection failed");
                Err(End(CloseReason::Transport))
            }
        }
    }

    /// A large request that is held whole says how long it will be.
    fn make_room_for_the_rest(&mut self) {
        if self.input.len() < HELD_WHOLE_FROM || !matches!(self.phase, Phase::Requests) {
            return;
        }
        if let Some(progress) = self.scanner.progress() {
            let rest = usize::try_from(progress.announced_bytes).unwrap_or(usize::MAX);
            let whole = (self.consumed + BESIDE_ARGUMENTS).saturating_add(rest);
            grow_towards(&mut self.input, whole);
        }
    }

    /// Most bytes that may be held for the client.
    fn most_held(&self) -> usize {
        let most = self.database.limits.hard_output;
        match self.session.principal() {
            Some(_) => most,
            None => most.min(HELD_BEFORE_LOGIN),
        }
    }

    pub(super) fn push_to_lane(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        match self.way.lane.poll_flush(context) {
            Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(fault)) => self.on_lane_lost(&fault.to_string()).map(|_| ()),
        }
    }

    pub(super) fn push_to_client(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<(), End> {
        if !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            self.send_now(&out, now)?;
        }
        let before = self.client.unsent();
        if before == 0 {
            return Ok(());
        }
        match self.client.poll_flush(context) {
            Poll::Ready(Ok(())) => self.output_moved = now,
            Poll::Ready(Err(_)) => return Err(End(CloseReason::Transport)),
            Poll::Pending if self.client.unsent() < before => self.output_moved = now,
            Poll::Pending => {}
        }
        Ok(())
    }
}
