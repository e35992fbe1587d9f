//! Bitmaps.

use super::row::{Row, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("bitcount", -2, READONLY, C::BITMAP).key(1, Read),
    shared("bitfield", -2, WRITE | DENYOOM, C::BITMAP).keys(KeyGrammar::BitField),
    shared("bitfield_ro", -2, READONLY | FAST, C::BITMAP).key(1, Read),
    shared("bitop", -4, WRITE | DENYOOM, C::BITMAP).into_from_all(2, Write),
    shared("bitpos", -3, READONLY, C::BITMAP).key(1, Read),
    shared("getbit", 3, READONLY | FAST, C::BITMAP).key(1, Read),
    shared("setbit", 4, WRITE | DENYOOM, C::BITMAP).key(1, ReadWrite),
];
