//! The request scanner: finds where a client's request ends and where its arguments lie, while its bytes arrive.
//!
//! It is *resumable*: a byte that it has passed is never read again, so the work is linear in what arrives, however it is cut.
//! (An inline command's line is passed once to find its end, and read once.) It is *bounded*: nothing is reserved for what a
//! header announces; memory follows the bytes received. It is *strict*: whatever it accepts, every supported server reads alike.
//!
//! # A request held whole
//!
//! ```
//! use redwall::resp::{Limits, RequestScanner, Scan};
//!
//! let mut scanner = RequestScanner::new();
//! let mut input: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nPI";
//! assert_eq!(scanner.scan(input, &Limits::DEFAULT)?, Scan::Complete { len: 20 });
//! assert_eq!(scanner.request(input).arg(1), Some(&b"k"[..]));
//! input = &input[20..];
//! assert_eq!(scanner.scan(input, &Limits::DEFAULT)?, Scan::Inline { len: 6 });
//! assert_eq!(scanner.request(input).bytes(), b"*1\r\n$4\r\nPING\r\n");
//! input = &input[6..];
//! assert_eq!(scanner.scan(input, &Limits::DEFAULT)?, Scan::Incomplete);
//! # Ok::<(), redwall::resp::ScanError>(())
//! ```
//!
//! The input of the first call begins with the request's first byte, and that of each further call with its first byte that was
//! not [dropped](RequestScanner::dropped). After the end the next call begins the next request by itself.
//!
//! # A request that isn't held whole
//!
//! While a request is [incomplete](Scan::Incomplete), [`progress`](RequestScanner::progress) says what it has announced. The caller
//! can then *stream* it: judge its [`prefix`](RequestScanner::prefix), send on those bytes, tell the scanner that they are
//! [dropped](RequestScanner::dropped), and go on so with all that arrives. Or *discard* it: drop without sending. Either way the
//! scanner finds the end, [`Scan::Rest`]. Bytes must be scanned before they are sent on: an error in the middle of a streamed
//! request means that a part of it is at the backend, whose connection can't be used any more.

mod outcome;

pub use self::outcome::{OpenBulk, Progress, Scan};
use super::decimal::{Decimal, NotCanonical, Number, short_header};
use super::inline;
use super::limits::Limits;
use super::request::{ArgRange, OwnedRequest, Request};
use super::scan_error::ScanError;

/// Ranges of arguments for which memory is kept from one request to the next: 2 KiB.
const KEPT_RANGES: usize = 256;

/// Bytes of a CR LF.
const LINE_BREAK: u64 = 2;

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Before a request's first byte.
    Start,
    /// In the line that says how many arguments there are.
    Count(Decimal),
    /// Before an argument's `$`.
    Mark,
    /// In the line that says how long an argument is.
    Length(Decimal),
    /// In an argument of `len` bytes; `left` are still to come, the two of its line break included.
    Payload { len: u64, left: u64 },
    /// In an inline command.
    Inline,
    /// After a request's last byte.
    Ended,
    /// After an error: every further scan answers it again.
    Failed(ScanError),
}

/// Finds requests in the bytes of one client.
#[derive(Debug)]
pub struct RequestScanner {
    stage: Stage,
    /// Where reading goes on, in the input.
    at: usize,
    /// Bytes of this request that were dropped from the front of the input.
    dropped: u64,
    /// Ranges of the arguments that have arrived whole, while nothing was dropped.
    args: Vec<ArgRange>,
    arrived: usize,
    announced: usize,
    announced_bytes: u64,
    /// The last request, if it was an inline command.
    inline: Option<Box<OwnedRequest>>,
}

impl Default for RequestScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestScanner {
    /// A scanner before the first request. Allocates nothing.
    pub fn new() -> Self {
        Self {
            stage: Stage::Start,
            at: 0,
            dropped: 0,
            args: Vec::new(),
            arrived: 0,
            announced: 0,
            announced_bytes: 0,
            inline: None,
        }
    }

    /// Bytes of memory that are held for the places of arguments.
    pub fn held(&self) -> usize {
        self.args.capacity() * size_of::<ArgRange>()
    }

    /// Gives back the memory that is kept for the next request, unless one is under way.
    pub fn give_back(&mut self) {
        if matches!(self.stage, Stage::Ended) {
            self.restart();
        }
        if matches!(self.stage, Stage::Start) {
            self.args = Vec::new();
        }
    }

