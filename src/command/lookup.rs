//! From a name to its row: a table with open addressing, built while compiling.
//!
//! A name of up to eight bytes, as most are, is one number, its letters lower-case: it is hashed and compared as that, and no row is
//! looked at before it is found. Of a longer one such numbers are hashed, and the name itself is compared.

use super::spec::{CommandId, CommandSpec};
use super::table::{ROW_COUNT, TABLE};
use crate::resp::packed;

const SLOTS: usize = 2048;
/// Bytes of a name that are one number.
const WHOLE: usize = 8;
/// Longest name of a command or, without its container's, of a subcommand. Checked while compiling.
const LONGEST: usize = 24;

/// Rows by hash. Subcommands are hashed by their short name and container.
static INDEX: [Slot; SLOTS] = build();

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

#[inline(always)]
fn find(name: &[u8], parent: Option<CommandId>) -> Option<&'static CommandSpec> {
    if name.len() > LONGEST {
        return None;
    }
    let key = Key::of(name, parent);
    let mut at = key.hash();
    loop {
        let slot = &INDEX[at % SLOTS];
        if slot.key == key && slot.is_of(name) {
            return slot.row;
        }
        slot.row?;
        at += 1;
    }
}

const fn build() -> [Slot; SLOTS] {
    let mut index = [Slot::NONE; SLOTS];
    let mut number = 0;
    while number < ROW_COUNT {
        let spec = &TABLE[number];
        let name = spec.short_name().as_bytes();
        assert!(name.len() <= LONGEST);
        let key = Key::of(name, spec.parent);
        let mut at = key.hash();
        while index[at % SLOTS].row.is_some() {
            at += 1;
        }
        let row = Some(spec);
        index[at % SLOTS] = Slot { key, row };
        number += 1;
    }
    index
}

/// A place in the index.
#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    row: Option<&'static CommandSpec>,
}

impl Slot {
    const NONE: Self = Self {
        key: Key {
            bytes: 0,
            len: u16::MAX,
            parent: 0,
        },
        row: None,
    };

    /// Whether `name`, whose key this place has, is its row's: of a short one the key says so.
    #[inline]
    fn is_of(&self, name: &[u8]) -> bool {
        name.len() <= WHOLE
            || self
                .row
                .is_some_and(|row| row.short_name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What stands for a name when it is looked for: equal for names that differ in case alone.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    /// All bytes of a name of at most eight, the first and the last eight of a longer one.
    bytes: u64,
    len: u16,
    /// The container's number and one; 0 if there is none.
    parent: u16,
}

impl Key {
    #[inline]
    const fn of(name: &[u8], parent: Option<CommandId>) -> Self {
        let bytes = match (name.first_chunk::<WHOLE>(), name.last_chunk::<WHOLE>()) {
            (Some(first), Some(last)) if name.len() > WHOLE => {
                let [first, last] = [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
                lower(first) ^ lower(last).rotate_left(29)
            }
            _ => lower(packed(name)),
        };
        Self {
            bytes,
            len: name.len() as u16,
            parent: match parent {
                None => 0,
                Some(id) => id.0 + 1,
            },
        }
    }

    /// Where the search begins.
    #[inline]
    const fn hash(self) -> usize {
        let salt = (self.len as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add((self.parent as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        let mixed = (self.bytes ^ salt).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed >> (64 - SLOTS.trailing_zeros())) as usize
    }
}

/// Eight bytes with the letters A to Z among them in lower case, all others as they are.
#[inline]
const fn lower(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low = bytes & !HIGH;
    // In each byte the highest bit says whether it is at least `A`, and whether it is beyond `Z`.
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low + (0x80 - b'Z' as u64 - 1) * EACH;
    let upper = from_a & !beyond_z & !bytes & HIGH;
    bytes | upper >> 2
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

    /// The row with this short name in this container.
    fn listed(name: &[u8], parent: Option<CommandId>) -> Option<CommandId> {
        let mut found = rows().iter().filter(|row| {
            row.parent == parent && row.short_name().as_bytes().eq_ignore_ascii_case(name)
        });
        found.next().map(|row| row.id)
    }

    #[test]
    fn a_name_is_found_under_a_container_if_and_only_if_it_is_listed_there() {
        let containers = rows().iter().filter(|row| row.is_container());
        let parents: Vec<_> = [None]
            .into_iter()
            .chain(containers.map(|row| Some(row.id)))
            .collect();
        for row in rows() {
            let name = row.short_name().as_bytes();
            let longer = [name, b"\0"].concat();
            for parent in &parents {
                for name in [name, &longer, &name[1..]] {
                    let found = find(name, *parent).map(|row| row.id);
                    assert_eq!(found, listed(name, *parent), "{}", name.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn two_long_names_with_the_same_number_are_told_apart() {
        for row in rows() {
            let name = row.short_name().as_bytes();
            // The ends of a name of less than 16 bytes overlap.
            for bit in (0..64).filter(|_| name.len() >= 2 * WHOLE) {
                let flipped = |at: usize, bit: usize| name[at + bit / 8] ^ 1 << (bit % 8);
                let (first, last) = ((bit + 29) % 64, name.len() - WHOLE);
                let mut other = name.to_vec();
                other[first / 8] = flipped(0, first);
                other[last + bit / 8] = flipped(last, bit);
                let found = find(&other, row.parent).map(|row| row.id);
                assert_eq!(
                    found,
                    listed(&other, row.parent),
                    "{}",
                    other.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn eight_bytes_are_lowered_as_each_of_them_is() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = *b"@AZ[`az{";
                bytes[at] = byte;
                let lowered = bytes.map(|byte| byte.to_ascii_lowercase());
                assert_eq!(lower(u64::from_le_bytes(bytes)).to_le_bytes(), lowered);
            }
        }
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
            .split(|slot| slot.row.is_none())
            .map(<[Slot]>::len)
            .max()
            .unwrap();
        assert!(longest <= 8, "{longest} neighbours");
    }
}
