//! One client's replies in the order of its requests: those that Redwall gives itself, and those that the backend owes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::command::CommandId;
use crate::resp::Protocol;

/// Turns for which memory is kept when none is left.
const KEPT_TURNS: usize = 64;

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
    /// The transaction ran; its SELECT, if it had one, takes effect unless it failed, or the whole did.
    Exec(Option<QueuedSelect>),
    /// The backend speaks this protocol from now on; an error is as with [`ReplyEffect::MustSucceed`].
    Protocol(Protocol),
    /// The reply comes in as many frames as channels were named.
    Confirmations,
    /// The connection knows of all that its client has written, unless this is an error.
    WritesKnown,
    /// An error here means that session and backend no longer agree on the connection's state.
    MustSucceed,
}

/// The last SELECT of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedSelect {
    /// Which of the queued commands it is, from 0: its reply stands there in EXEC's.
    pub position: usize,
    /// The number that it asks for.
    pub number: u32,
    /// Whether another one comes before it, so that nothing is known if this one fails.
    pub earlier: Earlier,
}

/// Whether a transaction holds a SELECT before its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It doesn't.
    None,
    /// It does.
    Some,
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

/// Whether a frame of the backend's has begun to go to the client and not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Passing {
    #[default]
    Nothing,
    Frame,
}

/// One client's replies, oldest first.
///
/// Invariant: an answer whose turn has come is written out at once, but for one that has to let a frame end which is on its way
/// to the client. So the first that is awaited is the first or the second turn.
#[derive(Debug, Default)]
pub struct Turns {
    queue: VecDeque<Turn>,
    awaited: usize,
    /// Awaited replies of commands that may block.
    blocking: usize,
    held: usize,
    passing: Passing,
    head_since: Option<Instant>,
}