    /// Reads on, to the end of the current request or of the input. See the module's text for where `input` begins.
    ///
    /// `limits` hold for what is read in this call.
    ///
    /// # Errors
    /// The bytes aren't a request. The same error again at every further call: there is no way to find the next request.
    #[inline]
    pub fn scan(&mut self, input: &[u8], limits: &Limits) -> Result<Scan, ScanError> {
        if matches!(self.stage, Stage::Ended) {
            self.restart();
        }
        if matches!(self.stage, Stage::Start)
            && let Some((count, header)) = short_header(b'*', input)
            && (1..=limits.max_arguments).contains(&count)
        {
            self.at = header;
            self.announced = count;
            self.stage = Stage::Mark;
            if self.read_whole_arguments(input, limits) {
                self.stage = Stage::Ended;
                return Ok(Scan::Complete { len: self.at });
            }
        }
        self.scan_on(input, limits)
    }

    /// The same, byte by byte where it must be.
    #[inline(never)]
    fn scan_on(&mut self, input: &[u8], limits: &Limits) -> Result<Scan, ScanError> {
        debug_assert!(self.at <= input.len(), "the input is what was not dropped");
        let outcome = self.read(input, limits);
        match outcome {
            Ok(Scan::Incomplete) => {}
            Ok(_) => self.stage = Stage::Ended,
            Err(error) => self.stage = Stage::Failed(error),
        }
        outcome
    }

    /// The request that the last scan found whole, [`Scan::Complete`] or [`Scan::Inline`]; `input` is that scan's own.
    ///
    /// After any other outcome it is without arguments.
    pub fn request<'a>(&'a self, input: &'a [u8]) -> Request<'a> {
        match (&self.inline, self.stage) {
            (Some(request), Stage::Ended) => request.as_request(),
            (None, Stage::Ended) if self.dropped == 0 => {
                let bytes = input.get(..self.at).unwrap_or(&[]);
                Request::new(bytes, &self.args, self.announced)
            }
            _ => Request::new(&[], &[], 0),
        }
    }

    /// What has arrived of an incomplete array of bulk strings, exactly as the client wrote it, with the arguments that are whole.
    ///
    /// `input` is the last scan's own. `None` unless the command's name is there and nothing has been dropped.
    pub fn prefix<'a>(&'a self, input: &'a [u8]) -> Option<Request<'a>> {
        self.progress()?;
        if self.dropped > 0 || self.args.is_empty() {
            return None;
        }
        Some(Request::new(
            input.get(..self.at)?,
            &self.args,
            self.announced,
        ))
    }

    /// How far the current request has been read; `None` unless it is incomplete and its number of arguments is known.
    pub fn progress(&self) -> Option<Progress> {
        let open = match self.stage {
            Stage::Mark | Stage::Length(_) => None,
            Stage::Payload { len, left } => Some(OpenBulk {
                announced: len,
                arrived: len - left.saturating_sub(LINE_BREAK),
            }),
            Stage::Start | Stage::Count(_) | Stage::Inline | Stage::Ended | Stage::Failed(_) => {
                return None;
            }
        };
        Some(Progress {
            announced: self.announced,
            arrived: self.arrived,
            open,
            announced_bytes: self.announced_bytes,
        })
    }

    /// The first `count` bytes of the last scan's input are gone from the front of the next one; they must have been read.
    ///
    /// From now on the current request's arguments are not recorded, and its end is a [`Scan::Rest`].
    pub fn dropped(&mut self, count: usize) {
        debug_assert!(count <= self.at, "only what was read can be dropped");
        let count = count.min(self.at);
        self.at -= count;
        self.dropped += count as u64;
        if count > 0 {
            self.args = Vec::new();
        }
    }

    /// Forgets the current request, of which nothing was dropped: the next scan's input begins with another one, or with it again.
    pub fn rewind(&mut self) {
        debug_assert!(
            self.dropped == 0 || matches!(self.stage, Stage::Ended),
            "its beginning is gone"
        );
        self.restart();
    }

    /// Gives back the memory that is kept for the next request. For a client that has become idle; harmless at any time.
    pub fn release(&mut self) {
        if matches!(self.stage, Stage::Start | Stage::Ended) {
            self.restart();
            self.args = Vec::new();
        }
    }

