//! The 21 ACL categories, and sets of them.

/// A set of ACL categories, one bit each.
///
/// Source: Redis 7.0 `ACL CAT`; Redis 8.2, Valkey 8.1 and Valkey 9.1 add none to the core rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Categories(pub u32);

/// Names in the order in which Redis lists them; the position is the bit.
const NAMES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

macro_rules! bits {
    ($($name:ident = $bit:literal),* $(,)?) => {
        $(
            #[doc = concat!("The category of bit ", stringify!($bit), ".")]
            pub const $name: Self = Self(1 << $bit);
        )*
    };
}

impl Categories {
    /// No category.
    pub const NONE: Self = Self(0);
    /// Every category.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    bits! {
        KEYSPACE = 0, READ = 1, WRITE = 2, SET = 3, SORTEDSET = 4, LIST = 5, HASH = 6, STRING = 7, BITMAP = 8,
        HYPERLOGLOG = 9, GEO = 10, STREAM = 11, PUBSUB = 12, ADMIN = 13, FAST = 14, SLOW = 15, BLOCKING = 16,
        DANGEROUS = 17, CONNECTION = 18, TRANSACTION = 19, SCRIPTING = 20,
    }

    /// The one category called `name`, without its `@`, in any case. `all` isn't a category and is `None`.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let bit = NAMES
            .iter()
            .position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(Self(1 << bit))
    }

    /// The first category's name, without its `@`; empty for the empty set.
    pub fn name(self) -> &'static str {
        self.names().next().unwrap_or("")
    }

    /// The names of all categories in the set, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| *name)
    }

    /// The categories of the set, one by one.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        (0..NAMES.len())
            .map(|bit| Self(1 << bit))
            .filter(move |one| self.intersects(*one))
    }

    /// Whether the two sets share a category.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every category of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the categories of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many categories are in the set.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_is_found_by_its_own_name_in_any_case() {
        for one in Categories::ALL.iter() {
            assert_eq!(Categories::parse(one.name().as_bytes()), Some(one));
            assert_eq!(
                Categories::parse(one.name().to_uppercase().as_bytes()),
                Some(one)
            );
        }
        assert_eq!(Categories::ALL.len(), 21);
    }

    #[test]
    fn what_is_no_category_has_no_bit() {
        for name in ["", "all", "@read", "reads", "sorted-set"] {
            assert_eq!(Categories::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_constants_carry_the_names_that_they_say() {
        let said = [
            (Categories::KEYSPACE, "keyspace"),
            (Categories::SORTEDSET, "sortedset"),
            (Categories::PUBSUB, "pubsub"),
            (Categories::DANGEROUS, "dangerous"),
            (Categories::SCRIPTING, "scripting"),
        ];
        for (one, name) in said {
            assert_eq!(one.name(), name);
        }
    }
}
