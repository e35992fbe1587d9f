//! Why a request can't be read, and what Redis says of it. Each of these ends the connection: after it, nobody can know where
//! the next request begins.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a client's bytes. Never carries them, but for the one byte that Redis itself shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// The number of arguments isn't a canonical decimal number, or its line doesn't end in CR LF.
    CountMalformed,
    /// More arguments than anybody may send.
    CountTooLarge {
        /// The most that is allowed.
        limit: usize,
        /// What the request announced.
        found: u64,
    },
    /// More arguments than a client may send before login.
    CountBeforeLogin {
        /// The most that is allowed.
        limit: usize,
        /// What the request announced.
        found: u64,
    },
    /// An argument doesn't begin with `$`.
    NotABulk {
        /// The byte in its place.
        found: u8,
    },
    /// An argument's length isn't a canonical decimal number, or its line doesn't end in CR LF.
    LengthMalformed,
    /// An argument longer than anybody may send.
    LengthTooLarge {
        /// The most that is allowed, in bytes.
        limit: u64,
        /// What the request announced.
        found: u64,
    },
    /// An argument longer than a client may send before login.
    LengthBeforeLogin {
        /// The most that is allowed, in bytes.
        limit: u64,
        /// What the request announced.
        found: u64,
    },
    /// An argument isn't followed by CR LF where its length says that it ends.
    BulkUnterminated,
    /// A whole request of more than 4 GiB, which nobody can hold.
    RequestTooLarge,
    /// An inline command longer than its limit.
    InlineTooLong {
        /// The most that is allowed, in bytes.
        limit: usize,
    },
    /// A NUL byte in an inline command: servers that search with C's string functions look no further than that.
    InlineNul,
    /// An inline command whose quotes don't end, or end in the middle of a word.
    QuotesUnbalanced,
    /// The command is `POST` or `Host:`: a browser was led to send an HTTP request here.
    CrossProtocol,
}

impl ScanError {
    /// The error's text as Redis writes it, without its `-` and its line break; `None` where Redis closes without a word.
    ///
    /// Where Redis reads on and has no text, the nearest of its own; a NUL byte alone has a text of ours.
    pub fn redis_text(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::CountMalformed | Self::CountTooLarge { .. } => "invalid multibulk length",
            Self::CountBeforeLogin { .. } => "unauthenticated multibulk length",
            Self::NotABulk { found } => return Some(not_a_bulk(*found).into()),
            Self::LengthMalformed | Self::LengthTooLarge { .. } | Self::BulkUnterminated => {
                "invalid bulk length"
            }
            Self::LengthBeforeLogin { .. } => "unauthenticated bulk length",
            Self::InlineTooLong { .. } => "too big inline request",
            Self::InlineNul => "NUL byte in inline request",
            Self::QuotesUnbalanced => "unbalanced quotes in request",
            Self::RequestTooLarge | Self::CrossProtocol => return None,
        };
        Some(format!("ERR Protocol error: {text}").into())
    }
}

/// Redis shows the byte raw, and a line break as a space. Here what can't be printed is shown as `\xNN`.
fn not_a_bulk(found: u8) -> String {
    let shown = match found {
        b'\r' | b'\n' => " ".to_owned(),
        b' '..=b'~' => char::from(found).to_string(),
        _ => format!("\\x{found:02x}"),
    };
    format!("ERR Protocol error: expected '$', got '{shown}'")
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountMalformed => f.write_str("number of arguments is malformed"),
            Self::CountTooLarge { limit, found } => {
                write!(f, "{found} arguments announced, at most {limit} allowed")
            }
            Self::CountBeforeLogin { limit, found } => write!(
                f,
                "{found} arguments announced before login, at most {limit} allowed"
            ),
            Self::NotABulk { found } => write!(
                f,
                "argument begins with '{}', not with '$'",
                found.escape_ascii()
            ),
            Self::LengthMalformed => f.write_str("length of an argument is malformed"),
            Self::LengthTooLarge { limit, found } => write!(
                f,
                "argument of {found} bytes announced, at most {limit} allowed"
            ),
            Self::LengthBeforeLogin { limit, found } => write!(
                f,
                "argument of {found} bytes announced before login, at most {limit} allowed"
            ),
            Self::BulkUnterminated => f.write_str("argument isn't followed by a line break"),
            Self::RequestTooLarge => f.write_str("request is larger than 4 GiB"),
            Self::InlineTooLong { limit } => {
                write!(f, "inline command is longer than {limit} bytes")
            }
            Self::InlineNul => f.write_str("inline command holds a NUL byte"),
            Self::QuotesUnbalanced => f.write_str("inline command has unbalanced quotes"),
            Self::CrossProtocol => f.write_str("HTTP request instead of a command"),
        }
    }
}

impl std::error::Error for ScanError {}
