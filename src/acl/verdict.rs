//! What comes out of an evaluation: a permit that borrows the judged request, or a denial that says why.

use super::policy::User;
use crate::command::Call;
use std::fmt;

/// The outcome of [`Policy::evaluate`](super::Policy::evaluate).
#[derive(Debug)]
#[must_use]
pub enum Verdict<'r> {
    /// The request may be forwarded, as it was judged.
    Allow(Permit<'r>),
    /// It may not.
    Deny(Denial),
}

/// Leave to forward one request. Only [`Policy::evaluate`](super::Policy::evaluate) makes one; it can't be copied.
#[derive(Debug)]
#[must_use]
pub struct Permit<'r> {
    call: Call<'r>,
    generation: u64,
}

impl<'r> Permit<'r> {
    /// Only `policy.rs` calls this, after all checks.
    pub(super) fn new(call: Call<'r>, generation: u64) -> Self {
        Self { call, generation }
    }

    /// The request that was judged, and its row.
    pub fn call(&self) -> &Call<'r> {
        &self.call
    }

    /// The generation of the policy that judged it.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Why a request may not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    reason: DenialReason,
}

/// The reasons, each with what would have been needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// No selector grants the command.
    Command,
    /// The row is forwarded for nobody.
    Never,
    /// The row is forwarded for users marked `operator` only.
    Operator,
    /// Scripts and functions are for users who may touch everything.
    Script,
    /// The command reads the whole keyspace: needs `~*` or `%R~*` where it is granted.
    ReadsAllKeys,
    /// The command writes the whole keyspace: needs `~*` where it is granted.
    WritesAllKeys,
    /// The command shows all channels: needs `&*` where it is granted.
    SeesAllChannels,
    /// Where the keys are can't be told for certain: a repeated or contradictory option.
    AmbiguousKeys,
    /// No key pattern grants what is done with the key.
    Key {
        /// Index of the argument; 0 is the command's name.
        argument: usize,
    },
    /// No channel pattern grants the channel.
    Channel {
        /// Index of the argument; 0 is the command's name.
        argument: usize,
    },
    /// A channel on which servers speak to each other or tell of keys.
    ReservedChannel {
        /// Index of the argument; 0 is the command's name.
        argument: usize,
    },
    /// The user isn't one of the policy that was asked: its session has yet to take over the new policy.
    Stale,
}

impl Denial {
    pub(super) fn new(reason: DenialReason) -> Self {
        Self { reason }
    }

    /// The reason.
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// The error line for the client, without `-` and line end: Redis's own texts of 8.2, the same in Valkey.
    pub fn wire_text<'a>(&self, user: &'a User, call: &Call<'_>) -> DenialText<'a> {
        DenialText {
            reason: self.reason,
            user: user.name(),
            command: call.spec.name,
        }
    }
}

impl DenialReason {
    /// All labels, in the order of their index.
    pub const LABELS: [&str; 11] = [
        "command",
        "never",
        "operator",
        "script",
        "keyspace",
        "channels",
        "ambiguous",
        "key",
        "channel",
        "reserved_channel",
        "stale",
    ];

    /// A short word for metrics: one of a fixed, small set.
    pub fn label(self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// The label's place among [`Self::LABELS`], for counters.
    pub fn index(self) -> usize {
        match self {
            Self::Command => 0,
            Self::Never => 1,
            Self::Operator => 2,
            Self::Script => 3,
            Self::ReadsAllKeys | Self::WritesAllKeys => 4,
            Self::SeesAllChannels => 5,
            Self::AmbiguousKeys => 6,
            Self::Key { .. } => 7,
            Self::Channel { .. } => 8,
            Self::ReservedChannel { .. } => 9,
            Self::Stale => 10,
        }
    }

    /// How near to being allowed: Redis tells of the selector that got furthest, commands before keys before channels.
    pub(super) fn rank(self) -> (u8, usize) {
        match self {
            Self::Stale => (0, 0), // Judged before any selector.
            Self::Command => (1, 0),
            Self::Never | Self::Operator | Self::Script => (2, 0),
            Self::ReadsAllKeys | Self::WritesAllKeys | Self::SeesAllChannels => (3, 0),
            Self::AmbiguousKeys => (4, 0),
            Self::Key { argument } => (5, argument),
            Self::Channel { argument } => (6, argument),
            Self::ReservedChannel { argument } => (7, argument),
        }
    }
}

impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command => f.write_str("no rule grants the command"),
            Self::Never => f.write_str("the command is never forwarded, for nobody"),
            Self::Operator => f.write_str("the command is for users marked operator"),
            Self::Script => f.write_str(
                "scripts and functions are for users with +@all (nothing taken away), ~* and &* in one set of rules",
            ),
            Self::ReadsAllKeys => {
                f.write_str("the command reads the whole keyspace: the rules that grant it must hold ~* or %R~*")
            }
            Self::WritesAllKeys => {
                f.write_str("the command writes the whole keyspace: the rules that grant it must hold ~*")
            }
            Self::SeesAllChannels => f.write_str("the command shows all channels: the rules that grant it must hold &*"),
            Self::AmbiguousKeys => f.write_str("its keys can't be told for certain (a repeated or contradictory option)"),
            Self::Key { argument } => write!(f, "no key pattern grants argument {argument}"),
            Self::Channel { argument } => write!(f, "no channel pattern grants argument {argument}"),
            Self::ReservedChannel { argument } => write!(
                f,
                "argument {argument} is, or could match, a channel that servers use: only operators publish there, and listening needs %R~*"
            ),
            Self::Stale => f.write_str("the user belongs to a policy that is no longer in force"),
        }
    }
}

/// A denial's error line, ready to be written.
#[derive(Clone, Copy, Debug)]
pub struct DenialText<'a> {
    reason: DenialReason,
    user: &'a str,
    command: &'static str,
}

impl fmt::Display for DenialText<'_> {
    /// Source: Redis 8.2, `acl.c`, `getAclErrorMessage`. Reasons that Redis doesn't know follow a colon after the nearest of its texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reason,
            user,
            command,
        } = self;
        match reason {
            DenialReason::Command | DenialReason::Never | DenialReason::Stale => {
                write!(
                    f,
                    "NOPERM User {user} has no permissions to run the '{command}' command"
                )
            }
            DenialReason::Operator => write!(
                f,
                "NOPERM User {user} has no permissions to run the '{command}' command: it is for operators"
            ),
            DenialReason::Script => write!(
                f,
                "NOPERM User {user} has no permissions to run the '{command}' command: scripts need +@all ~* &*"
            ),
            DenialReason::SeesAllChannels
            | DenialReason::Channel { .. }
            | DenialReason::ReservedChannel { .. } => {
                f.write_str("NOPERM No permissions to access a channel")
            }
            DenialReason::ReadsAllKeys
            | DenialReason::WritesAllKeys
            | DenialReason::AmbiguousKeys
            | DenialReason::Key { .. } => f.write_str("NOPERM No permissions to access a key"),
        }
    }
}
