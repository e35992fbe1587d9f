//! A client's socket with or without TLS: reads plaintext, holds and sends what is written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::tls::{Progress, Tls, TlsFault, sealed_len};

/// A buffer with more room than this is given back when it is empty.
const KEPT_CAPACITY: usize = 4 * 1024;

/// A buffer from this size on grows by a quarter.
const GENTLY_FROM: usize = 256 * 1024;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes from the wire were taken in; they need not have made up any plaintext yet.
    Bytes,
    /// The client will send nothing more. There may be plaintext that came before that.
    End,
}

/// Why a client's connection can't go on.
#[derive(Debug)]
pub enum ClientFault {
    /// The socket failed.
    Io(io::Error),
    /// TLS failed; an alert for the client waits to be flushed.
    Tls(TlsFault),
}

impl std::fmt::Display for ClientFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Tls(fault) => write!(f, "{fault}"),
        }
    }
}

impl std::error::Error for ClientFault {}

/// Where a worker's output is encrypted before it is written: one for all its clients.
#[derive(Debug, Default)]
pub struct Scratch(Vec<u8>);

impl Scratch {
    /// `len` bytes of room, with whatever they hold.
    fn space(&mut self, len: usize) -> &mut [u8] {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        &mut self.0[..len]
    }
}

/// An accepted connection.
pub struct Client {
    socket: TcpStream,
    tls: Option<Tls>,
    /// Bytes for the socket, from `sent` on; ciphertext if there is TLS.
    outgoing: Vec<u8>,
    sent: usize,
}

impl Client {
    /// A client that speaks TLS, or plaintext where `tls` is `None`.
    pub fn new(socket: TcpStream, tls: Option<Tls>) -> Self {
        Self {
            socket,
            tls,
            outgoing: Vec::new(),
            sent: 0,
        }
    }

    /// The TLS side, if there is one.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Whether a handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Has the kernel acknowledge at once what comes next. The last message of a TLS 1.3 handshake has no answer, and a client
    /// that waits for its acknowledgement before it sends a command would wait for the kernel's delay, 40 ms.
    pub fn acknowledge_at_once(&self) {
        // Where the kernel doesn't know the option, connecting is slower for some clients, and that is all.
        let _ = socket2::SockRef::from(&self.socket).set_tcp_quickack(true);
    }

    /// Bytes that wait for the socket.
    pub fn unsent(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Whether there is something to read: bytes, the end or an error.
    ///
    /// # Errors
    /// The socket's own.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context)
    }

    /// Bytes of memory that are held, sent ones included as long as their memory is.
    pub fn held(&self) -> usize {
        self.outgoing.capacity() + self.tls.as_ref().map_or(0, |tls| tls.held())
    }

    /// Reads once from the socket by way of `scratch`, which has room for 64 KiB, and appends the plaintext to `plain`.
    ///
    /// # Errors
    /// [`ClientFault`]: the connection can't go on; [`Client::poll_flush`] may still deliver an alert. With
    /// [`TlsFault::NotTls`], `plain` has got what came in its place.
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Poll<Result<Received, ClientFault>> {
        if self.tls.as_ref().is_some_and(|tls| tls.is_peer_closed()) {
            return Poll::Ready(Ok(Received::End));
        }
        let held = self.tls.as_ref().map_or(0, |tls| tls.partial().len());
        let mut buffer = ReadBuf::new(&mut scratch[held..]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))
            .map_err(ClientFault::Io)?;
        let end = held + buffer.filled().len();
        if end == held {
            return Poll::Ready(Ok(Received::End));
        }
        let Some(tls) = &mut self.tls else {
            grow_gently(plain, end);
            plain.extend_from_slice(&scratch[..end]);
            return Poll::Ready(Ok(Received::Bytes));
        };
        scratch[..held].copy_from_slice(tls.partial());
        let joined = &mut scratch[..end];
        Poll::Ready(match tls.advance(joined, plain, &mut self.outgoing) {
            Ok(Progress::Open) => Ok(Received::Bytes),
            Ok(Progress::PeerClosed) => Ok(Received::End),
            Err(fault) => {
                if let TlsFault::NotTls = fault {
                    plain.extend_from_slice(joined);
                }
                Err(ClientFault::Tls(fault))
            }
        })
    }

    /// Takes `plain` for sending, and leaves it empty. Nothing reaches the socket before [`Client::poll_flush`].
    ///
    /// # Errors
    /// [`ClientFault::Tls`] if TLS can't send any more.
    pub fn send(&mut self, plain: &mut Vec<u8>) -> Result<(), ClientFault> {
        if plain.is_empty() {
            return Ok(());
        }
        self.drop_sent();
        match &mut self.tls {
            Some(tls) => tls
                .seal(plain, &mut self.outgoing)
                .map_err(ClientFault::Tls)?,
            None => self.outgoing.extend_from_slice(plain),
        }
        give_back(plain);
        Ok(())
    }

    /// Sends `plain` at once as far as the socket takes it, by way of `scratch`, and keeps the rest. Nobody is woken when the socket
    /// takes more: that is for [`Client::poll_flush`].
    ///
    /// # Errors
    /// [`ClientFault`]: the connection can't go on.
    pub fn send_now(&mut self, plain: &[u8], scratch: &mut Scratch) -> Result<(), ClientFault> {
        if !self.outgoing.is_empty() {
            self.drop_sent();
            grow_gently(&mut self.outgoing, sealed_len(plain.len()));
            return match &mut self.tls {
                Some(tls) => tls
                    .seal(plain, &mut self.outgoing)
                    .map_err(ClientFault::Tls),
                None => {
                    self.outgoing.extend_from_slice(plain);
                    Ok(())
                }
            };
        }
        let mut pending = match &mut self.tls {
            None => plain,
            Some(tls) => {
                let space = scratch.space(sealed_len(plain.len()));
                let sealed = tls.seal_into(plain, space).map_err(ClientFault::Tls)?;
                &space[..sealed]
            }
        };
        while !pending.is_empty() {
            match self.socket.try_write(pending) {
                Ok(0) => return Err(ClientFault::Io(io::ErrorKind::WriteZero.into())),
                Ok(written) => pending = &pending[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(ClientFault::Io(error)),
            }
        }
        self.outgoing.extend_from_slice(pending);
        Ok(())
    }

    /// A client that always takes something, but never all, would have the buffer grow with all that it was ever sent.
    fn drop_sent(&mut self) {
        if self.sent > self.outgoing.len() / 2 {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Writes to the socket until all is written or the socket is full.
    ///
    /// # Errors
    /// The socket's own.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.outgoing.len() {
            let pending = &self.outgoing[self.sent..];
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.sent = 0;
        // Only what the socket didn't take at once comes by here, and what a handshake says: a client that is merely there keeps none.
        self.outgoing = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Says goodbye as TLS wants it; harmless where there is none. Flush afterwards.
    pub fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls
            && !tls.is_handshaking()
        {
            // A connection that can't send a goodbye has failed already.
            let _ = tls.close(&mut self.outgoing);
        }
    }

    /// Ends without a goodbye: what the kernel still holds for the client is dropped, and the client sees a reset.
    pub fn reset(self) {
        // Where the option can't be set, the kernel holds what it has until its own time is over.
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(std::time::Duration::ZERO));
    }

    /// Gives TLS up for good: the socket of a client that doesn't speak it.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Closes as [`drain`] does.
    pub async fn linger(self) {
        drain(self.socket).await;
    }
}

