//! From a request to what happens to it: refused, answered, forwarded, or put off until replies before it have come.

use std::time::Instant;

use super::Session;
use super::action::{Action, Around, Denied, Forward, Handled, Internal, Wire};
use super::login::NO_AUTH;
use super::strict;
use super::subscriptions::{self, Move};
use super::transaction::Transaction;
use crate::acl::{Denial, DenialReason, Permit, Policy, User, Verdict};
use crate::command::{self, Call, ClassifyFault, LaneNeed, flags};
use crate::pairing::{Audience, Awaited, Patience, ReplyEffect, Special};
use crate::resp::{Frame, Protocol, Request, encode};

/// What a user without all keys gets of INFO: the rest tells of other databases' keys.
const INFO_WITHOUT_KEYSPACE: &[u8] = b"*3\r\n$4\r\nINFO\r\n$6\r\nserver\r\n$6\r\nmemory\r\n";

impl Session {
    /// The whole `request` as it goes to the backend, if it is as nearly all are: permitted, and of a row that may share a connection. `None`
    /// says nothing, and nothing has happened: [`Session::on_request`] decides.
    // Inlined, as all that an ordinary request passes: handing a permit from function to function costs more than the judging.
    #[inline(always)]
    pub fn ordinary<'r>(&self, request: Request<'r>, policy: &Policy) -> Option<Forward<'r>> {
        let principal = self.principal.as_ref()?;
        let call = command::classify(request).ok()?;
        let is_ordinary = call.spec.lane == LaneNeed::Shared && !is_changed_on_its_way(call);
        if !is_ordinary || self.turns.is_blocked() || self.is_held_to_subscribing() {
            return None;
        }
        match policy.evaluate(principal.user(), call) {
            Verdict::Allow(permit) => Some(Forward {
                permit,
                wire: Wire::Verbatim,
                lane: LaneNeed::Shared,
                patience: Patience::Bounded,
                special: None,
            }),
            Verdict::Deny(_) => None,
        }
    }

    /// Decides what happens to `request`: a whole one, or the beginning of one that is large.
    ///
    /// Answers of Redwall's own go to `out`, or wait for their turn.
    pub fn on_request<'r>(
        &mut self,
        request: Request<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        if self.turns.is_blocked() {
            // It may lie behind the blocked command for days, and must be judged by the rights of that day.
            return Action::Wait;
        }
        if self.principal.is_none() {
            return self.before_login(command::classify(request), request, around, out);
        }
        let call = match command::classify(request) {
            Ok(call) => call,
            Err(fault) => return self.unknown(fault, request, out),
        };
        if !request.is_whole() && command::may_stream(&call).is_none() {
            return Action::Incomplete;
        }
        if self.is_held_to_subscribing() && !is_allowed_while_subscribed(call.spec.name) {
            return self.refuse_while_subscribed(call, around, out);
        }
        match call.spec.lane {
            LaneNeed::Redwall => self.answer_own(call, around, out),
            LaneNeed::Shared | LaneNeed::Own | LaneNeed::OwnForever => {
                self.judge(call, around, out)
            }
        }
    }

    /// A large request can't be streamed, and is larger than may be held: it is refused in its turn.
    pub fn refuse_too_large(&mut self, most: u64, out: &mut Vec<u8>) {
        self.transaction.refuse();
        self.turns.answer(out, |out| {
            encode::error(
                out,
                format!("ERR request exceeds the {most} bytes that Redwall holds for one command"),
            );
        });
    }

    /// A permitted request could not be placed: the client is told in its turn.
    pub fn refuse_unavailable(&mut self, text: &str, out: &mut Vec<u8>) {
        self.transaction.refuse();
        self.turns.answer(out, |out| encode::error(out, text));
    }

    /// A forwarded request's bytes are on their way: its reply is awaited from now on.
    #[inline(always)]
    pub fn forwarded(&mut self, forward: Forward<'_>, now: Instant) {
        let row = Some(forward.row());
        let Forward {
            permit,
            wire,
            lane,
            patience,
            mut special,
        } = forward;
        match lane {
            LaneNeed::Shared => self.transaction.queue(None),
            LaneNeed::Own | LaneNeed::OwnForever | LaneNeed::Redwall => {
                self.takes_effect(*permit.call(), wire, &mut special);
            }
        }
        self.turns.expect(Awaited {
            special,
            patience,
            since: now,
            row,
        });
    }

    /// What a request changes on its way that needs a connection to itself.
    fn takes_effect(&mut self, call: Call<'_>, wire: Wire, special: &mut Option<Box<Special>>) {
        let Call { spec, request } = call;
        match spec.name {
            "multi" => self.transaction.multi(),
            "watch" => self.transaction.watch(),
            "unwatch" => self.transaction.unwatch(),
            "exec" | "discard" => {
                let effect = special.as_ref().map(|special| special.effect);
                if let Some(ReplyEffect::Exec(Some(_))) = effect {
                    self.selecting += 1;
                }
                self.transaction.end();
            }
            "select" => self.selecting(selected(call)),
            name => {
                self.transaction.queue(None);
                if wire == Wire::Verbatim
                    && let Some((kind, direction)) = subscriptions::of_command(name)
                {
                    let frames = self.subscriptions.forwarded(kind, direction, request);
                    special.get_or_insert_default().frames = frames;
                }
            }
        }
    }

    /// A permitted SELECT of a number that the backend has: it counts for the requests that come next.
    pub fn selected(&mut self, number: u32, out: &mut Vec<u8>) {
        self.database = number;
        self.turns.answer(out, |out| encode::simple(out, "OK"));
    }

    /// Redwall's own word to the backend is on its way.
    pub fn told(&mut self, internal: Internal, now: Instant) {
        let Internal {
            bytes: _,
            answer,
            effect,
        } = internal;
        let special = Special {
            frames: 1,
            audience: Audience::Instead(answer),
            effect,
        };
        self.turns.expect(Awaited {
            special: special.boxed(),
            patience: Patience::Bounded,
            since: now,
            row: None,
        });
    }

    /// There was no connection to tell: the client is answered at once.
    pub fn not_told(&mut self, internal: Internal, out: &mut Vec<u8>) {
        self.spoken = self.protocol;
        self.turns
            .answer(out, |out| out.extend_from_slice(&internal.answer));
    }

    /// Whether it may do nothing but join and leave, because in RESP2 messages could be taken for replies.
    pub(super) fn is_held_to_subscribing(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions.asked_for() > 0
    }

    pub(super) fn unknown<'r>(
        &mut self,
        fault: ClassifyFault,
        request: Request<'r>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let text = fault.message(&request);
        if let ClassifyFault::WrongArity { spec } = fault
            && spec.name == "exec"
        {
            return self.abort(&text, Handled::Answered { row: None }, out);
        }
        self.transaction.refuse();
        self.turns.answer(out, |out| encode::error(out, &text));
        Action::Handled(Handled::Answered { row: None })
    }

    /// As in Redis the policy is asked first; but not of what is answered to everybody.
    fn refuse_while_subscribed<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        if call.spec.lane != LaneNeed::Redwall
            && let Err((denied, text)) = self.verdict(call, around)
        {
            return self.deny(call, denied, &text, out);
        }
        let text = format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            call.spec.name
        );
        match call.spec.name {
            "exec" => {
                let row = Some(call.spec.id);
                self.abort(text.as_bytes(), Handled::Answered { row }, out)
            }
            _ => self.refuse(call, &text, out),
        }
    }

    /// Lets the policy decide, and says what a permitted request needs.
    pub(super) fn judge<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match self.verdict(call, around) {
            Ok(permit) => self.place(permit, around, out),
            Err((denied, text)) => self.deny(call, denied, &text, out),
        }
    }

    /// Tells the client that the policy forbids it. A user that may not run EXEC has its transaction ended all the same.
    fn deny<'r>(
        &mut self,
        call: Call<'r>,
        denied: Denied,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        if call.spec.name == "exec" {
            return self.abort(text, Handled::Denied(denied), out);
        }
        self.transaction.refuse();
        self.turns.answer(out, |out| encode::error(out, text));
        denied.into()
    }

    /// The verdict; a denial has been answered.
    pub(super) fn evaluate<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Permit<'r>, Denied> {
        self.verdict(call, around).map_err(|(denied, text)| {
            self.transaction.refuse();
            self.turns.answer(out, |out| encode::error(out, text));
            denied
        })
    }

    /// The verdict; for a denial also the text that the client must be told.
    pub(super) fn verdict<'r>(
        &self,
        call: Call<'r>,
        around: Around<'_>,
    ) -> Result<Permit<'r>, (Denied, Vec<u8>)> {
        let Some(principal) = &self.principal else {
            let denied = Denied {
                row: call.spec.id,
                reason: DenialReason::Command,
            };
            return Err((denied, NO_AUTH.into()));
        };
        match around.policy.evaluate(principal.user(), call) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => Err(told(denial, principal.user(), &call)),
        }
    }

    /// Says how a permitted request is forwarded.
    pub(super) fn place<'r>(
        &mut self,
        permit: Permit<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let call = *permit.call();
        let lane = command::lane_need(&call);
        if lane == LaneNeed::Shared && !is_changed_on_its_way(call) {
            return Action::Forward(Forward {
                permit,
                wire: Wire::Verbatim,
                lane,
                patience: Patience::Bounded,
                special: None,
            });
        }
        self.place_with_effect(permit, lane, around, out)
    }

    /// The same of one that may do more than be answered; refuses by name what would put session and backend out of step.
    fn place_with_effect<'r>(
        &mut self,
        permit: Permit<'r>,
        lane: LaneNeed,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let call = *permit.call();
        let joins = subscriptions::of_command(call.spec.name);
        if joins.is_some() && self.transaction.is_queuing() {
            return self.refuse(call, "ERR Command not allowed inside a transaction", out);
        }
        if let Some((_, Move::Join)) = joins
            && let Err(text) = self
                .subscriptions
                .has_room(call.request, around.max_subscriptions)
        {
            return self.refuse(call, &text, out);
        }
        if call.spec.name == "select" && self.transaction.queued() >= Frame::LOOKED_AT {
            let text = format!(
                "ERR SELECT must be one of the first {} commands of a transaction",
                Frame::LOOKED_AT
            );
            return self.refuse(call, &text, out);
        }
        let mut wire = Wire::Verbatim;
        let mut special = Special::default();
        match (call.spec.name, self.transaction) {
            ("exec", _) => (wire, special) = self.exec_on_the_wire(),
            ("multi", Transaction::None | Transaction::Watching) => {
                special.effect = ReplyEffect::MustSucceed
            }
            ("select", Transaction::None | Transaction::Watching) => {
                special.effect = ReplyEffect::Select(selected(call));
            }
            ("info", _) if !self.sees_all_keys() => wire = Wire::Instead(INFO_WITHOUT_KEYSPACE),
            _ if joins.is_some() => special.effect = ReplyEffect::Confirmations,
            _ => {}
        }
        let patience = patience(call, self.transaction);
        Action::Forward(Forward {
            permit,
            wire,
            lane,
            patience,
            special: special.boxed(),
        })
    }

    /// Answers with an error that is no matter of rights.
    pub(super) fn refuse<'r>(
        &mut self,
        call: Call<'r>,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        self.transaction.refuse();
        self.turns.answer(out, |out| encode::error(out, text));
        Action::Handled(Handled::Answered {
            row: Some(call.spec.id),
        })
    }

    fn sees_all_keys(&self) -> bool {
        self.principal
            .as_ref()
            .is_some_and(|principal| principal.user().reads_all_keys())
    }

    /// A SELECT was forwarded: its reply is awaited; in a transaction it counts at EXEC.
    fn selecting(&mut self, number: Option<u32>) {
        match self.transaction {
            Transaction::Queuing { .. } => self.transaction.queue(number),
            Transaction::None | Transaction::Watching => self.selecting += 1,
        }
    }
}

