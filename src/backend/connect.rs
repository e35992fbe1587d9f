//! Dialling and logging in: resolve, connect to each address in turn, TLS, HELLO with the service user, SELECT.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::connect_fault::ConnectFault;
use super::health::BackendStatus;
use super::stream::Stream;
use crate::resp::decode::{self, Value};
use crate::resp::{Protocol, encode};
use crate::snapshot::{BackendAddress, BackendTarget, BackendTls};
use crate::telemetry::BackendConnection;

/// A backend's answer to HELLO or SELECT is small; more than this isn't one.
const MAX_LOGIN_REPLY: usize = 64 * 1024;

/// What a backend says of itself at login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `redis` or `valkey`.
    pub server: String,
    /// Its version.
    pub version: String,
    /// `master` or `replica`.
    pub role: String,
    /// The process: another after a restart or behind the same address (`run_id` of INFO). Empty if it wasn't asked or doesn't say.
    pub run_id: String,
}

/// A connection that is logged in.
#[derive(Debug)]
pub struct Connected {
    /// The stream; nothing is outstanding on it. Its end lets the backend read everything before.
    pub stream: Stream,
    /// The protocol that was agreed on.
    pub protocol: Protocol,
    /// What the backend says of itself.
    pub facts: Facts,
    /// Counts it; to be kept as long as the stream.
    pub counted: BackendConnection,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client: it waits for its turn, so that no more are opened in a second than the backend takes.
    Client,
    /// Clients that have used another connection and must meet the same backend: it says who it is.
    Spare,
    /// Many clients at once: the same, and the backend is asked not to close it for what they all have coming together.
    Shared,
    /// To see whether the backend is there. There is one, which a crowd of clients must not hold up.
    Probe,
}

/// How to log in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The protocol to agree on.
    pub protocol: Protocol,
    /// The database number to select.
    pub number: u32,
    /// The connection's name at the backend.
    pub name: &'a str,
}

/// Connects and logs in as the service user. Its end before it is returned is a reset, because the backend was told nothing of
/// any client's. A connection for many that is lost meanwhile is tried once more.
///
/// # Errors
/// [`ConnectFault`]; takes no longer than the target's `connect_timeout`, the wait for its turn included.
pub async fn connect(
    target: &BackendTarget,
    status: &BackendStatus,
    purpose: Purpose,
    login: Login<'_>,
) -> Result<Connected, ConnectFault> {
    let deadline = Instant::now() + target.connect_timeout;
    let counted = status.connections.connecting();
    let made = match attempt(target, status, purpose, login, deadline).await {
        // Many wait for this one. The backend was told nothing of theirs, so nothing can be carried out twice.
        Err(fault) if purpose == Purpose::Shared && fault.is_loss() => {
            tracing::debug!(%fault, "lost a backend connection while it was set up: tried once more");
            attempt(target, status, purpose, login, deadline).await
        }
        made => made,
    };
    let (stream, facts) = made?;
    stream.finish_on_close().map_err(ConnectFault::Broken)?;
    match purpose {
        Purpose::Client | Purpose::Spare | Purpose::Shared => status.connections.opened(),
        Purpose::Probe => {}
    }
    Ok(Connected {
        stream,
        protocol: login.protocol,
        facts,
        counted: counted.is_open(&status.connections),
    })
}

/// Waits for its turn, dials and logs in.
async fn attempt(
    target: &BackendTarget,
    status: &BackendStatus,
    purpose: Purpose,
    login: Login<'_>,
    deadline: Instant,
) -> Result<(Stream, Facts), ConnectFault> {
    let allowed = target.connect_timeout;
    match purpose {
        Purpose::Client | Purpose::Spare | Purpose::Shared => {
            let turn = status.gate.pass(target.max_connects_per_second);
            let passed = timeout_at(deadline, turn).await;
            passed.map_err(|_| ConnectFault::Crowded(allowed))?;
        }
        Purpose::Probe => {}
    }
    timeout_at(deadline, dial_and_log_in(target, purpose, login))
        .await
        .unwrap_or(Err(ConnectFault::Timeout(allowed)))
}