    #[inline]
    fn restart(&mut self) {
        self.stage = Stage::Start;
        self.at = 0;
        self.dropped = 0;
        self.args.clear();
        if self.args.capacity() > KEPT_RANGES {
            self.args.shrink_to(KEPT_RANGES);
        }
        self.arrived = 0;
        self.announced = 0;
        self.announced_bytes = 0;
        if self.inline.is_some() {
            self.inline = None;
        }
    }

    /// Reads the arguments that have arrived whole with a short header: nearly all, at a third of the cost. Whether those were all of the
    /// request's; the rest is for [`Self::read`], which alone knows errors.
    #[inline(always)]
    fn read_whole_arguments(&mut self, input: &[u8], limits: &Limits) -> bool {
        if self.dropped > 0 || u32::try_from(input.len()).is_err() {
            return false;
        }
        let (mut at, mut bytes) = (self.at, 0);
        let mut left = self.announced - self.arrived;
        while left > 0
            && let Some((len, header)) = short_header(b'$', &input[at..])
        {
            let start = at + header;
            let end = start + len;
            if input.get(end..end + 2) != Some(b"\r\n") || len as u64 > limits.max_bulk {
                break;
            }
            if self.args.is_empty() && is_http(&input[start..end]) {
                break;
            }
            let (start, len) = (start as u32, len as u32);
            self.args.push(ArgRange { start, len });
            at = end + 2;
            bytes += u64::from(len);
            left -= 1;
        }
        self.at = at;
        self.announced_bytes += bytes;
        self.arrived = self.announced - left;
        left == 0
    }

    fn read(&mut self, input: &[u8], limits: &Limits) -> Result<Scan, ScanError> {
        loop {
            let flow = match self.stage {
                Stage::Start => read_first(input, &mut self.at),
                Stage::Count(number) => self.read_count(number, input, limits)?,
                Stage::Mark => match self.read_whole_arguments(input, limits) {
                    true => Flow::End(Scan::Complete { len: self.at }),
                    false => self.read_mark(input)?,
                },
                Stage::Length(number) => self.read_length(number, input, limits)?,
                Stage::Payload { len, left } => self.read_payload(len, left, input)?,
                Stage::Inline => self.read_inline(input, limits)?,
                Stage::Ended => Flow::Wait,
                Stage::Failed(error) => return Err(error),
            };
            match flow {
                Flow::On(stage) => self.stage = stage,
                Flow::Wait => return Ok(Scan::Incomplete),
                Flow::End(scan) => return Ok(scan),
            }
        }
    }

