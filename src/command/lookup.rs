//! From a name to its row: a table with open addressing, built while compiling.
//!
//! Letters are folded by a bit mask for the hash alone. Such a fold also maps `-` and CR to one value, so the found name is
//! always compared exactly.

use super::spec::{CommandId, CommandSpec};
use super::table::{ROW_COUNT, TABLE};

const SLOTS: usize = 2048;
const EMPTY: u16 = u16::MAX;
/// Longest name of a command or, without its container's, of a subcommand. Checked while compiling.
const LONGEST: usize = 24;

/// Row numbers by hash; [`EMPTY`] where there is none. Subcommands are hashed by their short name and container.
static INDEX: [u16; SLOTS] = build();

/// The row of `name` in any case: `get`, or `config|get` for a subcommand, as in ACL rules.
///
/// A client that sends `config|get` as the name of a command means no command; [`top_level`] is for requests.
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    match name.iter().position(|byte| *byte == b'|') {
        None => top_level(name),
        Some(bar) => {
            let container = top_level(name.get(..bar)?)?;
            subcommand(container, name.get(bar + 1..)?)
        }
    }
}

/// The row of a command that isn't a subcommand, by its name in any case.
#[inline]
pub fn top_level(name: &[u8]) -> Option<&'static CommandSpec> {
    find(name, None)
}

/// The row of a subcommand of `container`, by its short name in any case.
#[inline]
pub fn subcommand(container: &CommandSpec, name: &[u8]) -> Option<&'static CommandSpec> {
    find(name, Some(container.id))
}

#[inline]
fn find(name: &[u8], parent: Option<CommandId>) -> Option<&'static CommandSpec> {
    if name.len() > LONGEST {
        return None;
    }
    let mut slot = hash(name, parent);
    loop {
        // An empty slot holds a number that no row has.
        let found = TABLE.get(usize::from(INDEX[slot]))?;
        if found.parent == parent && found.short_name().as_bytes().eq_ignore_ascii_case(name) {
            return Some(found);
        }
        slot = (slot + 1) % SLOTS;
    }
}

const fn build() -> [u16; SLOTS] {
    let mut index = [EMPTY; SLOTS];
    let mut number = 0;
    while number < ROW_COUNT {
        let spec = &TABLE[number];
        let name = spec.short_name().as_bytes();
        assert!(name.len() <= LONGEST);
        let mut slot = hash(name, spec.parent);
        while index[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = number as u16;
        number += 1;
    }
    index
}

/// Where the search for a name begins. Equal for names that differ in case alone.
#[inline]
const fn hash(name: &[u8], parent: Option<CommandId>) -> usize {
    let seed = match parent {
        None => 0,
        Some(id) => id.0 as u64 + 1,
    };
    let salt = (name.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(seed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    let mixed = (folded(name) ^ salt).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> (64 - SLOTS.trailing_zeros())) as usize
}

/// Eight bytes that stand for the name, without loops: its first and last bytes, which overlap in a short one.
#[inline]
const fn folded(name: &[u8]) -> u64 {
    const LETTER_CASE: u64 = 0x2020_2020_2020_2020;
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let last = u64::from_le_bytes(*last) | LETTER_CASE;
        return (u64::from_le_bytes(*first) | LETTER_CASE) ^ last.rotate_left(29);
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let last = u32::from_le_bytes(*last) as u64;
        return (u32::from_le_bytes(*first) as u64 | last << 32) | LETTER_CASE;
    }
    match *name {
        [] => 0,
        [one] => one as u64 | LETTER_CASE,
        [one, two] => (one as u64 | (two as u64) << 8) | LETTER_CASE,
        [one, two, .., last] => {
            (one as u64 | (two as u64) << 8 | (last as u64) << 16) | LETTER_CASE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::rows;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for spec in rows() {
            for name in [spec.name.to_string(), spec.name.to_uppercase()] {
                assert_eq!(lookup(name.as_bytes()).unwrap().id, spec.id, "{name}");
            }
        }
    }

    #[test]
    fn a_byte_that_only_a_bit_mask_takes_for_another_is_no_match() {
        for name in [
            &b"restore\rasking"[..],
            b"client|no\revict",
            b"g\x05t",
            b"get\0",
            b" get",
            b"CONFIG\\GET",
        ] {
            assert!(lookup(name).is_none(), "{name:?}");
        }
        assert!(lookup(b"restore-asking").is_some());
    }

    #[test]
    fn a_subcommand_is_none_of_the_commands() {
        assert!(top_level(b"config|get").is_none());
        assert!(top_level(b"setuser").is_none());
        let config = top_level(b"config").unwrap();
        assert_eq!(subcommand(config, b"GeT").unwrap().name, "config|get");
        assert!(subcommand(config, b"setuser").is_none());
        assert!(subcommand(config, b"").is_none());
    }

    #[test]
    fn odd_names_find_nothing() {
        let long = [b'g'; 4096];
        for name in [
            &b""[..],
            b"|",
            b"get|",
            b"|get",
            b"config|get|",
            b"config||get",
            b"acl|acl",
            &long,
        ] {
            assert!(lookup(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn no_search_is_long() {
        let longest = INDEX
            .split(|number| *number == EMPTY)
            .map(<[u16]>::len)
            .max()
            .unwrap();
        assert!(longest <= 8, "{longest} neighbours");
    }
}
