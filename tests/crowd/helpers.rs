//! Those who push what a client waits for, and publish what it listens to: each a client of its own, whose own answers are checked too.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::bed::{Peer, request};
use crate::crowd::Crowd;
use crate::field::Me;
use crate::reply::shown;

/// How many there are.
const HELPERS: usize = 3;

/// How often one tries where connections are lost.
const TRIES: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    Push,
    Publish,
}

/// What is to be done for a client. It does no harm twice.
#[derive(Debug)]
pub struct Job {
    pub errand: Errand,
    pub database: usize,
    pub key: Vec<u8>,
    pub text: String,
}

/// The way to them.
pub struct Helpers(Vec<Sender<Job>>);

impl Clone for Helpers {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Helpers {
    /// They end when nobody can send for them any more.
    pub fn hire() -> (Self, Vec<Receiver<Job>>) {
        let (senders, receivers) = (0..HELPERS).map(|_| channel()).unzip();
        (Self(senders), receivers)
    }

    /// Each client has its own helper.
    pub fn send(&self, job: Job) {
        let helper = job.key.iter().map(|byte| usize::from(*byte)).sum::<usize>() % self.0.len();
        // It is gone if a fault has ended everything.
        let _ = self.0[helper].send(job);
    }
}

/// Does what comes.
pub fn help(crowd: &Crowd, jobs: Receiver<Job>) {
    let mut peer = None;
    for job in jobs {
        let mut tries = 0;
        while let Err(fault) = run(crowd, &mut peer, &job) {
            peer = None;
            tries += 1;
            if tries == TRIES || !crowd.weather().loses_connections() {
                return crowd.fault(format!("a helper with {job:?}: {fault}"));
            }
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }
}

/// As a full user, who may push to all.
fn run(crowd: &Crowd, peer: &mut Option<Peer>, job: &Job) -> Result<(), String> {
    let me = Me { number: 8 };
    let peer = match peer {
        Some(peer) => peer,
        None => peer.insert(crowd.field.connect(me).map_err(|error| error.to_string())?),
    };
    let key = String::from_utf8_lossy(&job.key);
    let database = job.database.to_string();
    let word = match job.errand {
        Errand::Push => "RPUSH",
        Errand::Publish => "PUBLISH",
    };
    let mut bytes = request(&["SELECT", &database]);
    bytes.extend(request(&["ECHO", &job.text]));
    bytes.extend(request(&[word, &key, &job.text]));
    peer.send(&bytes).map_err(|error| error.to_string())?;
    let echo = crate::reply::bulk(job.text.as_bytes());
    for wanted in [b"+OK\r\n".as_slice(), &echo, b":"] {
        let answer = peer.answer().map_err(|error| error.to_string())?;
        if !answer.starts_with(wanted) {
            return Err(format!("got {}", shown(&answer)));
        }
    }
    Ok(())
}
