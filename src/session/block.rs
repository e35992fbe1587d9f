//! A transaction that is here as a whole, from MULTI to EXEC: it may travel over a connection that others use too, because nothing of
//! anybody else's comes between its requests.

use super::Session;
use super::action::{Around, Forward, Wire};
use super::transaction::Transaction;
use crate::command::{self, LaneNeed};
use crate::pairing::{Patience, ReplyEffect, Special};
use crate::resp::Request;

impl Session {
    /// How the requests of a whole transaction are forwarded in one piece; `None` if they have to go one by one, where each is judged,
    /// refused and answered for itself: unless every one is permitted, and every one between MULTI and EXEC might share a connection
    /// by itself. Nothing has happened then.
    pub fn block<'r>(
        &self,
        requests: &[Request<'r>],
        around: Around<'_>,
    ) -> Option<Vec<Forward<'r>>> {
        let begins = self.transaction == Transaction::None
            && !self.needs_its_lane()
            && !self.is_held_to_subscribing()
            && !self.turns.is_blocked();
        let last = requests.len().checked_sub(1)?;
        if !begins || last == 0 {
            return None;
        }
        let forward = |(index, request): (usize, &Request<'r>)| {
            let call = command::classify(*request).ok()?;
            let (fits, effect) = match (index, call.spec.name) {
                (0, name) => (name == "multi", ReplyEffect::Nothing),
                (index, name) if index == last => (name == "exec", ReplyEffect::Exec(None)),
                // Not everybody may be sent all of INFO.
                (_, "info") => (false, ReplyEffect::Nothing),
                (_, _) => {
                    let shares = command::lane_need(&call) == LaneNeed::Shared;
                    (shares, ReplyEffect::Nothing)
                }
            };
            if !fits || !request.is_whole() {
                return None;
            }
            Some(Forward {
                permit: self.verdict(call, around).ok()?,
                wire: Wire::Verbatim,
                lane: command::lane_need(&call),
                patience: Patience::Bounded,
                special: Special {
                    effect,
                    ..Special::default()
                }
                .boxed(),
            })
        };
        requests.iter().enumerate().map(forward).collect()
    }
}
