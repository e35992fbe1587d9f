//! Sorted sets.

use super::row::{Row, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    BLOCKING, DENYOOM, FAST, MOVABLEKEYS, NOSCRIPT, READONLY, WRITE,
};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    own("bzmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, C::SORTEDSET).counted(2, ReadWrite),
    own("bzpopmax", -3, WRITE | NOSCRIPT | BLOCKING | FAST, C::SORTEDSET).keys_then_timeout(ReadWrite),
    own("bzpopmin", -3, WRITE | NOSCRIPT | BLOCKING | FAST, C::SORTEDSET).keys_then_timeout(ReadWrite),
    shared("zadd", -4, WRITE | DENYOOM | FAST, C::SORTEDSET).keys(KeyGrammar::ZAdd),
    shared("zcard", 2, READONLY | FAST, C::SORTEDSET).key(1, Metadata),
    shared("zcount", 4, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zdiff", -3, READONLY | MOVABLEKEYS, C::SORTEDSET).counted(1, Read),
    shared("zdiffstore", -4, WRITE | DENYOOM | MOVABLEKEYS, C::SORTEDSET).into_from_counted(),
    shared("zincrby", 4, WRITE | DENYOOM | FAST, C::SORTEDSET).key(1, ReadWrite),
    shared("zinter", -3, READONLY | MOVABLEKEYS, C::SORTEDSET).counted(1, Read),
    shared("zintercard", -3, READONLY | MOVABLEKEYS, C::SORTEDSET).counted(1, Read),
    shared("zinterstore", -4, WRITE | DENYOOM | MOVABLEKEYS, C::SORTEDSET).into_from_counted(),
    shared("zlexcount", 4, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zmpop", -4, WRITE | MOVABLEKEYS, C::SORTEDSET).counted(1, ReadWrite),
    shared("zmscore", -3, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zpopmax", -2, WRITE | FAST, C::SORTEDSET).key(1, ReadWrite),
    shared("zpopmin", -2, WRITE | FAST, C::SORTEDSET).key(1, ReadWrite),
    shared("zrandmember", -2, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrange", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrangebylex", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrangebyscore", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrangestore", -5, WRITE | DENYOOM, C::SORTEDSET).two_keys(1, Write, Read),
    shared("zrank", -3, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zrem", -3, WRITE | FAST, C::SORTEDSET).key(1, Write),
    shared("zremrangebylex", 4, WRITE, C::SORTEDSET).key(1, Write),
    shared("zremrangebyrank", 4, WRITE, C::SORTEDSET).key(1, Write),
    shared("zremrangebyscore", 4, WRITE, C::SORTEDSET).key(1, Write),
    shared("zrevrange", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrevrangebylex", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrevrangebyscore", -4, READONLY, C::SORTEDSET).key(1, Read),
    shared("zrevrank", -3, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zscan", -3, READONLY, C::SORTEDSET).key(1, Read),
    shared("zscore", 3, READONLY | FAST, C::SORTEDSET).key(1, Read),
    shared("zunion", -3, READONLY | MOVABLEKEYS, C::SORTEDSET).counted(1, Read),
    shared("zunionstore", -4, WRITE | DENYOOM | MOVABLEKEYS, C::SORTEDSET).into_from_counted(),
];
