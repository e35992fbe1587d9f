//! A small server: the part of Redis that replies depend on, with rights or without. Every reply to GET tells the key and the
//! database that it was read in, so that a reply which goes astray, or a command that ran elsewhere, shows.

use std::collections::BTreeSet;

use crate::answer::hello::{self, Hello};
use crate::resp::{Protocol, encode};

/// Whether the server itself keeps clients to keys and channels that begin with `a:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// It does, as a server to which clients speak directly.
    Kept,
    /// It doesn't, and must never be asked for any other.
    Assumed,
}

/// Whether MULTI and WATCH in a transaction abort it: in Valkey they do, in Redis they don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nesting {
    Aborts,
    IsAnError,
}

/// One connection to the server.
pub(super) struct Model {
    rights: Rights,
    nesting: Nesting,
    protocol: Protocol,
    database: u32,
    queue: Option<Vec<Vec<String>>>,
    aborted: bool,
    changed: bool,
    channels: BTreeSet<String>,
    patterns: BTreeSet<String>,
    /// A transaction of several SELECTs has run of which the last failed.
    pub(super) ambiguous: bool,
}

impl Model {
    pub(super) fn new(rights: Rights, nesting: Nesting, protocol: Protocol, database: u32) -> Self {
        Self {
            rights,
            nesting,
            protocol,
            database,
            queue: None,
            aborted: false,
            changed: false,
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            ambiguous: false,
        }
    }

    fn is_held_to_subscribing(&self) -> bool {
        let subscriptions = self.channels.len() + self.patterns.len();
        self.protocol == Protocol::Resp2 && subscriptions > 0
    }

    /// What a message to `a:c` puts on the wire.
    pub(super) fn publish(&self, out: &mut Vec<u8>) {
        if self.channels.contains("a:c") {
            encode::push(out, 3, self.protocol);
            for word in ["message", "a:c", "m"] {
                encode::bulk(out, word);
            }
        }
    }

    /// Carries out one request.
    pub(super) fn on(&mut self, words: &[String], out: &mut Vec<u8>) {
        if let Some(text) = self.refusal(words) {
            self.aborted = true;
            if words[0] == "EXEC" {
                // Redis would forget what is watched here too.
                let changed = self.changed && self.is_held_to_subscribing();
                self.end();
                self.changed = changed;
                return encode::error(out, "EXECABORT");
            }
            return encode::error(out, text);
        }
        match (words[0].as_str(), self.queue.is_some()) {
            ("MULTI", false) => {
                self.queue = Some(Vec::new());
                self.aborted = false;
                encode::simple(out, "OK");
            }
            ("MULTI" | "WATCH", true) => {
                self.aborted |= self.nesting == Nesting::Aborts;
                encode::error(out, "ERR nested");
            }
            ("EXEC" | "DISCARD", false) => encode::error(out, "ERR without MULTI"),
            ("DISCARD", true) => {
                self.end();
                encode::simple(out, "OK");
            }
            ("EXEC", true) => self.exec(out),
            ("RESET", _) => {
                *self = Self::new(self.rights, self.nesting, Protocol::Resp2, 0);
                encode::simple(out, "RESET");
            }
            (_, true) => {
                if let Some(queue) = &mut self.queue {
                    queue.push(words.to_vec());
                }
                encode::simple(out, "QUEUED");
            }
            (_, false) => self.run(words, out),
        }
    }

