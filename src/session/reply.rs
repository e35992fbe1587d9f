//! What a backend's frames mean to the session: whether the client hears them, and what they end and change.

use std::time::Instant;

use super::subscriptions::{self, Kind};
use super::{Session, acknowledged};
use crate::pairing::{Earlier, Ended, QueuedSelect, ReplyEffect, Whole};
use crate::resp::{Frame, FrameKind, Protocol};

/// Where a frame's bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the client.
    Client,
    /// Nowhere.
    Nobody,
}

/// Session and backend no longer agree on which reply belongs to which request: the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingFault {
    /// A frame came that no request is waiting for.
    Surplus,
    /// A request that can't fail has failed, or a confirmation is of another kind than was asked for.
    OutOfStep,
}

impl std::fmt::Display for PairingFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Surplus => "the backend sent a reply that nothing was waiting for",
            Self::OutOfStep => {
                "the backend refused what can't be refused, so replies can no longer be paired"
            }
        })
    }
}

impl std::error::Error for PairingFault {}

impl Session {
    /// Where the bytes of a frame go of which the kind is known; it stays so until the frame ends.
    ///
    /// # Errors
    /// [`PairingFault::Surplus`]
    pub fn route(&mut self, kind: FrameKind, now: Instant) -> Result<Route, PairingFault> {
        if kind != FrameKind::Push || self.turns.awaited() == 0 {
            self.turns.excuse(now);
        }
        let route = self.route_of(kind)?;
        if route == Route::Client {
            self.turns.passes();
        }
        Ok(route)
    }

    fn route_of(&self, kind: FrameKind) -> Result<Route, PairingFault> {
        match kind {
            FrameKind::Push => Ok(Route::Client),
            FrameKind::Reply | FrameKind::Attribute if self.turns.is_late() => Ok(Route::Nobody),
            // Messages of RESP2 look like replies; while they may come, the client itself hears every reply.
            FrameKind::Reply | FrameKind::Attribute if self.expects_resp2_messages() => {
                Ok(Route::Client)
            }
            FrameKind::Reply | FrameKind::Attribute => match self.turns.head() {
                Some(head) if head.is_for_client() => Ok(Route::Client),
                Some(_) => Ok(Route::Nobody),
                None => Err(PairingFault::Surplus),
            },
        }
    }

