//! From a request to what happens to it: refused, answered, forwarded, or put off until replies before it have come.

use std::time::Instant;

use super::Session;
use super::subscriptions::{self, Move};
use super::transaction::{Aborted, Transaction};
use crate::acl::{Denial, DenialReason, Permit, Policy, Verdict};
use crate::command::{self, Call, ClassifyFault, CommandId, LaneNeed, flags};
use crate::pairing::{Audience, Awaited, Patience, ReplyEffect};
use crate::resp::{Protocol, Request, encode};

/// What a user without all keys gets of INFO: the rest tells of other databases' keys.
const INFO_WITHOUT_KEYSPACE: &[u8] = b"*3\r\n$4\r\nINFO\r\n$6\r\nserver\r\n$6\r\nmemory\r\n";

/// What surrounds a request: everything that the session doesn't keep itself.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The backend's version, as it said when it was last connected; `None` if it never was.
    pub backend_version: Option<&'a str>,
    /// Most channels and patterns that one client may be subscribed to: their names are kept in memory.
    pub max_subscriptions: usize,
    /// The time.
    pub now: Instant,
}

/// What happens to a request.
#[derive(Debug)]
pub enum Action<'r> {
    /// It goes to the backend.
    Forward(Forward<'r>),
    /// It has been dealt with.
    Handled(Handled),
    /// Nothing has happened. Offer it again when every request before it has its reply, or, if only a part of it was
    /// offered, when more of it is here.
    Wait,
}

/// What was done about a request that isn't forwarded. The client has been told, or will be in its turn.
#[derive(Debug)]
pub enum Handled {
    /// It has been answered.
    Answered {
        /// The request's row, if it has one.
        row: Option<CommandId>,
    },
    /// The policy forbids it.
    Denied(Denied),
    /// A login was tried.
    Login {
        /// Whether it succeeded.
        outcome: LoginOutcome,
    },
    /// Redwall itself tells the backend something, in this turn, if there is a connection to it; else nothing need be told.
    Tell(Internal),
    /// The backend connection must go; the session is as at its beginning.
    Reset,
    /// The client wants to end.
    Quit,
}

/// A request that the policy forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The request's row.
    pub row: CommandId,
    /// Why.
    pub reason: DenialReason,
}

impl From<Denied> for Action<'_> {
    fn from(denied: Denied) -> Self {
        Self::Handled(Handled::Denied(denied))
    }
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The client is somebody now.
    Succeeded,
    /// It stays who it was.
    Failed,
}

/// A permitted request on its way to the backend. Only a [`Permit`] makes one.
#[derive(Debug)]
pub struct Forward<'r> {
    permit: Permit<'r>,
    wire: Wire,
    awaited: Awaited,
}

/// What the backend is sent for a permitted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The client's own bytes.
    Verbatim,
    /// These instead.
    Instead(&'static [u8]),
}

/// Something that Redwall tells the backend of its own accord, so that the connection is as the client's session says.
#[derive(Debug)]
pub enum Internal {
    /// HELLO: the client changes the protocol.
    Protocol {
        /// The protocol from now on.
        protocol: Protocol,
        /// What the client hears when it is done.
        answer: Vec<u8>,
    },
}

impl<'r> Forward<'r> {
    /// The request's row.
    pub fn row(&self) -> CommandId {
        self.permit.call().spec.id
    }

    /// What sort of connection it needs.
    pub fn lane(&self) -> LaneNeed {
        self.permit.call().spec.lane
    }

    /// The permit: it says under which generation of the policy the request was judged.
    pub fn permit(&self) -> &Permit<'r> {
        &self.permit
    }

    /// The bytes for the backend.
    pub fn bytes(&self) -> &'r [u8] {
        match self.wire {
            Wire::Verbatim => self.permit.call().request.bytes(),
            Wire::Instead(bytes) => bytes,
        }
    }
}

impl Session {
    /// Decides what happens to `request`: a whole one, or the beginning of one that is large.
    ///
    /// Answers of Redwall's own go to `out`, or wait for their turn.
    pub fn on_request<'r>(
        &mut self,
        request: Request<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let classified = command::classify(request);
        if self.principal.is_none() {
            return self.before_login(classified, request, around, out);
        }
        let call = match classified {
            Ok(call) => call,
            Err(fault) => return self.unknown(fault, request, out),
        };
        if !request.is_whole() && command::may_stream(&call).is_none() {
            return Action::Wait;
        }
        if self.protocol == Protocol::Resp2
            && self.subscriptions.asked_for() > 0
            && !is_allowed_while_subscribed(call.spec.name)
        {
            return self.refuse_while_subscribed(call, out);
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
    pub fn forwarded(&mut self, forward: Forward<'_>) {
        let Forward {
            permit,
            wire,
            mut awaited,
        } = forward;
        let Call { spec, request } = *permit.call();
        match spec.name {
            "multi" => self.transaction.multi(),
            "watch" => self.transaction.watch(),
            "unwatch" => self.transaction.unwatch(),
            "exec" | "discard" => self.transaction.end(),
            "select" => self.selecting(selected(*permit.call())),
            name => {
                if wire == Wire::Verbatim
                    && let Some((kind, direction)) = subscriptions::of_command(name)
                {
                    awaited.frames = self.subscriptions.forwarded(kind, direction, request);
                }
            }
        }
        self.turns.expect(awaited);
    }

    /// Redwall's own word to the backend is on its way.
    pub fn told(&mut self, internal: Internal, now: Instant) {
        match internal {
            Internal::Protocol {
                protocol: _,
                answer,
            } => self.turns.expect(Awaited {
                frames: 1,
                audience: Audience::Instead(answer),
                effect: ReplyEffect::MustSucceed,
                patience: Patience::Bounded,
                since: now,
                row: None,
            }),
        }
    }

    /// There was no connection to tell: the client is answered at once.
    pub fn not_told(&mut self, internal: Internal, out: &mut Vec<u8>) {
        match internal {
            Internal::Protocol {
                protocol: _,
                answer,
            } => self.turns.answer(out, |out| out.extend_from_slice(&answer)),
        }
    }

    fn unknown<'r>(
        &mut self,
        fault: ClassifyFault,
        request: Request<'r>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        self.transaction.refuse();
        self.turns
            .answer(out, |out| encode::error(out, fault.message(&request)));
        Action::Handled(Handled::Answered { row: None })
    }

