//! HyperLogLogs.

use super::row::{Row, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{ADMIN, DENYOOM, FAST, READONLY, WRITE};
use crate::command::spec::Access::{Read, ReadWrite, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("pfadd", -2, WRITE | DENYOOM | FAST, C::HYPERLOGLOG).key(1, Write).streams(),
    shared("pfcount", -2, READONLY, C::HYPERLOGLOG).all_keys(Read),
    own("pfdebug", 3, WRITE | DENYOOM | ADMIN, C::HYPERLOGLOG).key(2, ReadWrite).operator(),
    shared("pfmerge", -2, WRITE | DENYOOM, C::HYPERLOGLOG).into_from_all(1, ReadWrite),
    own("pfselftest", 1, ADMIN, C::HYPERLOGLOG).operator(),
];
