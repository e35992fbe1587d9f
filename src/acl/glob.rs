//! Redis's glob patterns, compiled once: what a pattern matches is exactly what Redis's `stringmatchlen` matches, byte by byte.
//!
//! A match takes at most length of the text times length of the pattern, whatever the pattern: each `*` goes back only to
//! the last `*` before it, which is enough because every other element takes exactly one byte.
//!
//! What servers read differently from one another, or surely not as it was meant, is refused when the pattern is compiled:
//! ranges over bytes of 0x80 and more (their order depends on whether `char` is signed), unclosed and empty classes.

use std::fmt;

/// Most `*` in a pattern. Redis gives up above 1,000 of them and then matches nothing.
const MAX_STARS: usize = 100;

/// A compiled pattern. Two are equal if their texts are.
#[derive(Clone)]
pub struct Glob {
    text: Box<[u8]>,
    shape: Shape,
}

/// The three shapes that patterns have in practice; the first two are compared without walking elements.
#[derive(Clone, Debug)]
enum Shape {
    /// No wildcard at all.
    Exact(Box<[u8]>),
    /// Plain bytes, then `*`.
    Prefix(Prefix),
    /// Anything else.
    Elements(Box<[Element]>),
}

/// Plain bytes with which a text begins. Up to eight are compared as one number.
#[derive(Clone, Debug)]
struct Prefix {
    bytes: Box<[u8]>,
    /// The first eight; zeros behind the last.
    head: u64,
    /// The bits of `head` that count.
    counted: u64,
}

impl Prefix {
    fn new(bytes: Box<[u8]>) -> Self {
        let (mut head, mut counted) = ([0; 8], [0; 8]);
        for (at, byte) in bytes.iter().take(8).enumerate() {
            (head[at], counted[at]) = (*byte, u8::MAX);
        }
        Self {
            bytes,
            head: u64::from_le_bytes(head),
            counted: u64::from_le_bytes(counted),
        }
    }

    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(first) if u64::from_le_bytes(*first) & self.counted != self.head => false,
            Some(_) if self.bytes.len() <= 8 => true,
            // Redis's loop isn't entered for an empty text: `*` doesn't match it.
            Some(_) | None => text.starts_with(&self.bytes) && !text.is_empty(),
        }
    }
}

#[derive(Clone, Debug)]
enum Element {
    Byte(u8),
    AnyByte,
    AnyRun,
    Class(Box<ByteSet>),
}

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobFault {
    /// No byte at all: it would match the empty key only.
    Empty,
    /// A `[` without the `]` that ends it.
    UnclosedClass,
    /// `[]` or `[^]`.
    EmptyClass,
    /// A range with an end of 0x80 or more.
    RangeBeyondAscii,
    /// More than 100 runs of `*`.
    TooManyStars,
}

impl fmt::Display for GlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty pattern, expected at least one character",
            Self::UnclosedClass => {
                "a [ that no ] ends, expected [...] (Redis reads `[a-]` as a range up to `]`; escape a literal bracket as \\[)"
            }
            Self::EmptyClass => "an empty class, expected at least one character between [ and ]",
            Self::RangeBeyondAscii => {
                "a range with an end outside ASCII, which servers order differently; expected single characters"
            }
            Self::TooManyStars => "more than 100 `*`, expected fewer",
        })
    }
}

impl std::error::Error for GlobFault {}

impl Glob {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What servers read differently, or can't be meant: see [`GlobFault`].
    ///
    /// Source: Redis 7.0, `util.c`, `stringmatchlen`.
    pub fn compile(text: &[u8]) -> Result<Self, GlobFault> {
        if text.is_empty() {
            return Err(GlobFault::Empty);
        }
        let elements = Elements { rest: text }.collect::<Result<Vec<_>, _>>()?;
        let stars = elements
            .iter()
            .filter(|e| matches!(e, Element::AnyRun))
            .count();
        if stars > MAX_STARS {
            return Err(GlobFault::TooManyStars);
        }
        Ok(Self {
            text: text.into(),
            shape: Shape::of(elements),
        })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether `text` matches.
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.shape {
            Shape::Exact(bytes) => text == &**bytes,
            Shape::Prefix(prefix) => prefix.begins(text),
            Shape::Elements(elements) => walk(elements, text),
        }
    }

    /// Whether the pattern holds `[!`, which other tools read as "not" and Redis as a plain `!`.
    pub fn has_bang_class(&self) -> bool {
        self.text.windows(2).any(|pair| pair == b"[!")
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({})", self.text.escape_ascii())
    }
}

