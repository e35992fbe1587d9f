//! One TLS connection without buffers of its own: ciphertext in, plaintext and ciphertext out.
//!
//! Drives rustls's unbuffered connection. Never touches a socket and never awaits, so whatever the certificate verifier
//! leaves behind during a call belongs to the connection that was called.

use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ProtocolVersion, SupportedCipherSuite};

use super::transport::grow_gently;

/// Most bytes of ciphertext that a peer may send before its handshake is done. An ordinary mutual-TLS flight has 2-5 KiB.
const MAX_HANDSHAKE_BYTES: usize = 32 * 1024;

/// Most bytes that are held for a record or a handshake message whose end hasn't arrived: the largest record, and some
/// for the first pieces of a message after the handshake, all of which are small.
const MAX_HELD_BYTES: usize = 5 + 16 * 1024 + 2048 + 1024;

/// The first byte of a handshake's record (RFC 8446 5.1), and so of whatever speaks TLS.
const HANDSHAKE_RECORD: u8 = 22;

/// Most plaintext in one record (RFC 8446 5.1).
const MAX_RECORD: usize = 16 * 1024;

/// Bytes that are enough for `plain` bytes once encrypted: each record costs up to 29 more (RFC 8446 5.2, RFC 5288 3), and an answer to
/// a key update that has to go first is small.
pub fn sealed_len(plain: usize) -> usize {
    plain + 64 * plain.div_ceil(MAX_RECORD) + 1024
}

/// Why a TLS connection ended.
#[derive(Debug)]
pub enum TlsFault {
    /// The peer broke the protocol, or its certificate was refused.
    Rustls(rustls::Error),
    /// The first byte was not that of a handshake's record. Nothing was told to the peer.
    NotTls,
    /// More than 32 KiB arrived before the handshake was done.
    HandshakeTooLarge,
    /// A handshake message in too many pieces after the handshake.
    MessageTooLarge,
    /// The connection has failed before.
    Failed,
    /// rustls asked for something that a server without early data never does.
    UnexpectedState,
}

impl std::fmt::Display for TlsFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rustls(error) => write!(f, "{error}"),
            Self::NotTls => f.write_str("the client doesn't speak TLS"),
            Self::HandshakeTooLarge => {
                write!(f, "handshake of more than {MAX_HANDSHAKE_BYTES} bytes")
            }
            Self::MessageTooLarge => f.write_str("message in too many pieces after the handshake"),
            Self::Failed => f.write_str("the connection has failed before"),
            Self::UnexpectedState => f.write_str("unexpected state of the TLS library"),
        }
    }
}

impl std::error::Error for TlsFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rustls(error) => Some(error),
            Self::NotTls
            | Self::HandshakeTooLarge
            | Self::MessageTooLarge
            | Self::Failed
            | Self::UnexpectedState => None,
        }
    }
}

/// The server's side of one TLS connection.
pub struct Tls {
    connection: UnbufferedServerConnection,
    /// A record, or part of a handshake message, whose end has not arrived; empty most of the time.
    partial: Vec<u8>,
    handshake_bytes: usize,
    records_out: u64,
    state: State,
}

/// How far a connection has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has said that it will send nothing more; it may still be sent something.
    PeerClosed,
    /// rustls has reported an error. It must not be called again: it remembers places in bytes that are gone, and would
    /// panic.
    Failed,
}

/// What one call to [`Tls::advance`] led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything there was has been taken; the connection goes on.
    Open,
    /// The peer said that it will send nothing more.
    PeerClosed,
}

impl Tls {
    /// A connection that waits for its ClientHello under `config`.
    ///
    /// # Errors
    /// [`TlsFault::Rustls`] if the configuration is unusable, which loading rules out.
    pub fn new(config: Arc<rustls::ServerConfig>) -> Result<Self, TlsFault> {
        let connection = UnbufferedServerConnection::new(config).map_err(TlsFault::Rustls)?;
        Ok(Self {
            connection,
            partial: Vec::new(),
            handshake_bytes: 0,
            records_out: 0,
            state: State::Open,
        })
    }

