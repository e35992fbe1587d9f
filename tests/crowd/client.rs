//! A client: connections one after the other, on each of which it talks in its own way and takes nothing for an answer but what it must be.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::Duration;

use crate::bed::{Peer, is_timeout};
use crate::crowd::{Crowd, Weather};
use crate::field::Me;
use crate::helpers::{Errand, Helpers, Job};
use crate::ledger::{Account, Gaps};
use crate::model::{Model, Strictness};
use crate::op::Op;
use crate::plan::{Leaving, Plan, Round};
use crate::reply::{is_message, shown};
use crate::tally::Tally;

/// So many of the last words are told of a fault.
const REMEMBERED: usize = 80;

/// How long a client waits that was refused for want of a backend.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// How long a client now and then says and reads nothing.
const DAWDLING: Duration = Duration::from_millis(30);

/// Why a connection can't go on.
enum Trouble {
    /// It was closed.
    Lost(io::Error),
    /// Something came that must not, or didn't come that must.
    Fault(String),
}

impl From<String> for Trouble {
    fn from(fault: String) -> Self {
        Self::Fault(fault)
    }
}

/// Requests on their way.
struct Batch {
    ops: Vec<Op>,
    bytes: Vec<u8>,
    /// Where each request ends in `bytes`.
    ends: Vec<usize>,
    /// Bytes that were said, and requests that were answered.
    sent: usize,
    answered: usize,
}

impl Batch {
    /// Requests that were said to their end.
    fn complete(&self) -> usize {
        self.ends.partition_point(|end| *end <= self.sent)
    }
}

/// One connection.
struct Life {
    peer: Peer,
    model: Model,
    plan: Plan,
    batch: Batch,
    last: VecDeque<String>,
}

/// A client.
pub struct Client {
    me: Me,
    life: Option<Life>,
    lives: usize,
    pub accounts: Vec<Account>,
    pub tally: Tally,
}

