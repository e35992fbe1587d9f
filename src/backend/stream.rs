//! The three ways to a backend, as one stream of bytes.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::SupportedCipherSuite;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP in the clear.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// From now on its end is a reset: what the peer hasn't read is lost, and no local port waits in TIME_WAIT. Right only while
    /// the peer has answered everything that it was told.
    pub fn reset_on_close(&self) {
        // Where it can't be, the connection ends as any other.
        let _ = self.linger(Some(Duration::ZERO));
    }

    /// From now on its end lets the peer read everything before.
    ///
    /// # Errors
    /// The operating system's; then what was sent could be lost, so nothing may be.
    pub fn finish_on_close(&self) -> io::Result<()> {
        self.linger(None)
    }

    fn linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let socket = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Unix(_) => return Ok(()),
        };
        SockRef::from(socket).set_linger(linger)
    }

    /// Whether the peer is on this machine, as far as addresses tell: a Unix socket, or the same address at both ends.
    pub fn is_local(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Unix(_) => return true,
        };
        match (socket.local_addr(), socket.peer_addr()) {
            (Ok(here), Ok(there)) => here.ip() == there.ip(),
            (Ok(_) | Err(_), _) => false,
        }
    }

    /// Whether bytes have come that nobody has read, by the kernel's word: a loop that is late doesn't know of them yet.
    pub fn has_unread(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Tls(stream) => SockRef::from(stream.get_ref().0),
            Self::Unix(stream) => SockRef::from(stream),
        };
        socket
            .peek(&mut [MaybeUninit::uninit()])
            .is_ok_and(|bytes| bytes > 0)
    }

    /// Writes at once what the socket takes of `bytes`; returns how many that was. None under TLS, and none if it fails: a write that waits
    /// says why.
    pub fn write_now(&self, bytes: &[u8]) -> usize {
        let written = match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tls(_) => return 0,
        };
        written.unwrap_or(0)
    }

    /// Most records that its keys may encrypt, if there is such a limit: rustls ends a TLS 1.2 connection there, and can't
    /// renew its keys.
    pub fn record_limit(&self) -> Option<u64> {
        let Self::Tls(stream) = self else {
            return None;
        };
        match stream.get_ref().1.negotiated_cipher_suite()? {
            SupportedCipherSuite::Tls12(suite) => Some(suite.common.confidentiality_limit),
            SupportedCipherSuite::Tls13(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::ServerConfig;
    use tokio::net::TcpListener;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::backend::testing::{Ended, rest};
    use crate::client::testing::{Ca, client_config, params, provider};

    fn acceptor() -> TlsAcceptor {
        let pair = Ca::new("backends").issue(&params("redis"));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let mut config = config
            .with_single_cert(vec![pair.cert.clone()], pair.key_der())
            .unwrap();
        // What is left unread would be answered with a reset by itself.
        config.send_tls13_tickets = 0;
        TlsAcceptor::from(Arc::new(config))
    }

    /// Both ends of a connection: with TLS the backend's end is what is below it.
    async fn ends(acceptor: Option<&TlsAcceptor>) -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (near, (far, _)) = (near.unwrap(), far.unwrap());
        let Some(acceptor) = acceptor else {
            return (Stream::Tcp(near), far);
        };
        let config = client_config(None, rustls::ALL_VERSIONS);
        let name = "redis".try_into().unwrap();
        let near = TlsConnector::from(Arc::new(config)).connect(name, near);
        let (near, far) = tokio::join!(near, acceptor.accept(far));
        (
            Stream::Tls(Box::new(near.unwrap())),
            far.unwrap().into_inner().0,
        )
    }

    #[tokio::test]
    async fn a_connection_ends_as_it_was_last_told_with_tls_and_without() {
        let acceptor = acceptor();
        for acceptor in [None, Some(&acceptor)] {
            let (near, far) = ends(acceptor).await;
            near.reset_on_close();
            drop(near);
            assert_eq!(rest(far).await, (Vec::new(), Ended::Reset));
            let (near, far) = ends(acceptor).await;
            near.reset_on_close();
            near.finish_on_close().unwrap();
            drop(near);
            assert_eq!(rest(far).await, (Vec::new(), Ended::Finished));
        }
    }
}
