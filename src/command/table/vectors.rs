//! Vector sets. Redis 8.2 gives them no category at all, and key flags that say read and write for every row.

use super::row::{R8, Row, code};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, FAST, MODULE, READONLY, WRITE};
use crate::command::spec::Access::ReadWrite;

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    code("vadd", -1, WRITE | DENYOOM | MODULE, C::NONE).key(1, ReadWrite).on(R8),
    code("vcard", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vdim", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vemb", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vgetattr", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vinfo", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vismember", -1, READONLY | MODULE, C::NONE).key(1, ReadWrite).on(R8),
    code("vlinks", -1, READONLY | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vrandmember", -1, READONLY | MODULE, C::NONE).key(1, ReadWrite).on(R8),
    code("vrem", -1, WRITE | MODULE, C::NONE).key(1, ReadWrite).on(R8),
    code("vsetattr", -1, WRITE | MODULE | FAST, C::NONE).key(1, ReadWrite).on(R8),
    code("vsim", -1, READONLY | MODULE, C::NONE).key(1, ReadWrite).on(R8),
];
