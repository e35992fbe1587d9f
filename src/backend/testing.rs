//! A backend that knows how to answer a login, for tests that look at the connection itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{BackendStatus, Connected, Login, Purpose, connect};
use crate::resp::Protocol;
use crate::snapshot::{BackendAddress, BackendTarget};
use crate::telemetry::Metrics;

const PATIENCE: Duration = Duration::from_secs(10);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All was read, and then nothing came.
    Finished,
    /// By a reset.
    Reset,
}

/// A listener, and how to reach it.
pub(crate) async fn backend() -> (TcpListener, Arc<BackendTarget>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = target(&address.ip().to_string(), address.port());
    (listener, target)
}

/// A server in the clear, without a login.
pub(crate) fn target(host: &str, port: u16) -> Arc<BackendTarget> {
    Arc::new(BackendTarget {
        address: BackendAddress::Tcp {
            host: host.to_owned(),
            port,
        },
        tls: None,
        user: None,
        password: None,
        connect_timeout: PATIENCE,
        max_connects_per_second: 2_000,
    })
}

/// A status of `target`, with the metrics in which its connections count.
pub(crate) fn status(target: &Arc<BackendTarget>) -> (Arc<BackendStatus>, Metrics) {
    let metrics = Metrics::new(&["main".to_owned()]).unwrap();
    let status = BackendStatus::new(target, metrics.backend.of("main"));
    (Arc::new(status), metrics)
}

/// Accepts a connection and answers its HELLO.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    hear(&mut stream, b"HELLO").await;
    let facts = b"*8\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n+mode\r\n+standalone\r\n+role\r\n+master\r\n";
    stream.write_all(facts).await.unwrap();
    stream
}

/// A connection that is logged in, and the backend's end of it.
pub(crate) async fn connected() -> (Connected, TcpStream) {
    let (listener, target) = backend().await;
    let (status, _metrics) = status(&target);
    let login = Login {
        protocol: Protocol::Resp2,
        number: 0,
        name: "lane",
    };
    let (connected, stream) = tokio::join!(
        connect(&target, &status, Purpose::Client, login),
        accept(&listener)
    );
    (connected.unwrap(), stream)
}

/// Reads until a request with `word` is there.
pub(crate) async fn hear(stream: &mut TcpStream, word: &[u8]) {
    let mut heard = Vec::new();
    while !heard.windows(word.len()).any(|part| part == word) || !heard.ends_with(b"\r\n") {
        let read = timeout(PATIENCE, stream.read_buf(&mut heard)).await;
        assert!(read.unwrap().unwrap() > 0, "closed before it was heard");
    }
}

/// Reads once, if there is something, and lets the loop learn that there is room for more.
pub(crate) async fn read_some(stream: &mut TcpStream, read: &mut Vec<u8>) {
    let mut space = vec![0; 256 << 10];
    let within = timeout(Duration::from_millis(2), stream.read(&mut space)).await;
    let count = within.map_or(0, |count| count.unwrap());
    read.extend_from_slice(&space[..count]);
    tokio::task::yield_now().await;
}

/// Reads on until there are `len` bytes.
pub(crate) async fn read_to(len: usize, stream: &mut TcpStream, read: &mut Vec<u8>) {
    let all = async {
        while read.len() < len {
            read_some(stream, read).await;
        }
    };
    timeout(PATIENCE, all).await.expect("all of it");
}

/// Everything that still comes, and how it ends.
pub(crate) async fn rest(mut stream: TcpStream) -> (Vec<u8>, Ended) {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes));
    match read.await.expect("it ends") {
        Ok(_) => (bytes, Ended::Finished),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => (bytes, Ended::Reset),
        Err(error) => panic!("{error}"),
    }
}