    fn read_count(
        &mut self,
        mut number: Decimal,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Flow, ScanError> {
        match number.advance(input, &mut self.at) {
            Ok(Some(Number::Natural(0) | Number::Negative(1))) => Ok(self.end()),
            Ok(Some(Number::Natural(count))) => {
                self.announced = limits.check_arguments(count)?;
                Ok(Flow::On(Stage::Mark))
            }
            Ok(Some(Number::Negative(_))) | Err(NotCanonical) => Err(ScanError::CountMalformed),
            Ok(None) => {
                self.stage = Stage::Count(number);
                Ok(Flow::Wait)
            }
        }
    }

    #[inline]
    fn read_mark(&mut self, input: &[u8]) -> Result<Flow, ScanError> {
        match input.get(self.at) {
            Some(b'$') => {
                self.at += 1;
                Ok(Flow::On(Stage::Length(Decimal::NEW)))
            }
            Some(&found) => Err(ScanError::NotABulk { found }),
            None => Ok(Flow::Wait),
        }
    }

    #[inline]
    fn read_length(
        &mut self,
        mut number: Decimal,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Flow, ScanError> {
        match number.advance(input, &mut self.at) {
            Ok(Some(Number::Natural(len))) => {
                limits.check_bulk(len)?;
                self.announced_bytes = self.announced_bytes.saturating_add(len);
                let left = len.saturating_add(LINE_BREAK);
                Ok(Flow::On(Stage::Payload { len, left }))
            }
            Ok(Some(Number::Negative(_))) | Err(NotCanonical) => Err(ScanError::LengthMalformed),
            Ok(None) => {
                self.stage = Stage::Length(number);
                Ok(Flow::Wait)
            }
        }
    }

    #[inline]
    fn read_payload(&mut self, len: u64, mut left: u64, input: &[u8]) -> Result<Flow, ScanError> {
        let here = (input.len() - self.at) as u64;
        let payload = left.saturating_sub(LINE_BREAK).min(here);
        self.at += payload as usize;
        left -= payload;
        while left <= LINE_BREAK {
            let wanted = if left == LINE_BREAK { b'\r' } else { b'\n' };
            match input.get(self.at) {
                Some(&byte) if byte == wanted => self.at += 1,
                Some(_) => return Err(ScanError::BulkUnterminated),
                None => break,
            }
            left -= 1;
            if left == 0 {
                return self.end_argument(len, input);
            }
        }
        self.stage = Stage::Payload { len, left };
        Ok(Flow::Wait)
    }

    #[inline]
    fn end_argument(&mut self, len: u64, input: &[u8]) -> Result<Flow, ScanError> {
        if self.dropped == 0 {
            self.record(len as usize, input)?;
        }
        self.arrived += 1;
        if self.arrived < self.announced {
            Ok(Flow::On(Stage::Mark))
        } else if self.dropped == 0 {
            Ok(Flow::End(Scan::Complete { len: self.at }))
        } else {
            Ok(Flow::End(Scan::Rest { len: self.at }))
        }
    }

    /// Records the argument of `len` bytes that has just ended.
    #[inline]
    fn record(&mut self, len: usize, input: &[u8]) -> Result<(), ScanError> {
        let end = self.at - LINE_BREAK as usize;
        let start = end - len;
        if u32::try_from(self.at).is_err() {
            return Err(ScanError::RequestTooLarge);
        }
        if self.args.is_empty() && input.get(start..end).is_some_and(is_http) {
            return Err(ScanError::CrossProtocol);
        }
        self.args.push(ArgRange {
            start: start as u32,
            len: len as u32,
        });
        Ok(())
    }

    fn read_inline(&mut self, input: &[u8], limits: &Limits) -> Result<Flow, ScanError> {
        let unread = &input[self.at..];
        let stop = unread.iter().position(|byte| matches!(byte, b'\n' | 0));
        self.at += stop.unwrap_or(unread.len());
        if self.dropped + self.at as u64 > limits.max_inline as u64 {
            return Err(ScanError::InlineTooLong {
                limit: limits.max_inline,
            });
        }
        match stop.map(|stop| unread[stop]) {
            None => Ok(Flow::Wait),
            Some(0) => Err(ScanError::InlineNul),
            Some(_) => {
                let line = &input[..self.at];
                self.at += 1;
                self.end_inline(line.strip_suffix(b"\r").unwrap_or(line), limits)
            }
        }
    }

    fn end_inline(&mut self, line: &[u8], limits: &Limits) -> Result<Flow, ScanError> {
        if self.dropped > 0 {
            return Ok(self.end());
        }
        self.inline = inline::parse(line, limits)?.map(Box::new);
        match self.inline.as_ref().and_then(|it| it.as_request().arg(0)) {
            None => Ok(self.end()),
            Some(name) if is_http(name) => Err(ScanError::CrossProtocol),
            Some(_) => Ok(Flow::End(Scan::Inline { len: self.at })),
        }
    }

    /// The end of what isn't a request to be judged.
    fn end(&self) -> Flow {
        let len = self.at;
        Flow::End(match self.dropped {
            0 => Scan::Skipped { len },
            _ => Scan::Rest { len },
        })
    }
}

enum Flow {
    On(Stage),
    Wait,
    End(Scan),
}

fn read_first(input: &[u8], at: &mut usize) -> Flow {
    match input.first() {
        Some(b'*') => {
            *at = 1;
            Flow::On(Stage::Count(Decimal::NEW))
        }
        Some(_) => Flow::On(Stage::Inline),
        None => Flow::Wait,
    }
}

/// Whether the command is one of the two words by which Redis knows an HTTP request, in any case, as an array or inline. Redis
/// compares as C does: up to a NUL.
#[inline]
fn is_http(name: &[u8]) -> bool {
    matches!(name.first(), Some(b'p' | b'P' | b'h' | b'H')) && is_word_of_http(name)
}

fn is_word_of_http(name: &[u8]) -> bool {
    let begins = |word: &[u8]| {
        name.get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            && matches!(name.get(word.len()), None | Some(0))
    };
    begins(b"post") || begins(b"host:")
}

#[cfg(test)]
mod tests;
