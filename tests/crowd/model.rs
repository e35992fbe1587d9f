//! What a client knows of its own keys and of its connection, and what each answer must therefore be.

mod want;

use std::collections::HashMap;

use redwall::resp::Protocol;

use crate::field::{DATABASES, Me};
use crate::op::Op;
use crate::reply::{self, bulk, null, null_array, shown};
use crate::tag::Tag;
use want::{begins, is};

/// What Redwall says in place of a reply while it has no backend, and the backend while it isn't ready: nothing was done.
const REFUSALS: [&[u8]; 3] = [
    b"-ERR backend unavailable\r\n",
    b"-LOADING ",
    // The backend wasn't ready for what goes before a WAIT.
    b"-ERR the backend did not let Redwall make sure that WAIT counts",
];

/// What Redwall says in place of a reply that doesn't come in time: whether anything was done, nobody knows.
const TIMEOUT: &[u8] = b"-ERR backend timeout\r\n";

/// What is taken for an answer though it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// Nothing.
    Everything,
    /// What can't be had for want of a backend may be refused, and what is waited for may be missing.
    RefusalsTaken,
    /// The same, and a reply may not come in time.
    TimeoutsTaken,
}

/// A transaction that is being queued.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    pub queued: Vec<Op>,
    pub aborted: bool,
}

/// What one connection's client knows.
pub struct Model {
    pub me: Me,
    pub life: usize,
    pub strictness: Strictness,
    pub protocol: Protocol,
    database: usize,
    id: Option<usize>,
    name: Option<Tag>,
    strings: HashMap<(usize, usize), (Tag, usize)>,
    kept: HashMap<usize, Tag>,
    rated: HashMap<usize, usize>,
    /// By database: what is counted from, increments that were answered, and notes.
    pub base: [usize; DATABASES],
    pub counted: [usize; DATABASES],
    pub noted: [Vec<usize>; DATABASES],
    pub transaction: Option<Transaction>,
    watched: Vec<(usize, usize)>,
    broken: bool,
    listening: Option<Tag>,
    pub heard: usize,
    /// Requests that were refused for want of a backend.
    pub refused: usize,
    /// The request whose reply didn't come in time, and those behind it, answered or not.
    doubtful: Vec<Op>,
}

impl Model {
    pub fn new(me: Me, life: usize) -> Self {
        Self {
            me,
            life,
            strictness: Strictness::Everything,
            protocol: Protocol::Resp2,
            database: 0,
            id: None,
            name: None,
            strings: HashMap::new(),
            kept: HashMap::new(),
            rated: HashMap::new(),
            base: [0; DATABASES],
            counted: [0; DATABASES],
            noted: Default::default(),
            transaction: None,
            watched: Vec::new(),
            broken: false,
            listening: None,
            heard: 0,
            refused: 0,
            doubtful: Vec::new(),
        }
    }

    pub fn database(&self) -> usize {
        self.database
    }

    pub fn is_listening(&self) -> bool {
        self.listening.is_some()
    }

