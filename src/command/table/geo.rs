//! Geographic sets.

use super::row::{Row, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{DENYOOM, MOVABLEKEYS, READONLY, WRITE};
use crate::command::grammar::KeyGrammar;
use crate::command::spec::Access::{Read, Write};

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    shared("geoadd", -5, WRITE | DENYOOM, C::GEO).key(1, Write),
    shared("geodist", -4, READONLY, C::GEO).key(1, Read),
    shared("geohash", -2, READONLY, C::GEO).key(1, Read),
    shared("geopos", -2, READONLY, C::GEO).key(1, Read),
    shared("georadius", -6, WRITE | DENYOOM | MOVABLEKEYS, C::GEO).keys(KeyGrammar::GeoRadius { options: 6 }),
    shared("georadius_ro", -6, READONLY, C::GEO).key(1, Read),
    shared("georadiusbymember", -5, WRITE | DENYOOM | MOVABLEKEYS, C::GEO).keys(KeyGrammar::GeoRadius { options: 5 }),
    shared("georadiusbymember_ro", -5, READONLY, C::GEO).key(1, Read),
    shared("geosearch", -7, READONLY, C::GEO).key(1, Read),
    shared("geosearchstore", -8, WRITE | DENYOOM, C::GEO).two_keys(1, Write, Read),
];
