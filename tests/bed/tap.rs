//! A tap between Redwall and its backend: passes every byte on and remembers what went to the backend.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::TempDir;

/// A running tap; it ends when Redwall and the test let go of its connections.
pub struct Tap {
    folder: TempDir,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Listens on a Unix socket of its own and passes everything on to `backend`.
    pub fn before(backend: PathBuf) -> Self {
        let folder = TempDir::new("tap");
        let listener = UnixListener::bind(folder.path().join("tap.sock")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&backend)) else {
                    return;
                };
                let (from_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let record = Arc::clone(&record);
                std::thread::spawn(move || pass(from_client, to_server, Some(&record)));
                std::thread::spawn(move || pass(server, client, None));
            }
        });
        Self { folder, heard }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("tap.sock").display())
    }

    /// Everything that went to the backend, logins and probes left out.
    pub fn heard(&self) -> Vec<u8> {
        without_own_words(&self.heard.lock().unwrap())
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, record: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        // Remembered before it is passed on, so that nothing is answered that isn't remembered yet.
        if let Some(record) = record {
            record.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// What Redwall asks for itself: who the backend is, not to be closed, and for echoes.
fn is_redwalls_own(words: &[&[u8]]) -> bool {
    let own: [&[&[u8]]; 3] = [
        &[b"INFO", b"server"],
        &[b"CLIENT", b"NO-EVICT", b"ON"],
        &[b"ROLE"],
    ];
    let is_fence = words[0] == b"ECHO" && words.len() == 2 && words[1].get(32) == Some(&b':');
    own.contains(&words) || is_fence
}

/// Takes out the login of each connection and what else is Redwall's own.
fn without_own_words(heard: &[u8]) -> Vec<u8> {
    use redwall::resp::{Limits, RequestScanner, Scan};
    let mut rest = heard;
    let mut kept = Vec::new();
    let mut scanner = RequestScanner::default();
    while let Ok(Scan::Complete { len }) = scanner.scan(rest, &Limits::DEFAULT) {
        let request = scanner.request(rest);
        let words: Vec<_> = request.iter().collect();
        // A client's own HELLO is never passed on; this is how Redwall changes the protocol of a connection.
        let is_login =
            words[0] == b"HELLO" && (words.len() == 2 || words.contains(&b"SETNAME".as_slice()));
        if !is_login && !is_redwalls_own(&words) {
            kept.extend_from_slice(&rest[..len]);
        }
        rest = &rest[len..];
    }
    kept.extend_from_slice(rest);
    kept
}
