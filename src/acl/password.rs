//! Password hashes, in the form that Redis's ACL uses: SHA-256, written as 64 lower-case hexadecimal digits.
//! Compared in constant time; never printed.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// The SHA-256 of a password.
#[derive(Clone)]
pub struct PasswordHash([u8; 32]);

/// A text that isn't 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a password hash, expected 64 lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotAHash {}

impl PasswordHash {
    /// Hashes `plain`. The caller keeps, and wipes, the plain text.
    pub fn of(plain: &[u8]) -> Self {
        Self(Sha256::digest(plain).into())
    }

    /// Reads the 64 digits that follow `#` in an ACL rule.
    ///
    /// # Errors
    /// [`NotAHash`] for anything else, upper-case digits too, as in Redis.
    pub fn parse(digits: &[u8]) -> Result<Self, NotAHash> {
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0]).ok_or(NotAHash)? << 4 | digit(pair[1]).ok_or(NotAHash)?;
        }
        Ok(Self(hash))
    }

    /// Whether it is the hash of no password at all, which servers take for one and list like any other: `AUTH name ""`
    /// would log in.
    pub fn is_of_nothing(&self) -> bool {
        *self == Self::of(b"")
    }

    /// A value to compare with where there is no hash; that it equals one must count for nothing.
    pub(super) fn decoy() -> Self {
        Self([0; 32])
    }

    /// The 64 digits, as `ACL SETUSER` takes them after `#`. For the one who asked for a hash, never for a log.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether both are the hash of one password, found in constant time.
    pub fn same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.same(other).into()
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

impl Drop for PasswordHash {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: `ACL SETUSER bob >p` and `ACL GETUSER bob` on Redis 7.0.15.
    const OF_P: &[u8] = b"148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";

    #[test]
    fn a_hash_is_the_one_that_redis_makes() {
        let hash = PasswordHash::of(b"p");
        assert_eq!(hash.to_hex().as_bytes(), OF_P);
        assert_eq!(PasswordHash::parse(OF_P), Ok(hash));
    }

    #[test]
    fn what_redis_refuses_as_a_hash_is_refused() {
        let upper = OF_P.to_ascii_uppercase();
        for text in [
            b"".as_slice(),
            b"abc",
            &OF_P[1..],
            &[OF_P, b"0"].concat(),
            &upper,
            &[b'g'; 64],
        ] {
            assert_eq!(PasswordHash::parse(text), Err(NotAHash));
        }
    }

    #[test]
    fn a_hash_never_prints() {
        assert_eq!(
            format!("{:?}", PasswordHash::of(b"p")),
            "PasswordHash(hidden)"
        );
    }
}