async fn dial_and_log_in(
    target: &BackendTarget,
    purpose: Purpose,
    login: Login<'_>,
) -> Result<(Stream, Facts), ConnectFault> {
    let Login {
        protocol,
        number,
        name,
    } = login;
    let mut stream = dial(target).await?;
    let mut facts = log_in(&mut stream, target, protocol, name).await?;
    if purpose != Purpose::Client {
        facts.run_id = run_id(&mut stream, protocol).await?;
    }
    if purpose == Purpose::Shared {
        let words: [&[u8]; 3] = [b"CLIENT", b"NO-EVICT", b"ON"];
        let asked = ask(&mut stream, "CLIENT", &words, protocol).await;
        or_refused(asked)?;
    }
    if number != 0 {
        let number = number.to_string();
        let words: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
        ask(&mut stream, "SELECT", &words, protocol).await?;
    }
    Ok((stream, facts))
}

async fn dial(target: &BackendTarget) -> Result<Stream, ConnectFault> {
    match &target.address {
        BackendAddress::Unix(path) => UnixStream::connect(path)
            .await
            .map(Stream::Unix)
            .map_err(ConnectFault::Dial),
        BackendAddress::Tcp { host, port } => {
            let socket = dial_tcp(host, *port, target.connect_timeout).await?;
            match &target.tls {
                None => Ok(Stream::Tcp(socket)),
                Some(tls) => secure(socket, tls).await,
            }
        }
    }
}

/// Resolves the host and tries its addresses.
async fn dial_tcp(host: &str, port: u16, allowed: Duration) -> Result<TcpStream, ConnectFault> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(ConnectFault::Resolve)?;
    dial_any(addresses.collect(), allowed)
        .await
        .map_err(ConnectFault::Dial)
}