impl Shape {
    fn of(mut elements: Vec<Element>) -> Self {
        let plain = elements
            .iter()
            .map_while(Element::byte)
            .collect::<Box<[u8]>>();
        if plain.len() == elements.len() {
            return Self::Exact(plain);
        }
        if plain.len() + 1 == elements.len() && matches!(elements.last(), Some(Element::AnyRun)) {
            return Self::Prefix(Prefix::new(plain));
        }
        elements.shrink_to_fit();
        Self::Elements(elements.into())
    }
}

impl Element {
    fn byte(&self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(*byte),
            Self::AnyByte | Self::AnyRun | Self::Class(_) => None,
        }
    }

    /// Whether this element takes `byte`. A run isn't asked: it takes any number of them.
    #[inline]
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::AnyByte => true,
            Self::AnyRun => false,
            Self::Class(set) => set.contains(byte),
        }
    }
}

/// Walks `elements` along `text`, going back to the last run whenever an element doesn't fit.
#[inline(never)]
fn walk(elements: &[Element], text: &[u8]) -> bool {
    if text.is_empty() {
        return false; // An element that isn't a run takes a byte; runs alone don't match the empty text in Redis.
    }
    let (mut at, mut pos) = (0, 0);
    let mut back: Option<(usize, usize)> = None; // the element after the last run, and where it was tried
    while let Some(&byte) = text.get(pos) {
        match elements.get(at) {
            Some(Element::AnyRun) => {
                at += 1;
                back = Some((at, pos));
            }
            Some(element) if element.takes(byte) => {
                at += 1;
                pos += 1;
            }
            Some(_) | None => {
                let Some((element, tried)) = back else {
                    return false;
                };
                at = element;
                pos = tried + 1;
                back = Some((element, pos));
            }
        }
    }
    elements[at..].iter().all(|e| matches!(e, Element::AnyRun))
}

/// Reads a pattern's elements, in the way `stringmatchlen` walks them.
struct Elements<'a> {
    rest: &'a [u8],
}

impl Iterator for Elements<'_> {
    type Item = Result<Element, GlobFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let (element, rest) = match self.rest {
            [] => return None,
            [b'*', ..] => {
                let stars = self.rest.iter().take_while(|b| **b == b'*').count();
                (Element::AnyRun, &self.rest[stars..])
            }
            [b'?', rest @ ..] => (Element::AnyByte, rest),
            [b'[', rest @ ..] => match class(rest) {
                Ok((set, rest)) => (Element::Class(Box::new(set)), rest),
                Err(fault) => return Some(Err(fault)),
            },
            [b'\\', byte, rest @ ..] => (Element::Byte(*byte), rest),
            [byte, rest @ ..] => (Element::Byte(*byte), rest),
        };
        self.rest = rest;
        Some(Ok(element))
    }
}