    /// Whether the handshake is still under way: nothing received may be believed before it is over.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// The version that was agreed on, once known.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.connection.protocol_version()
    }

    /// The certificates that the client proved, leaf first; empty without any or before the handshake is over.
    pub fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        self.connection.peer_certificates().unwrap_or(&[])
    }

    /// Whether the peer has said that it will send nothing more.
    pub fn is_peer_closed(&self) -> bool {
        self.state == State::PeerClosed
    }

    /// Whether the connection nears the end of what its keys may encrypt, and should be closed in a quiet moment.
    ///
    /// rustls ends a TLS 1.2 connection after so many records on one key as its suite allows (2^24 with AES-GCM); the last
    /// 1/256 of them is left for what can't be put off. TLS 1.3 renews its keys by itself.
    pub fn is_worn_out(&self) -> bool {
        match self.connection.negotiated_cipher_suite() {
            Some(SupportedCipherSuite::Tls12(suite)) => {
                let most = suite.common.confidentiality_limit;
                self.records_out >= most - most / 256
            }
            Some(SupportedCipherSuite::Tls13(_)) | None => false,
        }
    }

    /// Bytes that are held for a record which has not fully arrived.
    pub fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// The beginning of a record that has not fully arrived.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes ciphertext in: [`Tls::partial`], and behind it, in the same piece of memory, what was received. So nothing has to be copied but the
    /// beginnings of records. Appends plaintext to `plain` and what must be sent back to `sealed`.
    ///
    /// On an error `sealed` holds the alert that tells the peer.
    ///
    /// # Errors
    /// [`TlsFault`]; the connection is of no use afterwards.
    pub fn advance(
        &mut self,
        joined: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<Progress, TlsFault> {
        match self.state {
            State::Open => {}
            // What comes behind the goodbye is none of our business (RFC 8446 6.1).
            State::PeerClosed => return Ok(Progress::PeerClosed),
            State::Failed => return Err(TlsFault::Failed),
        }
        let taken = self.take_in_turn(joined, plain, sealed);
        if taken.is_err() {
            self.state = State::Failed;
            self.partial = Vec::new();
        }
        taken.map(|()| match self.state {
            State::Open | State::Failed => Progress::Open,
            State::PeerClosed => Progress::PeerClosed,
        })
    }

    /// Takes `joined` in, as much as a handshake may have first: what stands behind its end is the client's own, and may be longer.
    fn take_in_turn(
        &mut self,
        joined: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        let left = MAX_HANDSHAKE_BYTES.saturating_sub(self.handshake_bytes);
        let most = self.partial.len() + left;
        if !self.connection.is_handshaking() || joined.len() <= most {
            return self.take_in(joined, plain, sealed);
        }
        self.take_in(&mut joined[..most], plain, sealed)?;
        match self.state {
            // What is held of the first part is its end.
            State::Open => self.take_in(&mut joined[most - self.partial.len()..], plain, sealed),
            State::PeerClosed | State::Failed => Ok(()),
        }
    }

    /// Takes in what was held and what was received behind it; holds what makes no whole record.
    fn take_in(
        &mut self,
        joined: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        if self.connection.is_handshaking() {
            let first = joined.first().filter(|_| self.handshake_bytes == 0);
            if first.is_some_and(|first| *first != HANDSHAKE_RECORD) {
                return Err(TlsFault::NotTls);
            }
            self.handshake_bytes += joined.len() - self.partial.len();
            if self.handshake_bytes > MAX_HANDSHAKE_BYTES {
                return Err(TlsFault::HandshakeTooLarge);
            }
        } else {
            // At once, rather than record by record.
            grow_gently(plain, joined.len());
        }
        let taken = self.process(joined, plain, sealed)?;
        match &joined[taken..] {
            [] => self.partial = Vec::new(),
            rest => {
                self.partial.clear();
                self.partial.extend_from_slice(rest);
            }
        }
        if !self.connection.is_handshaking() && self.partial.len() > MAX_HELD_BYTES {
            return Err(TlsFault::MessageTooLarge);
        }
        Ok(())
    }

    /// Runs rustls over `input` until it wants more; returns how many bytes of `input` are done with.
    fn process(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<usize, TlsFault> {
        let mut taken = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut input[taken..]);
            let more = match state {
                Err(error) => {
                    self.encode_alert(&mut input[taken + discard..], sealed);
                    return Err(TlsFault::Rustls(error));
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(TlsFault::Rustls)?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    true
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    grow_until(sealed, |space| match data.encode(space) {
                        Ok(written) => Ok(written),
                        Err(EncodeError::InsufficientSize(needed)) => {
                            Err(Some(needed.required_size))
                        }
                        Err(EncodeError::AlreadyEncoded) => Err(None),
                    })?;
                    true
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    true
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.state = State::PeerClosed;
                    true
                }
                Ok(ConnectionState::Closed) => {
                    self.state = State::PeerClosed;
                    false
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => false,
                Ok(_) => return Err(TlsFault::UnexpectedState),
            };
            taken += discard;
            if !more {
                return Ok(taken);
            }
        }
    }

    /// After a fault rustls holds an alert for the peer: takes it out.
    ///
    /// Asks only once, and only if there is one: asked again, rustls would read the faulty bytes again, and panic.
    fn encode_alert(&mut self, rest: &mut [u8], sealed: &mut Vec<u8>) {
        if !self.connection.wants_write() {
            return;
        }
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(rest);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
            // A connection that has failed can't fail again.
            let _ = grow_until(sealed, |space| match data.encode(space) {
                Ok(written) => Ok(written),
                Err(EncodeError::InsufficientSize(needed)) => Err(Some(needed.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
            });
        }
    }

    /// Encrypts `plain` into the beginning of `space`, which has [`sealed_len`] bytes or more; returns how many were written.
    ///
    /// # Errors
    /// [`TlsFault`] if the connection can't send any more.
    pub fn seal_into(&mut self, plain: &[u8], space: &mut [u8]) -> Result<usize, TlsFault> {
        if self.state == State::Failed {
            return Err(TlsFault::Failed);
        }
        // What has to be said first is taken out by asking, so it is asked for only where it can be kept.
        if self.partial.is_empty() && !self.connection.wants_write() {
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    if let Ok(written) = traffic.encrypt(plain, space) {
                        self.records_out += plain.len().div_ceil(MAX_RECORD) as u64;
                        return Ok(written);
                    }
                }
                Ok(ConnectionState::PeerClosed) => self.state = State::PeerClosed,
                Ok(_) | Err(_) => {}
            }
        }
        // Something else has to be said first, or the keys are used up.
        let mut sealed = Vec::new();
        self.seal(plain, &mut sealed)?;
        let room = space.get_mut(..sealed.len());
        room.ok_or(TlsFault::UnexpectedState)?
            .copy_from_slice(&sealed);
        Ok(sealed.len())
    }

    /// Encrypts `plain` and appends the records to `sealed`.
    ///
    /// # Errors
    /// [`TlsFault`] if the connection can't send any more.
    pub fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) -> Result<(), TlsFault> {
        self.records_out += plain.len().div_ceil(MAX_RECORD) as u64;
        self.with_write_traffic(sealed, |traffic, space| {
            match traffic.encrypt(plain, space) {
                Ok(written) => Ok(written),
                Err(EncryptError::InsufficientSize(needed)) => Err(Some(needed.required_size)),
                Err(EncryptError::EncryptExhausted) => Err(None),
            }
        })
    }

    /// Appends the alert that says that nothing more will be sent.
    ///
    /// # Errors
    /// [`TlsFault`] if the connection can't send any more.
    pub fn close(&mut self, sealed: &mut Vec<u8>) -> Result<(), TlsFault> {
        self.with_write_traffic(sealed, |traffic, space| {
            match traffic.queue_close_notify(space) {
                Ok(written) => Ok(written),
                Err(EncryptError::InsufficientSize(needed)) => Err(Some(needed.required_size)),
                Err(EncryptError::EncryptExhausted) => Err(None),
            }
        })
    }

    /// Lets `write` write, unless the connection has failed; a failure here is its end as well.
    fn with_write_traffic(
        &mut self,
        sealed: &mut Vec<u8>,
        write: impl FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Result<(), TlsFault> {
        if self.state == State::Failed {
            return Err(TlsFault::Failed);
        }
        let written = self.reach_write_traffic(sealed, write);
        if written.is_err() {
            // Keys that are used up leave a goodbye behind.
            let mut partial = std::mem::take(&mut self.partial);
            self.encode_alert(&mut partial, sealed);
            self.state = State::Failed;
        }
        written
    }

    /// Brings the connection to the state in which it may send, encoding what stands before (a key update's answer).
    fn reach_write_traffic(
        &mut self,
        sealed: &mut Vec<u8>,
        mut write: impl FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Result<(), TlsFault> {
        loop {
            // rustls may remember places in a message whose end is outstanding, so it is shown the same bytes again.
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.partial);
            match state.map_err(TlsFault::Rustls)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let written = grow_until(sealed, |space| write(&mut traffic, space));
                    self.partial.drain(..discard);
                    return written;
                }
                ConnectionState::EncodeTlsData(mut data) => grow_until(sealed, |space| match data
                    .encode(space)
                {
                    Ok(written) => Ok(written),
                    Err(EncodeError::InsufficientSize(needed)) => Err(Some(needed.required_size)),
                    Err(EncodeError::AlreadyEncoded) => Err(None),
                })?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.state = State::PeerClosed,
                _ => return Err(TlsFault::UnexpectedState),
            }
            self.partial.drain(..discard);
        }
    }
}

type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::server::ServerConnectionData>;

/// Appends what `write` writes to `out`, which grows as far as `write` asks for.
///
/// `write` returns the number of bytes written, or how many it needs; `None` if it can't write at all.
fn grow_until(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), TlsFault> {
    let start = out.len();
    let mut space = out.capacity() - start;
    loop {
        out.resize(start + space, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(Some(needed)) if needed > space => space = needed,
            Err(_) => {
                out.truncate(start);
                return Err(TlsFault::UnexpectedState);
            }
        }
    }
}

#[cfg(test)]
mod bare;
#[cfg(test)]
mod tests;
