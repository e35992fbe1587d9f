//! A shared connection that is lost while it is set up: nothing of anybody's was sent on it yet, so nobody has to hear of it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::bed::{Backend, Client, Redwall, TempDir};
use crate::track::{SHARED, shared};

/// Between Redwall and its backend: passes everything on, and cuts the next shared connection at a word of its set-up.
struct Cutter {
    folder: TempDir,
    /// At which.
    due: Due,
}

type Due = Arc<Mutex<Option<&'static str>>>;

impl Cutter {
    fn before(backend: PathBuf) -> Self {
        let folder = TempDir::new("cutter");
        let listener = UnixListener::bind(folder.path().join("cutter.sock")).unwrap();
        let due = Due::default();
        let shared = Arc::clone(&due);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&backend)) else {
                    return;
                };
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let due = Arc::clone(&shared);
                std::thread::spawn(move || pass_or_cut(client, server, &due));
                std::thread::spawn(move || pass(back, forth));
            }
        });
        Self { folder, due }
    }

    fn url(&self) -> String {
        let path = self.folder.path().join("cutter.sock");
        format!("unix://{}", path.display())
    }

    fn cut_at(&self, word: &'static str) {
        *self.due.lock().unwrap() = Some(word);
    }

    fn has_cut(&self) -> bool {
        self.due.lock().unwrap().is_none()
    }
}

fn pass_or_cut(mut client: UnixStream, mut server: UnixStream, due: &Mutex<Option<&'static str>>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut is_shared = false;
    while let Ok(length) = client.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        is_shared |= text.contains(SHARED);
        let is_due = |word: &mut &'static str| is_shared && text.contains(*word);
        let cut = due.lock().unwrap().take_if(is_due).is_some();
        if cut || length == 0 || server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for stream in [client, server] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    // Either side may be gone.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_shared_connection_that_is_lost_while_it_is_set_up_costs_nobody_an_error() {
    let backend = Backend::start();
    let cutter = Cutter::before(backend.socket());
    let redwall = shared(&cutter.url()).start();
    let mut client = Client::login(redwall.address, "root", "root");
    assert_eq!(client.ask(&["GET", "k"]), "$-1\r\n");
    let words = ["HELLO", "INFO", "NO-EVICT", "SELECT"];
    for (number, word) in words.into_iter().enumerate() {
        cutter.cut_at(word);
        // A database that nobody uses yet has no connection yet.
        let number = (number + 1).to_string();
        assert_eq!(client.ask(&["SELECT", &number]), "+OK\r\n", "{word}");
        assert!(cutter.has_cut(), "{word}");
        assert_eq!(client.ask(&["GET", "k"]), "$-1\r\n", "{word}");
    }
}
