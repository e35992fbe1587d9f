//! Why rules are refused. No text of the rules is ever quoted: what stands in a wrong place may be a password.

use super::super::glob::GlobFault;
use std::fmt;

/// A fault, and where in the rules' text it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleFault {
    /// Offset in bytes, from 0.
    pub at: usize,
    /// What it is.
    pub kind: RuleFaultKind,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleFaultKind {
    /// No rule begins so.
    UnknownRule,
    /// `+x` or `-x` with a name that the table doesn't have.
    UnknownCommand,
    /// `+x|y` with a container that has no such subcommand.
    UnknownSubcommand,
    /// `+@x` or `-@x` with a category that Redis doesn't have.
    UnknownCategory,
    /// `+select|0`: Redis's deprecated first-argument rules.
    FirstArgument,
    /// `%` without `R`, `W` and then `~`.
    KeyRight,
    /// White space or NUL inside a pattern.
    BlankInPattern,
    /// A pattern that is refused.
    Pattern(GlobFault),
    /// `>` or `<` alone, or the hash of nothing.
    EmptyPassword,
    /// `#` or `!` without a hash.
    NotAHash,
    /// `!hash` or `<password` that the user doesn't have at that point.
    NoSuchPassword,
    /// `(` without `)`.
    UnclosedSelector,
    /// A rule inside `( )` that isn't about commands, keys or channels.
    NotInSelector,
    /// Quotes inside `( )`.
    QuoteInSelector,
    /// `db=`, `alldbs`, `resetdbs`.
    DatabaseRule,
    /// A rule about who the user is, where only rights may stand.
    IdentityRule,
}

impl fmt::Display for RuleFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownRule => {
                "unknown rule, expected one of Redis's ACL rules such as +get, -@dangerous, ~key:*, &channel:*"
            }
            Self::UnknownCommand => "unknown command, expected the name of a command or of a subcommand as +container|sub",
            Self::UnknownSubcommand => "unknown subcommand, expected one that the container has",
            Self::UnknownCategory => "unknown category, expected one that `ACL CAT` lists",
            Self::FirstArgument => {
                "a rule for a first argument (as in +select|0), which Redis has deprecated and Redwall doesn't take; \
                 expected +command, or +container|subcommand"
            }
            Self::KeyRight => "unknown key permission, expected %R~, %W~ or %RW~ and a pattern",
            Self::BlankInPattern => "white space or NUL in a pattern, expected neither",
            Self::Pattern(fault) => return write!(f, "{fault}"),
            Self::EmptyPassword => "an empty password, expected at least one character",
            Self::NotAHash => "not a password hash, expected 64 lower-case hexadecimal digits",
            Self::NoSuchPassword => "removes a password that the user doesn't have here, expected one of its passwords",
            Self::UnclosedSelector => "a selector that doesn't end, expected `)` at its end",
            Self::NotInSelector => "not a rule for a selector, expected rules for commands, keys and channels between ( and )",
            Self::QuoteInSelector => "quotes in a selector, expected none (Redis would drop them, or the whole selector)",
            Self::DatabaseRule => "a rule for databases, which Redwall doesn't judge yet; expected none",
            Self::IdentityRule => {
                "a rule about the user itself (on, off, passwords), expected rules for commands, keys and channels"
            }
        })
    }
}

impl std::error::Error for RuleFaultKind {}

/// What is legal and surely not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleWarning {
    /// `[!` in a pattern.
    BangClass,
    /// `sanitize-payload`, which says nothing about a backend that is reached as another user.
    SanitizePayload,
}

impl fmt::Display for RuleWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BangClass => "[! is a plain exclamation mark in Redis; [^ is what takes all but the characters named",
            Self::SanitizePayload => "has no effect: the backend sees Redwall's own user, not this one",
        })
    }
}
