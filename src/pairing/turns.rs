//! One client's replies in the order of its requests: those that Redwall gives itself, and those that the backend owes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::command::CommandId;

/// Who hears a backend's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The client, byte for byte.
    Client,
    /// The client hears these bytes instead; the backend's own are dropped.
    Instead(Vec<u8>),
    /// Nobody: Redwall asked for itself.
    Nobody,
}

/// What a reply changes once it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEffect {
    /// Nothing.
    Nothing,
    /// The database number becomes this, unless the reply is an error; `None` if the request named no number.
    Select(Option<u32>),
    /// The transaction ran; its SELECT, if it had one, takes effect unless the reply is an error or null.
    Exec(Option<u32>),
    /// The reply comes in as many frames as channels were named.
    Confirmations,
    /// An error here means that session and backend no longer agree on the connection's state.
    MustSucceed,
}

/// Whether a reply may take as long as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// The backend should answer within the request deadline.
    Bounded,
    /// The command may block (BLPOP, WAIT): no deadline.
    Unbounded,
}

/// A reply that the backend owes.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// Frames that are still to come; at least 1.
    pub frames: u32,
    /// Who hears it.
    pub audience: Audience,
    /// What it changes.
    pub effect: ReplyEffect,
    /// Whether it has a deadline.
    pub patience: Patience,
    /// When the request was forwarded.
    pub since: Instant,
    /// The request's row; `None` for Redwall's own.
    pub row: Option<CommandId>,
}

/// A reply that has fully arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it changes.
    pub effect: ReplyEffect,
    /// The request's row; `None` for Redwall's own.
    pub row: Option<CommandId>,
    /// When the request was forwarded.
    pub since: Instant,
}

#[derive(Debug)]
enum Turn {
    Answered(Vec<u8>),
    Awaited(Awaited),
}

/// One client's replies, oldest first.
///
/// Invariant: the head, if any, is awaited; an answer whose turn has come is written out at once.
#[derive(Debug, Default)]
pub struct Turns {
    queue: VecDeque<Turn>,
    awaited: usize,
    held: usize,
    head_since: Option<Instant>,
}

impl Turns {
    /// Whether every request has its reply.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Number of replies that the backend owes.
    pub fn awaited(&self) -> usize {
        self.awaited
    }

    /// Bytes of answers that wait for their turn.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The reply that comes next from the backend.
    pub fn head(&self) -> Option<&Awaited> {
        match self.queue.front()? {
            Turn::Awaited(awaited) => Some(awaited),
            Turn::Answered(_) => None,
        }
    }

    /// Writes an answer of Redwall's own to `out`, or keeps it until its turn comes.
    pub fn answer(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.queue.is_empty() {
            write(out);
        } else {
            let mut answer = Vec::new();
            write(&mut answer);
            self.held += answer.len();
            self.queue.push_back(Turn::Answered(answer));
        }
    }

    /// A request has been forwarded: its reply is the last to come.
    pub fn expect(&mut self, awaited: Awaited) {
        if self.queue.is_empty() {
            self.head_since = Some(awaited.since);
        }
        self.awaited += 1;
        self.queue.push_back(Turn::Awaited(awaited));
    }

    /// A frame of the head's reply has ended. `whole` says that no more frames of it come, however many were announced.
    ///
    /// Returns what ended, if it was the reply's last frame; then writes the answers whose turn has come to `out`.
    pub fn frame_ended(&mut self, whole: Whole, now: Instant, out: &mut Vec<u8>) -> Option<Ended> {
        let Some(Turn::Awaited(head)) = self.queue.front_mut() else {
            return None;
        };
        head.frames = head.frames.saturating_sub(1);
        if head.frames > 0 && whole == Whole::IfAnnounced {
            return None;
        }
        let Some(Turn::Awaited(head)) = self.queue.pop_front() else {
            return None;
        };
        self.awaited -= 1;
        if let Audience::Instead(bytes) = &head.audience {
            out.extend_from_slice(bytes);
        }
        self.write_answers(out);
        self.head_since = (!self.queue.is_empty()).then_some(now);
        Some(Ended {
            effect: head.effect,
            row: head.row,
            since: head.since,
        })
    }

