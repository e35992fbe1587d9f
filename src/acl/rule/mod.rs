//! The words of Redis's ACL language, parsed: what each is called in `ACL SETUSER`, and where in the text it stands.
//!
//! A rule never holds a plain password: it is hashed while it is read. Source: Redis 7.0, `acl.c`, `ACLSetUser` and
//! `ACLSetSelector`.

mod fault;
mod parse;

pub use fault::{RuleFault, RuleFaultKind, RuleWarning};
pub use parse::Vocabulary;

use super::{glob::Glob, password::PasswordHash};
use crate::command::{Categories, CommandSpec};
use std::fmt;

/// A thing and where in the rules' text it begins, in bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Offset of its first byte.
    pub at: usize,
    /// The thing.
    pub rule: T,
}

/// Rules in the order in which they were written; the order is part of their meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleList {
    rules: Vec<Placed<Rule>>,
    warnings: Vec<Placed<RuleWarning>>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Who the user is.
    Identity(IdentityRule),
    /// What the root selector grants or takes away.
    Right(RightRule),
    /// `( ... )`: a selector of its own.
    Selector(Vec<Placed<RightRule>>),
    /// `clearselectors`: drops all but the root.
    ClearSelectors,
    /// `reset`: back to a user just made, that is off, without passwords and rights.
    Reset,
}

/// A rule about who the user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityRule {
    /// `on`
    On,
    /// `off`
    Off,
    /// `nopass`: any password logs in.
    NoPass,
    /// `resetpass`: no password logs in.
    ResetPass,
    /// `>password` or `#hash`
    AddPassword(PasswordHash),
    /// `<password` or `!hash`
    RemovePassword(PasswordHash),
    /// `sanitize-payload`
    SanitizePayload,
    /// `skip-sanitize-payload`
    SkipSanitizePayload,
}

/// A rule about what a selector grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightRule {
    /// `~*` or `allkeys`
    AllKeys,
    /// `resetkeys`
    ResetKeys,
    /// `~p`, `%R~p`, `%W~p`, `%RW~p`
    Keys(KeyRight, Glob),
    /// `&*` or `allchannels`
    AllChannels,
    /// `resetchannels`
    ResetChannels,
    /// `&p`
    Channels(Glob),
    /// `+@all` or `allcommands`
    AllCommands,
    /// `-@all` or `nocommands`
    NoCommands,
    /// `+@category`, `-@category`
    Category(Change, Category),
    /// `+command`, `-command`; a container stands for its subcommands too.
    Command(Change, Row),
}

/// What a key pattern allows to be done with the keys that match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRight {
    /// `%R~`
    Read,
    /// `%W~`
    Write,
    /// `~` and `%RW~`
    ReadWrite,
}

/// Whether a rule gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `+`
    Grant,
    /// `-`
    Withdraw,
}

/// One category, by its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its bit.
    pub bit: Categories,
    /// Its name in lower case, without `@`.
    pub name: &'static str,
}

/// A row of the command table; two are equal if their numbers are.
#[derive(Clone, Copy)]
pub struct Row(pub &'static CommandSpec);

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Row {}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl RuleList {
    /// Parses rules separated by white space.
    ///
    /// # Errors
    /// Every fault that can be found, in order; none quotes the text, which may hold a password in a wrong place.
    pub fn parse(text: &[u8], vocabulary: Vocabulary) -> Result<Self, Vec<RuleFault>> {
        parse::rules(text, vocabulary)
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Placed<Rule>] {
        &self.rules
    }

    /// What is legal and surely not meant.
    pub fn warnings(&self) -> &[Placed<RuleWarning>] {
        &self.warnings
    }

    /// Moves the warnings to where their text comes from.
    pub(super) fn place_warnings(&mut self, origin: impl Fn(usize) -> usize) {
        for warning in &mut self.warnings {
            warning.at = origin(warning.at);
        }
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl fmt::Display for RightRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllKeys => f.write_str("~*"),
            Self::ResetKeys => f.write_str("resetkeys"),
            Self::Keys(right, glob) => write!(f, "{right}{}", glob.text().escape_ascii()),
            Self::AllChannels => f.write_str("&*"),
            Self::ResetChannels => f.write_str("resetchannels"),
            Self::Channels(glob) => write!(f, "&{}", glob.text().escape_ascii()),
            Self::AllCommands => f.write_str("+@all"),
            Self::NoCommands => f.write_str("-@all"),
            Self::Category(change, category) => write!(f, "{change}@{}", category.name),
            Self::Command(change, row) => write!(f, "{change}{}", row.0.name),
        }
    }
}

impl fmt::Display for KeyRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "%R~",
            Self::Write => "%W~",
            Self::ReadWrite => "~",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grant => "+",
            Self::Withdraw => "-",
        })
    }
}

#[cfg(test)]
mod tests;
