//! Scripts and functions: they may answer in any shape and touch any key.

use super::row::{Row, VALKEY, code, container, own};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    ALLOW_BUSY, DENYOOM, LOADING, MOVABLEKEYS, NO_MANDATORY_KEYS, NOSCRIPT, READONLY, SKIP_MONITOR,
    STALE, WRITE,
};
use crate::command::spec::Access::{Read, ReadWrite};
use crate::command::spec::Sight::WritesAll;

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    code("eval", -3, NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(ReadWrite).full_user(),
    code("eval_ro", -3, READONLY | NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(Read).full_user(),
    code("evalsha", -3, NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(ReadWrite).full_user(),
    code("evalsha_ro", -3, READONLY | NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(Read).full_user(),
    code("fcall", -3, NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(ReadWrite).full_user(),
    code("fcall_ro", -3, READONLY | NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS | NO_MANDATORY_KEYS, C::SCRIPTING).script_keys(Read).full_user(),
    container("function", C::NONE),
        code("function|delete", 3, WRITE | NOSCRIPT, C::SCRIPTING).sees(WritesAll).full_user(),
        code("function|dump", 2, NOSCRIPT, C::SCRIPTING).full_user(),
        code("function|flush", -2, WRITE | NOSCRIPT, C::SCRIPTING).sees(WritesAll).full_user(),
        code("function|help", 2, LOADING | STALE, C::SCRIPTING).harmless().full_user(),
        code("function|kill", 2, NOSCRIPT | ALLOW_BUSY, C::SCRIPTING).sees(WritesAll).full_user(),
        code("function|list", -2, NOSCRIPT, C::SCRIPTING).full_user(),
        code("function|load", -3, WRITE | DENYOOM | NOSCRIPT, C::SCRIPTING).sees(WritesAll).full_user(),
        code("function|restore", -3, WRITE | DENYOOM | NOSCRIPT, C::SCRIPTING).sees(WritesAll).full_user(),
        code("function|stats", 2, NOSCRIPT | ALLOW_BUSY, C::SCRIPTING).full_user(),
    container("script", C::NONE),
        own("script|debug", -3, NOSCRIPT, C::SCRIPTING).never(),
        code("script|exists", -3, NOSCRIPT | STALE, C::SCRIPTING).harmless().full_user(),
        code("script|flush", -2, NOSCRIPT | STALE, C::SCRIPTING).sees(WritesAll).full_user(),
        code("script|help", 2, LOADING | STALE, C::SCRIPTING).harmless().full_user(),
        code("script|kill", 2, NOSCRIPT | ALLOW_BUSY, C::SCRIPTING).sees(WritesAll).full_user(),
        code("script|load", 3, NOSCRIPT | STALE, C::SCRIPTING).harmless().full_user(),
        code("script|show", 3, NOSCRIPT | STALE, C::SCRIPTING).full_user().on(VALKEY),
];
