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
    pub position: u32,
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

/// What is out of the ordinary about a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// Frames that are still to come; at least 1.
    pub frames: u32,
    /// Who hears it.
    pub audience: Audience,
    /// What it changes.
    pub effect: ReplyEffect,
}

/// As ordinary ones are: one frame for the client, which changes nothing.
impl Default for Special {
    fn default() -> Self {
        Self {
            frames: 1,
            audience: Audience::Client,
            effect: ReplyEffect::Nothing,
        }
    }
}

impl Special {
    /// As a reply has it: `None` if it is an ordinary one.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// A reply that the backend owes. There may be thousands, and nearly all are ordinary: so they are small.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// What is out of the ordinary about it, if anything is.
    pub special: Option<Box<Special>>,
    /// Whether it has a deadline.
    pub patience: Patience,
    /// When the request was forwarded.
    pub since: Instant,
    /// The request's row; `None` for Redwall's own.
    pub row: Option<CommandId>,
}

impl Awaited {
    /// Whether it is an ordinary one: an error may stand for it.
    pub fn is_ordinary(&self) -> bool {
        self.special.is_none()
    }

    /// Whether the client hears it.
    pub fn is_for_client(&self) -> bool {
        let special = self.special.as_ref();
        special.is_none_or(|special| special.audience == Audience::Client)
    }

    /// What it changes.
    pub fn effect(&self) -> ReplyEffect {
        let special = self.special.as_ref();
        special.map_or(ReplyEffect::Nothing, |special| special.effect)
    }
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

/// When those were asked for that come too late, oldest first; never empty.
#[derive(Debug, Default)]
struct Late(VecDeque<Instant>);

/// One client's replies, oldest first.
///
/// Invariant: an answer whose turn has come is written out at once, but for one that has to let a frame end which is on its way
/// to the client. So the first that is awaited is the first or the second turn. While replies are late no reply is on its way.
#[derive(Debug, Default)]
pub struct Turns {
    queue: VecDeque<Turn>,
    /// Awaited replies in the queue.
    awaited: u32,
    /// Those of them whose commands may block.
    blocking: u32,
    held: usize,
    passing: Passing,
    /// Replies that still come before all of those, but whose client has been told that they were too late; hardly ever any.
    late: Option<Box<Late>>,
    /// When the oldest that the backend owes became the oldest, or anything of it came.
    head_since: Option<Instant>,
}

impl Turns {
    /// Whether every request has its reply, and the client no frame of which the end is missing.
    pub fn is_empty(&self) -> bool {
        self.is_answered() && self.passing == Passing::Nothing && !self.is_late()
    }