    /// Whether a transaction of the client's can fail because of a watched key, as far as is known.
    pub fn watches(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Takes `answer` as that to `op`, if it can be.
    pub fn settle(&mut self, op: Op, answer: &[u8]) -> Result<(), String> {
        self.is_not_anothers(op, answer)?;
        let doubts = self.strictness == Strictness::TimeoutsTaken && answer == TIMEOUT;
        if doubts || self.is_in_doubt() {
            self.doubtful.push(op);
            return in_doubt(op, answer);
        }
        let refused = REFUSALS.iter().any(|refusal| answer.starts_with(refusal));
        if refused && self.strictness >= Strictness::RefusalsTaken {
            self.refused += 1;
            if let Some(transaction) = &mut self.transaction {
                transaction.aborted = true;
            }
            return Ok(());
        }
        match self.transaction.take() {
            Some(transaction) => self.settle_queued(transaction, op, answer),
            None => self.settle_now(op, answer),
        }
    }

    /// Whether it is unknown what was done, from some request on.
    pub fn is_in_doubt(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// What may have been done, or not, if `unanswered` was said last.
    pub fn doubtful(&self, unanswered: &[Op]) -> Vec<Op> {
        [&self.doubtful, unanswered].concat()
    }

    /// A message of a subscription has come.
    pub fn hear(&mut self, message: &[u8]) -> Result<(), String> {
        let Some(tag) = self.listening else {
            return Err(format!("heard {} and listens to nothing", shown(message)));
        };
        let channel = self.channel(tag);
        let text = bulk(tag.to_string().as_bytes());
        let wanted = reply::told(&[bulk(b"message"), bulk(&channel), text], self.protocol);
        self.heard += 1;
        is(&wanted, message)
    }

    fn is_not_anothers(&self, op: Op, answer: &[u8]) -> Result<(), String> {
        if matches!(op, Op::Peek { .. } | Op::Exec) {
            return Ok(());
        }
        let mut tags = Tag::all_in(answer);
        match tags.find(|tag| tag.client != self.me.number || tag.life != self.life) {
            Some(tag) => Err(format!("got what belongs to {tag}: {}", shown(answer))),
            None => Ok(()),
        }
    }

    fn settle_queued(
        &mut self,
        mut transaction: Transaction,
        op: Op,
        answer: &[u8],
    ) -> Result<(), String> {
        match op {
            Op::Exec => return self.settle_exec(transaction, answer),
            Op::Discard => {
                self.unwatch();
                return is(b"+OK\r\n", answer);
            }
            Op::Reset => return self.settle_now(op, answer),
            Op::Id
            | Op::Trespass { .. }
            | Op::Forbidden
            | Op::Script
            | Op::Unknown { .. }
            | Op::Arity => {
                transaction.aborted = true;
                self.transaction = Some(transaction);
                return match op {
                    Op::Id => is(b"-ERR Command not allowed inside a transaction\r\n", answer),
                    _ => self.settle_now(op, answer),
                };
            }
            _ => transaction.queued.push(op),
        }
        self.transaction = Some(transaction);
        is(b"+QUEUED\r\n", answer)
    }

    fn settle_exec(&mut self, transaction: Transaction, answer: &[u8]) -> Result<(), String> {
        let broken = std::mem::take(&mut self.broken);
        self.watched.clear();
        if transaction.aborted {
            return begins("-EXECABORT ", answer);
        }
        if broken {
            return is(&null_array(self.protocol), answer);
        }
        let elements = reply::elements(answer)
            .filter(|elements| elements.len() == transaction.queued.len())
            .ok_or_else(|| format!("EXEC of {:?} got {}", transaction.queued, shown(answer)))?;
        for (op, element) in transaction.queued.into_iter().zip(elements) {
            self.is_not_anothers(op, element)?;
            let want = self.want(op);
            self.compare(want, element)
                .map_err(|fault| format!("{op:?} in EXEC: {fault}"))?;
        }
        Ok(())
    }

    fn settle_now(&mut self, op: Op, answer: &[u8]) -> Result<(), String> {
        let want = self.want(op);
        self.compare(want, answer)
    }

    fn channel(&self, tag: Tag) -> Vec<u8> {
        self.me.key(self.life, &format!("c{}", tag.number))
    }

    fn read(&self, slot: usize) -> Vec<u8> {
        match self.strings.get(&(self.database, slot)) {
            Some((tag, len)) => bulk(&tag.value(*len)),
            None => null(self.protocol),
        }
    }

    fn write(&mut self, slot: usize, tag: Tag, len: usize) {
        self.strings.insert((self.database, slot), (tag, len));
        self.touch(slot);
    }

    /// How many there were.
    fn remove(&mut self, slot: usize) -> usize {
        match self.strings.remove(&(self.database, slot)) {
            Some(_) => {
                self.touch(slot);
                1
            }
            None => 0,
        }
    }

    fn touch(&mut self, slot: usize) {
        self.broken |= self.watched.contains(&(self.database, slot));
    }

    fn unwatch(&mut self) {
        self.watched.clear();
        self.broken = false;
    }

    fn reset(&mut self) {
        self.unwatch();
        self.transaction = None;
        self.protocol = Protocol::Resp2;
        self.database = 0;
        self.name = None;
        self.listening = None;
    }
}

/// A late answer must not be given to what was said later.
fn in_doubt(op: Op, answer: &[u8]) -> Result<(), String> {
    match op {
        Op::Echo { tag } if answer.starts_with(b"$") => {
            is(&bulk(tag.to_string().as_bytes()), answer)
        }
        Op::Echo { .. } => match answer.starts_with(b"-") || answer == b"+QUEUED\r\n" {
            true => Ok(()),
            false => Err(format!("got {} after a timeout", shown(answer))),
        },
        _ => Ok(()),
    }
}
