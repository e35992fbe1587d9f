//! Transactions.

use super::row::{Row, own};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    ALLOW_BUSY, FAST, LOADING, NO_MULTI, NOSCRIPT, SKIP_COMMANDLOG, SKIP_SLOWLOG, STALE,
};
use crate::command::spec::Access::Metadata;

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    own("discard", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, C::TRANSACTION).harmless(),
    own("exec", 1, NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG | SKIP_COMMANDLOG, C::TRANSACTION).harmless(),
    own("multi", 1, NOSCRIPT | LOADING | STALE | FAST | NO_MULTI | ALLOW_BUSY, C::TRANSACTION).harmless(),
    own("unwatch", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, C::TRANSACTION).harmless(),
    own("watch", -2, NOSCRIPT | LOADING | STALE | FAST | NO_MULTI | ALLOW_BUSY, C::TRANSACTION).all_keys(Metadata),
];