/// A denial with the text that the client is told.
#[cold]
fn told(denial: Denial, user: &User, call: &Call<'_>) -> (Denied, Vec<u8>) {
    let denied = Denied {
        row: call.spec.id,
        reason: denial.reason(),
    };
    (denied, denial.wire_text(user, call).to_string().into())
}

/// Whether the backend may be sent something else instead.
#[inline]
fn is_changed_on_its_way(call: Call<'_>) -> bool {
    call.spec.name == "info"
}

/// The number that a SELECT asks for, if it is one.
pub(super) fn selected(call: Call<'_>) -> Option<u32> {
    strict::integer(call.request.arg(1)?)?.try_into().ok()
}

/// A command that may block has no deadline; inside a transaction none blocks.
fn patience(call: Call<'_>, transaction: Transaction) -> Patience {
    let blocks = command::lane_need(&call) == LaneNeed::Own
        && (call.spec.flags.has(flags::bits::BLOCKING)
            || matches!(call.spec.name, "wait" | "waitaof"));
    match blocks && !transaction.is_queuing() {
        true => Patience::Unbounded,
        false => Patience::Bounded,
    }
}

fn is_allowed_while_subscribed(name: &str) -> bool {
    subscriptions::of_command(name).is_some() || matches!(name, "ping" | "quit" | "reset")
}
