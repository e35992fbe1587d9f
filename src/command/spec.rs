//! The shape of a row, and of a request that has found its row.

use crate::resp::Request;

/// Number of a row in the table, from 0 without gaps. Sets of commands are bit sets over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// A set of ACL categories, one bit each. Source: Redis 7.0 `ACL CAT`; Redis 8.2 and Valkey 9.1 add none to the core rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Categories(pub u32);

/// What a command does with a key. Source: the key specs' ACCESS, INSERT, UPDATE and DELETE flags (POLICY: not RO and RW).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Looks only whether or what the key is (EXISTS, TYPE, TOUCH): any pattern that matches the key grants it, as in Redis.
    Metadata,
    /// Returns or copies the value.
    Read,
    /// Changes, creates or deletes the value without telling it.
    Write,
    /// Both; one single pattern must carry both.
    ReadWrite,
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

/// What a row without keys lets its caller see (POLICY 7 and 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing beyond its own arguments and its own connection: needs no key pattern.
    Own,
    /// Reads the whole keyspace (KEYS, SCAN, RANDOMKEY, DBSIZE): the selector that grants it must hold `~*` or `%R~*`.
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
    /// Scripts and functions: only users who may touch everything (DESIGN: `+@all` with nothing taken away, `~*`, `&*`).
    FullUser,
    /// Only users marked `operator` (replication, MIGRATE, DEBUG, MODULE, SHUTDOWN, CONFIG SET...).
    Operator,
    /// Nobody (SCRIPT DEBUG, SYNC, PSYNC...).
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

/// A request together with the row that describes it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'r> {
    /// The row.
    pub spec: &'static CommandSpec,
    /// The request.
    pub request: Request<'r>,
}

/// One row of the table: a command, or a subcommand of one.
#[derive(Debug)]
pub struct CommandSpec {
    /// The row's number.
    pub id: CommandId,
    /// Lower-case name; `container|sub` for a subcommand.
    pub name: &'static str,
    /// Number of arguments, name included; negative: at least that many. Source: `COMMAND`.
    pub arity: i16,
    /// Categories whose `+@` grants the row: those it has on every supported server that knows it (POLICY 5).
    pub granted_by: Categories,
    /// Categories whose `-@` takes the row away: those it has on any supported server (POLICY 5).
    pub withdrawn_by: Categories,
    /// What a caller sees.
    pub sight: Sight,
    /// Who may have it forwarded.
    pub gate: Gate,
    /// The connection that it needs.
    pub lane: LaneNeed,
}
