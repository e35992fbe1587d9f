//! A backend connection that serves one session: opened when first needed, closed with the session.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::spare::Spare;
use crate::backend::{BackendStatus, ConnectFault, Connected, Login, Purpose, Stream, connect};
use crate::resp::{Protocol, ReplyScanner};
use crate::session::{Forward, Internal};
use crate::snapshot::BackendTarget;
use crate::telemetry::BackendConnection;

/// After a failed connect the next one is not tried before this.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// A buffer with more room than this is given back when it is empty.
const KEPT_CAPACITY: usize = 4 * 1024;

/// Most plaintext in one TLS record.
const MAX_RECORD: usize = 16 * 1024;

type Connecting = Pin<Box<dyn Future<Output = Result<Connected, ConnectFault>>>>;

/// A session's way to its backend.
pub struct Lane {
    target: Arc<BackendTarget>,
    status: Arc<BackendStatus>,
    purpose: Purpose,
    name: Box<str>,
    state: State,
}

enum State {
    Closed,
    Connecting(Connecting),
    Open(Box<Open>),
    Failed(Box<Failed>),
}

/// Why there is no connection, and since when.
struct Failed {
    text: &'static str,
    at: Instant,
}

pub(super) struct Open {
    pub(super) stream: Stream,
    scanner: ReplyScanner,
    outgoing: Vec<u8>,
    sent: usize,
    /// Records that were written, if there is TLS.
    records: u64,
    /// Whether the backend may not have read, or not have answered, something that it was told.
    owes: bool,
    /// Which incarnation of the backend it leads to.
    incarnation: u64,
    /// Whether its client had another one before, and hasn't been told.
    is_another: bool,
    /// Counts the connection.
    _counted: BackendConnection,
}

impl Open {
    pub(super) fn new(connected: Connected, incarnation: u64) -> Self {
        Self {
            stream: connected.stream,
            scanner: ReplyScanner::default(),
            outgoing: Vec::new(),
            sent: 0,
            records: 0,
            owes: false,
            incarnation,
            is_another: false,
            _counted: connected.counted,
        }
    }

    pub(super) fn owes(&mut self) {
        self.owes = true;
    }

    pub(super) fn all_answered(&mut self) {
        self.owes = false;
    }
}

/// One that is owed nothing ends by a reset, so that a client that comes and goes costs no local port for the minute of TIME_WAIT.
/// Any other lets the backend read all of it: what was permitted and is on its way is carried out, even if nobody hears of it.
impl Drop for Open {
    fn drop(&mut self) {
        if !self.owes && self.outgoing.is_empty() {
            self.stream.reset_on_close();
        }
    }
}

/// Whether a lane takes requests.
#[derive(Debug)]
pub enum Readiness {
    /// It does.
    Open,
    /// It is being connected.
    Pending,
    /// It can't be had now; the error that the client gets.
    Unavailable(&'static str),
}

/// Why an open lane is of no use any more.
#[derive(Debug)]
pub enum LaneFault {
    /// The backend closed the connection.
    Closed,
    /// The connection broke.
    Io(io::Error),
}

impl std::fmt::Display for LaneFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the backend closed the connection"),
            Self::Io(error) => write!(f, "the connection to the backend broke: {error}"),
        }
    }
}

impl Lane {
    /// A lane to `target` that is not connected yet; `name` is what `CLIENT LIST` at the backend shows.
    pub fn new(
        target: Arc<BackendTarget>,
        status: Arc<BackendStatus>,
        purpose: Purpose,
        name: String,
    ) -> Self {
        Self {
            target,
            status,
            purpose,
            name: name.into_boxed_str(),
            state: State::Closed,
        }
    }

    /// Has later connections made to `target`; one that is open, or being made, stays.
    pub fn retarget(&mut self, target: &Arc<BackendTarget>) {
        self.target = Arc::clone(target);
    }

    /// Whether there is a connection.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether there is neither a connection nor one on its way.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a connection is being made.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// Whether the connection nears the end of what its keys may encrypt, and should be replaced in a quiet moment: the
    /// last 1/256 is left for what can't be put off.
    pub fn is_worn_out(&self) -> bool {
        match &self.state {
            State::Open(open) => open
                .stream
                .record_limit()
                .is_some_and(|most| open.records >= most - most / 256),
            State::Closed | State::Connecting(_) | State::Failed(_) => false,
        }
    }

    /// Which incarnation of the backend it leads to, if it is open.
    pub fn incarnation(&self) -> Option<u64> {
        match &self.state {
            State::Open(open) => Some(open.incarnation),
            State::Closed | State::Connecting(_) | State::Failed(_) => None,
        }
    }

    /// Whether its connection was made because one before it is gone; said once for each.
    pub fn is_another_now(&mut self) -> bool {
        match &mut self.state {
            State::Open(open) => std::mem::take(&mut open.is_another),
            State::Closed | State::Connecting(_) | State::Failed(_) => false,
        }
    }

    /// Takes over a connection that stood ready.
    pub fn adopt(&mut self, spare: Spare) {
        self.state = State::Open(spare.open);
    }

