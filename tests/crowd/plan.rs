//! What a client says next: chance, but the same from the same seed.

use crate::dice::Dice;
use crate::field::{ASIDE, DATABASES, Me, Rights, USERS};
use crate::op::Op;
use crate::tag::Tag;

/// Keys of short values, and one key of large ones.
const SLOTS: usize = 6;
const LARGE: usize = 9;

/// Most requests that are said at once.
const AT_ONCE: usize = 200;

/// Requests that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Plain,
    Own,
    Refused,
    Select,
    Transaction,
    Pause,
    Await,
    Hello,
    Reset,
    Large,
    Wait,
    Script,
}

/// All parts, with how often of a hundred times.
const PARTS: [(Part, usize); 12] = [
    (Part::Plain, 56),
    (Part::Own, 12),
    (Part::Refused, 5),
    (Part::Select, 5),
    (Part::Transaction, 6),
    (Part::Pause, 1),
    (Part::Await, 1),
    (Part::Hello, 2),
    (Part::Reset, 1),
    (Part::Large, 2),
    (Part::Wait, 1),
    (Part::Script, 8),
];

impl Part {
    /// Whether it can travel on a connection that others use too.
    fn may_share(self) -> bool {
        match self {
            Self::Plain | Self::Own | Self::Refused | Self::Select | Self::Hello => true,
            Self::Transaction | Self::Pause | Self::Await => false,
            // But for the largest, which take a client away for a while.
            Self::Large => true,
            Self::Reset | Self::Wait | Self::Script => false,
        }
    }
}

/// What a client is like on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    /// It does what can be done on connections that others use too.
    Steady,
    /// It does everything.
    Restless,
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    Quit,
    /// It says goodbye while replies are outstanding, and hears them all.
    Goodbye,
    /// The same, in the middle of a request.
    Torn,
    /// It breaks off while replies are outstanding.
    Reset,
    /// It says what isn't a request.
    Nonsense,
    /// It has a script answer with two frames in place of one.
    BreakTheLine,
}

impl Leaving {
    pub const ALL: [Self; 6] = [
        Self::Quit,
        Self::Goodbye,
        Self::Torn,
        Self::Reset,
        Self::Nonsense,
        Self::BreakTheLine,
    ];
}

/// What a client does in a round.
pub enum Round {
    Work(Vec<Op>),
    /// It subscribes, hears a message while it says the second, and leaves the channel.
    Listen(Tag, Vec<Op>, Vec<Op>),
    Leave(Vec<Op>, Leaving),
}

/// The plan of one connection.
pub struct Plan {
    pub me: Me,
    life: usize,
    clients: usize,
    /// The parts that it may have, by name; empty means all.
    only: String,
    temper: Temper,
    pub dice: Dice,
    said: usize,
}

impl Plan {
    pub fn new(seed: u64, me: Me, life: usize, clients: usize) -> Self {
        let mut dice = Dice::of(&[seed, me.number as u64, life as u64]);
        Self {
            me,
            life,
            clients,
            temper: dice.pick(&[Temper::Steady, Temper::Steady, Temper::Restless]),
            only: std::env::var("CROWD_ONLY").unwrap_or_default(),
            dice,
            said: 0,
        }
    }

    pub fn tag(&mut self) -> Tag {
        self.said += 1;
        Tag {
            client: self.me.number,
            life: self.life,
            number: self.said,
        }
    }

    /// What is said first on a connection.
    pub fn beginning(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        ops.extend(self.me.needs_password().then_some(Op::Auth));
        ops.extend([Op::Whoami, Op::Id]);
        if self.dice.one_in(3) {
            ops.push(Op::Hello { protocol: 3 });
        }
        for number in (0..DATABASES).rev() {
            ops.extend([Op::Select { number }, Op::Begin]);
        }
        ops
    }

    pub fn round(&mut self) -> Round {
        match self.dice.below(24) {
            0..3 => {
                let leaving = self.leaving();
                let mut ops = self.batch();
                if leaving != Leaving::Reset {
                    ops.retain(|op| !op.blocks());
                }
                Round::Leave(ops, leaving)
            }
            3..5 if self.temper == Temper::Restless && self.allows("Listen") => {
                let tag = self.tag();
                let before = self.batch();
                let meanwhile = (0..self.dice.up_to(12)).map(|_| self.plain());
                Round::Listen(tag, before, meanwhile.collect())
            }
            _ => Round::Work(self.batch()),
        }
    }

    pub fn leaving(&mut self) -> Leaving {
        match (self.dice.pick(&Leaving::ALL), self.me.rights()) {
            // The few who may run scripts make up for the others.
            (_, Rights::Full) if self.dice.one_in(3) => Leaving::BreakTheLine,
            (Leaving::BreakTheLine, Rights::OwnKeys | Rights::OwnKeysAndShown) => Leaving::Reset,
            (leaving, _) => leaving,
        }
    }

    fn allows(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.split(',').any(|only| only == name)
    }

    /// Requests that are said at once.
    fn batch(&mut self) -> Vec<Op> {
        let about = self.dice.up_to(AT_ONCE);
        let mut ops = Vec::new();
        while ops.len() < about {
            let part = self.part();
            self.write(part, &mut ops);
        }
        ops
    }

    fn part(&mut self) -> Part {
        let mut at = self.dice.below(100);
        for (part, often) in PARTS {
            if at < often {
                let likes = part.may_share() || self.temper == Temper::Restless;
                let allowed = likes && self.allows(&format!("{part:?}"));
                return if allowed { part } else { Part::Plain };
            }
            at -= often;
        }
        unreachable!("all parts together are a hundred")
    }

