//! What a client can ask, and the bytes of it.

use crate::bed::request;
use crate::field::{ASIDE, Me, Rights};
use crate::tag::Tag;

/// The scripts that full users run.
const GIVE_BACK: &str = "return {KEYS[1], ARGV[1]}";
const COUNT: &str = "return redis.call('INCR', KEYS[1])";
/// Its text holds a line break: one request, and two frames of a server that doesn't mind, as Redis 8.2.
const BREAK_THE_LINE: &str = "error({err='BROKEN line\\r\\n$3\\r\\nyou'})";

/// One request. `slot` is one of the client's own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    // Data that any command reads and writes.
    Set {
        slot: usize,
        tag: Tag,
        len: usize,
    },
    Swap {
        slot: usize,
        tag: Tag,
        len: usize,
    },
    Get {
        slot: usize,
    },
    Several {
        slots: [usize; 3],
    },
    Take {
        slot: usize,
    },
    Delete {
        slot: usize,
    },
    Keep {
        tag: Tag,
    },
    Kept,
    Rate {
        tag: Tag,
    },
    Rated,
    /// The ledgers: a number that is set once in the life of a connection and then only incremented, and a list that only grows.
    Begin,
    Count,
    Note {
        number: usize,
    },
    /// What others may read, and what others let one read.
    Show {
        tag: Tag,
        len: usize,
    },
    Peek {
        client: usize,
    },

    // What Redwall answers itself.
    Echo {
        tag: Tag,
    },
    Ping,
    PingText {
        tag: Tag,
    },
    Id,
    Name {
        tag: Tag,
    },
    AskName,
    Whoami,
    Auth,
    Hello {
        protocol: u8,
    },
    Quit,

    // What is refused.
    Trespass {
        client: usize,
    },
    Forbidden,
    Script,
    Unknown {
        tag: Tag,
    },
    Arity,
    Nonsense,

    // What needs another connection to the backend.
    Select {
        number: usize,
    },
    SelectTooHigh,
    Watch {
        slot: usize,
    },
    Unwatch,
    Multi,
    Exec,
    Discard,
    Pause {
        number: usize,
    },
    Await {
        tag: Tag,
    },
    Wait,
    Eval {
        tag: Tag,
    },
    EvalCount,
    BreakTheLine,
    Flush,
    Reset,
    Subscribe {
        tag: Tag,
    },
    Unsubscribe {
        tag: Tag,
    },
}

impl Op {
    /// Its name, for counting.
    pub fn kind(self) -> String {
        let shown = format!("{self:?}");
        let end = shown.find(' ').unwrap_or(shown.len());
        shown[..end].to_owned()
    }

