//! The connection itself; Redwall answers these or turns them into something else.

use super::row::{LATER, Row, VALKEY, container, local};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    ADMIN, ALLOW_BUSY, FAST, LOADING, NO_AUTH, NO_MULTI, NOSCRIPT, STALE,
};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    local("auth", -2, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, C::CONNECTION).harmless(),
    container("client", C::NONE),
        local("client|caching", 3, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|capa", -3, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).never().on(VALKEY),
        local("client|getname", 2, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|getredir", 2, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|help", 2, LOADING | STALE, C::CONNECTION).harmless(),
        local("client|id", 2, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|import-source", 3, NOSCRIPT | LOADING | STALE, C::CONNECTION).never().on(VALKEY),
        local("client|info", 2, NOSCRIPT | LOADING | STALE, C::CONNECTION).harmless(),
        local("client|kill", -3, ADMIN | NOSCRIPT | LOADING | STALE, C::CONNECTION).operator(),
        local("client|list", -2, ADMIN | NOSCRIPT | LOADING | STALE, C::CONNECTION).operator(),
        local("client|no-evict", 3, ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|no-touch", 3, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless().on(LATER),
        local("client|pause", -3, ADMIN | NOSCRIPT | LOADING | STALE, C::CONNECTION).operator(),
        local("client|reply", 3, NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|setinfo", 4, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless().on(LATER),
        local("client|setname", 3, NOSCRIPT | LOADING | STALE | ALLOW_BUSY, C::CONNECTION).harmless(),
        local("client|tracking", -3, NOSCRIPT | LOADING | STALE, C::CONNECTION),
        local("client|trackinginfo", 2, NOSCRIPT | LOADING | STALE, C::CONNECTION).harmless(),
        local("client|unblock", -3, ADMIN | NOSCRIPT | LOADING | STALE, C::CONNECTION).operator(),
        local("client|unpause", 2, ADMIN | NOSCRIPT | LOADING | STALE, C::CONNECTION).operator(),
    local("echo", 2, LOADING | STALE | FAST, C::CONNECTION).harmless(),
    local("hello", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, C::CONNECTION).harmless(),
    local("ping", -1, FAST, C::CONNECTION).harmless(),
    local("quit", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, C::CONNECTION).harmless(),
    local("reset", 1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, C::CONNECTION).harmless(),
    local("select", 2, LOADING | STALE | FAST | ALLOW_BUSY, C::CONNECTION).harmless(),
];
