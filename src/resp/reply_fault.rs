//! Why a backend's bytes can't be read. After such a fault its replies can't be paired with requests any more.

use std::fmt;

/// What is wrong with a backend's bytes. Never carries them, but for a type byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// A frame or an element begins with a byte that is no RESP type.
    UnknownType {
        /// The byte.
        found: u8,
    },
    /// A length, a count or an integer isn't a canonical decimal number.
    NumberMalformed {
        /// The type byte before it.
        of: u8,
    },
    /// A length or a count beyond all that a server sends.
    NumberTooLarge {
        /// The type byte before it.
        of: u8,
        /// The most that is read.
        limit: u64,
        /// What was announced.
        found: u64,
    },
    /// A string or an aggregate whose length isn't announced (`$?`, `*?`): RESP3 has them, no server sends them.
    Streamed {
        /// The type byte.
        of: u8,
    },
    /// Aggregates inside each other deeper than any server sends.
    TooDeep {
        /// The most that is read.
        limit: usize,
    },
    /// A double, a big number, a boolean or a null with a byte that can't be in one, or without any.
    ScalarMalformed {
        /// The type byte.
        of: u8,
    },
    /// A line break that isn't CR LF, or none where a string's length says that it ends.
    LineBreak,
    /// A push without elements, or inside a push or an attribute.
    PushMisplaced,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { found } => {
                write!(f, "unknown RESP type '{}'", found.escape_ascii())
            }
            Self::NumberMalformed { of } => {
                write!(f, "number after '{}' is malformed", of.escape_ascii())
            }
            Self::NumberTooLarge { of, limit, found } => write!(
                f,
                "{found} announced after '{}', at most {limit} allowed",
                of.escape_ascii()
            ),
            Self::Streamed { of } => write!(f, "'{}' of unknown length", of.escape_ascii()),
            Self::TooDeep { limit } => write!(f, "aggregates deeper than {limit}"),
            Self::ScalarMalformed { of } => {
                write!(f, "value after '{}' is malformed", of.escape_ascii())
            }
            Self::LineBreak => f.write_str("line break is missing or malformed"),
            Self::PushMisplaced => f.write_str("push is empty or misplaced"),
        }
    }
}

impl std::error::Error for ReplyFault {}