    /// Whether the client has heard of every request; replies may still come that it doesn't wait for.
    pub fn is_answered(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the next reply comes too late: nobody hears it.
    pub fn is_late(&self) -> bool {
        self.late.is_some()
    }

    fn late(&self) -> usize {
        self.late.as_ref().map_or(0, |late| late.0.len())
    }

    /// Whether the client has the beginning of a frame and not its end: nothing else can be said to it.
    pub fn is_inside_frame(&self) -> bool {
        self.passing == Passing::Frame
    }

    /// Number of replies that the backend owes, late ones included.
    pub fn awaited(&self) -> usize {
        self.awaited as usize + self.late()
    }

    /// Whether a command that may block is outstanding: when the backend gets to what comes behind it, nobody knows.
    pub fn is_blocked(&self) -> bool {
        self.blocking > 0
    }

    /// Bytes of answers that wait for their turn.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes of memory that are held, as if every reply that is awaited were special.
    pub fn memory(&self) -> usize {
        let late = self.late() * size_of::<Instant>();
        let special = self.awaited as usize * size_of::<Special>();
        self.queue.capacity() * size_of::<Turn>() + special + late + self.held
    }

    /// Gives back the memory that is kept for the next turns, unless there are any.
    pub fn give_back(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// The reply that comes next from the backend, unless that one is late.
    pub fn head(&self) -> Option<&Awaited> {
        self.first().filter(|_| !self.is_late())
    }

    fn first(&self) -> Option<&Awaited> {
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
    #[inline]
    pub fn expect(&mut self, awaited: Awaited) {
        if self.awaited() == 0 {
            self.head_since = Some(awaited.since);
        }
        self.awaited += 1;
        self.blocking += u32::from(awaited.patience == Patience::Unbounded);
        self.queue.push_back(Turn::Awaited(awaited));
    }

    /// The reply that is awaited, if it is all that there is and nothing of it has come.
    pub fn only(&self) -> Option<&Awaited> {
        match self.queue.front() {
            Some(Turn::Awaited(only)) if self.queue.len() == 1 => {
                Some(only).filter(|_| !self.is_inside_frame() && !self.is_late())
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
            self.blocking -= u32::from(last.patience == Patience::Unbounded);
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

    /// The head's reply has ended, and answers whose turn has come go to `out`. Returns since when it was awaited; `None`, and nothing has
    /// happened, if anything about it is out of the ordinary: then it's a [frame](Turns::frame_ended).
    #[inline]
    pub fn ordinary_ended(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Instant> {
        if self.passing == Passing::Frame || self.is_late() {
            return None;
        }
        let since = match self.queue.front() {
            Some(Turn::Awaited(Awaited {
                special: None,
                patience: Patience::Bounded,
                since,
                ..
            })) => *since,
            Some(_) | None => return None,
        };
        self.queue.pop_front();
        self.awaited -= 1;
        self.excuse(now);
        if !matches!(self.queue.front(), Some(Turn::Awaited(_))) {
            self.write_answers(out);
        }
        Some(since)
    }

    /// A frame of the head's reply has ended. `whole` says that no more frames of it come, however many were announced.
    ///
    /// Returns what ended, if it was the reply's last frame; then writes the answers whose turn has come to `out`.
    pub fn frame_ended(&mut self, whole: Whole, now: Instant, out: &mut Vec<u8>) -> Option<Ended> {
        if self.passing == Passing::Frame {
            self.passed(out);
        }
        if let Some(since) = self.pop_late() {
            self.excuse(now);
            return Some(Ended {
                effect: ReplyEffect::Nothing,
                row: None,
                since,
            });
        }
        let Some(Turn::Awaited(head)) = self.queue.front_mut() else {
            return None;
        };
        if let Some(special) = &mut head.special {
            special.frames = special.frames.saturating_sub(1);
            if special.frames > 0 && whole == Whole::IfAnnounced {
                return None;
            }
        }
        let Some(Turn::Awaited(head)) = self.queue.pop_front() else {
            return None;
        };
        self.awaited -= 1;
        self.blocking -= u32::from(head.patience == Patience::Unbounded);
        if let Some(special) = &head.special
            && let Audience::Instead(bytes) = &special.audience
        {
            out.extend_from_slice(bytes);
        }
        self.write_answers(out);
        self.excuse(now);
        Some(Ended {
            effect: head.effect(),
            row: head.row,
            since: head.since,
        })
    }

    fn pop_late(&mut self) -> Option<Instant> {
        let late = self.late.as_mut()?;
        let since = late.0.pop_front();
        if late.0.is_empty() {
            self.late = None;
        }
        since
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

    /// When the backend must have answered the oldest request that the client waits for, given how long it may take; `None` if nothing
    /// is due.
    pub fn deadline(&self, allowed: Duration) -> Option<Instant> {
        if self.queue.is_empty() {
            return None;
        }
        match self.first() {
            Some(first) => self.due(first, allowed),
            // What the client has a beginning of must end, too.
            None => Some(self.head_since? + allowed),
        }
    }

    fn due(&self, first: &Awaited, allowed: Duration) -> Option<Instant> {
        match first.patience {
            Patience::Bounded => Some(self.head_since?.max(first.since) + allowed),
            Patience::Unbounded => None,
        }
    }

    /// No reply comes any more: `answer` stands for each. False, and nothing is changed, if one can't be answered so, or one may still be
    /// carried out of which the client was told long ago.
    pub fn answer_lost(&mut self, out: &mut Vec<u8>, answer: impl Fn(&mut Vec<u8>)) -> bool {
        let all_ordinary = self.queue.iter().all(|turn| match turn {
            Turn::Awaited(awaited) => awaited.is_ordinary(),
            Turn::Answered(_) => true,
        });
        if !all_ordinary || self.is_inside_frame() || self.is_late() {
            return false;
        }
        while let Some(Turn::Awaited(_)) = self.queue.front() {
            self.queue.pop_front();
            answer(out);
            self.write_answers(out);
        }
        (self.awaited, self.blocking) = (0, 0);
        true
    }

    /// Since when nothing has come although replies are late; `None` if none is.
    pub fn late_since(&self) -> Option<Instant> {
        self.head_since.filter(|_| self.is_late())
    }

    /// The client waits no longer for the replies that are overdue: `answer` stands for each, and what comes in its place is dropped.
    ///
    /// Returns how many they were. As an error if one can't be answered so: the client has the beginning of it, it would have changed the
    /// session, or EXEC lies behind it, which would be taken to fail.
    ///
    /// # Errors
    /// How many were answered before that.
    pub fn answer_overdue(
        &mut self,
        allowed: Duration,
        now: Instant,
        out: &mut Vec<u8>,
        answer: impl Fn(&mut Vec<u8>),
    ) -> Result<usize, usize> {
        let before = self.late();
        let is_bound = self.is_inside_frame() || self.awaits_exec();
        while let Some(first) = self.first()
            && self.due(first, allowed).is_some_and(|due| now >= due)
        {
            if is_bound || !first.is_ordinary() {
                return Err(self.late() - before);
            }
            let since = first.since;
            self.late.get_or_insert_default().0.push_back(since);
            self.queue.pop_front();
            self.awaited -= 1;
            answer(out);
            self.write_answers(out);
        }
        Ok(self.late() - before)
    }

    fn awaits_exec(&self) -> bool {
        let is_exec = |turn: &Turn| match turn {
            Turn::Awaited(awaited) => matches!(awaited.effect(), ReplyEffect::Exec(_)),
            Turn::Answered(_) => false,
        };
        self.queue.iter().any(is_exec)
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
mod tests;
