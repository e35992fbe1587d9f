//! What a session makes of a request: forwarded, dealt with, or put off.

use std::time::Instant;

use crate::acl::{DenialReason, Permit, Policy};
use crate::command::{CommandId, LaneNeed};
use crate::pairing::{Patience, ReplyEffect, Special};
use crate::resp::Protocol;

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
    /// Nothing has happened. Offer it again when requests before it have their replies.
    Wait,
    /// Nothing has happened: only a part of it was offered, and it can't be judged by that. Offer it again when more is here.
    Incomplete,
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
    Tell {
        /// What.
        internal: Internal,
        /// What was done about the request besides.
        done: Box<Handled>,
    },
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
    pub(super) permit: Permit<'r>,
    pub(super) wire: Wire,
    pub(super) lane: LaneNeed,
    pub(super) patience: Patience,
    pub(super) special: Option<Box<Special>>,
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
pub struct Internal {
    pub(super) bytes: &'static [u8],
    /// What the client hears when it is done.
    pub(super) answer: Vec<u8>,
    pub(super) effect: ReplyEffect,
}

impl Internal {
    /// HELLO: the client changes the protocol.
    pub(super) fn protocol(protocol: Protocol, answer: Vec<u8>) -> Self {
        Self {
            bytes: match protocol {
                Protocol::Resp2 => b"*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n",
                Protocol::Resp3 => b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
            },
            answer,
            effect: ReplyEffect::Protocol(protocol),
        }
    }

    /// The transaction that the client began is over.
    pub(super) fn ended(bytes: &'static [u8], answer: Vec<u8>) -> Self {
        Self {
            bytes,
            answer,
            effect: ReplyEffect::MustSucceed,
        }
    }

    /// The bytes for the backend.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}

impl<'r> Forward<'r> {
    /// The request's row.
    pub fn row(&self) -> CommandId {
        self.permit.call().spec.id
    }

    /// What sort of connection it needs, by its row and its arguments.
    pub fn lane(&self) -> LaneNeed {
        self.lane
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
