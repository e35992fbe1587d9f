//! The reply scanner: finds where a backend's frames end, and of each only what decides whose it is. RESP2 and RESP3.
//!
//! It never needs a whole frame: it reads whatever has arrived, so that large replies can be passed on meanwhile, and reads no byte
//! twice. Strings are skipped in one step. It knows no limit of size, but bounds depth; memory is some bytes for each open aggregate.
//!
//! Servers are trusted more than clients, but not to be in step: whatever isn't exactly RESP as servers write it is a
//! [fault](ReplyFault), after which nothing on that connection can be paired with a request.
//!
//! ```
//! use redwall::resp::{FrameKind, ReplyScanner};
//!
//! let mut scanner = ReplyScanner::new();
//! let first = scanner.advance(b"$5\r\nhe")?;
//! assert_eq!((first.consumed, first.end), (6, None)); // these six bytes can be passed on
//! let mut input: &[u8] = b"llo\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n";
//! let second = scanner.advance(input)?;
//! assert_eq!(second.end.map(|frame| frame.len()), Some(11));
//! input = &input[second.consumed..];
//! let push = scanner.advance(input)?.end.unwrap();
//! assert_eq!((push.kind(), push.label()), (FrameKind::Push, &b"invalidate"[..]));
//! # Ok::<(), redwall::resp::ReplyFault>(())
//! ```

mod element;
mod state;

use self::element::Type;
use self::state::{Keep, Length, Level, Part, Reach, Read, Stage};
use super::decimal::{Decimal, NotCanonical, Number, short_header};
use super::frame::{Fit, Frame, Label};
use super::reply_fault::ReplyFault;

/// Aggregates inside each other, at most. Servers' own replies stay below 10; a script's own can be deeper.
pub const MAX_DEPTH: usize = 128;

/// Elements of an aggregate, at most (of a map: pairs).
pub const MAX_COUNT: u64 = u32::MAX as u64;

/// Bytes of a string, at most: 1 TiB. A server's `proto-max-bulk-len` can be set to more than Redis's default.
pub const MAX_STRING: u64 = 1 << 40;

/// Bytes of a CR LF.
const LINE_BREAK: u64 = 2;

/// Bytes of the shortest element, `_` and CR LF.
const SHORTEST: u64 = 3;

/// What a call has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that belong to the current frame: up to its end, or all.
    pub consumed: usize,
    /// The frame, if it has ended; then the rest of the input is for the next call.
    pub end: Option<Frame>,
}

/// Finds frames in the bytes of one backend connection.
#[derive(Debug)]
pub struct ReplyScanner {
    stage: Stage,
    frame: Frame,
    keep: Keep,
    /// Elements of the top-level aggregate that have begun.
    begun: u64,
    open: Vec<Level>,
}

impl Default for ReplyScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyScanner {
    /// A scanner before the first frame. Allocates nothing.
    pub fn new() -> Self {
        Self {
            stage: Stage::Ended,
            frame: Frame::new(0),
            keep: Keep::Nothing,
            begun: 0,
            open: Vec::new(),
        }
    }

    /// Reads on, to the end of the current frame or of the input. The next call's input begins behind what was consumed.
    ///
    /// # Errors
    /// The bytes aren't RESP. The same fault again at every further call.
    #[inline]
    pub fn advance(&mut self, input: &[u8]) -> Result<Step, ReplyFault> {
        if let Some(consumed) = self.short_reply(input) {
            let mut frame = Frame::new(input[0]);
            frame.len = consumed as u64;
            return Ok(Step {
                consumed,
                end: Some(frame),
            });
        }
        self.advance_by_elements(input)
    }

    /// Bytes of the next frame, if it begins and ends in `input`, answers a request and is of the kinds that nearly all are: an integer
    /// or a string with a short header, or `+OK`. To the scanner it is as if it had been read. `None` says nothing of what is there.
    #[inline]
    pub fn short_reply(&self, input: &[u8]) -> Option<usize> {
        match self.stage {
            Stage::Ended => short_len(input),
            _ => None,
        }
    }

