//! Cluster mode.

use super::row::{LATER, Row, V9, container, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, READONLY, STALE, WRITE,
};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    own("asking", 1, FAST, C::CONNECTION).harmless(),
    container("cluster", C::NONE),
        own("cluster|addslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|addslotsrange", -4, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|bumpepoch", 2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|cancelslotmigrations", 2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator().on(V9),
        own("cluster|count-failure-reports", 3, ADMIN | STALE, C::NONE).operator(),
        own("cluster|countkeysinslot", 3, STALE, C::NONE),
        own("cluster|delslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|delslotsrange", -4, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|failover", -2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|flushslot", -3, WRITE | ADMIN | NO_ASYNC_LOADING, C::KEYSPACE).never().on(V9),
        own("cluster|flushslots", 2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|forget", 3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|getkeysinslot", 4, STALE, C::NONE),
        own("cluster|getslotmigrations", 2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator().on(V9),
        shared("cluster|help", 2, LOADING | STALE, C::NONE).harmless(),
        own("cluster|info", 2, LOADING | STALE, C::NONE),
        own("cluster|keyslot", 3, STALE, C::NONE).harmless(),
        own("cluster|links", 2, STALE, C::NONE),
        own("cluster|meet", -4, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|migrateslots", -4, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).never().on(V9),
        own("cluster|myid", 2, LOADING | STALE, C::NONE),
        own("cluster|myshardid", 2, LOADING | STALE, C::NONE).on(LATER),
        own("cluster|nodes", 2, LOADING | STALE, C::NONE),
        own("cluster|replicas", 3, ADMIN | STALE, C::NONE).operator(),
        own("cluster|replicate", -3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|reset", -2, ADMIN | NOSCRIPT | STALE, C::NONE).operator(),
        own("cluster|saveconfig", 2, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|set-config-epoch", 3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|setslot", -4, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).operator(),
        own("cluster|shards", 2, LOADING | STALE, C::NONE),
        own("cluster|slaves", 3, ADMIN | STALE, C::NONE).operator(),
        own("cluster|slot-stats", -4, LOADING | STALE, C::NONE).on(LATER),
        own("cluster|slots", 2, LOADING | STALE, C::NONE),
        own("cluster|syncslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, C::NONE).never().on(V9),
    own("clusterscan", -2, READONLY, C::KEYSPACE).on(V9),
    own("readonly", 1, LOADING | STALE | FAST, C::CONNECTION).harmless(),
    own("readwrite", 1, LOADING | STALE | FAST, C::CONNECTION).harmless(),
];
