//! How a row is written. A row begins with the kind of lane that it needs, its name, arity, flags and own categories;
//! everything else follows as a method, and what isn't said is the strictest: no keys means that it sees everything.

use crate::command::categories::Categories;
use crate::command::flags::{Flags, Servers, bits};
use crate::command::grammar::{ChannelGrammar, Counted, KeyGrammar, Run, Slot};
use crate::command::lone_key::LoneKey;
use crate::command::spec::{
    Access, ChannelAct, CommandId, CommandSpec, Gate, LaneNeed, Sight, Streaming,
};

/// Short names for the servers that know a row.
pub(super) const R8: Servers = Servers::REDIS_8_2;
pub(super) const V9: Servers = Servers::VALKEY_9_1;
/// Redis 8.2 and Valkey 9.1: expiry of hash fields.
pub(super) const R8_V9: Servers = R8.union(V9);
/// Both Valkeys.
pub(super) const VALKEY: Servers = Servers::VALKEY_8_1.union(V9);
/// All but Redis 7.0.
pub(super) const LATER: Servers = R8.union(VALKEY);

/// A row that may share a connection: single reply, stateless, not blocking.
pub(super) const fn shared(name: &'static str, arity: i16, flags: u32, own: Categories) -> Row {
    Row::new(LaneNeed::Shared, name, arity, flags, own)
}

/// A row that needs a connection of its own for a while.
pub(super) const fn own(name: &'static str, arity: i16, flags: u32, own: Categories) -> Row {
    Row::new(LaneNeed::Own, name, arity, flags, own)
}

/// A row that runs code, so that its connection is never lent again.
pub(super) const fn code(name: &'static str, arity: i16, flags: u32, own: Categories) -> Row {
    Row::new(LaneNeed::OwnForever, name, arity, flags, own)
}

/// A row that Redwall answers or translates.
pub(super) const fn local(name: &'static str, arity: i16, flags: u32, own: Categories) -> Row {
    Row::new(LaneNeed::Redwall, name, arity, flags, own)
}

/// A row that only has subcommands; they follow it in the list.
pub(super) const fn container(name: &'static str, own: Categories) -> Row {
    Row::new(LaneNeed::Own, name, -2, 0, own)
}

/// A row being written.
#[derive(Clone, Copy)]
pub(super) struct Row(CommandSpec);

impl Row {
    const fn new(
        lane: LaneNeed,
        name: &'static str,
        arity: i16,
        flags: u32,
        own: Categories,
    ) -> Self {
        let categories = own.union(implied(Flags(flags), own));
        Self(CommandSpec {
            id: CommandId(0),
            name,
            group: "",
            arity,
            flags: Flags(flags),
            granted_by: categories,
            withdrawn_by: categories,
            keys: KeyGrammar::None,
            channels: ChannelGrammar::None,
            sight: Sight::ReadsAll,
            gate: Gate::Open,
            lone_key: LoneKey::No,
            lane,
            streaming: Streaming::No,
            servers: Servers::ALL,
            parent: None,
            subcommands: 0,
            prefix: 0,
        })
    }

    /// The finished row; number, group and relatives are set when the table is put together.
    pub(super) const fn spec(self) -> CommandSpec {
        let mut spec = self.0;
        spec.lone_key = LoneKey::of(&spec);
        spec
    }

    /// Keys where `keys` says. A row with keys sees these and no others.
    pub(super) const fn keys(mut self, keys: KeyGrammar) -> Self {
        self.0.keys = keys;
        self.0.sight = Sight::Own;
        self
    }

    /// One key, at `index`.
    pub(super) const fn key(self, index: usize, access: Access) -> Self {
        self.keys(KeyGrammar::One(Slot { index, access }))
    }

    /// Two keys, side by side from `index` on.
    pub(super) const fn two_keys(self, index: usize, one: Access, other: Access) -> Self {
        let one = Slot { index, access: one };
        let other = Slot {
            index: index + 1,
            access: other,
        };
        self.keys(KeyGrammar::Two(one, other))
    }

    /// Keys from the first argument to the last.
    pub(super) const fn all_keys(self, access: Access) -> Self {
        self.keys(KeyGrammar::Run(run(1, 1, 0, access)))
    }

    /// Keys from the first argument to the last but one, which is a time-out.
    pub(super) const fn keys_then_timeout(self, access: Access) -> Self {
        self.keys(KeyGrammar::Run(run(1, 1, 1, access)))
    }

    /// Keys and values in turn.
    pub(super) const fn pairs(self, access: Access) -> Self {
        self.keys(KeyGrammar::Run(run(1, 2, 0, access)))
    }

