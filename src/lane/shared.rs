//! A backend connection that many clients use at once: their requests leave in one write, and what comes back is cut into replies
//! and handed to whoever asked, first in, first out.
//!
//! It never looks at what a reply says but for its own fences, and ends at the first byte that it can't account for.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fence::Fence;
use super::own::LaneFault;
use super::piece::{Large, Piece, Taken};
use super::sending::{Kept, Sending};
use super::shared_fault::SharedFault;
use crate::backend::{Connected, Stream};
use crate::pairing::{Done, Queue, Turn};
use crate::resp::{Frame, FrameKind, ReplyScanner};
use crate::session::{Forward, LARGE};
use crate::telemetry::BackendConnection;

/// Most bytes that wait for the backend's socket before clients are held back.
pub const MOST_UNSENT: usize = 1024 * 1024;

/// A connection that owes replies and hasn't moved for so long takes nothing from clients that could go elsewhere: the backend may
/// be holding back one request that isn't theirs.
const STALL: Duration = Duration::from_millis(50);

/// Most plaintext in one TLS record.
const MAX_RECORD: usize = 16 * 1024;

/// A request of so many bytes isn't copied to be written with others: that would cost more than a write of its own.
const STRAIGHT_FROM: usize = 64 * 1024;

/// A reply that may still turn out to have no more bytes is handed over whole: its parts would each cost a record, a write, and the
/// client a look that finds too little.
const WHOLE: u64 = 32 * 1024;

/// Whether a connection takes new clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Open,
    /// It takes none, answers what is owed, and ends.
    Retired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Used {
    No,
    Yes,
}

/// One shared connection. `O` tells one client from another.
#[derive(Debug)]
pub struct Shared<O> {
    stream: Stream,
    scanner: ReplyScanner,
    queue: Queue<O>,
    sending: Sending,
    /// Whether all that was appended has left, and nothing of it waits inside the stream.
    is_flushed: bool,
    records: u64,
    course: Course,
    fence: Fence,
    /// Whether anything was asked since the last fence.
    used: Used,
    /// When something last came, or was first asked for.
    moved: Instant,
    /// The beginning of a small reply whose end hasn't come. It has been looked at.
    begun: Vec<u8>,
    /// Where replies end in what is being looked at; kept for its memory.
    ends: Vec<usize>,
    _counted: BackendConnection,
}

impl<O: Clone + PartialEq> Shared<O> {
    /// A connection that has just been made. What is `kept` of requests can be asked again by those who have a large reply coming.
    pub fn new(connected: Connected, kept: Kept, now: Instant) -> Self {
        Self {
            stream: connected.stream,
            scanner: ReplyScanner::new(),
            queue: Queue::default(),
            sending: Sending::new(kept),
            is_flushed: true,
            records: 0,
            course: Course::Open,
            fence: Fence::new(),
            used: Used::No,
            moved: now,
            begun: Vec::new(),
            ends: Vec::new(),
            _counted: connected.counted,
        }
    }

    /// Whether it takes new clients.
    pub fn is_open(&self) -> bool {
        self.course == Course::Open
    }

    /// Whether the backend is on this machine; see [`Stream::is_local`].
    pub fn is_local(&self) -> bool {
        self.stream.is_local()
    }

    /// Takes no new client from now on.
    pub fn retire(&mut self) {
        self.course = Course::Retired;
    }

