//! EXEC, and what becomes of a transaction when EXEC itself is refused.

use super::Session;
use super::action::{Action, Handled, Internal, Wire};
use super::transaction::{Aborted, Transaction};
use crate::pairing::{Audience, ReplyEffect, Special};
use crate::resp::encode;

/// DISCARD on the wire.
const DISCARD: &[u8] = b"*1\r\n$7\r\nDISCARD\r\n";

/// UNWATCH on the wire.
const UNWATCH: &[u8] = b"*1\r\n$7\r\nUNWATCH\r\n";

impl Session {
    /// EXEC is refused with `text`: there is no transaction any more, and nothing is watched.
    pub(super) fn abort<'r>(
        &mut self,
        text: &[u8],
        done: Handled,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let text = text.strip_prefix(b"ERR ").unwrap_or(text);
        let mut answer = Vec::new();
        encode::error(
            &mut answer,
            [b"EXECABORT Transaction discarded because of: ", text].concat(),
        );
        let bytes = match self.transaction {
            // The backend wouldn't take UNWATCH either. That keys stay watched can make a later EXEC fail, no more.
            Transaction::Watching if self.is_held_to_subscribing() => {
                self.turns.answer(out, |out| out.extend_from_slice(&answer));
                return Action::Handled(done);
            }
            Transaction::None => {
                self.turns.answer(out, |out| out.extend_from_slice(&answer));
                return Action::Handled(done);
            }
            Transaction::Watching => UNWATCH,
            Transaction::Queuing { .. } => DISCARD,
        };
        self.transaction = Transaction::None;
        Action::Handled(Handled::Tell {
            internal: Internal::ended(bytes, answer),
            done: Box::new(done),
        })
    }

    /// How a permitted EXEC is forwarded: one of which a command was refused as a DISCARD, so that none of it runs.
    pub(super) fn exec_on_the_wire(&self) -> (Wire, Special) {
        match self.transaction {
            Transaction::None | Transaction::Watching => (Wire::Verbatim, Special::default()),
            Transaction::Queuing {
                aborted: Aborted::No,
                select,
                ..
            } => {
                let effect = ReplyEffect::Exec(select);
                let special = Special {
                    effect,
                    ..Special::default()
                };
                (Wire::Verbatim, special)
            }
            Transaction::Queuing {
                aborted: Aborted::Yes,
                ..
            } => {
                let mut text = Vec::new();
                encode::error(
                    &mut text,
                    "EXECABORT Transaction discarded because of previous errors.",
                );
                let special = Special {
                    frames: 1,
                    audience: Audience::Instead(text),
                    effect: ReplyEffect::MustSucceed,
                };
                (Wire::Instead(DISCARD), special)
            }
        }
    }
}
