//! The types that a frame or an element of one can have, each known by its first byte.

/// The type of a frame or an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Simple,
    Error,
    Integer,
    Double,
    BigNumber,
    Boolean,
    Null,
    Bulk,
    BlobError,
    Verbatim,
    Array,
    Set,
    Map,
    Push,
    Attribute,
}

impl Type {
    #[inline]
    pub(super) fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'+' => Self::Simple,
            b'-' => Self::Error,
            b':' => Self::Integer,
            b',' => Self::Double,
            b'(' => Self::BigNumber,
            b'#' => Self::Boolean,
            b'_' => Self::Null,
            b'$' => Self::Bulk,
            b'!' => Self::BlobError,
            b'=' => Self::Verbatim,
            b'*' => Self::Array,
            b'~' => Self::Set,
            b'%' => Self::Map,
            b'>' => Self::Push,
            b'|' => Self::Attribute,
            _ => return None,
        })
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Simple => b'+',
            Self::Error => b'-',
            Self::Integer => b':',
            Self::Double => b',',
            Self::BigNumber => b'(',
            Self::Boolean => b'#',
            Self::Null => b'_',
            Self::Bulk => b'$',
            Self::BlobError => b'!',
            Self::Verbatim => b'=',
            Self::Array => b'*',
            Self::Set => b'~',
            Self::Map => b'%',
            Self::Push => b'>',
            Self::Attribute => b'|',
        }
    }

    /// Whether a number comes after the type byte: a length, a count or an integer.
    #[inline]
    pub(super) fn has_number(self) -> bool {
        match self {
            Self::Integer
            | Self::Bulk
            | Self::BlobError
            | Self::Verbatim
            | Self::Array
            | Self::Set
            | Self::Map
            | Self::Push
            | Self::Attribute => true,
            Self::Simple
            | Self::Error
            | Self::Double
            | Self::BigNumber
            | Self::Boolean
            | Self::Null => false,
        }
    }

    /// Whether a line of this type may hold `byte`.
    pub(super) fn may_hold(self, byte: u8) -> bool {
        match self {
            Self::Double => {
                byte.is_ascii_digit()
                    || matches!(
                        byte.to_ascii_lowercase(),
                        b'+' | b'-' | b'.' | b'e' | b'i' | b'n' | b'f' | b'a'
                    )
            }
            Self::BigNumber => byte.is_ascii_digit() || matches!(byte, b'+' | b'-'),
            _ => true,
        }
    }
}