    fn write_answers(&mut self, out: &mut Vec<u8>) {
        while let Some(Turn::Answered(answer)) = self.queue.front() {
            self.held -= answer.len();
            out.extend_from_slice(answer);
            self.queue.pop_front();
        }
    }

    /// When the backend must have answered the head, given how long it may take; `None` if nothing is due.
    pub fn deadline(&self, allowed: Duration) -> Option<Instant> {
        match self.head()?.patience {
            Patience::Bounded => Some(self.head_since? + allowed),
            Patience::Unbounded => None,
        }
    }
}

/// Whether a frame ends its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It does if as many frames have come as were announced.
    IfAnnounced,
    /// It does: an error stands for all of them.
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaited(frames: u32, audience: Audience) -> Awaited {
        Awaited {
            frames,
            audience,
            effect: ReplyEffect::Nothing,
            patience: Patience::Bounded,
            since: Instant::now(),
            row: None,
        }
    }

    fn answer(turns: &mut Turns, out: &mut Vec<u8>, text: &str) {
        turns.answer(out, |out| out.extend_from_slice(text.as_bytes()));
    }

    #[test]
    fn an_answer_waits_until_the_replies_before_it_have_come() {
        let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
        answer(&mut turns, &mut out, "a");
        turns.expect(awaited(1, Audience::Client));
        answer(&mut turns, &mut out, "b");
        turns.expect(awaited(1, Audience::Client));
        answer(&mut turns, &mut out, "c");
        assert_eq!((out.as_slice(), turns.held()), (b"a".as_slice(), 2));
        assert!(
            turns
                .frame_ended(Whole::IfAnnounced, now, &mut out)
                .is_some()
        );
        assert_eq!(out, b"ab");
        assert!(
            turns
                .frame_ended(Whole::IfAnnounced, now, &mut out)
                .is_some()
        );
        assert_eq!(
            (out.as_slice(), turns.is_empty(), turns.held()),
            (b"abc".as_slice(), true, 0)
        );
    }

    #[test]
    fn a_reply_of_several_frames_ends_with_its_last_one_or_with_an_error() {
        let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
        turns.expect(awaited(2, Audience::Client));
        assert_eq!(turns.frame_ended(Whole::IfAnnounced, now, &mut out), None);
        assert!(
            turns
                .frame_ended(Whole::IfAnnounced, now, &mut out)
                .is_some()
        );
        turns.expect(awaited(2, Audience::Client));
        assert!(turns.frame_ended(Whole::Always, now, &mut out).is_some());
        assert!(turns.is_empty());
    }

    #[test]
    fn bytes_that_stand_for_a_reply_are_written_in_its_turn() {
        let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
        turns.expect(awaited(1, Audience::Client));
        turns.expect(awaited(1, Audience::Instead(b"x".to_vec())));
        answer(&mut turns, &mut out, "y");
        turns.frame_ended(Whole::IfAnnounced, now, &mut out);
        assert_eq!(out, b"");
        turns.frame_ended(Whole::IfAnnounced, now, &mut out);
        assert_eq!(out, b"xy");
    }

    #[test]
    fn a_frame_that_nobody_asked_for_ends_nothing() {
        let mut out = Vec::new();
        assert_eq!(
            Turns::default().frame_ended(Whole::Always, Instant::now(), &mut out),
            None
        );
    }

    #[test]
    fn the_deadline_runs_from_the_moment_at_which_a_request_became_the_oldest() {
        let (mut turns, mut out, allowed) = (Turns::default(), Vec::new(), Duration::from_secs(1));
        assert_eq!(turns.deadline(allowed), None);
        turns.expect(Awaited {
            patience: Patience::Unbounded,
            ..awaited(1, Audience::Client)
        });
        turns.expect(awaited(1, Audience::Client));
        assert_eq!(
            turns.deadline(allowed),
            None,
            "a blocking command has no deadline"
        );
        let unblocked = Instant::now() + Duration::from_secs(100);
        turns.frame_ended(Whole::IfAnnounced, unblocked, &mut out);
        assert_eq!(turns.deadline(allowed), Some(unblocked + allowed));
    }
}
