//! A gauge between Redwall and its backend: passes every byte on, and notes what each connection is asked and how much of that
//! isn't answered yet.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redwall::resp::{FrameKind, Limits, ReplyScanner, RequestScanner, Scan};

use super::TempDir;

/// Of each word so much is noted.
const NOTED: usize = 64;

/// A running gauge; it ends when Redwall and the test let go of its connections.
pub struct Gauge {
    folder: TempDir,
    pipes: Pipes,
}

type Pipes = Arc<Mutex<Vec<Pipe>>>;

/// A request as it reached the backend.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Its words, each cut after [`NOTED`] bytes.
    pub words: Vec<String>,
    /// Its bytes in all.
    pub len: usize,
}

impl Noted {
    /// Whether its command is `name`, in upper case.
    pub fn is(&self, name: &str) -> bool {
        self.words[0].eq_ignore_ascii_case(name)
    }
}

/// A connection from Redwall to its backend.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    /// What its login called it.
    pub name: String,
    /// What it was asked, in order.
    pub requests: Vec<Noted>,
    /// Most requests that were unanswered at a time.
    pub most_unanswered: usize,
    answered: usize,
    /// Answers that Redwall has been given.
    handed_on: usize,
    /// The beginning of a request of which the end hasn't come.
    unfinished: Vec<u8>,
}

impl Pipe {
    /// How many requests it was asked with that command.
    pub fn count(&self, command: &str) -> usize {
        self.requests
            .iter()
            .filter(|request| request.is(command))
            .count()
    }

    /// Whether Redwall has been given an answer to all that it was asked.
    pub fn is_answered(&self) -> bool {
        self.handed_on == self.requests.len()
    }

    /// Whether it was told the beginning of a request with that text in its first bytes, and not the end.
    pub fn has_begun(&self, text: &str) -> bool {
        let begun = &self.unfinished[..self.unfinished.len().min(NOTED)];
        String::from_utf8_lossy(begun).contains(text)
    }

    fn ask(&mut self, bytes: &[u8], scanner: &mut RequestScanner) {
        self.unfinished.extend_from_slice(bytes);
        let mut taken = 0;
        while let Ok(Scan::Complete { len }) =
            scanner.scan(&self.unfinished[taken..], &Limits::DEFAULT)
        {
            let request = scanner.request(&self.unfinished[taken..]);
            let word =
                |word: &[u8]| String::from_utf8_lossy(&word[..word.len().min(NOTED)]).into_owned();
            let words: Vec<String> = request.iter().map(word).collect();
            if let Some(place) = words.iter().position(|word| word == "SETNAME") {
                self.name.clone_from(&words[place + 1]);
            }
            self.requests.push(Noted { words, len });
            taken += len;
        }
        self.unfinished.drain(..taken);
        let unanswered = self.requests.len().saturating_sub(self.answered);
        self.most_unanswered = self.most_unanswered.max(unanswered);
    }

    fn answer(&mut self, mut bytes: &[u8], scanner: &mut ReplyScanner) {
        while !bytes.is_empty() {
            let Ok(step) = scanner.advance(bytes) else {
                return;
            };
            let answers = |kind| matches!(kind, FrameKind::Reply);
            self.answered += usize::from(step.end.is_some_and(|frame| answers(frame.kind())));
            bytes = &bytes[step.consumed..];
        }
    }
}

impl Gauge {
    /// Listens on a Unix socket of its own and passes everything on to `backend`.
    pub fn before(backend: PathBuf) -> Self {
        let folder = TempDir::new("gauge");
        let listener = UnixListener::bind(folder.path().join("gauge.sock")).unwrap();
        let pipes = Pipes::default();
        let noted = Arc::clone(&pipes);
        std::thread::spawn(move || {
            // While the backend isn't there, whoever comes is let go.
            let both = |client: Result<UnixStream, _>| {
                Some((client.ok()?, UnixStream::connect(&backend).ok()?))
            };
            for (number, (client, server)) in listener.incoming().filter_map(both).enumerate() {
                noted.lock().unwrap().push(Pipe::default());
                let (to_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (asked, answered) = (Arc::clone(&noted), Arc::clone(&noted));
                let mut requests = RequestScanner::default();
                let mut replies = ReplyScanner::default();
                std::thread::spawn(move || {
                    let note = |bytes: &[u8]| {
                        asked.lock().unwrap_or_else(PoisonError::into_inner)[number]
                            .ask(bytes, &mut requests);
                    };
                    pass(client, to_server, note, || {});
                });
                std::thread::spawn(move || {
                    let note = |bytes: &[u8]| {
                        answered.lock().unwrap_or_else(PoisonError::into_inner)[number]
                            .answer(bytes, &mut replies);
                    };
                    let hand_on = || {
                        let mut pipes = answered.lock().unwrap_or_else(PoisonError::into_inner);
                        pipes[number].handed_on = pipes[number].answered;
                    };
                    pass(server, to_client, note, hand_on);
                });
            }
        });
        Self { folder, pipes }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("gauge.sock").display())
    }

    /// All connections so far, in the order in which they were made.
    pub fn pipes(&self) -> MutexGuard<'_, Vec<Pipe>> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often that command was asked on connections for which `which` holds.
    pub fn count(&self, command: &str, which: impl Fn(&Pipe) -> bool) -> usize {
        let pipes = self.pipes();
        let counted = pipes.iter().filter(|pipe| which(pipe));
        counted.map(|pipe| pipe.count(command)).sum()
    }
}

/// Passes bytes on, each noted before, so that nothing is answered that isn't noted yet; and says when they have been.
fn pass(mut from: UnixStream, mut to: UnixStream, mut note: impl FnMut(&[u8]), passed: impl Fn()) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        note(&buffer[..count]);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        passed();
    }
    let _ = to.shutdown(Shutdown::Write);
}
