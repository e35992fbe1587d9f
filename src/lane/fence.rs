//! A fence: an echo of a text that nobody else can know, by which is seen that replies are still in step.

use super::shared_fault::SharedFault;
use crate::resp::{Frame, encode};

/// Bytes of the secret that a connection's texts begin with.
const SECRET: usize = 16;

/// Bytes of an answer, at most: an echo is shorter, and so is an error.
const MAX_ANSWER: usize = 1024;

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
    /// This echo is owed; so much of the answer has come.
    Owed {
        echo: Vec<u8>,
        heard: Vec<u8>,
    },
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

    /// Whether this reply is the echo that is owed.
    pub(super) fn is_echo(&self, reply: &[u8]) -> bool {
        matches!(&self.state, State::Owed { echo, .. } if echo == reply)
    }

    /// The next fence's request; `None` while the last one's answer is owed.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        if self.state != State::Idle {
            return None;
        }
        self.number += 1;
        let text = format!("{}:{}", self.secret, self.number);
        let (mut request, mut echo) = (Vec::new(), Vec::new());
        encode::command(&mut request, &[b"ECHO", text.as_bytes()]);
        encode::bulk(&mut echo, text.as_bytes());
        let heard = Vec::new();
        self.state = State::Owed { echo, heard };
        Some(request)
    }

    /// Some bytes of the answer have come.
    ///
    /// # Errors
    /// [`SharedFault::Fence`]: more than the answer can have.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<(), SharedFault> {
        match &mut self.state {
            State::Owed { heard, .. } if heard.len() + bytes.len() <= MAX_ANSWER => {
                heard.extend_from_slice(bytes);
                Ok(())
            }
            State::Owed { .. } | State::Idle => Err(SharedFault::Fence),
        }
    }

    /// The answer has ended.
    ///
    /// # Errors
    /// [`SharedFault::Fence`]: it isn't the echo of what was asked for.
    pub(super) fn ended(&mut self, frame: &Frame) -> Result<(), SharedFault> {
        let State::Owed { echo, heard } = std::mem::replace(&mut self.state, State::Idle) else {
            return Err(SharedFault::Fence);
        };
        match heard == echo || (frame.is_error() && NEUTRAL.contains(&frame.label())) {
            true => Ok(()),
            false => Err(SharedFault::Fence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::ReplyScanner;

    fn answered(fence: &mut Fence, answer: &[u8]) -> Result<(), SharedFault> {
        let frame = ReplyScanner::new().advance(answer).unwrap().end.unwrap();
        // In pieces, as it may come.
        for byte in answer.chunks(3) {
            fence.hear(byte)?;
        }
        fence.ended(&frame)
    }

    /// The echo of a request `*2 $4 ECHO $n text`.
    fn echo_of(request: &[u8]) -> Vec<u8> {
        request[b"*2\r\n$4\r\nECHO\r\n".len()..].to_vec()
    }

    #[test]
    fn only_its_own_echo_answers_a_fence_and_what_says_that_none_can_be_had_now() {
        let mut fence = Fence::new();
        let first = fence.next().unwrap();
        assert_eq!(fence.next(), None, "one at a time");
        assert_eq!(answered(&mut fence, &echo_of(&first)), Ok(()));
        let second = fence.next().unwrap();
        assert_ne!(first, second);
        let late = answered(&mut fence, &echo_of(&first));
        assert_eq!(late, Err(SharedFault::Fence), "the one before");
        for (answer, expected) in [
            (b"-BUSY a script\r\n".as_slice(), Ok(())),
            (b"-LOADING data\r\n", Ok(())),
            (b"-ERR BUSY\r\n", Err(SharedFault::Fence)),
            (b"+OK\r\n", Err(SharedFault::Fence)),
        ] {
            fence.next().unwrap();
            assert_eq!(answered(&mut fence, answer), expected);
        }
        assert_eq!(
            answered(&mut fence, b"+OK\r\n"),
            Err(SharedFault::Fence),
            "nothing is owed"
        );
    }

    #[test]
    fn an_echo_that_comes_for_somebody_else_is_recognised_while_it_is_owed() {
        let mut fence = Fence::new();
        let echo = echo_of(&fence.next().unwrap());
        assert!(fence.is_echo(&echo) && !fence.is_echo(b"$1\r\nx\r\n"));
        answered(&mut fence, &echo).unwrap();
        assert!(!fence.is_echo(&echo));
    }
}
