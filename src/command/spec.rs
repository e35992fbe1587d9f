//! The shape of a row, and of a request that has found its row.

use super::categories::Categories;
use super::flags::{Flags, Servers};
use super::grammar::{ChannelGrammar, KeyGrammar};
use super::lone_key::LoneKey;
use crate::resp::Request;

/// Number of a row in the table, from 0 without gaps. Sets of commands are bit sets over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// What a command does with a key. Source: the key specs' ACCESS, INSERT, UPDATE and DELETE flags, not RO and RW, because
/// `INCR` is refused to a user who may only read one pattern and only write another that both match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Looks only whether or what the key is (EXISTS, TYPE, TOUCH): any pattern that matches the key grants it, as in Redis.
    Metadata = 0,
    /// Returns or copies the value.
    Read = 1,
    /// Changes, creates or deletes the value without telling it.
    Write = 2,
    /// Both; one single pattern must carry both.
    ReadWrite = 3,
}

impl Access {
    /// Whether who may do `self` may do `other`.
    #[inline]
    pub const fn covers(self, other: Self) -> bool {
        other as u8 & !(self as u8) == 0
    }

    /// What may do whatever either may.
    pub const fn and(self, other: Self) -> Self {
        match self as u8 | other as u8 {
            0 => Self::Metadata,
            1 => Self::Read,
            2 => Self::Write,
            _ => Self::ReadWrite,
        }
    }
}

/// One key in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Index of the argument.
    pub index: usize,
    /// What is done with it.
    pub access: Access,
}

/// One channel in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelUse {
    /// Index of the argument.
    pub index: usize,
    /// What is done with it.
    pub act: ChannelAct,
}

/// What is done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelAct {
    /// PUBLISH, SPUBLISH: the name is literal.
    Publish,
    /// SUBSCRIBE, SSUBSCRIBE: the name is literal.
    Subscribe,
    /// PSUBSCRIBE: the name is a pattern; a granting rule must have the very same text, or be `&*`.
    SubscribePattern,
    /// UNSUBSCRIBE and its kin: needs no right.
    Leave,
}

/// What a row lets its caller see beyond the keys and channels that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing beyond its own arguments and its own connection: needs no key pattern.
    Own,
    /// Reads the whole keyspace or the server (KEYS, SCAN, RANDOMKEY, DBSIZE): the selector that grants it must hold `~*` or
    /// `%R~*`.
    ReadsAll,
    /// Writes the whole keyspace (FLUSHALL, FLUSHDB, SWAPDB): the selector that grants it must hold `~*`.
    WritesAll,
    /// Sees all channels (PUBSUB): the selector that grants it must hold `&*`.
    Channels,
}

/// Who may ever have a row forwarded, whatever the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Whoever the rules allow.
    Open,
    /// Scripts and functions: only users who may touch everything (`+@all` with nothing taken away, `~*`, `&*`).
    FullUser,
    /// Only users marked `operator` (replication, MIGRATE, DEBUG, MODULE, SHUTDOWN, CONFIG SET...).
    Operator,
    /// Nobody (SCRIPT DEBUG, SYNC, PSYNC, MONITOR...).
    Never,
}

/// What a row needs of the backend connection that it travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneNeed {
    /// Whole, single-reply, stateless, not blocking: may travel on a connection that many sessions share.
    Shared,
    /// Changes or needs the state of its connection, may block, or stops others: a connection lent to one session.
    Own,
    /// Runs code that may answer in any shape (scripts, functions, modules): a connection that is never lent again.
    OwnForever,
    /// Answered by Redwall itself, or turned into something else: never forwarded as it is.
    Redwall,
}

/// Whether a large request of the row may be forwarded before all of it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// No: something that comes late may change the verdict.
    No,
    /// Yes: the verdict depends on nothing behind the first argument after the name.
    AfterFirstArgument,
    /// As before, but only with exactly three arguments in all, because options would follow (SET).
    OfThreeArguments,
}

/// A request together with the row that describes it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'r> {
    /// The row.
    pub spec: &'static CommandSpec,
    /// The request.
    pub request: Request<'r>,
}

/// One row of the table: a command, or a subcommand of one.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// The row's number.
    pub id: CommandId,
    /// Lower-case name; `container|sub` for a subcommand.
    pub name: &'static str,
    /// The group of `COMMAND DOCS`: `string`, `sorted-set`...
    pub group: &'static str,
    /// Number of arguments, name included; negative: at least that many. Where servers differ, the widest: the backend
    /// refuses what it doesn't take. Source: `COMMAND`.
    pub arity: i16,
    /// Single-word properties, those of all supported servers together. Source: `COMMAND`.
    pub flags: Flags,
    /// Categories whose `+@` grants the row: those it has on every supported server that knows it.
    pub granted_by: Categories,
    /// Categories whose `-@` takes the row away: those it has on any supported server.
    pub withdrawn_by: Categories,
    /// Where its keys are.
    pub keys: KeyGrammar,
    /// Where its channels are.
    pub channels: ChannelGrammar,
    /// What a caller sees, judged by the row alone; `sight` also looks at the arguments.
    pub sight: Sight,
    /// Who may have it forwarded, judged by the row alone; of CONFIG GET also ask `config_get_is_public`.
    pub gate: Gate,
    /// Whether its first argument, a key, is all that is judged beside the command itself; follows from the four before.
    pub lone_key: LoneKey,
    /// The connection that it needs, judged by the row alone; `lane_need` also looks at the arguments.
    pub lane: LaneNeed,
    /// Whether it may be forwarded while it arrives.
    pub streaming: Streaming,
    /// The supported servers that know the row.
    pub servers: Servers,
    /// The container, for a subcommand.
    pub parent: Option<CommandId>,
    /// How many subcommands there are; their rows follow this one directly.
    pub subcommands: u16,
    /// Length in bytes of the container's name and the bar in `name`; 0 for a command.
    pub(super) prefix: u8,
}

impl CommandSpec {
    /// Whether the row has subcommands (CONFIG, CLIENT, XGROUP...).
    pub const fn is_container(&self) -> bool {
        self.subcommands > 0
    }

    /// The name without its container's: `get` for `config|get`.
    #[inline]
    pub const fn short_name(&self) -> &'static str {
        self.name.split_at(self.prefix as usize).1
    }

    /// Whether a request of `count` arguments, the name included, has as many as the row wants.
    pub const fn accepts(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 {
            count == wanted
        } else {
            count >= wanted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access::{self, Metadata, Read, ReadWrite, Write};

    #[test]
    fn a_right_covers_what_needs_no_more() {
        let covered: [(Access, &[Access]); 4] = [
            (Metadata, &[Metadata]),
            (Read, &[Metadata, Read]),
            (Write, &[Metadata, Write]),
            (ReadWrite, &[Metadata, Read, Write, ReadWrite]),
        ];
        for (right, covered) in covered {
            for other in [Metadata, Read, Write, ReadWrite] {
                assert_eq!(
                    right.covers(other),
                    covered.contains(&other),
                    "{right:?} {other:?}"
                );
                let both = right.and(other);
                assert!(both.covers(right) && both.covers(other));
            }
        }
        assert_eq!(
            (Read.and(Read), Read.and(Write), Write.and(Metadata)),
            (Read, ReadWrite, Write)
        );
    }
}
