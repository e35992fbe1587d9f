//! The requests that are under way on a shared connection: their bytes wait for its socket, and those of small ones stay until their
//! replies have ended, so that one can be asked again elsewhere.
//!
//! Bytes in, bytes out: no I/O, and no word about whose they are.

use std::collections::VecDeque;

/// A buffer with more room than this is given back when it is empty.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Requests for whose lengths memory is kept when there are none.
const KEPT_LENS: usize = 4 * 1024;

/// Bytes that are done with are taken out no sooner than there are so many: each time costs as much as a request.
const LEAST_DONE: usize = 4 * 1024;

/// What is kept of a request that has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its bytes, until its reply has ended.
    Bytes,
    /// Nothing.
    Nothing,
}

/// The bytes of requests, oldest first.
#[derive(Debug)]
pub(super) struct Sending {
    kept: Kept,
    bytes: Vec<u8>,
    /// How many of `bytes` the socket has taken.
    sent: usize,
    /// How many of `bytes` belong to requests whose replies have ended.
    answered: usize,
    /// The lengths of those that have none; empty if nothing is kept.
    lens: VecDeque<u32>,
}

impl Sending {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept,
            bytes: Vec::new(),
            sent: 0,
            answered: 0,
            lens: VecDeque::new(),
        }
    }

    /// Appends one whole request.
    #[inline]
    pub(super) fn put(&mut self, request: &[u8]) {
        let done = self.done();
        if done >= LEAST_DONE && done > self.bytes.len() / 2 {
            self.take_out(done);
        }
        self.bytes.extend_from_slice(request);
        if self.kept == Kept::Bytes {
            self.lens.push_back(request.len() as u32);
        }
    }

    /// Whether requests are kept until their replies have ended.
    pub(super) fn keeps(&self) -> bool {
        self.kept == Kept::Bytes
    }

    /// What the socket hasn't taken.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The socket has taken so many bytes.
    pub(super) fn took(&mut self, count: usize) {
        self.sent += count;
        self.give_back_if_done();
    }

    /// The replies of the oldest `count` requests have ended.
    pub(super) fn ended(&mut self, count: usize) {
        for _ in 0..count {
            let Some(len) = self.lens.pop_front() else {
                return;
            };
            self.answered += len as usize;
        }
        self.give_back_if_done();
    }

    /// The oldest request that has no whole reply, if it was kept.
    pub(super) fn oldest(&self) -> Option<&[u8]> {
        let len = *self.lens.front()? as usize;
        self.bytes.get(self.answered..self.answered + len)
    }

    /// Bytes at the front that nobody needs.
    fn done(&self) -> usize {
        match self.kept {
            Kept::Bytes => self.sent.min(self.answered),
            Kept::Nothing => self.sent,
        }
    }

    fn give_back_if_done(&mut self) {
        if self.done() < self.bytes.len() {
            return;
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        (self.sent, self.answered) = (0, 0);
        if self.lens.capacity() > KEPT_LENS {
            self.lens = VecDeque::new();
        }
    }

    fn take_out(&mut self, done: usize) {
        self.bytes.drain(..done);
        self.bytes.shrink_to(2 * self.bytes.len() + KEPT_CAPACITY);
        self.sent -= done;
        self.answered = self.answered.saturating_sub(done);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_memory_of_a_burst_is_given_back_when_all_is_answered() {
        for kept in [Kept::Bytes, Kept::Nothing] {
            let mut sending = Sending::new(kept);
            for _ in 0..100_000 {
                sending.put(&[b'r'; 100]);
            }
            sending.took(10_000_000);
            for _ in 0..100_000 {
                sending.ended(1);
            }
            assert!(sending.bytes.is_empty() && sending.oldest().is_none());
            assert!(sending.bytes.capacity() <= KEPT_CAPACITY);
            assert!(sending.lens.capacity() <= KEPT_LENS);
        }
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back_although_there_is_no_quiet_moment() {
        let mut sending = Sending::new(Kept::Bytes);
        for _ in 0..100_000 {
            sending.put(&[b'r'; 100]);
        }
        sending.took(10_000_000);
        for _ in 0..200_000 {
            sending.put(&[b'r'; 100]);
            sending.took(100);
            sending.ended(1);
            if sending.lens.len() > 10 {
                sending.ended(1);
            }
        }
        assert!(!sending.bytes.is_empty());
        assert!(sending.bytes.capacity() < 4 * KEPT_CAPACITY);
    }

    #[test]
    fn nothing_is_kept_of_large_requests_that_have_been_sent() {
        let mut sending = Sending::new(Kept::Nothing);
        sending.put(&[b'r'; 1000]);
        sending.put(&[b's'; 1000]);
        sending.took(1500);
        assert_eq!(sending.unsent(), [b's'; 500]);
        assert_eq!(sending.oldest(), None);
        sending.took(500);
        assert!(sending.bytes.is_empty());
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Put(u8, usize),
        Took(usize),
        Ended,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (any::<u8>(), 1_usize..3000).prop_map(|(byte, len)| Event::Put(byte, len)),
            (1_usize..6000).prop_map(Event::Took),
            Just(Event::Ended),
        ]
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_was_asked_and_the_oldest_without_a_reply_is_always_known_whole(
            events in prop::collection::vec(event(), 0..400),
            kept in prop_oneof![Just(Kept::Bytes), Just(Kept::Nothing)],
        ) {
            let mut sending = Sending::new(kept);
            let mut open: VecDeque<Vec<u8>> = VecDeque::new();
            let (mut asked, mut sent, mut answered) = (Vec::new(), Vec::new(), 0);
            for event in events {
                match event {
                    Event::Put(byte, len) => {
                        let request: Vec<u8> = (0..len).map(|at| byte.wrapping_add(at as u8)).collect();
                        sending.put(&request);
                        asked.extend_from_slice(&request);
                        open.push_back(request);
                        let done = match kept {
                            Kept::Bytes => sent.len().min(answered),
                            Kept::Nothing => sent.len(),
                        };
                        prop_assert!(sending.bytes.len() <= 2 * (asked.len() - done) + LEAST_DONE);
                    }
                    Event::Took(most) => {
                        let count = most.min(sending.unsent().len());
                        sent.extend_from_slice(&sending.unsent()[..count]);
                        sending.took(count);
                    }
                    // An answer may come before all of its request has been sent.
                    Event::Ended => {
                        answered += open.pop_front().map_or(0, |request| request.len());
                        sending.ended(1);
                    }
                }
                let oldest = open.front().filter(|_| kept == Kept::Bytes);
                prop_assert_eq!(sending.oldest(), oldest.map(Vec::as_slice));
                prop_assert_eq!(&asked[sent.len()..], sending.unsent());
            }
        }
    }
}
