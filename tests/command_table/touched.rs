//! The keys that a command really touches, told by the server's own keyspace events, are among those that our grammar names.
//!
//! Servers' key specs can be fooled, so they are no judge here: the command is run, once with no key there, so that each key
//! that is read is told as missed, and once with keys of the right type, so that each key that is written is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use redwall::command::{
    Access, CommandSpec, Gate, KeyGrammar, LaneNeed, Sight, classify, keys, lane_need, rows, sight,
};
use redwall::resp::OwnedRequest;

use super::server::{Reply, Server};
use super::{Keys, Live, corpus, live, ours};

/// Words that stand for keys in the corpus, and keywords that might be taken for keys.
const NAMES: [&str; 10] = [
    "a", "b", "c", "k", "w1", "w2", "w3", "w4", "STORE", "STREAMS",
];

/// Writes to a consumer group, which servers grant to those who may read.
const WRITES_AS_READER: &str = "xreadgroup";

#[test]
fn no_command_touches_a_key_that_our_grammar_does_not_name() {
    for Live { mut server, bit } in live() {
        let mut events = Events::subscribe(&mut server);
        let (mut run, mut told) = (0, 0);
        for spec in rows() {
            if !spec.servers.contains(bit) || spec.keys == KeyGrammar::None {
                continue;
            }
            let mut requests = corpus::requests(spec);
            requests.truncate(30);
            requests.extend(corpus::random_requests(spec).into_iter().take(70));
            let named: Vec<_> = requests
                .into_iter()
                .filter_map(|words| Some((named(&words)?, words)))
                .collect();
            for there in [Vec::new(), keys_of_the_type(spec)] {
                for chunk in named.chunks(40) {
                    events.send(&mut server, &there, chunk);
                    for (named, words) in chunk {
                        let touched = events.of_one(&mut server, &there);
                        check(&server.name, spec, words, named, &touched);
                        run += 1;
                        told += usize::from(!touched.is_empty());
                    }
                }
            }
        }
        assert!(run > 5_000, "{}: only {run} were run", server.name);
        assert!(told > 1_000, "{}: only {told} of {run} told", server.name);
    }
}

/// The keys that we name, for a request that would be forwarded to a shared lane and reads no others.
fn named(words: &[String]) -> Option<Keys> {
    let owned = OwnedRequest::new(words);
    let call = classify(owned.as_request()).ok()?;
    let forwarded = call.spec.gate == Gate::Open && lane_need(&call) == LaneNeed::Shared;
    let reads_others = keys::extract(&call, &mut |_| {}).is_ok_and(|found| found.all_keys_read);
    if !forwarded || reads_others || sight(&call) != Sight::Own {
        return None;
    }
    ours(&call)
}

/// Requests that make every name a key of the type that the row works on.
fn keys_of_the_type(spec: &CommandSpec) -> Vec<Vec<&'static str>> {
    let make: &[&str] = match spec.group {
        "list" => &["RPUSH", "", "1"],
        "set" => &["SADD", "", "1"],
        "hash" => &["HSET", "", "f", "1"],
        "sorted-set" => &["ZADD", "", "1", "m"],
        "geo" => &["GEOADD", "", "1", "2", "m"],
        "stream" => &["XADD", "", "1-1", "f", "v"],
        "hyperloglog" => &["PFADD", "", "m"],
        _ if spec.name.starts_with("sort") => &["RPUSH", "", "1"],
        _ => &["SET", "", "1"],
    };
    NAMES
        .map(|name| {
            let words = make.iter();
            words
                .map(|word| if word.is_empty() { name } else { word })
                .collect()
        })
        .to_vec()
}

fn check(server: &str, spec: &CommandSpec, words: &[String], named: &Keys, touched: &[Event]) {
    let at = format!("{server}: {}", words.join(" "));
    for Event { what, key } in touched {
        let access = named.get(key);
        assert!(
            access.is_some(),
            "{at}: {what} of {key:?}, we name {named:?}"
        );
        let writes = what != "keymiss" && spec.name != WRITES_AS_READER;
        let may_write = matches!(access, Some(Access::Write | Access::ReadWrite));
        assert!(
            may_write || !writes,
            "{at}: {what} of {key:?}, we name {named:?}"
        );
    }
}

struct Event {
    what: String,
    key: String,
}

/// A connection that is told of every key that is missed, made, changed or removed.
struct Events(BufReader<UnixStream>);

impl Events {
    fn subscribe(server: &mut Server) -> Self {
        let set = server.ask(&["CONFIG", "SET", "notify-keyspace-events", "AEmn"]);
        assert_eq!(set, Reply::Status("OK".to_owned()));
        let mut connection = server.connect();
        connection
            .get_mut()
            .write_all(b"PSUBSCRIBE __keyevent@* fence\r\n")
            .unwrap();
        let mut events = Self(connection);
        events.array();
        events.array();
        events
    }

    /// For each request: makes the keys that are to be there, and runs it, between two fences.
    fn send(&self, server: &mut Server, there: &[Vec<&str>], requests: &[(Keys, Vec<String>)]) {
        for (_, words) in requests {
            server.send(&["FLUSHALL"]);
            for make in there {
                server.send(make);
            }
            server.send(&["PUBLISH", "fence", "before"]);
            server.send(words);
            server.send(&["PUBLISH", "fence", "after"]);
        }
    }

    /// What the next request touched.
    fn of_one(&mut self, server: &mut Server, there: &[Vec<&str>]) -> Vec<Event> {
        for _ in 0..there.len() + 4 {
            server.reply();
        }
        self.up_to_fence();
        self.up_to_fence()
    }

    fn up_to_fence(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let message = self.array();
            let [_, _, channel, key] = &message[..] else {
                panic!("{message:?}");
            };
            if channel == "fence" {
                return events;
            }
            let what = channel.rsplit(':').next().unwrap().to_owned();
            let key = key.clone();
            events.push(Event { what, key });
        }
    }

    /// An array of bulk strings; an integer among them counts as a string.
    fn array(&mut self) -> Vec<String> {
        let count = self.line()[1..].parse().unwrap();
        (0..count).map(|_| self.element()).collect()
    }

    fn element(&mut self) -> String {
        let line = self.line();
        if line.starts_with(':') {
            return line;
        }
        let mut bytes = vec![0; line[1..].parse::<usize>().unwrap() + 2];
        self.0.read_exact(&mut bytes).unwrap();
        bytes.truncate(bytes.len() - 2);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the server has gone away");
        line.truncate(line.len() - 2);
        line
    }
}