    /// Whether nothing is owed or under way.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty() && self.is_flushed
    }

    /// Whether replies are owed and nothing has come for a while.
    pub fn is_stalled(&self, now: Instant) -> bool {
        self.has_stood_still(now, STALL) && !self.stream.has_unread()
    }

    /// Whether replies are owed and nothing has come for `long`.
    pub fn has_stood_still(&self, now: Instant, long: Duration) -> bool {
        !self.queue.is_empty() && now.saturating_duration_since(self.moved) > long
    }

    /// It isn't the backend's fault that nothing has come until now: it isn't read.
    pub fn excuse(&mut self, now: Instant) {
        self.moved = now;
    }

    /// How long it has owed nothing, if it owes nothing.
    pub fn idle_since(&self) -> Option<Instant> {
        self.is_quiet().then_some(self.moved)
    }

    /// Replies that are owed.
    pub fn owed(&self) -> usize {
        self.queue.len()
    }

    /// Bytes that wait for the backend's socket.
    pub fn unsent(&self) -> usize {
        self.sending.unsent().len()
    }

    /// Whose reply comes next; `None` if it is nobody's.
    pub fn next(&self) -> Option<&O> {
        match self.queue.head()? {
            Turn::Owner(owner) | Turn::Exec(owner) => Some(owner),
            Turn::Nobody | Turn::Fence => None,
        }
    }

    /// Everybody who has a reply coming.
    pub fn owners(&self) -> impl Iterator<Item = &O> {
        self.queue.owners()
    }

    /// Appends a whole permitted request of `owner`. Nothing reaches the backend before [`Shared::poll_flush`].
    #[inline]
    pub fn append(&mut self, forward: &Forward<'_>, owner: &O, now: Instant) {
        if self.queue.is_empty() {
            self.moved = now;
        }
        self.used = Used::Yes;
        self.queue.expect(owner);
        self.put(forward.bytes());
    }

    /// Appends the requests of a permitted transaction of `owner`, from MULTI to EXEC, with nothing in between.
    pub fn append_block(&mut self, block: &[Forward<'_>], owner: &O, now: Instant) {
        let Some((exec, before)) = block.split_last() else {
            return;
        };
        for forward in before {
            self.append(forward, owner, now);
        }
        self.queue.expect_exec(owner);
        self.put(exec.bytes());
    }

    /// Asks the backend for an echo, unless nothing was asked of it since the last one, or that is still owed.
    pub fn append_fence(&mut self, now: Instant) {
        if self.used == Used::No || self.course == Course::Retired {
            return;
        }
        if let Some(request) = self.fence.next() {
            self.used = Used::No;
            if self.queue.is_empty() {
                self.moved = now;
            }
            self.put(&request);
            self.queue.expect_fence();
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() >= STRAIGHT_FROM {
            return self.put_large(bytes);
        }
        self.sending.put(bytes);
        self.is_flushed = false;
    }

    /// One that nothing waits before is written from where it stands, as far as the socket takes it.
    fn put_large(&mut self, bytes: &[u8]) {
        let written = match self.is_flushed && !self.sending.keeps() {
            true => self.stream.write_now(bytes),
            false => 0,
        };
        let rest = &bytes[written..];
        if !rest.is_empty() {
            self.sending.put(rest);
            self.is_flushed = false;
        }
    }

    /// Writes to the backend until all is written or its socket is full.
    ///
    /// # Errors
    /// [`LaneFault`]
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LaneFault>> {
        if self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        while !self.sending.unsent().is_empty() {
            let pending = self.sending.unsent();
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, pending))
                .map_err(LaneFault::Io)?;
            if written == 0 {
                return Poll::Ready(Err(LaneFault::Io(io::ErrorKind::WriteZero.into())));
            }
            self.sending.took(written);
            self.records += written.div_ceil(MAX_RECORD) as u64;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context)).map_err(LaneFault::Io)?;
        self.is_flushed = true;
        if self.is_worn_out() {
            self.retire();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether its keys may not encrypt much more; the last 1/256 is left for what clients that stay have under way.
    fn is_worn_out(&self) -> bool {
        let limit = self.stream.record_limit();
        limit.is_some_and(|most| self.records >= most - most / 256)
    }

    /// Reads once from the backend into `scratch`; returns where in it the new bytes stand. Before them is what was held.
    ///
    /// # Errors
    /// [`LaneFault`]
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Poll<Result<Range<usize>, LaneFault>> {
        let (before, space) = scratch.split_at_mut(self.begun.len());
        let mut buffer = ReadBuf::new(space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))
            .map_err(LaneFault::Io)?;
        let received = buffer.filled().len();
        if received == 0 {
            return Poll::Ready(Err(LaneFault::Closed));
        }
        before.copy_from_slice(&self.begun);
        Poll::Ready(Ok(before.len()..before.len() + received))
    }

    /// Cuts what was `received`, with what was held before it, into pieces, each for one client, and has them delivered in order. A
    /// reply that turns out to be large retires the connection, so that nobody else comes to wait behind the next one.
    ///
    /// # Errors
    /// [`SharedFault`]: what came before it has been delivered; nothing that comes after it can be.
    pub fn pair(
        &mut self,
        scratch: &[u8],
        received: Range<usize>,
        now: Instant,
        mut deliver: impl FnMut(&O, Piece<'_>) -> Taken,
    ) -> Result<(), SharedFault> {
        self.moved = now;
        self.begun.clear();
        self.begun.shrink_to(WHOLE as usize);
        let mut ends = std::mem::take(&mut self.ends);
        let paired = self.cut(
            &scratch[..received.end],
            received.start,
            &mut ends,
            &mut deliver,
        );
        ends.clear();
        self.ends = ends;
        if self.scanner.least_len() > LARGE as u64 {
            self.retire();
        }
        paired
    }

    /// `at`: how much has been looked at.
    fn cut(
        &mut self,
        received: &[u8],
        mut at: usize,
        ends: &mut Vec<usize>,
        deliver: &mut impl FnMut(&O, Piece<'_>) -> Taken,
    ) -> Result<(), SharedFault> {
        let mut start = 0;
        while at < received.len() {
            at = self.cut_row(received, at, start, ends)?;
            if at == received.len() {
                break;
            }
            let frame = match self.short_reply(&received[at..]) {
                Some(len) => {
                    at += len;
                    None
                }
                None => {
                    let (consumed, frame) = self.advance(&received[at..])?;
                    at += consumed;
                    if frame.is_none() {
                        continue;
                    }
                    frame
                }
            };
            let begun = start + ends.last().copied().unwrap_or(0);
            if self.is_early(&received[begun..at]) {
                return Err(SharedFault::Fence);
            }
            ends.push(at - start);
            self.sending.ended(1);
            match self.queue.ended() {
                Done::One => continue,
                Done::Nobody => {}
                Done::Fence => {
                    let frame = frame.as_ref().ok_or(SharedFault::Fence)?;
                    self.fence.ended(frame)?;
                }
                Done::Exec(_) if !frame.as_ref().is_some_and(ends_transaction) => {
                    return Err(SharedFault::Transaction);
                }
                Done::Owner(owner) | Done::Exec(owner) => {
                    let bytes = &received[start..at];
                    let large = None;
                    deliver(&owner, Piece { bytes, ends, large });
                }
            }
            ends.clear();
            start = at;
        }
        self.deliver_rest(&received[start..at], ends, deliver);
        Ok(())
    }

    /// Cuts off the replies from `at` on of which nothing need be known but where they end, all but the last of those that one client asked
    /// for in a row. Returns where the next one begins.
    fn cut_row(
        &mut self,
        received: &[u8],
        mut at: usize,
        start: usize,
        ends: &mut Vec<usize>,
    ) -> Result<usize, SharedFault> {
        let before = ends.len();
        let most = before + self.queue.in_a_row();
        while ends.len() < most
            && let Some(len) = self.scanner.short_reply(&received[at..])
        {
            if self.fence.is_echo(&received[at..at + len]) {
                return Err(SharedFault::Fence);
            }
            at += len;
            ends.push(at - start);
        }
        let count = ends.len() - before;
        self.queue.ended_in_a_row(count);
        self.sending.ended(count);
        Ok(at)
    }

    /// Has its client, if it is a client's, what has come since the last piece: replies that have ended, with others of the same client
    /// behind them, and the beginning of the next.
    fn deliver_rest(
        &mut self,
        mut bytes: &[u8],
        ends: &[usize],
        deliver: &mut impl FnMut(&O, Piece<'_>) -> Taken,
    ) {
        let Some(head @ (Turn::Owner(owner) | Turn::Exec(owner))) = self.queue.head() else {
            return;
        };
        let ended = ends.last().copied().unwrap_or(0);
        if self.scanner.least_len() <= WHOLE {
            self.begun.extend_from_slice(&bytes[ended..]);
            bytes = &bytes[..ended];
        }
        if bytes.is_empty() {
            return;
        }
        let large = match head {
            Turn::Owner(_) => self.large(owner, bytes.len() - ended),
            Turn::Exec(_) | Turn::Nobody | Turn::Fence => None,
        };
        if deliver(owner, Piece { bytes, ends, large }) == Taken::ButRest {
            self.queue.disown();
        }
    }

    /// What `owner` has coming, if it has begun with the last `begun` bytes, is large, and keeps others waiting.
    fn large(&self, owner: &O, begun: usize) -> Option<Large<'_>> {
        let least_len = self.scanner.least_len();
        let begins = self.scanner.current()?.len() == begun as u64;
        if least_len <= LARGE as u64 || !begins || self.owners().all(|other| other == owner) {
            return None;
        }
        let request = self.sending.oldest()?;
        Some(Large { least_len, request })
    }

    /// Whether a reply to a client is the echo that Redwall waits for: then one before it is missing.
    fn is_early(&self, reply: &[u8]) -> bool {
        let head = self.queue.head();
        matches!(head, Some(Turn::Owner(_) | Turn::Exec(_))) && self.fence.is_echo(reply)
    }

    /// Bytes of a reply of which nothing need be known but where it ends: it is short, and an ordinary one of a client's. Nearly all are.
    #[inline]
    fn short_reply(&self, received: &[u8]) -> Option<usize> {
        match self.queue.head()? {
            Turn::Owner(_) => self.scanner.short_reply(received),
            Turn::Exec(_) | Turn::Nobody | Turn::Fence => None,
        }
    }

    /// Reads on to the end of a frame or of what was received.
    fn advance(&mut self, received: &[u8]) -> Result<(usize, Option<Frame>), SharedFault> {
        let step = self.scanner.advance(received).map_err(SharedFault::Reply)?;
        let kind = step
            .end
            .as_ref()
            .or(self.scanner.current())
            .map(Frame::kind);
        match (kind, self.queue.head()) {
            (Some(FrameKind::Push | FrameKind::Attribute), _) => return Err(SharedFault::Aside),
            (Some(FrameKind::Reply), None) => return Err(SharedFault::Surplus),
            (Some(FrameKind::Reply), Some(Turn::Fence)) => {
                self.fence.hear(&received[..step.consumed])?
            }
            (Some(FrameKind::Reply), Some(Turn::Owner(_) | Turn::Exec(_) | Turn::Nobody))
            | (None, _) => {}
        }
        Ok((step.consumed, step.end))
    }
}

/// Whether EXEC was answered as only one is that has ended its transaction: with the replies, with null, or that it was discarded.
fn ends_transaction(frame: &Frame) -> bool {
    frame.count().is_some()
        || frame.is_null()
        || (frame.is_error() && frame.label() == b"EXECABORT")
}

/// One that is owed nothing ends by a reset, so that it costs no local port for the minute of TIME_WAIT. Any other lets the backend
/// read all of it: what was permitted and is on its way is carried out, even if nobody hears of it.
impl<O> Drop for Shared<O> {
    fn drop(&mut self) {
        if self.queue.is_empty() && self.is_flushed {
            self.stream.reset_on_close();
        }
    }
}

#[cfg(test)]
mod tests;