/// Tries every address, for one of them may be down. One that doesn't answer at all gets only its share of half the time
/// that is `allowed`, so that there is time for the others, and for the login.
async fn dial_any(addresses: Vec<SocketAddr>, allowed: Duration) -> io::Result<TcpStream> {
    let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let share = allowed / 2 / shares;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        // Behind the last one there is nothing to save time for.
        let share = if index + 1 == count { allowed } else { share };
        match timeout(share, dial_one(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// One address. Until it is logged in its end is a reset, also when it is given up in the moment in which it is made.
async fn dial_one(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_zero_linger()?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

async fn secure(socket: TcpStream, tls: &BackendTls) -> Result<Stream, ConnectFault> {
    let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
    let stream = connector
        .connect(tls.server_name.clone(), socket)
        .await
        .map_err(ConnectFault::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// HELLO with the service user's password and the connection's name: one round trip says who is there and in which mode.
async fn log_in(
    stream: &mut Stream,
    target: &BackendTarget,
    protocol: Protocol,
    name: &str,
) -> Result<Facts, ConnectFault> {
    let version: &[u8] = match protocol {
        Protocol::Resp2 => b"2",
        Protocol::Resp3 => b"3",
    };
    let mut words: Vec<&[u8]> = vec![b"HELLO", version];
    if let Some(password) = &target.password {
        let user = target.user.as_deref().unwrap_or("default");
        words.extend([b"AUTH".as_slice(), user.as_bytes(), password.expose()]);
    }
    words.extend([b"SETNAME".as_slice(), name.as_bytes()]);
    let reply = ask(stream, "HELLO", &words, protocol).await?;
    let field = |wanted: &str| {
        let text = reply.field(wanted).and_then(Value::as_text);
        text.map(|text| String::from_utf8_lossy(text).into_owned())
            .ok_or(ConnectFault::Undecodable)
    };
    let mode = field("mode")?;
    if mode != "standalone" {
        return Err(ConnectFault::Mode(mode));
    }
    Ok(Facts {
        server: field("server")?,
        version: field("version")?,
        role: field("role")?,
        run_id: String::new(),
    })
}

/// Which process answers, as far as the service user may know: a server that is busy or loading doesn't say so now.
async fn run_id(stream: &mut Stream, protocol: Protocol) -> Result<String, ConnectFault> {
    let words: [&[u8]; 2] = [b"INFO", b"server"];
    let reply = or_refused(ask(stream, "INFO", &words, protocol).await)?;
    let text = reply.as_ref().and_then(Value::as_text).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix("run_id:"));
    Ok(found.unwrap_or_default().trim().to_owned())
}

/// The backend's role by the words of HELLO; `None` if it doesn't say.
pub(super) async fn role(stream: &mut Stream) -> Result<Option<String>, ConnectFault> {
    let reply = or_refused(ask(stream, "ROLE", &[b"ROLE"], Protocol::Resp2).await)?;
    let role = match &reply {
        Some(Value::Array(items)) => items.first().and_then(Value::as_text),
        Some(_) | None => None,
    };
    Ok(match role {
        Some(b"master") => Some("master".to_owned()),
        Some(b"slave" | b"replica") => Some("replica".to_owned()),
        Some(_) | None => None,
    })
}

/// What is asked for Redwall's own sake can be done without.
fn or_refused(asked: Result<Value, ConnectFault>) -> Result<Option<Value>, ConnectFault> {
    match asked {
        Ok(value) => Ok(Some(value)),
        Err(ConnectFault::Refused { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Sends one request and waits for its one reply; an error reply is a fault.
pub(super) async fn ask(
    stream: &mut Stream,
    command: &'static str,
    words: &[&[u8]],
    protocol: Protocol,
) -> Result<Value, ConnectFault> {
    let mut request = Vec::new();
    encode::command(&mut request, words);
    stream
        .write_all(&request)
        .await
        .map_err(ConnectFault::Broken)?;
    stream.flush().await.map_err(ConnectFault::Broken)?;
    let mut received = Vec::new();
    loop {
        match decode::frame(&received, protocol) {
            Ok(Some((Value::Error(text), _))) => {
                let code = text
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(32)
                    .collect();
                return Err(ConnectFault::Refused { command, code });
            }
            Ok(Some((value, len))) if len == received.len() => return Ok(value),
            // Something that it wasn't asked for.
            Ok(Some(_)) => return Err(ConnectFault::Undecodable),
            Ok(None) if received.len() < MAX_LOGIN_REPLY => {}
            Ok(None) | Err(_) => return Err(ConnectFault::Undecodable),
        }
        if stream
            .read_buf(&mut received)
            .await
            .map_err(ConnectFault::Broken)?
            == 0
        {
            return Err(ConnectFault::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::backend::testing;

    /// An address at which a listener's queue is full, so that nothing answers; it is so for as long as the result lives.
    async fn silent() -> (SocketAddr, socket2::Socket, Vec<TcpStream>) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) =
            timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            queued.push(stream);
            assert!(queued.len() < 5000, "the queue is never full");
        }
        (address, socket, queued)
    }

    /// Connects to a backend that says `answer` to each login and closes; returns the fault, and how often it was tried.
    async fn tried_with(purpose: Purpose, answer: &'static [u8]) -> (ConnectFault, usize) {
        let (listener, target) = testing::backend().await;
        let (status, _metrics) = testing::status(&target);
        let login = Login {
            protocol: Protocol::Resp2,
            number: 0,
            name: "redwall:main:shared",
        };
        let tried = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tried);
        let backend = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1024];
                assert_ne!(stream.read(&mut request).await.unwrap(), 0);
                stream.write_all(answer).await.unwrap();
            }
        });
        let fault = connect(&target, &status, purpose, login).await.unwrap_err();
        backend.abort();
        (fault, tried.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn only_what_many_wait_for_is_tried_again_once_and_only_if_it_was_lost() {
        let cases: [(Purpose, &[u8], usize); 5] = [
            (Purpose::Shared, b"", 2),
            (Purpose::Shared, b"*14\r\n", 2),
            (Purpose::Shared, b"-WRONGPASS no\r\n", 1),
            (Purpose::Shared, b"?x\r\n", 1),
            (Purpose::Client, b"", 1),
        ];
        for (purpose, answer, wanted) in cases {
            let (fault, tried) = tried_with(purpose, answer).await;
            assert_eq!(tried, wanted, "{purpose:?}: {fault}");
        }
    }

    async fn dead() -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_is_dead_or_silent_does_not_hide_the_next() {
        let live = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = live.local_addr().unwrap();
        let (silent, _socket, _queued) = silent().await;
        let dead = dead().await;
        for before in [vec![dead], vec![silent], vec![silent, dead, silent], vec![]] {
            let all = [before, vec![address]].concat();
            let allowed = Duration::from_secs(2);
            let dialled = timeout(allowed, dial_any(all, allowed)).await;
            let socket = dialled.expect("time is left for the login").unwrap();
            assert_eq!(socket.peer_addr().unwrap(), address);
        }
    }

    #[tokio::test]
    async fn without_a_living_address_the_last_error_is_told() {
        let allowed = Duration::from_millis(500);
        let error = dial_any(vec![dead().await], allowed).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = dial_any(Vec::new(), allowed).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
