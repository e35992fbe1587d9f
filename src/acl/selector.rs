//! One selector, compiled: which rows it grants, and on which keys and channels. A request must be granted by one
//! selector as a whole; what two grant together, neither grants.

use super::command_set::CommandSet;
use super::glob::{Glob, could_match_beginning};
use super::rule::{Change, KeyRight, RightRule};
use super::table;
use super::user::Operator;
use super::verdict::DenialReason;
use crate::command::keys::Extracted;
use crate::command::{
    self, Access, Call, ChannelAct, ChannelUse, CommandSpec, Gate, KeyUse, Sight,
};

/// Beginnings of channels on which servers speak to each other, or tell of keys. A forged message on the first moves a
/// failover; the others show key names of every database, or make clients drop what they have cached.
pub(super) const RESERVED_CHANNELS: [&[u8]; 4] = [
    b"__sentinel__:",
    b"__keyspace@",
    b"__keyevent@",
    b"__redis__:",
];

/// What one set of rules grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    commands: CommandSet,
    reach: Reach,
    keys: Vec<KeyPattern>,
    channels: Vec<Glob>,
}

/// Where a selector reaches everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Reach {
    /// `+@all`, with nothing taken away since.
    commands: bool,
    /// The literal `~*`.
    keys: bool,
    /// `%R~*`, in one text with other rights or not.
    keys_to_read: bool,
    /// The literal `&*`.
    channels: bool,
}

/// A key pattern and what it allows; both may hold, since equal texts merge.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    glob: Glob,
    granted: Access,
}

