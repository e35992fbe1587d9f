//! A client that speaks TLS and RESP by hand, so that a test sees every byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redwall::resp::OwnedRequest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::authority::Issued;
use super::redis::{read_frame, read_frame_or_end};
use super::{PATIENCE, certificates};

/// Who a client is to TLS.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// Nobody: no certificate.
    None,
    /// The holder of one of the development certificates.
    Certificate(&'a str),
}

/// A connected client.
pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    rest: Vec<u8>,
}

impl Client {
    /// Connects with TLS; the handshake is completed by the first exchange.
    pub fn connect(address: SocketAddr, identity: Identity<'_>) -> Self {
        Self::try_connect(address, identity).expect("a connection")
    }

    /// Connects and completes the handshake as far as a client can tell.
    pub fn try_connect(address: SocketAddr, identity: Identity<'_>) -> std::io::Result<Self> {
        Self::with_config(address, config(identity, &[]))
    }

    pub fn with_config(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        Self::with_name(address, config, "localhost")
    }

    /// Connects and asks for the host `name`; an IP address is not sent.
    pub fn with_name(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(address)?, config, name)
    }

    /// The same over a socket that the test has connected.
    pub fn over(socket: TcpStream, config: Arc<ClientConfig>, name: &str) -> std::io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let connection =
            ClientConnection::new(config, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
        let mut client = Self {
            stream: StreamOwned::new(connection, socket),
            rest: Vec::new(),
        };
        client.stream.flush()?;
        while client.stream.conn.is_handshaking() {
            client.stream.conn.complete_io(&mut client.stream.sock)?;
        }
        Ok(client)
    }

    /// Connects and logs in with AUTH.
    pub fn login(address: SocketAddr, user: &str, password: &str) -> Self {
        let mut client = Self::connect(address, Identity::None);
        assert_eq!(client.ask(&["AUTH", user, password]), "+OK\r\n");
        client
    }

    /// Switches to RESP3 or back.
    pub fn hello(&mut self, protocol: u8) -> String {
        self.ask(&["HELLO", &protocol.to_string()])
    }

    /// Sends a command and returns its reply's text.
    pub fn ask(&mut self, words: &[&str]) -> String {
        String::from_utf8_lossy(&self.ask_bytes(words)).into_owned()
    }

    /// Sends a command and returns its reply's bytes.
    pub fn ask_bytes(&mut self, words: &[&str]) -> Vec<u8> {
        self.send(words);
        self.frame()
    }

    pub fn send(&mut self, words: &[&str]) {
        self.send_raw(OwnedRequest::new(words).as_request().bytes());
    }

    /// Sends a command to a server that may have closed.
    pub fn try_send(&mut self, words: &[&str]) -> std::io::Result<()> {
        self.stream
            .write_all(OwnedRequest::new(words).as_request().bytes())?;
        self.stream.flush()
    }

    /// The beginning of what comes next; empty if the server closes.
    pub fn until_closed_or_frame(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut buffer = [0; 4096];
        while !bytes.windows(2).any(|end| end == b"\r\n") || bytes.ends_with(b"$5\r\n") {
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
                Ok(_) | Err(_) => break,
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the server takes what is sent");
        self.stream.flush().expect("the server takes what is sent");
    }

    /// Sends bytes that the server may not take to the end; says whether it did.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok() && self.stream.flush().is_ok()
    }

    /// The next frame.
    pub fn frame(&mut self) -> Vec<u8> {
        read_frame(&mut self.stream, &mut self.rest)
    }

    /// The next frame as text; `None` if the server closes instead.
    pub fn text_or_end(&mut self) -> Option<String> {
        let frame = read_frame_or_end(&mut self.stream, &mut self.rest)?;
        Some(String::from_utf8_lossy(&frame).into_owned())
    }

    /// The next frame as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.frame()).into_owned()
    }

    /// What comes until the server closes, which it must do in time.
    pub fn until_closed(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.rest);
        // A close without TLS's goodbye is an error to rustls, and a close all the same.
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            let timed_out = matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            );
            assert!(
                !timed_out,
                "the server did not close; it said {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The alert with which the server ends; `None` if it just ends.
    pub fn alert(&mut self) -> Option<rustls::AlertDescription> {
        let error = self.stream.read_to_end(&mut Vec::new()).err()?;
        match error.get_ref()?.downcast_ref() {
            Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }

    /// Whether nothing comes for a while.
    pub fn is_silent(&mut self, pause: Duration) -> bool {
        if !self.rest.is_empty() {
            return false;
        }
        self.stream.sock.set_read_timeout(Some(pause)).unwrap();
        let mut byte = [0];
        let read = self.stream.read(&mut byte);
        self.stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Ok(count) => {
                self.rest.extend_from_slice(&byte[..count]);
                false
            }
            Err(error) => matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
        }
    }

    /// Says goodbye and closes its writing side, as a client does that has nothing more to say.
    pub fn leave(&mut self) {
        self.stream.conn.send_close_notify();
        // The server may have closed already.
        let _ = self.stream.flush();
        let _ = self.stream.sock.shutdown(std::net::Shutdown::Write);
    }

    pub fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    pub fn version(&self) -> Option<rustls::ProtocolVersion> {
        self.stream.conn.protocol_version()
    }

    pub fn suite(&self) -> Option<rustls::CipherSuite> {
        self.stream
            .conn
            .negotiated_cipher_suite()
            .map(|suite| suite.suite())
    }

    pub fn handshake_kind(&self) -> Option<rustls::HandshakeKind> {
        self.stream.conn.handshake_kind()
    }
}

/// What comes from the server, frame or not.
impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() {
            return self.stream.read(buffer);
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

/// A client's TLS configuration that trusts the development CA; `versions` empty means all.
pub fn config(
    identity: Identity<'_>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let folder = certificates();
    let shown = match identity {
        Identity::None => None,
        Identity::Certificate(name) => Some(Issued {
            cert: folder.join(format!("client-{name}.crt")),
            key: folder.join(format!("client-{name}.key")),
        }),
    };
    config_of(&folder.join("ca.crt"), shown.as_ref(), versions)
}

/// A client's TLS configuration that trusts the CA in a file and shows `shown`.
pub fn config_of(
    ca: &Path,
    shown: Option<&Issued>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let versions = if versions.is_empty() {
        rustls::ALL_VERSIONS
    } else {
        versions
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some(Issued { cert, key }) => {
            let chain = CertificateDer::pem_file_iter(cert).unwrap();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            builder
                .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                .unwrap()
        }
    })
}

/// A client's TLS configuration that trusts the CA in a file and shows a chain of the test's own.
pub fn config_with_chain(
    ca: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// A client with a certificate of a CA that nobody trusts, and which trusts the development CA itself.
pub fn stranger_config() -> Arc<ClientConfig> {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "stranger");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificates().join("ca.crt")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}