    /// A frame has ended. Returns the reply that it completes, if it does; answers whose turn has come go to `out`.
    ///
    /// # Errors
    /// [`PairingFault`]
    pub fn on_frame(
        &mut self,
        frame: &Frame,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<Option<Ended>, PairingFault> {
        match frame.kind() {
            FrameKind::Push => match confirmation(frame) {
                Some(kind) if self.awaits_confirmations() => {
                    self.on_confirmation(kind, frame, now, out)
                }
                Some(_) | None => Ok(self.on_aside(out)),
            },
            FrameKind::Attribute => Ok(self.on_aside(out)),
            FrameKind::Reply if self.expects_resp2_messages() && is_message(frame) => {
                Ok(self.on_aside(out))
            }
            FrameKind::Reply => self.on_reply(frame, now, out),
        }
    }

    /// Where the bytes of the next reply go that comes from a lane that others use too; it stays so until that reply ends.
    pub fn shared_route(&self) -> Route {
        match self.turns.is_late() {
            true => Route::Nobody,
            false => Route::Client,
        }
    }

    /// The beginning of a reply has come from a lane that others use too, and goes where it should.
    pub fn on_shared_beginning(&mut self, now: Instant) {
        self.turns.excuse(now);
        if self.shared_route() == Route::Client {
            self.turns.passes();
        }
    }

    /// The end of a reply has come from a lane that others use too, whose requests have no effect on the session. Returns when its request
    /// was forwarded. Answers whose turn has come go to `out`.
    ///
    /// # Errors
    /// [`PairingFault`]: nobody waits for it here.
    #[inline]
    pub fn on_shared_end(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<Instant, PairingFault> {
        match self.turns.ordinary_ended(now, out) {
            Some(since) => Ok(since),
            None => self.on_special_shared_end(now, out),
        }
    }

    /// The same of one that may be late, EXEC's, or have begun before.
    fn on_special_shared_end(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<Instant, PairingFault> {
        let ended = self.turns.frame_ended(Whole::Always, now, out);
        match ended {
            Some(ended) => match ended.effect {
                ReplyEffect::Nothing | ReplyEffect::Exec(None) => Ok(ended.since),
                ReplyEffect::Select(_)
                | ReplyEffect::Exec(Some(_))
                | ReplyEffect::Protocol(_)
                | ReplyEffect::Confirmations
                | ReplyEffect::WritesKnown
                | ReplyEffect::MustSucceed => Err(PairingFault::OutOfStep),
            },
            None => Err(PairingFault::Surplus),
        }
    }

    /// A frame has ended that completes no reply.
    fn on_aside(&mut self, out: &mut Vec<u8>) -> Option<Ended> {
        self.turns.passed(out);
        None
    }

    fn on_reply(
        &mut self,
        frame: &Frame,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<Option<Ended>, PairingFault> {
        if self.awaits_confirmations() && !frame.is_error() {
            let kind = confirmation(frame).ok_or(PairingFault::OutOfStep)?;
            return self.on_confirmation(kind, frame, now, out);
        }
        let ended = self
            .turns
            .frame_ended(Whole::Always, now, out)
            .ok_or(PairingFault::Surplus)?;
        self.apply(ended.effect, frame)?;
        Ok(Some(ended))
    }

    fn on_confirmation(
        &mut self,
        kind: Kind,
        frame: &Frame,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<Option<Ended>, PairingFault> {
        let count = frame.third().and_then(|count| u64::try_from(count).ok());
        self.subscriptions
            .confirmed(kind, count.ok_or(PairingFault::OutOfStep)?);
        Ok(self.turns.frame_ended(Whole::IfAnnounced, now, out))
    }

    fn apply(&mut self, effect: ReplyEffect, frame: &Frame) -> Result<(), PairingFault> {
        match effect {
            ReplyEffect::Nothing => {}
            ReplyEffect::Select(number) => {
                self.selecting = self.selecting.saturating_sub(1);
                self.database = number
                    .filter(|_| !frame.is_error())
                    .unwrap_or(self.database);
            }
            ReplyEffect::Exec(Some(select)) => {
                self.selecting = self.selecting.saturating_sub(1);
                return self.executed(select, frame);
            }
            ReplyEffect::Exec(None) => {}
            ReplyEffect::WritesKnown => self.written = acknowledged::outcome(frame),
            ReplyEffect::Protocol(protocol) if !frame.is_error() => self.spoken = protocol,
            ReplyEffect::Confirmations | ReplyEffect::MustSucceed | ReplyEffect::Protocol(_)
                if frame.is_error() =>
            {
                return Err(PairingFault::OutOfStep);
            }
            ReplyEffect::Confirmations | ReplyEffect::MustSucceed | ReplyEffect::Protocol(_) => {}
        }
        Ok(())
    }

    /// EXEC has answered for a transaction with a SELECT in it.
    fn executed(&mut self, select: QueuedSelect, frame: &Frame) -> Result<(), PairingFault> {
        if frame.is_error() || frame.is_null() {
            return Ok(());
        }
        match (frame.is_error_at(select.position as usize), select.earlier) {
            (false, _) => self.database = select.number,
            (true, Earlier::None) => {}
            (true, Earlier::Some) => return Err(PairingFault::OutOfStep),
        }
        Ok(())
    }

    fn awaits_confirmations(&self) -> bool {
        self.turns
            .head()
            .is_some_and(|head| head.effect() == ReplyEffect::Confirmations)
    }

    fn expects_resp2_messages(&self) -> bool {
        self.spoken == Protocol::Resp2 && self.subscriptions.is_confirmed()
    }
}

/// The kind of subscription that a frame confirms the beginning or the end of.
fn confirmation(frame: &Frame) -> Option<Kind> {
    subscriptions::of_command(std::str::from_utf8(frame.label()).ok()?).map(|(kind, _)| kind)
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame.label(), b"message" | b"pmessage" | b"smessage")
}