    /// Whether it waits for something that may not come: nobody does so for a client that has left.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Pause { .. } | Self::Await { .. } | Self::Wait)
    }

    /// Its bytes, on connection `life` of client `me`.
    pub fn bytes(self, me: &Me, life: usize) -> Vec<u8> {
        let key = |what: &str| me.key(life, what);
        let slot = |slot: usize| me.key(life, &format!("s{slot}"));
        match self {
            Self::Set { slot: at, tag, len } => words(&[b"SET", &slot(at), &tag.value(len)]),
            Self::Swap { slot: at, tag, len } => {
                words(&[b"SET", &slot(at), &tag.value(len), b"GET"])
            }
            Self::Get { slot: at } => words(&[b"GET", &slot(at)]),
            Self::Several { slots: [a, b, c] } => words(&[b"MGET", &slot(a), &slot(b), &slot(c)]),
            Self::Take { slot: at } => words(&[b"GETDEL", &slot(at)]),
            Self::Delete { slot: at } => words(&[b"DEL", &slot(at)]),
            Self::Keep { tag } => words(&[b"HSET", &key("h"), b"f", &text(tag)]),
            Self::Kept => words(&[b"HGETALL", &key("h")]),
            Self::Rate { tag } => words(&[b"ZADD", &key("z"), &text(tag.number), b"m"]),
            Self::Rated => words(&[b"ZSCORE", &key("z"), b"m"]),
            Self::Begin => words(&[b"SET", &key("n"), &text(me.base(life))]),
            Self::Count => words(&[b"INCR", &key("n")]),
            Self::Note { number } => words(&[b"RPUSH", &key("log"), &text(number)]),
            Self::Show { tag, len } => words(&[b"SET", &me.public_key(), &tag.value(len)]),
            Self::Peek { client } | Self::Trespass { client } => {
                words(&[b"GET", &me.other(client).public_key()])
            }
            Self::Echo { tag } => words(&[b"ECHO", &text(tag)]),
            Self::PingText { tag } => words(&[b"PING", &text(tag)]),
            Self::Name { tag } => words(&[b"CLIENT", b"SETNAME", &text(tag)]),
            Self::Auth => request(&["AUTH", &me.user(), &me.user()]),
            Self::Hello { protocol } => request(&["HELLO", &protocol.to_string()]),
            Self::Unknown { tag } => words(&[&text(tag), b"x"]),
            Self::Select { number } => request(&["SELECT", &number.to_string()]),
            Self::Watch { slot: at } => words(&[b"WATCH", &slot(at)]),
            Self::Pause { number } => words(&[b"BLPOP", &key(&format!("q{number}")), b"0.01"]),
            Self::Await { tag } => words(&[b"BLPOP", &key(&format!("q{}", tag.number)), b"8"]),
            Self::Eval { tag } => {
                words(&[b"EVAL", GIVE_BACK.as_bytes(), b"1", &key("n"), &text(tag)])
            }
            Self::EvalCount => words(&[b"EVAL", COUNT.as_bytes(), b"1", &key("n")]),
            Self::Subscribe { tag } => words(&[b"SUBSCRIBE", &key(&format!("c{}", tag.number))]),
            Self::Unsubscribe { tag } => {
                words(&[b"UNSUBSCRIBE", &key(&format!("c{}", tag.number))])
            }
            Self::Nonsense => b"*nonsense\r\n".to_vec(),
            Self::Ping
            | Self::Id
            | Self::AskName
            | Self::Whoami
            | Self::Quit
            | Self::Forbidden
            | Self::Script
            | Self::Arity
            | Self::SelectTooHigh
            | Self::Unwatch
            | Self::Multi
            | Self::Exec
            | Self::Discard
            | Self::Wait
            | Self::BreakTheLine
            | Self::Flush
            | Self::Reset => request(self.constant()),
        }
    }

    /// The words of those that are the same for everybody.
    fn constant(self) -> &'static [&'static str] {
        match self {
            Self::Ping => &["PING"],
            Self::Id => &["CLIENT", "ID"],
            Self::AskName => &["CLIENT", "GETNAME"],
            Self::Whoami => &["ACL", "WHOAMI"],
            Self::Quit => &["QUIT"],
            Self::Forbidden => &["CONFIG", "SET", "maxmemory", "1"],
            Self::Script => &["EVAL", "return 1", "0"],
            Self::Arity => &["GET"],
            Self::SelectTooHigh => &["SELECT", "99"],
            Self::Unwatch => &["UNWATCH"],
            Self::Multi => &["MULTI"],
            Self::Exec => &["EXEC"],
            Self::Discard => &["DISCARD"],
            Self::Wait => &["WAIT", "0", "10"],
            Self::BreakTheLine => &["EVAL", BREAK_THE_LINE, "0"],
            Self::Flush => &["FLUSHDB"],
            Self::Reset => &["RESET"],
            _ => unreachable!("{self:?}"),
        }
    }
}

fn text(of: impl ToString) -> Vec<u8> {
    of.to_string().into_bytes()
}

fn words(words: &[&[u8]]) -> Vec<u8> {
    redwall::resp::OwnedRequest::new(words)
        .as_request()
        .bytes()
        .to_vec()
}
