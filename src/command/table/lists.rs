//! Lists.

use super::row::{Row, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    BLOCKING, DENYOOM, FAST, MOVABLEKEYS, NOSCRIPT, READONLY, WRITE,
};
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    own("blmove", 6, WRITE | DENYOOM | NOSCRIPT | BLOCKING, C::LIST).two_keys(1, ReadWrite, Write),
    own("blmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, C::LIST).counted(2, ReadWrite),
    own("blpop", -3, WRITE | NOSCRIPT | BLOCKING, C::LIST).keys_then_timeout(ReadWrite),
    own("brpop", -3, WRITE | NOSCRIPT | BLOCKING, C::LIST).keys_then_timeout(ReadWrite),
    own("brpoplpush", 4, WRITE | DENYOOM | NOSCRIPT | BLOCKING, C::LIST).two_keys(1, ReadWrite, Write),
    shared("lindex", 3, READONLY, C::LIST).key(1, Read),
    shared("linsert", 5, WRITE | DENYOOM, C::LIST).key(1, Write).streams(),
    shared("llen", 2, READONLY | FAST, C::LIST).key(1, Metadata),
    shared("lmove", 5, WRITE | DENYOOM, C::LIST).two_keys(1, ReadWrite, Write),
    shared("lmpop", -4, WRITE | MOVABLEKEYS, C::LIST).counted(1, ReadWrite),
    shared("lpop", -2, WRITE | FAST, C::LIST).key(1, ReadWrite),
    shared("lpos", -3, READONLY, C::LIST).key(1, Read),
    shared("lpush", -3, WRITE | DENYOOM | FAST, C::LIST).key(1, Write).streams(),
    shared("lpushx", -3, WRITE | DENYOOM | FAST, C::LIST).key(1, Write).streams(),
    shared("lrange", 4, READONLY, C::LIST).key(1, Read),
    shared("lrem", 4, WRITE, C::LIST).key(1, Write),
    shared("lset", 4, WRITE | DENYOOM, C::LIST).key(1, Write).streams(),
    shared("ltrim", 4, WRITE, C::LIST).key(1, Write),
    shared("rpop", -2, WRITE | FAST, C::LIST).key(1, ReadWrite),
    shared("rpoplpush", 3, WRITE | DENYOOM, C::LIST).two_keys(1, ReadWrite, Write),
    shared("rpush", -3, WRITE | DENYOOM | FAST, C::LIST).key(1, Write).streams(),
    shared("rpushx", -3, WRITE | DENYOOM | FAST, C::LIST).key(1, Write).streams(),
];
