//! WAIT and WAITAOF ask whether the writes of their own connection have reached replicas or the disk. A client that shares connections
//! has written on others, of which a server knows nothing when it answers: it would say that all is well.
//!
//! So the connection first does something that goes to replicas after everything before it and changes nothing: SWAPDB 0 0.

use super::Session;
use super::action::{Forward, Internal};
use crate::command::flags;
use crate::pairing::ReplyEffect;
use crate::resp::Frame;

/// SWAPDB 0 0 on the wire.
const FENCE: &[u8] = b"*3\r\n$6\r\nSWAPDB\r\n$1\r\n0\r\n$1\r\n0\r\n";

const FORBIDDEN: &str = "ERR the backend did not let Redwall make sure that WAIT counts the writes of this client: its service user needs +swapdb";

/// What the backend would answer to WAIT itself.
const BUSY: &str =
    "BUSY the backend is busy running a script. You can only call SCRIPT KILL or FUNCTION KILL.";
const LOADING: &str = "LOADING the backend is loading the dataset in memory";
const MASTER_DOWN: &str = "MASTERDOWN the backend's link with its master is down and replica-serve-stale-data is set to 'no'.";
const REPLICA: &str = "ERR WAIT and WAITAOF cannot be used with replica instances.";

/// What it would not.
const NOT_WRITABLE: &str = "ERR the backend takes no writes now, so Redwall can't make sure that WAIT counts those of this client";
const UNPROVEN: &str =
    "ERR the backend did not let Redwall make sure that WAIT counts the writes of this client";

const IN_TRANSACTION: &str =
    "ERR this command is not available in a transaction of a client that shares connections";

/// What is known of a client's writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Written {
    /// All that it has written, its connection knows of.
    #[default]
    Known,
    /// It may have written on another connection.
    Elsewhere,
    /// Its connection is being told.
    Asked,
    /// It could not be told; the client's next try is another.
    Unproven(Cause),
}

/// Why a connection could not be told of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Forbidden,
    Busy,
    Loading,
    MasterDown,
    Replica,
    NotWritable,
    Unknown,
}

impl Cause {
    /// What the client gets that asked for WAIT.
    fn text(self) -> &'static str {
        match self {
            Self::Forbidden => FORBIDDEN,
            Self::Busy => BUSY,
            Self::Loading => LOADING,
            Self::MasterDown => MASTER_DOWN,
            Self::Replica => REPLICA,
            Self::NotWritable => NOT_WRITABLE,
            Self::Unknown => UNPROVEN,
        }
    }
}

/// What must happen before a request is forwarded on the client's own connection.
#[derive(Debug)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// This, and the request is offered again.
    Tell(Internal),
    /// A reply has to come first.
    Wait,
    /// It can't be forwarded; the client gets this text.
    Refused(&'static str),
}

impl Session {
    /// What the client has written went over a connection that is gone.
    pub fn has_another_connection(&mut self) {
        self.written = Written::Elsewhere;
    }

    /// A request goes to a connection that may not be the one on which the client asks for its writes later.
    pub fn may_write(&mut self, forward: &Forward<'_>) {
        let spec = forward.permit().call().spec;
        // MULTI writes nothing, and EXEC what was queued before it.
        if !spec.flags.has(flags::bits::READONLY)
            && !matches!(spec.name, "multi" | "exec" | "discard")
        {
            self.written = Written::Elsewhere;
        }
    }

    /// What must happen before `forward` can go to the client's own connection.
    pub fn before(&mut self, forward: &Forward<'_>) -> Before {
        if !asks_for_writes(forward.permit().call().spec.name) {
            return Before::Nothing;
        }
        match self.written {
            Written::Known => Before::Nothing,
            Written::Asked => Before::Wait,
            Written::Elsewhere if self.transaction.is_queuing() => Before::Refused(IN_TRANSACTION),
            Written::Elsewhere => {
                self.written = Written::Asked;
                Before::Tell(Internal {
                    bytes: FENCE,
                    answer: Vec::new(),
                    effect: ReplyEffect::WritesKnown,
                })
            }
            Written::Unproven(cause) => {
                self.written = Written::Elsewhere;
                Before::Refused(cause.text())
            }
        }
    }
}

/// What SWAPDB was answered with.
pub(super) fn outcome(reply: &Frame) -> Written {
    if !reply.is_error() {
        return Written::Known;
    }
    Written::Unproven(match reply.label() {
        b"NOPERM" => Cause::Forbidden,
        b"BUSY" => Cause::Busy,
        b"LOADING" => Cause::Loading,
        b"MASTERDOWN" => Cause::MasterDown,
        b"READONLY" => Cause::Replica,
        b"MISCONF" | b"NOREPLICAS" => Cause::NotWritable,
        _ => Cause::Unknown,
    })
}

fn asks_for_writes(name: &str) -> bool {
    matches!(name, "wait" | "waitaof")
}
