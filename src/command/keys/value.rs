//! Rows with one key, where the options decide what is done with it.

use super::KeyFault;
use crate::command::spec::Access;
use crate::resp::Request;

/// SET writes; with GET it also tells the old value, and with IFEQ whether it is the one given. An option that isn't known is
/// taken for one that reads.
///
/// # Errors
/// Still arriving with options to come.
pub(super) fn set_access(request: &Request<'_>) -> Result<Access, KeyFault> {
    if request.announced() > 3 && !request.is_whole() {
        return Err(KeyFault::StillArriving);
    }
    let mut index = 3;
    while let Some(option) = request.arg(index) {
        index += match Lower::of(option).as_bytes() {
            b"nx" | b"xx" | b"keepttl" => 1,
            b"ex" | b"px" | b"exat" | b"pxat" => 2,
            _ => return Ok(Access::ReadWrite),
        };
    }
    Ok(Access::Write)
}

/// ZADD writes; with INCR, which may stand among the options before the first score, it also tells the score.
pub(super) fn zadd_access(request: &Request<'_>) -> Access {
    for option in request.iter().skip(2) {
        match Lower::of(as_c_reads(option)).as_bytes() {
            b"nx" | b"xx" | b"gt" | b"lt" | b"ch" => {}
            b"incr" => return Access::ReadWrite,
            _ => break,
        }
    }
    Access::Write
}

/// Servers compare options as C's strings, which end at a NUL: behind one anything may stand. Where a word that isn't known is a
/// fault, or counts as the worst, it needn't be read as they do.
fn as_c_reads(option: &[u8]) -> &[u8] {
    option.split(|byte| *byte == 0).next().unwrap_or(option)
}

/// BITFIELD only reads if every operation is a complete GET. OVERFLOW and all else counts as writing, as on the servers.
pub(super) fn bitfield_access(request: &Request<'_>) -> Access {
    let mut index = 2;
    while let Some(operation) = request.arg(index) {
        index += 3;
        if !operation.eq_ignore_ascii_case(b"get") || index > request.len() {
            return Access::ReadWrite;
        }
    }
    Access::Read
}

/// An option's name in lower case; empty where it is longer than any option.
pub(super) struct Lower {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Lower {
    const LONGEST: usize = 12;

    pub(super) fn of(option: &[u8]) -> Self {
        let mut bytes = [0; Self::LONGEST];
        let len = match bytes.get_mut(..option.len()) {
            Some(room) => {
                room.copy_from_slice(option);
                option.len()
            }
            None => 0,
        };
        bytes.make_ascii_lowercase();
        Self { bytes, len }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}
