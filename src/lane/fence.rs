//! A fence: an echo of a text that nobody else can know, by which is seen that replies are still in step.

use super::shared::SharedFault;
use crate::resp::{Frame, encode};

/// Bytes of the secret that a connection's texts begin with.
const SECRET: usize = 16;

/// Answers by which a backend says that it can't look at the request now; they are as good as an echo, for whose place is taken.
const NEUTRAL: [&[u8]; 3] = [b"BUSY", b"LOADING", b"MASTERDOWN"];

/// The fences of one connection, one at a time.
#[derive(Debug)]
pub(super) struct Fence {
    secret: String,
    number: u64,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The echo of `number` is owed; so much of it has come.
    Owed(Vec<u8>),
}

impl Fence {
    pub(super) fn new() -> Self {
        let mut secret = [0; SECRET];
        // Without randomness the texts are still this connection's own count, which no client sees.
        let _ = rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut secret);
        Self {
            secret: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            number: 0,
            state: State::Idle,
        }
    }

    fn text(&self) -> String {
        format!("{}:{}", self.secret, self.number)
    }

    /// The next fence's request; `None` while the last one's answer is owed.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        if self.state != State::Idle {
            return None;
        }
        self.number += 1;
        self.state = State::Owed(Vec::new());
        let mut request = Vec::new();
        encode::command(&mut request, &[b"ECHO", self.text().as_bytes()]);
        Some(request)
    }

    /// Some bytes of the answer have come.
    ///
    /// # Errors
    /// [`SharedFault::Fence`]: more than the answer can have.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<(), SharedFault> {
        match &mut self.state {
            State::Owed(heard) if heard.len() + bytes.len() <= 1024 => {
                heard.extend_from_slice(bytes);
                Ok(())
            }
            State::Owed(_) | State::Idle => Err(SharedFault::Fence),
        }
    }

    /// The answer has ended.
    ///
    /// # Errors
    /// [`SharedFault::Fence`]: it isn't the echo of what was asked for.
    pub(super) fn ended(&mut self, frame: &Frame) -> Result<(), SharedFault> {
        let State::Owed(heard) = std::mem::replace(&mut self.state, State::Idle) else {
            return Err(SharedFault::Fence);
        };
        let mut echo = Vec::new();
        encode::bulk(&mut echo, self.text().as_bytes());
        match heard == echo || (frame.is_error() && NEUTRAL.contains(&frame.label())) {
            true => Ok(()),
            false => Err(SharedFault::Fence),
        }
    }
}
