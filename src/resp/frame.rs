//! What is known of a backend's frame: all that decides whose it is, nothing of what it says.

use std::fmt;

/// Bytes of a [label](Frame::label), at most.
const LABEL: usize = 15;

/// Whether a frame answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Answers the oldest request; in RESP2 also a message to a subscriber, an array whose label says so.
    Reply,
    /// RESP3 out-of-band data. Answers nothing, but for the confirmations of SUBSCRIBE and its kin.
    Push,
    /// RESP3 metadata about the frame that comes next. Answers nothing.
    Attribute,
}

/// One top-level frame, or what is known of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub(super) first: u8,
    pub(super) null: bool,
    pub(super) len: u64,
    pub(super) count: Option<u64>,
    pub(super) third: Option<i64>,
    pub(super) nested_pushes: u64,
    /// Bit n: element n is an error.
    pub(super) errors: u64,
    pub(super) label: Label,
}

impl Frame {
    /// Elements of an aggregate of which is known whether they are errors.
    pub const LOOKED_AT: usize = u64::BITS as usize;

    /// A frame of which only the first byte is known.
    pub(super) fn new(first: u8) -> Self {
        Self {
            first,
            null: false,
            len: 0,
            count: None,
            third: None,
            nested_pushes: 0,
            errors: 0,
            label: Label::default(),
        }
    }

    /// Whether it answers a request.
    pub fn kind(&self) -> FrameKind {
        match self.first {
            b'>' => FrameKind::Push,
            b'|' => FrameKind::Attribute,
            _ => FrameKind::Reply,
        }
    }

    /// The frame's first byte: its RESP type.
    pub fn first(&self) -> u8 {
        self.first
    }

    /// Whether it is an error, `-` or `!`. An error inside an array isn't one.
    pub fn is_error(&self) -> bool {
        matches!(self.first, b'-' | b'!')
    }

    /// Whether it is null: `_`, `$-1` or `*-1`. So EXEC answers when a watched key has changed.
    pub fn is_null(&self) -> bool {
        self.null
    }

    /// Bytes, from the first to the last line break; so far, if it hasn't ended.
    // A frame has one byte at least: "is it empty" is no question.
    #[expect(clippy::len_without_is_empty, reason = "a frame has one byte at least")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Elements that the header of an aggregate announced, in a map or an attribute pairs; `None` for scalars and nulls.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// The name that the frame begins with, as it was written, at most 15 bytes of it.
    ///
    /// Of an aggregate: its first element, if that is a string of 15 bytes or less (`message`, `invalidate`, `subscribe`). Of
    /// an error: its first word (`NOPERM`). Else empty.
    pub fn label(&self) -> &[u8] {
        self.label.as_bytes()
    }

    /// The third element of an aggregate, if it is an integer: how many subscriptions are left after SUBSCRIBE and its kin.
    pub fn third(&self) -> Option<i64> {
        self.third
    }

    /// Whether element `index` of an aggregate is an error, as EXEC answers for a command that failed. Known of the first
    /// [`Frame::LOOKED_AT`] elements only.
    pub fn is_error_at(&self, index: usize) -> bool {
        index < Self::LOOKED_AT && self.errors >> index & 1 == 1
    }

    /// Pushes that stand between the elements of this frame, as Redis 7.0 puts invalidations into the reply of EXEC. They don't
    /// count as elements. They can be for nobody but the connection's owner.
    pub fn nested_pushes(&self) -> u64 {
        self.nested_pushes
    }
}

/// The first bytes of a frame's name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Label {
    bytes: [u8; LABEL],
    len: u8,
}

impl Label {
    /// Whether a string of `len` bytes fits.
    pub(super) fn fits(len: u64) -> bool {
        len <= LABEL as u64
    }

    /// Adds what fits of `more`; whether it was all.
    pub(super) fn push(&mut self, more: &[u8]) -> Fit {
        let begin = usize::from(self.len);
        let len = more.len().min(LABEL - begin);
        self.bytes[begin..begin + len].copy_from_slice(&more[..len]);
        self.len += len as u8;
        if len == more.len() {
            Fit::Whole
        } else {
            Fit::Cut
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// Whether all of something had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Whole,
    Cut,
}