    fn write(&mut self, part: Part, ops: &mut Vec<Op>) {
        match part {
            Part::Plain => ops.push(self.plain()),
            Part::Own => ops.push(self.own()),
            Part::Refused => ops.push(self.refused()),
            Part::Select => ops.push(self.select()),
            Part::Transaction => self.transaction(ops),
            Part::Pause => ops.push(Op::Pause {
                number: self.tag().number,
            }),
            Part::Await => {
                let tag = self.tag();
                ops.extend([self.select(), Op::Await { tag }]);
            }
            Part::Hello => ops.push(Op::Hello {
                protocol: self.dice.pick(&[2, 2, 3]),
            }),
            Part::Reset => {
                ops.push(Op::Reset);
                ops.extend(self.me.needs_password().then_some(Op::Auth));
            }
            Part::Large => self.large(ops),
            Part::Wait => ops.push(Op::Wait),
            Part::Script => self.script(ops),
        }
    }

    fn slot(&mut self) -> usize {
        self.dice.below(SLOTS)
    }

    fn plain(&mut self) -> Op {
        let (slot, tag) = (self.slot(), self.tag());
        let len = self.dice.up_to(400);
        match self.dice.below(16) {
            0..2 => Op::Set { slot, tag, len },
            2 => Op::Swap { slot, tag, len },
            3..5 => Op::Get { slot },
            5 => Op::Several {
                slots: [slot, self.slot(), self.slot()],
            },
            6 => Op::Take { slot },
            7 => Op::Keep { tag },
            8 => Op::Kept,
            9 => Op::Rate { tag },
            10 => Op::Rated,
            11..13 => Op::Count,
            13 => Op::Note { number: tag.number },
            14 => Op::Show { tag, len },
            _ => self.read_another(),
        }
    }

    /// Half of the time one with the same user.
    fn read_another(&mut self) -> Op {
        let alike = self.me.number % USERS + USERS * self.dice.below(self.clients.div_ceil(USERS));
        let any = self.dice.below(self.clients);
        let client = match self.dice.one_in(2) && alike < self.clients {
            true => alike,
            false => any,
        };
        match self.me.may_read(self.me.other(client)) {
            true => Op::Peek { client },
            false => Op::Trespass { client },
        }
    }

    fn own(&mut self) -> Op {
        let tag = self.tag();
        match self.dice.below(9) {
            0..3 => Op::Echo { tag },
            3 => Op::Ping,
            4 => Op::PingText { tag },
            5 => Op::Id,
            6 => Op::Name { tag },
            7 => Op::AskName,
            _ => Op::Whoami,
        }
    }

    fn refused(&mut self) -> Op {
        match self.dice.below(5) {
            0 => Op::Forbidden,
            1 if self.me.rights() != Rights::Full => Op::Script,
            2 => Op::Unknown { tag: self.tag() },
            3 => Op::SelectTooHigh,
            _ => Op::Arity,
        }
    }

    fn select(&mut self) -> Op {
        Op::Select {
            // Most are in the first one, so that many share a connection.
            number: self.dice.below(DATABASES) * self.dice.below(2),
        }
    }

    fn transaction(&mut self, ops: &mut Vec<Op>) {
        if self.dice.one_in(3) {
            let slot = self.slot();
            ops.push(Op::Watch { slot });
            ops.extend((0..self.dice.below(3)).map(|_| self.plain()));
            if self.dice.one_in(4) {
                ops.push(Op::Unwatch);
            }
        }
        ops.push(Op::Multi);
        let mut selects = false;
        for _ in 0..self.dice.up_to(8) {
            let op = match self.dice.below(16) {
                0 => self.select(),
                1 => Op::Echo { tag: self.tag() },
                2 => Op::Ping,
                3 if self.dice.one_in(2) => self.refused(),
                4 if self.dice.one_in(3) => Op::Id,
                _ => self.plain(),
            };
            // One that fails and isn't the first ends the connection: nobody could say which database is selected.
            let op = match op {
                Op::SelectTooHigh if selects => Op::Arity,
                op => op,
            };
            selects |= matches!(op, Op::Select { .. } | Op::SelectTooHigh);
            ops.push(op);
        }
        ops.push(match self.dice.below(8) {
            0 => Op::Discard,
            _ => Op::Exec,
        });
    }

    /// A value for the lane of large ones or for an own one, written, read and taken away, with others' requests between.
    fn large(&mut self, ops: &mut Vec<Op>) {
        let kib = match self.dice.below(10) {
            0..6 => self.dice.within(5, 64),
            6..9 => self.dice.within(64, 1023),
            _ => self.dice.within(1024, 2048),
        };
        let (slot, tag, len) = (LARGE, self.tag(), kib << 10);
        ops.push(Op::Set { slot, tag, len });
        ops.extend((0..self.dice.below(4)).map(|_| self.plain()));
        ops.push(Op::Get { slot });
        ops.extend((0..self.dice.below(4)).map(|_| self.plain()));
        ops.push(Op::Delete { slot });
    }

    fn script(&mut self, ops: &mut Vec<Op>) {
        if self.me.rights() != Rights::Full {
            return ops.push(self.plain());
        }
        match self.dice.below(3) {
            0 => ops.push(Op::Eval { tag: self.tag() }),
            1 => ops.push(Op::EvalCount),
            _ => ops.extend([Op::Select { number: ASIDE }, Op::Flush, self.select()]),
        }
    }
}
