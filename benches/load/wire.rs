//! A connection to what is measured, with mutual TLS or without.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redwall::resp::{ReplyScanner, encode};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::Outcome;

/// What both kinds of connections can do.
pub(crate) trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// A connection, and the replies that were read from it.
pub(crate) struct Wire {
    pub(crate) stream: Box<dyn Both>,
    pub(crate) replies: Replies,
}

/// Counts whole replies in what is read.
pub(crate) struct Replies {
    scanner: ReplyScanner,
    /// Replies that were errors.
    pub(crate) errors: u64,
}

impl Replies {
    pub(crate) fn new() -> Self {
        Self {
            scanner: ReplyScanner::new(),
            errors: 0,
        }
    }

    /// How many replies end in `input`, which goes on where the last one stopped.
    pub(crate) fn count(&mut self, mut input: &[u8]) -> Outcome<usize> {
        let mut ended = 0;
        while !input.is_empty() {
            let step = self.scanner.advance(input)?;
            input = &input[step.consumed..];
            if let Some(frame) = step.end {
                ended += 1;
                self.errors += u64::from(frame.is_error());
            }
        }
        Ok(ended)
    }
}

impl Wire {
    /// Asks PING and waits for the reply: now the connection is one that works, through to the server.
    pub(crate) async fn ping(&mut self) -> Outcome {
        self.stream.write_all(&request(&["PING"])).await?;
        self.replies(1).await
    }

    /// Reads `wanted` replies.
    pub(crate) async fn replies(&mut self, mut wanted: usize) -> Outcome {
        let mut buffer = vec![0; if wanted > 1 { 64 << 10 } else { 4 << 10 }];
        while wanted > 0 {
            let got = self.stream.read(&mut buffer).await?;
            if got == 0 {
                return Err("closed by the server".into());
            }
            wanted = wanted.saturating_sub(self.replies.count(&buffer[..got])?);
        }
        Ok(())
    }
}

/// A command as clients send it.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::command(&mut out, words);
    out
}

/// How a client's socket is set up.
#[derive(Clone, Copy)]
pub(crate) enum Socket {
    /// As clients do: TCP_NODELAY.
    Usual,
    /// Its end is a reset, so that no port waits.
    Reset,
    /// The kernel keeps little of what isn't read.
    Narrow,
}

/// Where to connect to, and how.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Door {
    pub(crate) fn new(address: SocketAddr, pki: Option<&Path>) -> Outcome<Self> {
        let tls = pki.map(client_config).transpose()?;
        let tls = tls.map(|config| TlsConnector::from(Arc::new(config)));
        Ok(Self { address, tls })
    }

    /// Connects and shakes hands, within ten seconds.
    pub(crate) async fn connect(&self, socket: Socket) -> Outcome<Wire> {
        let connected = tokio::time::timeout(Duration::from_secs(10), self.open(socket));
        let stream = connected.await??;
        Ok(Wire {
            stream,
            replies: Replies::new(),
        })
    }

    /// Connections with one command behind them, a few at a time so that nobody's queue overflows.
    pub(crate) async fn many(&self, count: usize) -> Outcome<Vec<Wire>> {
        let mut wires = Vec::with_capacity(count);
        while wires.len() < count {
            let batch: Vec<_> = (0..16.min(count - wires.len()))
                .map(|_| {
                    let door = self.clone();
                    tokio::spawn(async move {
                        let mut wire = door.connect(Socket::Usual).await?;
                        wire.ping().await.map(|()| wire)
                    })
                })
                .collect();
            for one in batch {
                wires.push(one.await??);
            }
        }
        Ok(wires)
    }

    async fn open(&self, socket: Socket) -> Outcome<Box<dyn Both>> {
        let stream = self.tcp(socket).await?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::from(self.address.ip());
                Box::new(tls.connect(name, stream).await?)
            }
        })
    }

    async fn tcp(&self, kind: Socket) -> Outcome<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Socket::Narrow = kind {
            socket.set_recv_buffer_size(64 << 10)?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        if let Socket::Reset = kind {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(stream)
    }
}

/// TLS 1.3, never resumed, X25519 alone: what every path can do at once, so that all of them shake hands in the same way.
fn client_config(pki: &Path) -> Outcome<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(pki.join("ca.crt"))? {
        roots.add(authority?)?;
    }
    let chain = vec![CertificateDer::from_pem_file(pki.join("client.crt"))?];
    let key = PrivateKeyDer::from_pem_file(pki.join("client.key"))?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.resumption = Resumption::disabled();
    Ok(config)
}
