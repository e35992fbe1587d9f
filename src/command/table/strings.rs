//! Strings.

use super::row::{Row, V9, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("append", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, Write).streams(),
    shared("decr", 2, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite),
    shared("decrby", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite),
    shared("delifeq", 3, WRITE | FAST, C::STRING).key(1, ReadWrite).on(V9),
    shared("get", 2, READONLY | FAST, C::STRING).key(1, Read),
    shared("getdel", 2, WRITE | FAST, C::STRING).key(1, ReadWrite),
    shared("getex", -2, WRITE | FAST, C::STRING).key(1, ReadWrite),
    shared("getrange", 4, READONLY, C::STRING).key(1, Read),
    shared("getset", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite).streams(),
    shared("incr", 2, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite),
    shared("incrby", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite),
    shared("incrbyfloat", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, ReadWrite),
    shared("lcs", -3, READONLY, C::STRING).two_keys(1, Read, Read),
    shared("mget", -2, READONLY | FAST, C::STRING).all_keys(Read),
    shared("mset", -3, WRITE | DENYOOM, C::STRING).pairs(Write),
    shared("msetex", -4, WRITE | DENYOOM | MOVABLEKEYS, C::STRING).counted_pairs(1, Write).on(V9),
    shared("msetnx", -3, WRITE | DENYOOM, C::STRING).pairs(Write),
    shared("psetex", 4, WRITE | DENYOOM, C::STRING).key(1, Write).streams(),
    shared("set", -3, WRITE | DENYOOM, C::STRING).keys(KeyGrammar::Set).streams_of_three(),
    shared("setex", 4, WRITE | DENYOOM, C::STRING).key(1, Write).streams(),
    shared("setnx", 3, WRITE | DENYOOM | FAST, C::STRING).key(1, Write).streams(),
    shared("setrange", 4, WRITE | DENYOOM, C::STRING).key(1, Write).streams(),
    shared("strlen", 2, READONLY | FAST, C::STRING).key(1, Metadata),
    shared("substr", 4, READONLY, C::STRING).key(1, Read),
];