impl Turns {
    /// Whether every request has its reply, and the client no frame of which the end is missing.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.passing == Passing::Nothing
    }

    /// Whether the client has the beginning of a frame and not its end: nothing else can be said to it.
    pub fn is_inside_frame(&self) -> bool {
        self.passing == Passing::Frame
    }

    /// Number of replies that the backend owes.
    pub fn awaited(&self) -> usize {
        self.awaited
    }

    /// Whether a command that may block is outstanding: when the backend gets to what comes behind it, nobody knows.
    pub fn is_blocked(&self) -> bool {
        self.blocking > 0
    }

    /// Bytes of answers that wait for their turn.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes of memory that are held.
    pub fn memory(&self) -> usize {
        self.queue.capacity() * size_of::<Turn>() + self.held
    }

    /// Gives back the memory that is kept for the next turns, unless there are any.
    pub fn give_back(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// The reply that comes next from the backend.
    pub fn head(&self) -> Option<&Awaited> {
        self.queue.iter().find_map(|turn| match turn {
            Turn::Awaited(awaited) => Some(awaited),
            Turn::Answered(_) => None,
        })
    }

    /// Writes an answer of Redwall's own to `out`, or keeps it until its turn comes.
    pub fn answer(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut answer = Vec::new();
        match self.queue.back_mut() {
            None if self.passing == Passing::Nothing => return write(out),
            // Answers in a row are kept as one, so that memory follows their bytes, however many there are.
            Some(Turn::Answered(last)) => {
                let before = last.len();
                write(last);
                self.held += last.len() - before;
                return;
            }
            None | Some(Turn::Awaited(_)) => write(&mut answer),
        }
        self.held += answer.len();
        self.queue.push_back(Turn::Answered(answer));
    }

    /// A request has been forwarded: its reply is the last to come.
    pub fn expect(&mut self, awaited: Awaited) {
        if self.awaited == 0 {
            self.head_since = Some(awaited.since);
        }
        self.awaited += 1;
        self.blocking += usize::from(awaited.patience == Patience::Unbounded);
        self.queue.push_back(Turn::Awaited(awaited));
    }

    /// The reply that is awaited, if it is all that there is and nothing of it has come.
    pub fn only(&self) -> Option<&Awaited> {
        match self.queue.front() {
            Some(Turn::Awaited(only)) if self.queue.len() == 1 && !self.is_inside_frame() => {
                Some(only)
            }
            Some(_) | None => None,
        }
    }

    /// The last request that was forwarded was cut off on its way: its reply will never come.
    pub fn cut_off(&mut self) {
        if let Some(Turn::Awaited(_)) = self.queue.back()
            && let Some(Turn::Awaited(last)) = self.queue.pop_back()
        {
            self.awaited -= 1;
            self.blocking -= usize::from(last.patience == Patience::Unbounded);
        }
    }

    /// The head's reply is on its way, or isn't late by the backend's fault: its time begins anew.
    pub fn excuse(&mut self, now: Instant) {
        self.head_since = Some(now);
    }

    /// A piece of a frame goes to the client.
    pub fn passes(&mut self) {
        self.passing = Passing::Frame;
    }

    /// A frame has ended that answers nothing: what had to wait for its end goes to `out`.
    pub fn passed(&mut self, out: &mut Vec<u8>) {
        self.passing = Passing::Nothing;
        self.write_answers(out);
    }

    /// A frame of the head's reply has ended. `whole` says that no more frames of it come, however many were announced.
    ///
    /// Returns what ended, if it was the reply's last frame; then writes the answers whose turn has come to `out`.
    pub fn frame_ended(&mut self, whole: Whole, now: Instant, out: &mut Vec<u8>) -> Option<Ended> {
        self.passed(out);
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
        self.blocking -= usize::from(head.patience == Patience::Unbounded);
        if let Audience::Instead(bytes) = &head.audience {
            out.extend_from_slice(bytes);
        }
        self.write_answers(out);
        self.excuse(now);
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
        if self.queue.is_empty() && self.queue.capacity() > KEPT_TURNS {
            self.queue = VecDeque::new();
        }
    }

    /// When the backend must have answered the head, given how long it may take; `None` if nothing is due.
    pub fn deadline(&self, allowed: Duration) -> Option<Instant> {
        if self.queue.is_empty() {
            return None;
        }
        match self.head().map(|head| head.patience) {
            // What the client has a beginning of must end, too.
            Some(Patience::Bounded) | None => Some(self.head_since? + allowed),
            Some(Patience::Unbounded) => None,
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
    fn memory_of_answers_that_wait_follows_their_bytes_however_many_there_are() {
        let (mut turns, mut out) = (Turns::default(), Vec::new());
        turns.expect(awaited(1, Audience::Client));
        for _ in 0..10_000 {
            answer(&mut turns, &mut out, "+PONG\r\n");
        }
        assert_eq!((turns.queue.len(), turns.held()), (2, 70_000));
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert_eq!(
            (out.len(), turns.is_empty(), turns.held()),
            (70_000, true, 0)
        );
    }

    #[test]
    fn nothing_is_held_for_turns_to_come_once_it_is_given_back() {
        let (mut turns, mut out) = (Turns::default(), Vec::new());
        turns.expect(awaited(1, Audience::Client));
        turns.give_back();
        assert!(turns.memory() > 0 && turns.awaited() == 1);
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert!(turns.memory() > 0);
        turns.give_back();
        assert_eq!(turns.memory(), 0);
    }

    #[test]
    fn a_request_that_is_cut_off_leaves_its_turn_to_what_comes_next() {
        let (mut turns, mut out) = (Turns::default(), Vec::new());
        turns.expect(awaited(1, Audience::Client));
        turns.expect(awaited(1, Audience::Client));
        turns.cut_off();
        answer(&mut turns, &mut out, "x");
        turns.cut_off();
        assert_eq!((turns.awaited(), turns.held()), (1, 1));
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert_eq!(out, b"x");
    }

    #[test]
    fn nothing_is_known_to_be_next_while_a_command_may_block() {
        let (mut turns, mut out) = (Turns::default(), Vec::new());
        turns.expect(awaited(1, Audience::Client));
        assert!(!turns.is_blocked());
        turns.expect(Awaited {
            patience: Patience::Unbounded,
            ..awaited(1, Audience::Client)
        });
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert!(turns.is_blocked());
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert!(!turns.is_blocked());
    }

    #[test]
    fn an_answer_never_stands_inside_a_frame() {
        let (mut turns, mut out) = (Turns::default(), b"begin".to_vec());
        turns.passes();
        answer(&mut turns, &mut out, "a");
        assert!(!turns.is_empty() && turns.is_inside_frame());
        turns.expect(awaited(1, Audience::Client));
        answer(&mut turns, &mut out, "b");
        assert!(turns.head().is_some() && turns.deadline(Duration::ZERO).is_some());
        out.extend_from_slice(b"end");
        turns.passed(&mut out);
        assert_eq!(out, b"beginenda");
        turns.frame_ended(Whole::Always, Instant::now(), &mut out);
        assert_eq!(
            (out.as_slice(), turns.is_empty()),
            (b"beginendab".as_slice(), true)
        );
    }

    #[test]
    fn a_reply_that_is_on_its_way_is_not_late() {
        let (mut turns, allowed) = (Turns::default(), Duration::from_secs(1));
        turns.excuse(Instant::now());
        assert_eq!(turns.deadline(allowed), None);
        turns.expect(awaited(1, Audience::Client));
        let later = Instant::now() + Duration::from_secs(100);
        turns.excuse(later);
        assert_eq!(turns.deadline(allowed), Some(later + allowed));
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
