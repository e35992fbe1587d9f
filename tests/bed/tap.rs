//! A tap between Redwall and its backend: passes every byte on and remembers what went to the backend for clients.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use redwall::resp::{Limits, RequestScanner, Scan};

use super::TempDir;

/// A running tap; it ends when Redwall and the test let go of its connections.
pub struct Tap {
    folder: TempDir,
    heard: Arc<Mutex<Heard>>,
}

impl Tap {
    /// Listens on a Unix socket of its own and passes everything on to `backend`.
    pub fn before(backend: PathBuf) -> Self {
        let folder = TempDir::new("tap");
        let listener = UnixListener::bind(folder.path().join("tap.sock")).unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let record = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&backend)) else {
                    return;
                };
                let (from_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let record = Arc::clone(&record);
                let connection = record.lock().unwrap().connected();
                std::thread::spawn(move || {
                    pass(from_client, to_server, |bytes| {
                        record.lock().unwrap().hear(connection, bytes);
                    });
                });
                std::thread::spawn(move || pass(server, client, |_| {}));
            }
        });
        Self { folder, heard }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("tap.sock").display())
    }

    /// Everything that went to the backend, over whichever connections, what Redwall itself says left out: whole requests in the
    /// order in which they came, then what there is of others.
    pub fn heard(&self) -> Vec<u8> {
        let heard = self.heard.lock().unwrap();
        let parts = heard.connections.iter().map(|connection| &connection.rest);
        let mut bytes = heard.whole.clone();
        parts.for_each(|part| bytes.extend_from_slice(part));
        bytes
    }
}

/// Passes everything on; `record` hears it before, so that nothing is answered that isn't remembered yet.
fn pass(mut from: UnixStream, mut to: UnixStream, mut record: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        record(&buffer[..count]);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// What went to the backend.
#[derive(Default)]
struct Heard {
    whole: Vec<u8>,
    connections: Vec<Connection>,
}

/// A connection of Redwall's to the backend.
#[derive(Default)]
struct Connection {
    /// What hasn't come to its end.
    rest: Vec<u8>,
    scanner: RequestScanner,
    stage: Stage,
}

/// How far a connection's set-up is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    New,
    LoggedIn,
    /// It has asked which process answers.
    Known,
    /// It has asked not to be closed for what many have coming.
    Kept,
    /// It is there for clients.
    Ready,
    /// It is the probe's, and never there for clients.
    Probe,
}

impl Heard {
    fn connected(&mut self) -> usize {
        self.connections.push(Connection::default());
        self.connections.len() - 1
    }

    fn hear(&mut self, connection: usize, bytes: &[u8]) {
        let Connection {
            rest,
            scanner,
            stage,
        } = &mut self.connections[connection];
        rest.extend_from_slice(bytes);
        while let Ok(Scan::Complete { len }) = scanner.scan(rest, &Limits::DEFAULT) {
            let request: Vec<u8> = rest[..len].to_vec();
            let words: Vec<&[u8]> = scanner.request(&request).iter().collect();
            if !stage.is_redwalls_own(&words) {
                self.whole.extend_from_slice(&request);
            }
            rest.drain(..len);
        }
    }
}

impl Stage {
    /// Whether a request is a part of the connection's set-up, the probe's, or shows that replies are in step.
    fn is_redwalls_own(&mut self, words: &[&[u8]]) -> bool {
        let next = match words {
            // A client's own HELLO is never passed on; this is how Redwall logs in, and changes the protocol of a connection.
            [b"HELLO", _] => return true,
            [b"HELLO", .., b"SETNAME", name] if name.ends_with(b":probe") => Self::Probe,
            [b"HELLO", .., b"SETNAME", name] => match name.rsplit(|byte| *byte == b':').next() {
                Some(b"shared" | b"own") => Self::LoggedIn,
                // One client's alone: it is asked nothing more.
                Some(_) | None => Self::Ready,
            },
            [b"ECHO", text] if is_secret(text) => return true,
            [b"INFO", b"server"] => Self::Known,
            [b"CLIENT", b"NO-EVICT", b"ON"] => Self::Kept,
            [b"SELECT", _] => Self::Ready,
            _ => Self::New,
        };
        if *self == Self::Probe {
            return true;
        }
        // Each comes once, and in this order, before anything of a client's.
        let is_own = next > *self;
        *self = if is_own { next } else { Self::Ready };
        is_own
    }
}

/// A text that no client knows: a number of 16 bytes, and a count.
fn is_secret(text: &[u8]) -> bool {
    let hexadecimal = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    text.len() > 33 && text[..32].iter().all(hexadecimal) && text[32] == b':'
}
