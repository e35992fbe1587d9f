//! Keys of any type.

use super::row::{LATER, Row, container, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    BLOCKING, DENYOOM, FAST, LOADING, MOVABLEKEYS, NOSCRIPT, READONLY, STALE, WRITE,
};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("copy", -3, WRITE | DENYOOM, C::KEYSPACE).keys(KeyGrammar::Copy),
    shared("del", -2, WRITE, C::KEYSPACE).all_keys(Write),
    shared("dump", 2, READONLY, C::KEYSPACE).key(1, Read),
    shared("exists", -2, READONLY | FAST, C::KEYSPACE).all_keys(Metadata),
    shared("expire", -3, WRITE | FAST, C::KEYSPACE).key(1, Write),
    shared("expireat", -3, WRITE | FAST, C::KEYSPACE).key(1, Write),
    shared("expiretime", 2, READONLY | FAST, C::KEYSPACE).key(1, Read),
    shared("keys", 2, READONLY, C::DANGEROUS.union(C::KEYSPACE)),
    own("migrate", -6, WRITE | MOVABLEKEYS, C::DANGEROUS.union(C::KEYSPACE)).keys(KeyGrammar::Migrate).operator(),
    shared("move", 3, WRITE | FAST, C::KEYSPACE).key(1, ReadWrite),
    container("object", C::NONE),
        shared("object|encoding", 3, READONLY, C::KEYSPACE).key(2, Metadata),
        shared("object|freq", 3, READONLY, C::KEYSPACE).key(2, Metadata),
        shared("object|help", 2, LOADING | STALE, C::KEYSPACE).harmless(),
        shared("object|idletime", 3, READONLY, C::KEYSPACE).key(2, Metadata),
        shared("object|refcount", 3, READONLY, C::KEYSPACE).key(2, Metadata),
    shared("persist", 2, WRITE | FAST, C::KEYSPACE).key(1, Write),
    shared("pexpire", -3, WRITE | FAST, C::KEYSPACE).key(1, Write),
    shared("pexpireat", -3, WRITE | FAST, C::KEYSPACE).key(1, Write),
    shared("pexpiretime", 2, READONLY | FAST, C::KEYSPACE).key(1, Read),
    shared("pttl", 2, READONLY | FAST, C::KEYSPACE).key(1, Read),
    shared("randomkey", 1, READONLY, C::KEYSPACE),
    shared("rename", 3, WRITE, C::KEYSPACE).two_keys(1, ReadWrite, Write),
    shared("renamenx", 3, WRITE | FAST, C::KEYSPACE).two_keys(1, ReadWrite, Write),
    own("restore", -4, WRITE | DENYOOM, C::DANGEROUS.union(C::KEYSPACE)).key(1, Write).operator(),
    shared("scan", -2, READONLY, C::KEYSPACE),
    shared("sort", -2, WRITE | DENYOOM | MOVABLEKEYS, C::DANGEROUS.union(C::LIST).union(C::SET).union(C::SORTEDSET)).keys(KeyGrammar::Sort),
    shared("sort_ro", -2, READONLY | MOVABLEKEYS, C::DANGEROUS.union(C::LIST).union(C::SET).union(C::SORTEDSET)).keys(KeyGrammar::SortRo),
    shared("touch", -2, READONLY | FAST, C::KEYSPACE).all_keys(Metadata),
    shared("ttl", 2, READONLY | FAST, C::KEYSPACE).key(1, Read),
    shared("type", 2, READONLY | FAST, C::KEYSPACE).key(1, Metadata),
    shared("unlink", -2, WRITE | FAST, C::KEYSPACE).all_keys(Write),
    own("wait", 3, NOSCRIPT | BLOCKING, C::CONNECTION).harmless().not_everywhere(C::BLOCKING),
    own("waitaof", 4, BLOCKING, C::CONNECTION).harmless().on(LATER),
];
