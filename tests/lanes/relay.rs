//! A relay between Redwall and its backend that slips a reply in which nobody asked for: no real server can be asked for that.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::bed::TempDir;

/// When a relay slips its reply in, on each connection for itself.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// Before the answer to the first request that holds these bytes.
    At(&'static [u8]),
    /// In place of the answer to that request, which the backend never sees.
    InsteadOf(&'static [u8]),
    /// Before the answer to what follows the first request that holds these bytes.
    After(&'static [u8]),
}

/// A running relay; it ends when Redwall and the test let go of its connections.
pub struct Relay {
    folder: TempDir,
    state: Arc<State>,
}

/// What a relay's threads and the test share.
#[derive(Default)]
struct State {
    slips: AtomicUsize,
    holds_off: AtomicBool,
}

impl Relay {
    /// Listens on a Unix socket of its own, and passes everything on to `backend` and back, with `surplus` slipped in.
    pub fn before(backend: PathBuf, moment: Moment, surplus: &'static [u8]) -> Self {
        let folder = TempDir::new("relay");
        let listener = UnixListener::bind(folder.path().join("relay.sock")).unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&backend)) else {
                    return;
                };
                let state = Arc::clone(&shared);
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || slip(client, server, moment, surplus, &state));
                std::thread::spawn(move || pass(back, forth));
            }
        });
        Self { folder, state }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("relay.sock").display())
    }

    /// How often it slipped its reply in.
    pub fn slips(&self) -> usize {
        self.state.slips.load(Ordering::SeqCst)
    }

    /// Slips nothing in until [`go_on`](Self::go_on).
    pub fn hold_off(&self) {
        self.state.holds_off.store(true, Ordering::SeqCst);
    }

    pub fn go_on(&self) {
        self.state.holds_off.store(false, Ordering::SeqCst);
    }
}

/// Passes requests on. A request is one read, because Redwall writes what belongs together at once.
fn slip(
    mut client: UnixStream,
    mut server: UnixStream,
    moment: Moment,
    surplus: &[u8],
    state: &State,
) {
    let mut buffer = vec![0; 256 * 1024];
    let (mut seen, mut slipped) = (false, false);
    while let Ok(length) = client.read(&mut buffer) {
        let bytes = &buffer[..length];
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        let due = match moment {
            Moment::At(wanted) | Moment::InsteadOf(wanted) => has(wanted),
            Moment::After(_) => seen,
        };
        if let Moment::After(wanted) = moment {
            seen |= has(wanted);
        }
        if due && !slipped && length > 0 && !state.holds_off.load(Ordering::SeqCst) {
            slipped = true;
            state.slips.fetch_add(1, Ordering::SeqCst);
            if client.write_all(surplus).is_err() {
                break;
            }
            if let Moment::InsteadOf(_) = moment {
                continue;
            }
        }
        if length == 0 || server.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// A path at which now one server stands and now another, as an address does that moves at a fail-over.
pub struct Address {
    folder: TempDir,
}

impl Address {
    pub fn of(socket: &Path) -> Self {
        let address = Self {
            folder: TempDir::new("address"),
        };
        address.move_to(socket);
        address
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.path().display())
    }

    /// From now on connections lead to `socket`; those that are open stay where they are.
    pub fn move_to(&self, socket: &Path) {
        let next = self.folder.path().join("next");
        std::os::unix::fs::symlink(socket, &next).unwrap();
        std::fs::rename(next, self.path()).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}