    /// Gives the connection up to others, if there is one on which nothing is owed.
    pub fn release(&mut self) -> Option<Spare> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(open) if !open.owes && open.outgoing.is_empty() => Some(Spare { open }),
            State::Open(_) | State::Closed | State::Connecting(_) | State::Failed(_) => None,
        }
    }

    /// Closes the connection, if there is one. The next request opens another.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Bytes that wait for the backend's socket.
    pub fn unsent(&self) -> usize {
        match &self.state {
            State::Open(open) => open.outgoing.len() - open.sent,
            State::Closed | State::Connecting(_) | State::Failed(_) => 0,
        }
    }

    /// Bytes of memory that are held for the backend's socket, sent ones included as long as their memory is.
    pub fn held(&self) -> usize {
        match &self.state {
            State::Open(open) => open.outgoing.capacity(),
            State::Closed | State::Connecting(_) | State::Failed(_) => 0,
        }
    }

    /// Whether requests can be appended; begins to connect if there is no connection, with `protocol` and database `number`.
    ///
    /// A fault is returned once, with the readiness that it leads to, for the log.
    pub fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        protocol: Protocol,
        number: u32,
    ) -> (Readiness, Option<ConnectFault>) {
        loop {
            match &mut self.state {
                State::Open(_) => return (Readiness::Open, None),
                State::Failed(failed) if now < failed.at + RETRY_AFTER => {
                    return (Readiness::Unavailable(failed.text), None);
                }
                State::Closed | State::Failed(_) => {
                    self.state = State::Connecting(self.connecting(protocol, number));
                }
                State::Connecting(connecting) => match connecting.as_mut().poll(context) {
                    Poll::Pending => return (Readiness::Pending, None),
                    Poll::Ready(Ok(connected)) => {
                        let incarnation = self.status.learned(&self.target, &connected.facts);
                        let mut open = Open::new(connected, incarnation);
                        // Its client has begun with this server: the next connection says whether it is still the same.
                        let before = std::mem::replace(&mut self.purpose, Purpose::Spare);
                        open.is_another = before == Purpose::Spare;
                        self.state = State::Open(Box::new(open));
                    }
                    Poll::Ready(Err(fault)) => {
                        let text = fault.client_text();
                        self.state = State::Failed(Box::new(Failed { text, at: now }));
                        return (Readiness::Unavailable(text), Some(fault));
                    }
                },
            }
        }
    }

    fn connecting(&self, protocol: Protocol, number: u32) -> Connecting {
        let (target, status) = (Arc::clone(&self.target), Arc::clone(&self.status));
        let (purpose, name) = (self.purpose, self.name.clone());
        Box::pin(async move {
            let name = &*name;
            let login = Login {
                protocol,
                number,
                name,
            };
            connect(&target, &status, purpose, login).await
        })
    }

    /// Appends a permitted request. Nothing reaches the backend before [`Lane::poll_flush`].
    pub fn append(&mut self, forward: &Forward<'_>) {
        self.append_bytes(forward.bytes());
    }

    /// Appends the next bytes of a request of which the beginning was permitted and appended. Where nothing waits before them they are written
    /// from where they stand, as far as the socket takes them.
    pub fn append_rest(&mut self, bytes: &[u8]) {
        let written = match &self.state {
            State::Open(open) if open.outgoing.is_empty() => open.stream.write_now(bytes),
            State::Open(_) | State::Closed | State::Connecting(_) | State::Failed(_) => 0,
        };
        self.append_bytes(&bytes[written..]);
    }

    /// Appends a word of Redwall's own.
    pub fn tell(&mut self, internal: &Internal) {
        self.append_bytes(internal.bytes());
    }

    fn append_bytes(&mut self, bytes: &[u8]) {
        if let State::Open(open) = &mut self.state {
            open.owes();
            if open.sent > open.outgoing.len() / 2 {
                // A backend that always takes something, but never all, would have the buffer grow for ever.
                open.outgoing.drain(..open.sent);
                open.sent = 0;
            }
            open.outgoing.extend_from_slice(bytes);
        }
    }

    /// The backend has answered everything that was appended, so it has read all of it.
    pub fn all_answered(&mut self) {
        if let State::Open(open) = &mut self.state {
            open.all_answered();
        }
    }

    /// Writes to the backend until all is written or its socket is full. A lane that isn't open has nothing to write.
    ///
    /// # Errors
    /// [`LaneFault`]
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LaneFault>> {
        let State::Open(open) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        if open.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while open.sent < open.outgoing.len() {
            let pending = &open.outgoing[open.sent..];
            let written = ready!(Pin::new(&mut open.stream).poll_write(context, pending))
                .map_err(LaneFault::Io)?;
            if written == 0 {
                return Poll::Ready(Err(LaneFault::Io(io::ErrorKind::WriteZero.into())));
            }
            open.sent += written;
            open.records += written.div_ceil(MAX_RECORD) as u64;
        }
        ready!(Pin::new(&mut open.stream).poll_flush(context)).map_err(LaneFault::Io)?;
        open.sent = 0;
        open.outgoing.clear();
        if open.outgoing.capacity() > KEPT_CAPACITY {
            open.outgoing = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once from the backend into `scratch`; returns the number of bytes. A lane that isn't open has nothing to read.
    ///
    /// # Errors
    /// [`LaneFault`]
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Poll<Result<usize, LaneFault>> {
        let State::Open(open) = &mut self.state else {
            return Poll::Pending;
        };
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(&mut open.stream).poll_read(context, &mut buffer))
            .map_err(LaneFault::Io)?;
        match buffer.filled().len() {
            0 => Poll::Ready(Err(LaneFault::Closed)),
            received => Poll::Ready(Ok(received)),
        }
    }

    /// The scanner that finds the frames in what was received.
    pub fn scanner(&mut self) -> Option<&mut ReplyScanner> {
        match &mut self.state {
            State::Open(open) => Some(&mut open.scanner),
            State::Closed | State::Connecting(_) | State::Failed(_) => None,
        }
    }
}
