//! Values that say whose they are: a tag, again and again up to the value's length, so that a piece of another value inside shows.

use std::fmt;

/// Which client wrote a value, on which of its connections, as which of its words there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub client: usize,
    pub life: usize,
    pub number: usize,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}.{}>", self.client, self.life, self.number)
    }
}

impl Tag {
    /// The value of `len` bytes, or of as many as the tag takes.
    pub fn value(self, len: usize) -> Vec<u8> {
        let tag = self.to_string().into_bytes();
        let len = len.max(tag.len());
        let mut value = tag.repeat(len.div_ceil(tag.len()));
        value.truncate(len);
        value
    }

    /// The tag that `text` begins with.
    fn at_start(text: &[u8]) -> Option<Self> {
        let end = text.iter().take(64).position(|byte| *byte == b'>')?;
        let text = std::str::from_utf8(text.get(1..end)?).ok()?;
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let tag = Self {
            client: numbers.next()??,
            life: numbers.next()??,
            number: numbers.next()??,
        };
        numbers.next().is_none().then_some(tag)
    }

    /// The tag of a whole value: of one that is nothing but this tag.
    pub fn of_value(value: &[u8]) -> Option<Self> {
        let tag = Self::at_start(value)?;
        (tag.value(value.len()) == value).then_some(tag)
    }

    /// The first tags that stand in `bytes`.
    pub fn all_in(bytes: &[u8]) -> impl Iterator<Item = Self> {
        let looked_at = &bytes[..bytes.len().min(4096)];
        let starts = looked_at
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'<');
        starts.filter_map(|(at, _)| Self::at_start(&bytes[at..]))
    }
}
