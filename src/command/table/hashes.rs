//! Hashes.

use super::row::{R8_V9, Row, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("hdel", -3, WRITE | FAST, C::HASH).key(1, Write),
    shared("hexists", 3, READONLY | FAST, C::HASH).key(1, Metadata),
    shared("hexpire", -6, WRITE | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hexpireat", -6, WRITE | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hexpiretime", -5, READONLY | FAST, C::HASH).key(1, Read).on(R8_V9),
    shared("hget", 3, READONLY | FAST, C::HASH).key(1, Read),
    shared("hgetall", 2, READONLY, C::HASH).key(1, Read),
    shared("hgetdel", -5, WRITE | FAST, C::HASH).key(1, ReadWrite).on(R8_V9),
    shared("hgetex", -5, WRITE | FAST, C::HASH).key(1, ReadWrite).on(R8_V9),
    shared("hincrby", 4, WRITE | DENYOOM | FAST, C::HASH).key(1, ReadWrite),
    shared("hincrbyfloat", 4, WRITE | DENYOOM | FAST, C::HASH).key(1, ReadWrite),
    shared("hkeys", 2, READONLY, C::HASH).key(1, Read),
    shared("hlen", 2, READONLY | FAST, C::HASH).key(1, Metadata),
    shared("hmget", -3, READONLY | FAST, C::HASH).key(1, Read),
    shared("hmset", -4, WRITE | DENYOOM | FAST, C::HASH).key(1, Write).streams(),
    shared("hpersist", -5, WRITE | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hpexpire", -6, WRITE | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hpexpireat", -6, WRITE | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hpexpiretime", -5, READONLY | FAST, C::HASH).key(1, Read).on(R8_V9),
    shared("hpttl", -5, READONLY | FAST, C::HASH).key(1, Read).on(R8_V9),
    shared("hrandfield", -2, READONLY, C::HASH).key(1, Read),
    shared("hscan", -3, READONLY, C::HASH).key(1, Read),
    shared("hset", -4, WRITE | DENYOOM | FAST, C::HASH).key(1, Write).streams(),
    shared("hsetex", -6, WRITE | DENYOOM | FAST, C::HASH).key(1, Write).on(R8_V9),
    shared("hsetnx", 4, WRITE | DENYOOM | FAST, C::HASH).key(1, Write).streams(),
    shared("hstrlen", 3, READONLY | FAST, C::HASH).key(1, Metadata),
    shared("httl", -5, READONLY | FAST, C::HASH).key(1, Read).on(R8_V9),
    shared("hvals", 2, READONLY, C::HASH).key(1, Read),
];