impl Selector {
    /// A selector that grants nothing.
    pub(super) fn new() -> Self {
        Self {
            commands: CommandSet::EMPTY,
            reach: Reach::default(),
            keys: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// Applies the next rule. The order of rules is part of their meaning, as in Redis's `ACLSetSelector`.
    pub(super) fn apply(&mut self, rule: &RightRule) {
        match rule {
            RightRule::AllKeys => {
                self.reach.keys = true;
                self.reach.keys_to_read = false;
                self.keys.clear();
            }
            RightRule::ResetKeys => {
                self.reach.keys = false;
                self.reach.keys_to_read = false;
                self.keys.clear();
            }
            RightRule::Keys(right, glob) => self.add_key_pattern(*right, glob),
            RightRule::AllChannels => {
                self.reach.channels = true;
                self.channels.clear();
            }
            RightRule::ResetChannels => {
                self.reach.channels = false;
                self.channels.clear();
            }
            RightRule::Channels(glob) => {
                if !self.channels.contains(glob) {
                    self.channels.push(glob.clone());
                }
            }
            RightRule::AllCommands => {
                self.commands.apply(rule);
                self.reach.commands = true;
            }
            RightRule::NoCommands
            | RightRule::Category(Change::Withdraw, _)
            | RightRule::Command(Change::Withdraw, _) => {
                self.commands.apply(rule);
                self.reach.commands = false;
            }
            RightRule::Category(Change::Grant, _) | RightRule::Command(Change::Grant, _) => {
                self.commands.apply(rule);
            }
        }
    }

    fn add_key_pattern(&mut self, right: KeyRight, glob: &Glob) {
        let granted = match right {
            KeyRight::Read => Access::Read,
            KeyRight::Write => Access::Write,
            KeyRight::ReadWrite => Access::ReadWrite,
        };
        self.reach.keys_to_read |= granted.covers(Access::Read) && glob.text() == b"*";
        match self.keys.iter_mut().find(|own| own.glob == *glob) {
            Some(own) => own.granted = own.granted.and(granted),
            None => self.keys.push(KeyPattern {
                glob: glob.clone(),
                granted,
            }),
        }
    }

    /// Takes away rows whatever the rules said.
    pub(super) fn withdraw(&mut self, denied: &CommandSet) {
        self.commands.subtract(denied);
        self.reach.commands = false;
    }

    /// Whether it lets every key be read.
    pub(super) fn reads_all(&self) -> bool {
        self.reach.keys || self.reach.keys_to_read
    }

    /// Whether the selector grants the request.
    ///
    /// # Errors
    /// What is missing first, in the order command, gate, sight, keys, channels.
    #[inline]
    pub(super) fn judge(&self, call: &Call<'_>, operator: Operator) -> Result<(), DenialReason> {
        if !self.commands.contains(call.spec.id) {
            return Err(DenialReason::Command);
        }
        match command::lone_key(call) {
            Some((key, access)) if self.grants_key(key, access) => Ok(()),
            Some(_) => Err(DenialReason::Key { argument: 1 }),
            None => self.judge_all(call, operator),
        }
    }

    /// The same of a request whose command is granted, whatever it is.
    #[inline(never)]
    fn judge_all(&self, call: &Call<'_>, operator: Operator) -> Result<(), DenialReason> {
        self.judge_gate(table::gate(call), operator)?;
        self.judge_sight(command::sight(call))?;
        self.judge_keys(call)?;
        self.judge_channels(call, operator)
    }

    /// Whether some request of the row could be granted: what a user is told when it asks for its commands.
    pub(super) fn grants_row(&self, row: &CommandSpec, operator: Operator) -> bool {
        self.commands.contains(row.id) && self.judge_gate(row.gate, operator).is_ok()
    }

    #[inline]
    fn judge_gate(&self, gate: Gate, operator: Operator) -> Result<(), DenialReason> {
        match (gate, operator) {
            (Gate::Open, Operator::Yes | Operator::No) | (Gate::Operator, Operator::Yes) => Ok(()),
            (Gate::Operator, Operator::No) => Err(DenialReason::Operator),
            (Gate::Never, Operator::Yes | Operator::No) => Err(DenialReason::Never),
            (Gate::FullUser, Operator::Yes | Operator::No) => {
                let Reach {
                    commands,
                    keys,
                    keys_to_read: _,
                    channels,
                } = self.reach;
                (commands && keys && channels)
                    .then_some(())
                    .ok_or(DenialReason::Script)
            }
        }
    }

    #[inline]
    fn judge_sight(&self, sight: Sight) -> Result<(), DenialReason> {
        let (granted, missing) = match sight {
            Sight::Own => return Ok(()),
            Sight::ReadsAll => (self.reads_all_keys(), DenialReason::ReadsAllKeys),
            Sight::WritesAll => (self.reach.keys, DenialReason::WritesAllKeys),
            Sight::Channels => (self.reach.channels, DenialReason::SeesAllChannels),
        };
        granted.then_some(()).ok_or(missing)
    }

    fn reads_all_keys(&self) -> bool {
        self.reach.keys || self.reach.keys_to_read
    }

    /// Finds the keys even where all are granted: a request whose keys can't be told is granted to nobody.
    #[inline]
    fn judge_keys(&self, call: &Call<'_>) -> Result<(), DenialReason> {
        let Extracted { all_keys_read } = table::each_key(call, |key| {
            let KeyUse { index, access } = key;
            let bytes = call.request.arg(index).ok_or(DenialReason::AmbiguousKeys)?;
            match self.grants_key(bytes, access) {
                true => Ok(()),
                false => Err(DenialReason::Key { argument: index }),
            }
        })?;
        if all_keys_read && !self.reads_all_keys() {
            return Err(DenialReason::ReadsAllKeys);
        }
        Ok(())
    }

    #[inline(always)]
    fn grants_key(&self, key: &[u8], access: Access) -> bool {
        self.reach.keys || self.keys.iter().any(|own| own.grants(key, access))
    }

    #[inline]
    fn judge_channels(&self, call: &Call<'_>, operator: Operator) -> Result<(), DenialReason> {
        table::each_channel(call, |channel| {
            let ChannelUse { index, act } = channel;
            let name = call
                .request
                .arg(index)
                .ok_or(DenialReason::Channel { argument: index })?;
            if !self.grants_channel(name, act) {
                return Err(DenialReason::Channel { argument: index });
            }
            if self.grants_reserved(name, act, operator) {
                Ok(())
            } else {
                Err(DenialReason::ReservedChannel { argument: index })
            }
        })
    }

    fn grants_channel(&self, name: &[u8], act: ChannelAct) -> bool {
        match act {
            ChannelAct::Leave => true,
            ChannelAct::Publish | ChannelAct::Subscribe => {
                self.reach.channels || self.channels.iter().any(|own| own.matches(name))
            }
            // A pattern may match more than it is matched by: only its very own text grants it.
            ChannelAct::SubscribePattern => {
                self.reach.channels || self.channels.iter().any(|own| own.text() == name)
            }
        }
    }

    /// Whether nothing reserved is touched, or the caller may.
    fn grants_reserved(&self, name: &[u8], act: ChannelAct, operator: Operator) -> bool {
        match act {
            ChannelAct::Leave => true,
            ChannelAct::Publish => {
                operator == Operator::Yes
                    || !RESERVED_CHANNELS
                        .iter()
                        .any(|reserved| name.starts_with(reserved))
            }
            ChannelAct::Subscribe => {
                self.reads_all_keys()
                    || !RESERVED_CHANNELS
                        .iter()
                        .any(|reserved| name.starts_with(reserved))
            }
            ChannelAct::SubscribePattern => {
                self.reads_all_keys()
                    || !RESERVED_CHANNELS
                        .iter()
                        .any(|reserved| could_match_beginning(name, reserved))
            }
        }
    }

    /// The first key pattern that grants `access` to `key`, for an explanation.
    pub(super) fn key_pattern(&self, key: &[u8], access: Access) -> Option<RightRule> {
        if self.reach.keys {
            return Some(RightRule::AllKeys);
        }
        let own = self.keys.iter().find(|own| own.grants(key, access))?;
        let right = match own.granted {
            Access::Read => KeyRight::Read,
            Access::Write => KeyRight::Write,
            Access::ReadWrite | Access::Metadata => KeyRight::ReadWrite,
        };
        Some(RightRule::Keys(right, own.glob.clone()))
    }
}

impl KeyPattern {
    /// Whether this one pattern matches and carries all the rights that are needed.
    #[inline]
    fn grants(&self, key: &[u8], access: Access) -> bool {
        self.granted.covers(access) && self.glob.matches(key)
    }
}
