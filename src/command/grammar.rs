//! Where keys and channels stand in a request: data of a row; `keys` and `channels` read it.

use super::spec::{Access, ChannelAct};

/// One place for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Index of the argument; the command's name is 0.
    pub index: usize,
    /// What is done with the key.
    pub access: Access,
}

/// Keys that stand in a row up to the end of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the first key. There must be one at least.
    pub first: usize,
    /// Distance from key to key: 1, or 2 where a value follows each key and must be there.
    pub step: usize,
    /// How many arguments at the end are no keys (BLPOP's time-out).
    pub tail: usize,
    /// What is done with the keys.
    pub access: Access,
}

/// Keys whose number stands before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Index of the number; the first key follows it.
    pub count: usize,
    /// Distance from key to key: 1, or 2 where a value follows each key and must be there.
    pub step: usize,
    /// The smallest number: 0 for scripts, 1 for all others.
    pub least: usize,
    /// What is done with the keys.
    pub access: Access,
}

/// Where a row's keys stand. Ours, not the server's: servers' own key specs have been fooled by repeated options and by
/// keywords that stand where keys are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyGrammar {
    /// No keys.
    None,
    /// One key.
    One(Slot),
    /// Two keys.
    Two(Slot, Slot),
    /// Keys up to the end.
    Run(Run),
    /// A key (the destination), then keys up to the end.
    OneThenRun(Slot, Run),
    /// As many keys as an argument says.
    Counted(Counted),
    /// A key (the destination), then as many keys as an argument says.
    OneThenCounted(Slot, Counted),
    /// SET: whether it also tells the old value depends on its options.
    Set,
    /// ZADD: with INCR it also tells the score.
    ZAdd,
    /// BITFIELD: it only reads if all its operations are GET.
    BitField,
    /// COPY: two keys, then `DB number` and `REPLACE`.
    Copy,
    /// SORT: one key, patterns of other keys, a destination.
    Sort,
    /// SORT_RO: as SORT, without a destination.
    SortRo,
    /// GEORADIUS and GEORADIUSBYMEMBER: one key, and a destination among the options.
    GeoRadius {
        /// Index of the first option.
        options: usize,
    },
    /// XREAD: keys between STREAMS and as many ids.
    XRead,
    /// XREADGROUP: the same, with GROUP.
    XReadGroup,
    /// MIGRATE: one key, or an empty one and KEYS at the end.
    Migrate,
}

/// Where a row's channels stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelGrammar {
    /// No channels.
    None,
    /// The first argument after the name is the channel.
    First(ChannelAct),
    /// Every argument after the name is a channel; there may be none where the arity allows it.
    Every(ChannelAct),
}