impl Client {
    pub fn new(number: usize) -> Self {
        Self {
            me: Me { number },
            life: None,
            lives: 0,
            accounts: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Does its rounds, or as many as it can before somebody sees a fault.
    pub fn work(&mut self, crowd: &Crowd, helpers: &Helpers) {
        for _ in 0..crowd.scale.rounds {
            if crowd.is_stopped() {
                return;
            }
            let done = self.round(crowd, helpers);
            self.conclude(crowd, done);
            crowd.round_is_done();
        }
    }

    /// Leaves for good, with a word.
    pub fn leave(&mut self, crowd: &Crowd, helpers: &Helpers) {
        let Some(life) = &mut self.life else { return };
        life.adjust(crowd.weather());
        let done = life.leave(Vec::new(), Leaving::Quit, helpers);
        self.conclude(crowd, done.map(|()| Some(Leaving::Quit)));
    }

    /// What a round led to: the connection goes on, or its books are closed.
    fn conclude(&mut self, crowd: &Crowd, done: Result<Option<Leaving>, Trouble>) {
        let weather = crowd.weather();
        match done {
            Ok(None) => {}
            Ok(Some(leaving)) => {
                self.tally.left(leaving);
                self.close(weather, Some(leaving));
            }
            Err(Trouble::Lost(_)) if weather.loses_connections() => {
                self.tally.lost += 1;
                self.close(weather, None);
            }
            Err(Trouble::Lost(error)) => {
                crowd.fault(self.told(&format!("was closed though nothing was lost: {error}")));
            }
            Err(Trouble::Fault(fault)) => crowd.fault(self.told(&fault)),
        }
    }

    fn told(&self, fault: &str) -> String {
        let context = self.life.as_ref().map(Life::told).unwrap_or_default();
        let (number, life) = (self.me.number, self.lives);
        format!("client {number} life {life}: {fault}{context}")
    }

    fn close(&mut self, weather: Weather, leaving: Option<Leaving>) {
        if let Some(life) = self.life.take() {
            self.tally.doubted += usize::from(life.model.is_in_doubt());
            let Batch { answered, .. } = life.batch;
            let unanswered = &life.batch.ops[answered..life.batch.complete()];
            let doubtful = life.model.doubtful(unanswered);
            let gaps = match (weather, leaving) {
                (Weather::Restart | Weather::Stall, _) => Gaps::Possible,
                // It may not have heard that something was refused.
                (Weather::Kills, Some(Leaving::Reset)) => Gaps::Possible,
                (Weather::Calm | Weather::Kills | Weather::Freeze, _) => Gaps::None,
            };
            self.accounts
                .push(Account::close(life.model, &doubtful, gaps));
        }
    }

    /// Says how it left, if it did.
    fn round(&mut self, crowd: &Crowd, helpers: &Helpers) -> Result<Option<Leaving>, Trouble> {
        if self.life.is_none() {
            self.lives += 1;
            let mut life = Life::begin(crowd, self.me, self.lives)?;
            let beginning = life.plan.beginning();
            self.life.insert(life).exchange(beginning, helpers)?;
        }
        let Some(life) = &mut self.life else {
            return Ok(None);
        };
        life.adjust(crowd.weather());
        match life.plan.round() {
            Round::Work(ops) => {
                life.remember("works".to_owned());
                self.tally.said(&ops);
                life.exchange(ops, helpers).map(|()| None)
            }
            Round::Listen(tag, before, meanwhile) => {
                self.tally.said(&before);
                life.listen(tag, before, meanwhile, helpers)?;
                self.tally.heard += life.model.heard;
                Ok(None)
            }
            Round::Leave(ops, leaving) => {
                self.tally.said(&ops);
                life.leave(ops, leaving, helpers).map(|()| Some(leaving))
            }
        }
    }
}

impl Life {
    fn begin(crowd: &Crowd, me: Me, life: usize) -> Result<Self, Trouble> {
        let peer = crowd.field.connect(me);
        let peer = peer.map_err(|error| format!("couldn't connect: {error}"))?;
        let mut model = Model::new(me, life);
        model.strictness = crowd.weather().strictness();
        Ok(Self {
            peer,
            model,
            plan: Plan::new(crowd.seed, me, life, crowd.scale.clients),
            batch: Batch {
                ops: Vec::new(),
                bytes: Vec::new(),
                ends: Vec::new(),
                sent: 0,
                answered: 0,
            },
            last: VecDeque::new(),
        })
    }

    fn adjust(&mut self, weather: Weather) {
        self.model.strictness = weather.strictness();
    }

    /// Says `ops` and hears all answers.
    fn exchange(&mut self, ops: Vec<Op>, helpers: &Helpers) -> Result<(), Trouble> {
        self.prepare(ops);
        let all = self.batch.bytes.len();
        let refused = self.model.refused;
        self.say(0..all, helpers)?;
        self.hear_until(self.batch.ops.len())?;
        if self.model.is_in_doubt() {
            return Err(Trouble::Lost(io::ErrorKind::TimedOut.into()));
        }
        if self.model.refused > refused {
            // Else all rounds would be over before the backend is there again.
            std::thread::park_timeout(AFTER_REFUSAL);
        }
        Ok(())
    }

    fn prepare(&mut self, mut ops: Vec<Op>) {
        if self.model.strictness != Strictness::Everything {
            // Where a SELECT may be refused nobody may empty a database.
            let aside = Op::Select {
                number: crate::field::ASIDE,
            };
            ops.retain(|op| *op != Op::Flush && *op != aside);
        }
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for op in &ops {
            bytes.extend(op.bytes(&self.model.me, self.model.life));
            ends.push(bytes.len());
        }
        self.batch = Batch {
            ops,
            bytes,
            ends,
            sent: 0,
            answered: 0,
        };
    }

    /// Says a part of the batch, in pieces; hears some of the answers between them.
    fn say(&mut self, range: Range<usize>, helpers: &Helpers) -> Result<(), Trouble> {
        let mut cuts = Vec::new();
        if !range.is_empty() {
            let pieces = self.plan.dice.up_to(8);
            cuts.extend((1..pieces).map(|_| self.plan.dice.within(range.start, range.end)));
        }
        cuts.push(range.end);
        cuts.sort_unstable();
        for end in cuts {
            let complete = self.batch.complete();
            let start = std::mem::replace(&mut self.batch.sent, end);
            self.send_for_help(complete..self.batch.complete(), helpers);
            if let Err(error) = self.peer.send(&self.batch.bytes[start..end]) {
                return Err(self.last_words(error));
            }
            let complete = self.batch.complete();
            if self.plan.dice.one_in(24) {
                // Others must not feel that this one doesn't read.
                std::thread::park_timeout(DAWDLING);
            }
            if self.plan.dice.one_in(3) {
                let some = self.plan.dice.within(self.batch.answered, complete);
                self.hear_until(some)?;
            }
        }
        Ok(())
    }

    /// Whoever pushes what the client will wait for is told.
    fn send_for_help(&self, said: Range<usize>, helpers: &Helpers) {
        let database = self.batch.ops[..said.start].iter().rev();
        let mut database = database
            .filter_map(selected)
            .next()
            .unwrap_or(self.model.database());
        for op in &self.batch.ops[said] {
            database = selected(op).unwrap_or(database);
            if let Op::Await { tag } = op {
                let key = self
                    .model
                    .me
                    .key(self.model.life, &format!("q{}", tag.number));
                helpers.send(Job {
                    errand: Errand::Push,
                    database,
                    key,
                    text: tag.to_string(),
                });
            }
        }
    }

    /// Nothing more is taken. What was answered before is still heard.
    fn last_words(&mut self, error: io::Error) -> Trouble {
        match self.hear_until(self.batch.complete()) {
            Err(trouble) => trouble,
            Ok(()) => Trouble::Lost(error),
        }
    }

    fn hear_until(&mut self, answered: usize) -> Result<(), Trouble> {
        while self.batch.answered < answered {
            let op = self.batch.ops[self.batch.answered];
            let answer = self.answer(op)?;
            self.remember(format!("{op:?} -> {}", shown(&answer)));
            self.model
                .settle(op, &answer)
                .map_err(|fault| format!("{op:?} {fault}"))?;
            self.batch.answered += 1;
        }
        Ok(())
    }

    /// The next answer, which is none of the messages before it.
    fn answer(&mut self, op: Op) -> Result<Vec<u8>, Trouble> {
        loop {
            let frame = self.frame(op)?;
            if !is_message(&frame) {
                return Ok(frame);
            }
            self.remember(format!("told {}", shown(&frame)));
            self.model.hear(&frame)?;
        }
    }

    fn frame(&mut self, op: Op) -> Result<Vec<u8>, Trouble> {
        self.peer.answer().map_err(|error| match error.kind() {
            _ if is_timeout(&error) => Trouble::Fault(format!("{op:?} was not answered in time")),
            io::ErrorKind::Other => Trouble::Fault(format!("{op:?} got what isn't RESP: {error}")),
            _ => Trouble::Lost(error),
        })
    }

    fn remember(&mut self, line: String) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// What was heard last, and what should have come next.
    fn told(&self) -> String {
        let last = self.last.iter().cloned();
        let awaited = self.batch.answered..self.batch.complete();
        let next = self.batch.ops[awaited].iter().take(5);
        let next = next.map(|op| format!("{op:?} is not answered"));
        let lines = last.chain(next).map(|line| format!("\n    {line}"));
        lines.collect()
    }

    fn listen(
        &mut self,
        tag: crate::tag::Tag,
        mut before: Vec<Op>,
        meanwhile: Vec<Op>,
        helpers: &Helpers,
    ) -> Result<(), Trouble> {
        before.push(Op::Subscribe { tag });
        self.exchange(before, helpers)?;
        if !self.model.is_listening() {
            // It was refused.
            return Ok(());
        }
        self.model.heard = 0;
        helpers.send(Job {
            errand: Errand::Publish,
            database: 0,
            key: self
                .model
                .me
                .key(self.model.life, &format!("c{}", tag.number)),
            text: tag.to_string(),
        });
        // In RESP2 a subscriber may say nothing else.
        let meanwhile = match self.model.protocol {
            redwall::resp::Protocol::Resp3 => meanwhile,
            redwall::resp::Protocol::Resp2 => vec![Op::Ping, Op::PingText { tag }],
        };
        self.exchange(meanwhile, helpers)?;
        while self.model.heard == 0 {
            let frame = self.frame(Op::Subscribe { tag })?;
            self.remember(format!("told {}", shown(&frame)));
            self.model.hear(&frame)?;
        }
        let last = match self.plan.dice.one_in(4) && !self.model.me.needs_password() {
            true => Op::Reset,
            false => Op::Unsubscribe { tag },
        };
        let tag = self.plan.tag();
        self.exchange(vec![last, Op::Echo { tag }, Op::Get { slot: 0 }], helpers)
    }

    fn leave(&mut self, ops: Vec<Op>, leaving: Leaving, helpers: &Helpers) -> Result<(), Trouble> {
        let left = self.leave_by(ops, leaving, helpers);
        let only_that_is_missing = self.batch.answered + 1 >= self.batch.ops.len();
        match (left, leaving) {
            // Two frames may come of it, or one, or none.
            (Err(Trouble::Lost(_)), Leaving::BreakTheLine) if only_that_is_missing => Ok(()),
            (left, _) => left,
        }
    }

    fn leave_by(
        &mut self,
        mut ops: Vec<Op>,
        leaving: Leaving,
        helpers: &Helpers,
    ) -> Result<(), Trouble> {
        let last = match leaving {
            Leaving::Quit => Some(Op::Quit),
            Leaving::Nonsense => Some(Op::Nonsense),
            Leaving::BreakTheLine => Some(Op::BreakTheLine),
            Leaving::Torn => Some(Op::Count),
            Leaving::Goodbye | Leaving::Reset => None,
        };
        ops.extend(last);
        self.remember(format!("leaves by {leaving:?}"));
        self.prepare(ops);
        let all = self.batch.bytes.len();
        match leaving {
            Leaving::Quit | Leaving::Nonsense => {
                self.say(0..all, helpers)?;
                self.hear_until(self.batch.ops.len())?;
                self.is_closed()
            }
            Leaving::Goodbye | Leaving::Torn => {
                let end = match leaving {
                    Leaving::Torn => all - 3,
                    _ => all,
                };
                self.say(0..end, helpers)?;
                self.peer.say_goodbye();
                self.hear_until(self.batch.complete())?;
                self.is_closed()
            }
            Leaving::Reset => {
                let end = self.plan.dice.within(0, all);
                self.say(0..end, helpers)?;
                let some = self
                    .plan
                    .dice
                    .within(self.batch.answered, self.batch.complete());
                self.hear_until(some)?;
                self.break_off();
                Ok(())
            }
            Leaving::BreakTheLine => {
                self.say(0..all, helpers)?;
                self.hear_until(self.batch.ops.len())
            }
        }
    }

    /// By a reset, once it is dropped.
    fn break_off(&self) {
        let socket = socket2::SockRef::from(self.peer.socket());
        let _ = socket.set_linger(Some(Duration::ZERO));
    }

    /// The server closes, and says nothing before.
    fn is_closed(&mut self) -> Result<(), Trouble> {
        match self.peer.until_closed() {
            Ok(said) if said.is_empty() => Ok(()),
            Ok(said) => Err(Trouble::Fault(format!(
                "was told {:.300?} at the end",
                said
            ))),
            Err(error) => Err(Trouble::Fault(format!("was not let go: {error}"))),
        }
    }
}

fn selected(op: &Op) -> Option<usize> {
    match op {
        Op::Select { number } => Some(*number),
        Op::Reset => Some(0),
        _ => None,
    }
}
