//! Sets.

use super::row::{Row, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE};
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("sadd", -3, WRITE | DENYOOM | FAST, C::SET).key(1, Write).streams(),
    shared("scard", 2, READONLY | FAST, C::SET).key(1, Metadata),
    shared("sdiff", -2, READONLY, C::SET).all_keys(Read),
    shared("sdiffstore", -3, WRITE | DENYOOM, C::SET).into_from_all(1, Write),
    shared("sinter", -2, READONLY, C::SET).all_keys(Read),
    shared("sintercard", -3, READONLY | MOVABLEKEYS, C::SET).counted(1, Read),
    shared("sinterstore", -3, WRITE | DENYOOM, C::SET).into_from_all(1, Write),
    shared("sismember", 3, READONLY | FAST, C::SET).key(1, Metadata),
    shared("smembers", 2, READONLY, C::SET).key(1, Read),
    shared("smismember", -3, READONLY | FAST, C::SET).key(1, Read),
    shared("smove", 4, WRITE | FAST, C::SET).two_keys(1, ReadWrite, Write),
    shared("spop", -2, WRITE | FAST, C::SET).key(1, ReadWrite),
    shared("srandmember", -2, READONLY, C::SET).key(1, Read),
    shared("srem", -3, WRITE | FAST, C::SET).key(1, Write),
    shared("sscan", -3, READONLY, C::SET).key(1, Read),
    shared("sunion", -2, READONLY, C::SET).all_keys(Read),
    shared("sunionstore", -3, WRITE | DENYOOM, C::SET).into_from_all(1, Write),
];
