//! ACL CAT's reply. Source: Redis 7.0, `ACL CAT`.

use crate::command::{self, Categories};
use crate::resp::encode;

/// Most bytes of an unknown name that the error text repeats.
const REPEATED: usize = 128;

/// Writes the names of all categories, or those of the commands that `category` grants.
pub fn cat(out: &mut Vec<u8>, category: Option<&[u8]>) {
    let Some(name) = category else {
        encode::array(out, Categories::ALL.len());
        for name in Categories::ALL.names() {
            encode::bulk(out, name);
        }
        return;
    };
    let Some(category) = Categories::parse(name) else {
        let shown = &name[..name.len().min(REPEATED)];
        encode::error(out, [b"ERR Unknown category '", shown, b"'"].concat());
        return;
    };
    let names = || {
        command::rows()
            .iter()
            .filter(|row| row.granted_by.contains(category))
    };
    encode::array(out, names().count());
    for row in names() {
        encode::bulk(out, row.name.as_bytes());
    }
}
