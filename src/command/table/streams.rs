//! Streams.

use super::row::{R8, Row, container, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{
    BLOCKING, DENYOOM, FAST, LOADING, MOVABLEKEYS, READONLY, STALE, WRITE,
};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Metadata, Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("xack", -4, WRITE | FAST, C::STREAM).key(1, Write),
    shared("xackdel", -6, WRITE | FAST, C::STREAM).key(1, Write).on(R8),
    shared("xadd", -5, WRITE | DENYOOM | FAST, C::STREAM).key(1, Write),
    shared("xautoclaim", -6, WRITE | FAST, C::STREAM).key(1, ReadWrite),
    shared("xclaim", -6, WRITE | FAST, C::STREAM).key(1, ReadWrite),
    shared("xdel", -3, WRITE | FAST, C::STREAM).key(1, Write),
    shared("xdelex", -5, WRITE | FAST, C::STREAM).key(1, Write).on(R8),
    container("xgroup", C::NONE),
        shared("xgroup|create", -5, WRITE | DENYOOM, C::STREAM).key(2, Write),
        shared("xgroup|createconsumer", 5, WRITE | DENYOOM, C::STREAM).key(2, Write),
        shared("xgroup|delconsumer", 5, WRITE, C::STREAM).key(2, Write),
        shared("xgroup|destroy", 4, WRITE, C::STREAM).key(2, Write),
        shared("xgroup|help", 2, LOADING | STALE, C::STREAM).harmless(),
        shared("xgroup|setid", -5, WRITE, C::STREAM).key(2, Write),
    container("xinfo", C::NONE),
        shared("xinfo|consumers", 4, READONLY, C::STREAM).key(2, Read),
        shared("xinfo|groups", 3, READONLY, C::STREAM).key(2, Read),
        shared("xinfo|help", 2, LOADING | STALE, C::STREAM).harmless(),
        shared("xinfo|stream", -3, READONLY, C::STREAM).key(2, Read),
    shared("xlen", 2, READONLY | FAST, C::STREAM).key(1, Metadata),
    shared("xpending", -3, READONLY, C::STREAM).key(1, Read),
    shared("xrange", -4, READONLY, C::STREAM).key(1, Read),
    own("xread", -4, READONLY | BLOCKING | MOVABLEKEYS, C::STREAM).keys(KeyGrammar::XRead),
    own("xreadgroup", -7, WRITE | BLOCKING | MOVABLEKEYS, C::STREAM).keys(KeyGrammar::XReadGroup),
    shared("xrevrange", -4, READONLY, C::STREAM).key(1, Read),
    shared("xsetid", -3, WRITE | DENYOOM | FAST, C::STREAM).key(1, Write),
    shared("xtrim", -4, WRITE, C::STREAM).key(1, Write),
];
