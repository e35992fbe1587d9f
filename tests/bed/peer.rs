//! A connection of a checked client, from whatever loopback address it wants. Nothing here panics: what doesn't come, or comes wrong,
//! is the caller's to judge.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use redwall::resp::{OwnedRequest, ReplyScanner};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// Connects from an address of its own. Nothing that is read may take longer than `patience`.
pub fn dial_for(patience: Duration, from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket.into())
}

/// Closes by a reset, so that no port of ours waits for its time to be over.
pub fn reset(socket: TcpStream) {
    let _ = Socket::from(socket).set_linger(Some(Duration::ZERO));
}

/// A request's bytes.
pub fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

/// A connection with TLS.
pub struct Peer {
    stream: StreamOwned<ClientConnection, TcpStream>,
    rest: Vec<u8>,
}

impl Peer {
    /// Shakes hands on `socket`.
    pub fn shake(socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        Self::shake_and_say(socket, config, &[])
    }

    /// Shakes hands on `socket`, with `bytes` right behind the last of what the handshake sends.
    pub fn shake_and_say(
        socket: TcpStream,
        config: &Arc<ClientConfig>,
        bytes: &[u8],
    ) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        connection.set_buffer_limit(None);
        connection.writer().write_all(bytes)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        stream.flush()?;
        Ok(Self {
            stream,
            rest: Vec::new(),
        })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next reply.
    pub fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut scanner = ReplyScanner::default();
        let mut frame = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            if !self.rest.is_empty() {
                let step = scanner.advance(&self.rest).map_err(io::Error::other)?;
                frame.extend(self.rest.drain(..step.consumed));
                if step.end.is_some() {
                    return Ok(frame);
                }
            }
            match self.stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.rest.extend_from_slice(&bytes[..read]),
            }
        }
    }

    pub fn ask(&mut self, words: &[&str]) -> io::Result<Vec<u8>> {
        self.send(&request(words))?;
        self.answer()
    }

    /// What still comes until the server closes.
    ///
    /// # Errors
    /// It doesn't close in time.
    pub fn until_closed(&mut self) -> io::Result<String> {
        let mut bytes = std::mem::take(&mut self.rest);
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if is_timeout(&error) => Err(error),
            Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Says that nothing more will be said, in TLS and on the socket.
    pub fn say_goodbye(&mut self) {
        self.stream.conn.send_close_notify();
        // The server may have closed already.
        let _ = self.stream.flush();
        let _ = self.stream.sock.shutdown(Shutdown::Write);
    }

    pub fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    /// The socket alone: nothing will be said any more.
    pub fn into_socket(self) -> TcpStream {
        self.stream.into_parts().1
    }
}

pub fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