    fn refuse_while_subscribed<'r>(&mut self, call: Call<'r>, out: &mut Vec<u8>) -> Action<'r> {
        self.turns.answer(out, |out| {
            encode::error(out, format!(
                    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                    call.spec.name
                ),
            );
        });
        Action::Handled(Handled::Answered {
            row: Some(call.spec.id),
        })
    }

    /// Lets the policy decide, and says what a permitted request needs.
    pub(super) fn judge<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match self.evaluate(call, around, out) {
            Ok(permit) => self.place(permit, around, out),
            Err(denied) => denied.into(),
        }
    }

    /// The verdict; a denial has been answered.
    pub(super) fn evaluate<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Permit<'r>, Denied> {
        let Some(principal) = &self.principal else {
            let _ = self.no_auth(out);
            return Err(Denied {
                row: call.spec.id,
                reason: DenialReason::Command,
            });
        };
        match around.policy.evaluate(principal.user(), call) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => {
                let text = denial.wire_text(principal.user(), &call).to_string();
                Err(self.denied(call, denial, &text, out))
            }
        }
    }

    fn denied(&mut self, call: Call<'_>, denial: Denial, text: &str, out: &mut Vec<u8>) -> Denied {
        self.transaction.refuse();
        self.turns.answer(out, |out| encode::error(out, text));
        Denied {
            row: call.spec.id,
            reason: denial.reason(),
        }
    }

    /// Says how a permitted request is forwarded; refuses by name what would put session and backend out of step.
    fn place<'r>(
        &mut self,
        permit: Permit<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let call = *permit.call();
        let joins = subscriptions::of_command(call.spec.name);
        if joins.is_some() && self.transaction.is_queuing() {
            return self.refuse(call, "ERR Command not allowed inside a transaction", out);
        }
        if let Some((_, Move::Join)) = joins
            && self.subscriptions.asked_for() + call.request.len() - 1 > around.max_subscriptions
        {
            let text = format!("ERR more than {} subscriptions", around.max_subscriptions);
            return self.refuse(call, &text, out);
        }
        let mut wire = Wire::Verbatim;
        let mut audience = Audience::Client;
        let mut effect = ReplyEffect::Nothing;
        match (call.spec.name, self.transaction) {
            (
                "exec",
                Transaction::Queuing {
                    aborted: Aborted::Yes,
                    ..
                },
            ) => {
                wire = Wire::Instead(b"*1\r\n$7\r\nDISCARD\r\n");
                let mut text = Vec::new();
                encode::error(
                    &mut text,
                    "EXECABORT Transaction discarded because of previous errors.",
                );
                audience = Audience::Instead(text);
                effect = ReplyEffect::MustSucceed;
            }
            ("exec", Transaction::Queuing { select, .. }) => effect = ReplyEffect::Exec(select),
            ("multi", Transaction::None | Transaction::Watching) => {
                effect = ReplyEffect::MustSucceed
            }
            ("select", Transaction::None | Transaction::Watching) => {
                effect = ReplyEffect::Select(selected(call));
            }
            ("info", _) if !self.sees_all_keys() => wire = Wire::Instead(INFO_WITHOUT_KEYSPACE),
            _ if joins.is_some() => effect = ReplyEffect::Confirmations,
            _ => {}
        }
        let patience = patience(call, self.transaction);
        let awaited = Awaited {
            frames: 1,
            audience,
            effect,
            patience,
            since: around.now,
            row: Some(call.spec.id),
        };
        Action::Forward(Forward {
            permit,
            wire,
            awaited,
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
        match &mut self.transaction {
            Transaction::Queuing { select, .. } => *select = number.or(*select),
            Transaction::None | Transaction::Watching => self.selecting += 1,
        }
    }
}

/// The number that a SELECT asks for, if it is one.
pub(super) fn selected(call: Call<'_>) -> Option<u32> {
    std::str::from_utf8(call.request.arg(1)?).ok()?.parse().ok()
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