    fn advance_by_elements(&mut self, input: &[u8]) -> Result<Step, ReplyFault> {
        let mut consumed = 0;
        match self.read(input, &mut consumed) {
            Ok(Reach::Input) => {
                self.frame.len += consumed as u64;
                Ok(Step {
                    consumed,
                    end: None,
                })
            }
            Ok(Reach::Frame) => {
                self.stage = Stage::Ended;
                self.frame.len += consumed as u64;
                Ok(Step {
                    consumed,
                    end: Some(self.frame),
                })
            }
            Err(fault) => {
                self.stage = Stage::Failed(fault);
                Err(fault)
            }
        }
    }

    /// The frame that is being read, as soon as its first byte was; `None` between frames and after a fault.
    ///
    /// Its first byte and kind are final, the rest is what is known so far.
    pub fn current(&self) -> Option<&Frame> {
        match self.stage {
            Stage::Ended | Stage::Failed(_) => None,
            _ => Some(&self.frame),
        }
    }

    /// Bytes that the current frame will have at least, by what its headers have announced so far; 0 between frames.
    pub fn least_len(&self) -> u64 {
        let Some(frame) = self.current() else {
            return 0;
        };
        let element = match self.stage {
            Stage::String { left } => left,
            Stage::Number { number, .. } => number.least_left(),
            Stage::Type | Stage::Boolean => SHORTEST,
            Stage::Line { .. } | Stage::Cr => LINE_BREAK,
            Stage::Lf => 1,
            Stage::Ended | Stage::Failed(_) => 0,
        };
        // In each aggregate one element has begun, or is about to: it is counted by what is inside it.
        let later = self.open.iter().map(|level| (level.left - 1) * SHORTEST);
        frame.len + element + later.sum::<u64>()
    }

    fn read(&mut self, input: &[u8], at: &mut usize) -> Result<Reach, ReplyFault> {
        loop {
            let ended = match self.stage {
                Stage::Ended | Stage::Type => self.read_type(input, at)?,
                Stage::Number { of, number } => self.read_number(of, number, input, at)?,
                Stage::Line { of, length } => self.read_line(of, length, input, at)?,
                Stage::Boolean => self.read_boolean(input, at)?,
                Stage::String { left } => self.read_string(left, input, at)?,
                Stage::Cr => match expect(b'\r', input, at)? {
                    Read::Wait => Read::Wait,
                    Read::Element | Read::On => self.go(Stage::Lf),
                },
                Stage::Lf => expect(b'\n', input, at)?,
                Stage::Failed(fault) => return Err(fault),
            };
            match ended {
                Read::On => {}
                Read::Wait => return Ok(Reach::Input),
                Read::Element => match self.end_element() {
                    Reach::Frame => return Ok(Reach::Frame),
                    Reach::Input => self.stage = Stage::Type,
                },
            }
        }
    }

    #[inline]
    fn go(&mut self, stage: Stage) -> Read {
        self.stage = stage;
        Read::On
    }

    #[inline]
    fn read_type(&mut self, input: &[u8], at: &mut usize) -> Result<Read, ReplyFault> {
        let Some(&found) = input.get(*at) else {
            return Ok(Read::Wait);
        };
        let of = Type::of(found).ok_or(ReplyFault::UnknownType { found })?;
        if self.open.is_empty() {
            self.frame = Frame::new(found);
            self.frame.null = of == Type::Null;
            self.begun = 0;
        }
        self.keep = self.what_to_keep(of);
        if of.has_number()
            && let Some((number, header)) = short_header(found, &input[*at..])
        {
            *at += header;
            return self.on_number(of, Number::Natural(number as u64));
        }
        *at += 1;
        Ok(self.go(Stage::after(of)))
    }