    /// Why a request isn't even queued, in the order in which servers look.
    fn refusal(&self, words: &[String]) -> Option<&'static str> {
        let named = words.iter().skip(1);
        match (words[0].as_str(), words.len()) {
            ("NOSUCH", _) => return Some("ERR unknown"),
            ("GET", 1) | ("EXEC", 2) => return Some("ERR arity"),
            _ => {}
        }
        let keyed = matches!(
            words[0].as_str(),
            "GET" | "WATCH" | "SUBSCRIBE" | "PSUBSCRIBE"
        );
        if keyed && named.clone().any(|name| !name.starts_with("a:")) {
            assert_eq!(self.rights, Rights::Kept, "{words:?} must not come through");
            return Some("NOPERM");
        }
        let of_subscribers = words[0].ends_with("SUBSCRIBE");
        let allowed = of_subscribers || matches!(words[0].as_str(), "PING" | "RESET");
        if self.is_held_to_subscribing() && !allowed {
            return Some("ERR subscribed");
        }
        // As Redwall has it: these would make EXEC answer in other frames than were asked for.
        let never_queued = of_subscribers || words[0] == "HELLO";
        (self.queue.is_some() && never_queued).then_some("ERR in MULTI")
    }

    fn end(&mut self) {
        self.queue = None;
        self.aborted = false;
        self.changed = false;
    }

    fn exec(&mut self, out: &mut Vec<u8>) {
        let queue = self.queue.take().unwrap();
        let (aborted, changed) = (self.aborted, self.changed);
        self.end();
        if aborted {
            return encode::error(out, "EXECABORT");
        }
        if changed {
            return encode::null_array(out, self.protocol);
        }
        encode::array(out, queue.len());
        let mut selects = Vec::new();
        for words in queue {
            let begin = out.len();
            self.run(&words, out);
            if words[0] == "SELECT" {
                selects.push(out[begin]);
            }
        }
        self.ambiguous |= selects.len() > 1 && selects.last() == Some(&b'-');
    }

    fn run(&mut self, words: &[String], out: &mut Vec<u8>) {
        let argument = words.get(1).map(String::as_str);
        match words[0].as_str() {
            "GET" if argument == Some("a:failing") => encode::error(out, "ERR failed"),
            "GET" => encode::bulk(
                out,
                format!("{}@{}", argument.unwrap_or_default(), self.database),
            ),
            "LRANGE" | "BLPOP" => {
                encode::array(out, 2);
                encode::bulk(out, "message");
                encode::bulk(out, argument.unwrap_or_default());
            }
            "SELECT" => match argument.and_then(|number| number.parse().ok()) {
                Some(number @ 0..16) if argument != Some("05") => {
                    self.database = number;
                    encode::simple(out, "OK");
                }
                _ => encode::error(out, "ERR no such database"),
            },
            "WATCH" => {
                self.changed |= argument == Some("a:changing");
                encode::simple(out, "OK");
            }
            "UNWATCH" => {
                self.changed = false;
                encode::simple(out, "OK");
            }
            "PING" if self.is_held_to_subscribing() => {
                encode::array(out, 2);
                encode::bulk(out, "pong");
                encode::bulk(out, argument.unwrap_or_default());
            }
            "PING" if argument.is_none() => encode::simple(out, "PONG"),
            "PING" => encode::bulk(out, argument.unwrap_or_default()),
            "HELLO" => {
                self.protocol = match argument {
                    Some("3") => Protocol::Resp3,
                    _ => Protocol::Resp2,
                };
                let (version, id) = ("7.0.15", 7);
                hello::write(out, self.protocol, &Hello { version, id });
            }
            name => self.subscribe(name, &words[1..], out),
        }
    }

    fn subscribe(&mut self, command: &str, names: &[String], out: &mut Vec<u8>) {
        let mut names = names.to_vec();
        let leaves = command.contains("UNSUB");
        let set = match command.starts_with('P') {
            true => &mut self.patterns,
            false => &mut self.channels,
        };
        if names.is_empty() {
            names = set.iter().cloned().collect();
        }
        let mut confirm = |name: Option<&str>, count: usize| {
            encode::push(out, 3, self.protocol);
            encode::bulk(out, command.to_lowercase());
            match name {
                Some(name) => encode::bulk(out, name),
                None => encode::null(out, self.protocol),
            }
            encode::integer(out, count as i64);
        };
        if names.is_empty() {
            return confirm(None, self.channels.len() + self.patterns.len());
        }
        for name in names {
            let set = match command.starts_with('P') {
                true => &mut self.patterns,
                false => &mut self.channels,
            };
            match leaves {
                true => set.remove(&name),
                false => set.insert(name.clone()),
            };
            confirm(Some(&name), self.channels.len() + self.patterns.len());
        }
    }
}