    /// A destination at `index`, then sources to the last argument, which are read.
    pub(super) const fn into_from_all(self, index: usize, access: Access) -> Self {
        let sources = run(index + 1, 1, 0, Access::Read);
        self.keys(KeyGrammar::OneThenRun(Slot { index, access }, sources))
    }

    /// As many keys, at least one, as argument `count` says.
    pub(super) const fn counted(self, count: usize, access: Access) -> Self {
        self.keys(KeyGrammar::Counted(counted(count, 1, 1, access)))
    }

    /// As many pairs of key and value as argument `count` says.
    pub(super) const fn counted_pairs(self, count: usize, access: Access) -> Self {
        self.keys(KeyGrammar::Counted(counted(count, 2, 1, access)))
    }

    /// A destination first, then as many sources as the second argument says.
    pub(super) const fn into_from_counted(self) -> Self {
        let destination = Slot {
            index: 1,
            access: Access::Write,
        };
        let sources = counted(2, 1, 1, Access::Read);
        self.keys(KeyGrammar::OneThenCounted(destination, sources))
    }

    /// A script or function, then as many keys, perhaps none, as the second argument says.
    pub(super) const fn script_keys(self, access: Access) -> Self {
        self.keys(KeyGrammar::Counted(counted(2, 1, 0, access)))
    }

    /// The first argument is a channel.
    pub(super) const fn channel(mut self, act: ChannelAct) -> Self {
        self.0.channels = ChannelGrammar::First(act);
        self.0.sight = Sight::Own;
        self
    }

    /// All arguments are channels.
    pub(super) const fn every_channel(mut self, act: ChannelAct) -> Self {
        self.0.channels = ChannelGrammar::Every(act);
        self.0.sight = Sight::Own;
        self
    }

    /// Reviewed: it reveals and changes nothing beyond its arguments and its own connection.
    pub(super) const fn harmless(self) -> Self {
        self.sees(Sight::Own)
    }

    /// Sees what `sight` says.
    pub(super) const fn sees(mut self, sight: Sight) -> Self {
        self.0.sight = sight;
        self
    }

    /// Only for users who may do everything anyway.
    pub(super) const fn full_user(mut self) -> Self {
        self.0.gate = Gate::FullUser;
        self
    }

    /// Only for operators.
    pub(super) const fn operator(mut self) -> Self {
        self.0.gate = Gate::Operator;
        self
    }

    /// Forwarded for nobody.
    pub(super) const fn never(mut self) -> Self {
        self.0.gate = Gate::Never;
        self
    }

    /// A large value may be forwarded while it arrives: nothing behind the first argument can change the verdict.
    pub(super) const fn streams(mut self) -> Self {
        self.0.streaming = Streaming::AfterFirstArgument;
        self
    }

    /// The same, but only for requests of exactly three arguments.
    pub(super) const fn streams_of_three(mut self) -> Self {
        self.0.streaming = Streaming::OfThreeArguments;
        self
    }

    /// Known to these servers alone.
    pub(super) const fn on(mut self, servers: Servers) -> Self {
        self.0.servers = servers;
        self
    }

    /// Some servers don't count it to these categories, so `+@` doesn't grant it.
    pub(super) const fn not_everywhere(mut self, some: Categories) -> Self {
        self.0.granted_by = self.0.granted_by.without(some);
        self
    }
}

const fn run(first: usize, step: usize, tail: usize, access: Access) -> Run {
    Run {
        first,
        step,
        tail,
        access,
    }
}

const fn counted(count: usize, step: usize, least: usize, access: Access) -> Counted {
    Counted {
        count,
        step,
        least,
        access,
    }
}

/// The categories that servers derive from flags. Source: Redis 7.0 `setImplicitACLCategories`, checked against `COMMAND`
/// of all supported servers. Rows of modules have none.
const fn implied(flags: Flags, own: Categories) -> Categories {
    if flags.has(bits::MODULE) {
        return Categories::NONE;
    }
    let mut set = if flags.has(bits::FAST) {
        Categories::FAST
    } else {
        Categories::SLOW
    };
    if flags.has(bits::WRITE) {
        set = set.union(Categories::WRITE);
    }
    if flags.has(bits::READONLY) && !own.contains(Categories::SCRIPTING) {
        set = set.union(Categories::READ);
    }
    if flags.has(bits::ADMIN) {
        set = set.union(Categories::ADMIN).union(Categories::DANGEROUS);
    }
    if flags.has(bits::PUBSUB) {
        set = set.union(Categories::PUBSUB);
    }
    if flags.has(bits::BLOCKING) {
        set = set.union(Categories::BLOCKING);
    }
    set
}