    /// Decides by where an element stands what is kept of it.
    #[inline]
    fn what_to_keep(&mut self, of: Type) -> Keep {
        match (self.open.len(), of) {
            (0, Type::Error | Type::BlobError) => Keep::Word,
            (1, Type::Push | Type::Attribute) => Keep::Nothing,
            (1, of) => {
                self.begun += 1;
                match (self.begun, of) {
                    (1, Type::Bulk | Type::Simple) => Keep::Label,
                    (3, Type::Integer) => Keep::Third,
                    (begun, Type::Error | Type::BlobError) if begun <= Frame::LOOKED_AT as u64 => {
                        self.frame.errors |= 1 << (begun - 1);
                        Keep::Nothing
                    }
                    _ => Keep::Nothing,
                }
            }
            _ => Keep::Nothing,
        }
    }

    #[inline]
    fn read_number(
        &mut self,
        of: Type,
        mut number: Decimal,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Read, ReplyFault> {
        match number.advance(input, at) {
            Ok(Some(number)) => self.on_number(of, number),
            Ok(None) => {
                self.stage = Stage::Number { of, number };
                Ok(Read::Wait)
            }
            Err(NotCanonical) if of != Type::Integer && input.get(*at - 1) == Some(&b'?') => {
                Err(ReplyFault::Streamed { of: of.byte() })
            }
            Err(NotCanonical) => Err(ReplyFault::NumberMalformed { of: of.byte() }),
        }
    }

    #[inline]
    fn on_number(&mut self, of: Type, number: Number) -> Result<Read, ReplyFault> {
        let malformed = ReplyFault::NumberMalformed { of: of.byte() };
        match (of, number) {
            (Type::Integer, number) => {
                let value = number.signed().ok_or(malformed)?;
                if self.keep == Keep::Third {
                    self.frame.third = Some(value);
                }
                Ok(Read::Element)
            }
            (Type::Bulk | Type::Array, Number::Negative(1)) => {
                self.frame.null |= self.open.is_empty();
                Ok(Read::Element)
            }
            (_, Number::Negative(_)) => Err(malformed),
            (Type::Bulk | Type::BlobError | Type::Verbatim, Number::Natural(len)) => {
                self.begin_string(of, len)
            }
            (_, Number::Natural(count)) => self.begin_aggregate(of, count),
        }
    }

    #[inline]
    fn begin_string(&mut self, of: Type, len: u64) -> Result<Read, ReplyFault> {
        bound(of, MAX_STRING, len)?;
        // `txt:` comes before the text.
        if of == Type::Verbatim && len < 4 {
            return Err(ReplyFault::NumberMalformed { of: of.byte() });
        }
        if self.keep == Keep::Label && !Label::fits(len) {
            self.keep = Keep::Nothing;
        }
        Ok(self.go(Stage::String {
            left: len + LINE_BREAK,
        }))
    }

    fn begin_aggregate(&mut self, of: Type, count: u64) -> Result<Read, ReplyFault> {
        bound(of, MAX_COUNT, count)?;
        let top = self.open.is_empty();
        if of == Type::Push && (count == 0 || self.is_aside()) {
            return Err(ReplyFault::PushMisplaced);
        }
        if top {
            self.frame.count = Some(count);
        } else if of == Type::Push {
            self.frame.nested_pushes += 1;
        }
        let part = match of {
            Type::Push | Type::Attribute if !top => Part::Aside,
            _ => Part::Element,
        };
        let left = match of {
            Type::Map | Type::Attribute => count * 2,
            _ => count,
        };
        if left == 0 {
            return Ok(match part {
                Part::Element => Read::Element,
                Part::Aside => self.go(Stage::Type),
            });
        }
        if self.open.len() == MAX_DEPTH {
            return Err(ReplyFault::TooDeep { limit: MAX_DEPTH });
        }
        self.open.push(Level { left, part });
        Ok(self.go(Stage::Type))
    }

    /// Whether what is being read is inside a push or an attribute.
    fn is_aside(&self) -> bool {
        let nested = self.open.iter().any(|level| level.part == Part::Aside);
        nested || (!self.open.is_empty() && matches!(self.frame.first, b'>' | b'|'))
    }

    fn read_line(
        &mut self,
        of: Type,
        mut length: Length,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Read, ReplyFault> {
        let unread = &input[*at..];
        let stop = unread.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let text = &unread[..stop.unwrap_or(unread.len())];
        let malformed = ReplyFault::ScalarMalformed { of: of.byte() };
        if matches!(of, Type::Double | Type::BigNumber) {
            if !text.iter().all(|&byte| of.may_hold(byte)) {
                return Err(malformed);
            }
            if !text.is_empty() {
                length = Length::Some;
            }
            if stop.is_some() && length == Length::Empty {
                return Err(malformed);
            }
        }
        self.keep_text(text);
        *at += text.len();
        if stop.is_some() {
            Ok(self.go(Stage::Cr))
        } else {
            self.stage = Stage::Line { of, length };
            Ok(Read::Wait)
        }
    }

    fn read_boolean(&mut self, input: &[u8], at: &mut usize) -> Result<Read, ReplyFault> {
        match input.get(*at) {
            Some(b't' | b'f') => {
                *at += 1;
                Ok(self.go(Stage::Cr))
            }
            Some(_) => Err(ReplyFault::ScalarMalformed { of: b'#' }),
            None => Ok(Read::Wait),
        }
    }

    #[inline]
    fn read_string(
        &mut self,
        mut left: u64,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Read, ReplyFault> {
        let here = (input.len() - *at) as u64;
        let skipped = left.saturating_sub(LINE_BREAK).min(here) as usize;
        if self.keep != Keep::Nothing {
            self.keep_text(&input[*at..*at + skipped]);
        }
        *at += skipped;
        left -= skipped as u64;
        if left > LINE_BREAK {
            self.stage = Stage::String { left };
            return Ok(Read::Wait);
        }
        match &input[*at..] {
            [b'\r', b'\n', ..] => {
                *at += 2;
                Ok(Read::Element)
            }
            _ => Ok(self.go(Stage::Cr)),
        }
    }

    /// Keeps of a string or a line what is wanted of it.
    fn keep_text(&mut self, text: &[u8]) {
        match self.keep {
            Keep::Nothing | Keep::Third => {}
            Keep::Label => {
                if self.frame.label.push(text) == Fit::Cut {
                    self.frame.label = Label::default();
                    self.keep = Keep::Nothing;
                }
            }
            Keep::Word => {
                let space = text.iter().position(|byte| *byte == b' ');
                let fit = self.frame.label.push(&text[..space.unwrap_or(text.len())]);
                if space.is_some() || fit == Fit::Cut {
                    self.keep = Keep::Nothing;
                }
            }
        }
    }

    /// An element has ended, and with it perhaps the aggregates that it was the last of.
    #[inline]
    fn end_element(&mut self) -> Reach {
        while let Some(level) = self.open.last_mut() {
            level.left -= 1;
            if level.left > 0 {
                return Reach::Input;
            }
            let part = level.part;
            self.open.pop();
            match part {
                Part::Element => {}
                Part::Aside => return Reach::Input,
            }
        }
        Reach::Frame
    }
}

/// The same at the beginning of `input`. What it leaves alone isn't necessarily wrong, but read element by element, at five times the
/// cost.
#[inline]
fn short_len(input: &[u8]) -> Option<usize> {
    match *input.first()? {
        b'$' => {
            let (len, header) = short_header(b'$', input)?;
            let end = header + len;
            (input.get(end..end + 2)? == b"\r\n").then_some(end + 2)
        }
        b':' => Some(short_header(b':', input)?.1),
        b'+' => input.starts_with(b"+OK\r\n").then_some(5),
        _ => None,
    }
}

#[inline]
fn expect(wanted: u8, input: &[u8], at: &mut usize) -> Result<Read, ReplyFault> {
    match input.get(*at) {
        Some(&byte) if byte == wanted => {
            *at += 1;
            Ok(Read::Element)
        }
        Some(_) => Err(ReplyFault::LineBreak),
        None => Ok(Read::Wait),
    }
}

#[inline]
fn bound(of: Type, limit: u64, found: u64) -> Result<(), ReplyFault> {
    if found > limit {
        let of = of.byte();
        return Err(ReplyFault::NumberTooLarge { of, limit, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