/// Reads a class after its `[`, up to and with its `]`.
fn class(mut rest: &[u8]) -> Result<(ByteSet, &[u8]), GlobFault> {
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    if rest.first() == Some(&b']') {
        return Err(GlobFault::EmptyClass);
    }
    let mut set = ByteSet::default();
    loop {
        rest = match rest {
            [] => return Err(GlobFault::UnclosedClass),
            [b'\\', byte, rest @ ..] => {
                set.insert(*byte);
                rest
            }
            [b']', rest @ ..] => return Ok((if negated { set.complement() } else { set }, rest)),
            // The end is taken as it stands, `]` and `\` too: so does Redis.
            [start, b'-', end, rest @ ..] => {
                set.insert_range(*start, *end)?;
                rest
            }
            [byte, rest @ ..] => {
                set.insert(*byte);
                rest
            }
        };
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn insert_range(&mut self, start: u8, end: u8) -> Result<(), GlobFault> {
        if !start.is_ascii() || !end.is_ascii() {
            return Err(GlobFault::RangeBeyondAscii);
        }
        for byte in start.min(end)..=start.max(end) {
            self.insert(byte);
        }
        Ok(())
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

/// Whether `pattern`, as a client wrote it, could match any text that begins with `prefix`; in doubt, yes.
///
/// Allocates nothing and takes any bytes: an odd class counts as one that could.
pub(super) fn could_match_beginning(pattern: &[u8], prefix: &[u8]) -> bool {
    let mut pattern = pattern;
    for &byte in prefix {
        pattern = match pattern {
            [] => return false,
            [b'*' | b'[', ..] => return true,
            [b'?', rest @ ..] => rest,
            [b'\\', own, rest @ ..] | [own, rest @ ..] => {
                if *own != byte {
                    return false;
                }
                rest
            }
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line was asked of Redis 7.0.15, 8.2.3, Valkey 8.1.8 and 9.1.2, which agree.
    #[test]
    fn odd_patterns_match_as_they_do_in_redis() {
        let cases: [(&[u8], &[u8], bool); 30] = [
            (b"**", b"", false),
            (b"?*", b"", false),
            (b"*", b"", false),
            (b"[a]", b"", false),
            (b"a*", b"a", true),
            (b"a**", b"a", true),
            (b"a\\", b"a\\", true),
            (b"a\\", b"a", false),
            (b"[a-]]", b"a", true),
            (b"[a-]]", b"^", true),
            (b"[\\]]", b"]", true),
            (b"[!a]", b"!", true),
            (b"[!a]", b"b", false),
            (b"[z-a]", b"m", true),
            (b"[a-\\x]", b"a", true),
            (b"[a-\\x]", b"x", true),
            (b"[\\a-c]", b"b", false),
            (b"[\\a-c]", b"-", true),
            (b"a\xffb", b"a\xffb", true),
            (b"[a-\\]]", b"a", false),
            (b"[a-\\]]", b"a]", true),
            (b"\\*", b"*", true),
            (b"\\*", b"a", false),
            (b"[^a]", b"b", true),
            (b"[^^]", b"^", false),
            (b"[a^]", b"^", true),
            (b"[-a]", b"-", true),
            (b"[a*]", b"*", true),
            (b"*[ab]*", b"xxa", true),
            (b"a?c*e", b"abcde", true),
        ];
        for (pattern, text, expected) in cases {
            let glob = Glob::compile(pattern).unwrap();
            assert_eq!(
                glob.matches(text),
                expected,
                "{glob:?} on {}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn a_prefix_matches_what_begins_with_it_whatever_both_lengths() {
        let text = b"key:0123456789ab";
        for len in 1..=text.len() {
            let glob = Glob::compile(&[&text[..len], b"*"].concat()).unwrap();
            for end in 0..=text.len() {
                assert_eq!(glob.matches(&text[..end]), end >= len, "{len} {end}");
                for at in 0..end {
                    let mut other = text[..end].to_vec();
                    other[at] ^= 1;
                    let begins = at >= len && end >= len;
                    assert_eq!(glob.matches(&other), begins, "{len} {end} {at}");
                }
            }
        }
        let any = Glob::compile(b"*").unwrap();
        assert_eq!((any.matches(b""), any.matches(b"a")), (false, true));
        let zeros = Glob::compile(b"a\0\0*").unwrap();
        assert!(
            !zeros.matches(b"a"),
            "no zeros are taken for given behind the end"
        );
    }

    #[test]
    fn patterns_that_servers_read_differently_are_refused() {
        let cases: [(&[u8], GlobFault); 9] = [
            (b"", GlobFault::Empty),
            (b"[a", GlobFault::UnclosedClass),
            (b"[", GlobFault::UnclosedClass),
            (b"[a-]", GlobFault::UnclosedClass),
            (b"[\\", GlobFault::UnclosedClass),
            (b"[]x", GlobFault::EmptyClass),
            (b"[^]x", GlobFault::EmptyClass),
            (b"[a-\xff]", GlobFault::RangeBeyondAscii),
            (b"[\x80-a]", GlobFault::RangeBeyondAscii),
        ];
        for (pattern, fault) in cases {
            assert_eq!(
                Glob::compile(pattern),
                Err(fault),
                "{}",
                pattern.escape_ascii()
            );
        }
        assert_eq!(
            Glob::compile(&b"*a".repeat(101)),
            Err(GlobFault::TooManyStars)
        );
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_its_length_times_the_texts() {
        let glob = Glob::compile(&[b"*a".repeat(40), b"*b".to_vec()].concat()).unwrap();
        let text = vec![b'a'; 100_000];
        let started = std::time::Instant::now();
        assert!(!glob.matches(&text));
        // Exponential time would be longer than the age of the universe: any bound tells the two apart.
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn a_pattern_could_match_a_beginning_unless_it_provably_cannot() {
        let cases: [(&[u8], bool); 12] = [
            (b"*", true),
            (b"__s*", true),
            (b"__keyspace@0__:x", false),
            (b"__sentinel__:hello", true),
            (b"__sentinel__", false),
            (b"\\_\\_sentinel__:x", true),
            (b"??sentinel__:", true),
            (b"_[_]nonsense", true),
            (b"app:*", false),
            (b"", false),
            (b"\\*sentinel", false),
            (b"__sentinel__:", true),
        ];
        for (pattern, expected) in cases {
            let found = could_match_beginning(pattern, b"__sentinel__:");
            assert_eq!(found, expected, "{}", pattern.escape_ascii());
        }
    }
}