/// Closes the writing side and then reads away what the client still sends, so that the kernel doesn't answer it with a reset
/// that overtakes our last words. The caller bounds the time.
pub async fn drain(mut socket: TcpStream) {
    let _ = std::future::poll_fn(|context| Pin::new(&mut socket).poll_shutdown(context)).await;
    let mut scratch = [0; 4096];
    for _ in 0..256 {
        let mut buffer = ReadBuf::new(&mut scratch);
        let read =
            std::future::poll_fn(|context| Pin::new(&mut socket).poll_read(context, &mut buffer))
                .await;
        if read.is_err() || buffer.filled().is_empty() {
            return;
        }
    }
}

/// Makes room for `more` bytes behind those of a large buffer, and for a quarter of what it holds: twice as much, as a vector takes of
/// itself, could be far more than was there a moment ago.
pub fn grow_gently(buffer: &mut Vec<u8>, more: usize) {
    let len = buffer.len();
    if buffer.capacity() - len >= more {
        return;
    }
    move_to(
        buffer,
        match len >= GENTLY_FROM {
            true => len + more.max(len / 4),
            false => (len + more).max(2 * len),
        },
    );
}

/// Makes room in `buffer` for something of which `whole` bytes are expected: for twice what is there, and no more than for all of it.
pub fn grow_towards(buffer: &mut Vec<u8>, whole: usize) {
    let room = whole.min(2 * buffer.len());
    if room > buffer.capacity() {
        move_to(buffer, room);
    }
}

/// The bytes move to memory of its own size that was used before, if there is some: memory that is extended comes from the kernel, page by page.
fn move_to(buffer: &mut Vec<u8>, room: usize) {
    let mut larger = Vec::with_capacity(room);
    larger.extend_from_slice(buffer);
    *buffer = larger;
}

/// Empties `buffer`, and frees it if it had grown.
fn give_back(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_all_of_it_but_never_for_more_than_twice_what_is_there() {
        let mut buffer = vec![b'x'; 100];
        for (whole, room) in [(150, 150), (1_000, 200), (120, 200)] {
            grow_towards(&mut buffer, whole);
            assert_eq!((buffer.capacity(), buffer.len()), (room, 100), "{whole}");
        }
        grow_towards(&mut Vec::new(), 1_000);
        assert!(buffer.iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn a_large_buffer_grows_by_a_quarter_and_a_small_one_doubles() {
        for (len, more, room) in [
            (0, 90, 90),
            (1_000, 90, 2_000),
            (1_000, 5_000, 6_000),
            (GENTLY_FROM, 1_000, GENTLY_FROM * 5 / 4),
        ] {
            let mut buffer = vec![b'x'; len];
            grow_gently(&mut buffer, more);
            assert_eq!((buffer.capacity(), buffer.len()), (room, len));
            grow_gently(&mut buffer, room - len);
            assert_eq!(buffer.capacity(), room, "there was room");
        }
    }
}
