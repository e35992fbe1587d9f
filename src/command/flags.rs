//! What `COMMAND` says of a row in single words, and which servers know the row.

/// A set of `COMMAND` flags. A row holds those that it has on any supported server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

/// Names in the order in which Redis writes them; the position is the bit.
const NAMES: [&str; 21] = [
    "write",
    "readonly",
    "denyoom",
    "module",
    "admin",
    "pubsub",
    "noscript",
    "blocking",
    "loading",
    "stale",
    "skip_monitor",
    "skip_slowlog",
    "asking",
    "fast",
    "no_auth",
    "no_async_loading",
    "no_multi",
    "movablekeys",
    "allow_busy",
    "no_mandatory_keys",
    "skip_commandlog",
];

/// Single flags, to be joined by `|` in a row.
pub mod bits {
    macro_rules! bits {
        ($($name:ident = $bit:literal),* $(,)?) => {
            $(
                #[doc = concat!("The flag of bit ", stringify!($bit), ".")]
                pub const $name: u32 = 1 << $bit;
            )*
        };
    }
    bits! {
        WRITE = 0, READONLY = 1, DENYOOM = 2, MODULE = 3, ADMIN = 4, PUBSUB = 5, NOSCRIPT = 6, BLOCKING = 7, LOADING = 8,
        STALE = 9, SKIP_MONITOR = 10, SKIP_SLOWLOG = 11, ASKING = 12, FAST = 13, NO_AUTH = 14, NO_ASYNC_LOADING = 15,
        NO_MULTI = 16, MOVABLEKEYS = 17, ALLOW_BUSY = 18, NO_MANDATORY_KEYS = 19, SKIP_COMMANDLOG = 20,
    }
}

impl Flags {
    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// The names of the flags, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| *name)
    }

    /// The flag called `name`, exactly as servers write it.
    pub fn parse(name: &str) -> Option<Self> {
        let bit = NAMES.iter().position(|known| *known == name)?;
        Some(Self(1 << bit))
    }
}

/// A set of the supported servers that know a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Servers(pub u8);

impl Servers {
    /// Redis 7.0.15.
    pub const REDIS_7_0: Self = Self(1);
    /// Redis 8.2.3.
    pub const REDIS_8_2: Self = Self(2);
    /// Valkey 8.1.8.
    pub const VALKEY_8_1: Self = Self(4);
    /// Valkey 9.1.2.
    pub const VALKEY_9_1: Self = Self(8);
    /// Every supported server.
    pub const ALL: Self = Self(15);

    /// Whether every server of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_found_by_its_own_name() {
        for name in Flags(u32::MAX).names() {
            let names: Vec<_> = Flags::parse(name).unwrap().names().collect();
            assert_eq!(names, [name]);
        }
        let skip: Vec<_> = Flags(bits::SKIP_COMMANDLOG | bits::WRITE).names().collect();
        assert_eq!(skip, ["write", "skip_commandlog"]);
    }
}
