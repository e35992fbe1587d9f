//! The command table beside the live servers: every command has its row, and our key grammars find the keys that the server finds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that can't go on has failed, and says what it left out"
)]

mod corpus;
#[path = "../acl_differential/server.rs"]
mod server;
mod touched;

use std::collections::{BTreeMap, BTreeSet};

use redwall::command::{
    Access, Call, Categories, CommandSpec, Flags, KeyGrammar, Servers, classify, keys, lookup, rows,
};
use redwall::resp::OwnedRequest;
use server::{Reply, Server, installed};

/// A supported server, running.
struct Live {
    server: Server,
    bit: Servers,
}

/// Every supported server that is installed; there must be one, or nothing would be compared.
fn live() -> Vec<Live> {
    let mut found = Vec::new();
    for path in installed() {
        let mut server = Server::start(&path);
        match version_bit(&mut server) {
            Some(bit) => found.push(Live { server, bit }),
            None => println!("{} is no supported version, left out", server.name),
        }
    }
    assert!(
        !found.is_empty(),
        "no supported server in .servers/ or /usr/bin: run `make servers`"
    );
    found
}

fn version_bit(server: &mut Server) -> Option<Servers> {
    let Reply::Bulk(Some(info)) = server.ask(&["INFO", "server"]) else {
        panic!("{} tells no version", server.name);
    };
    let info = String::from_utf8_lossy(&info).into_owned();
    let version = |field: &str| {
        let line = info.lines().find(|line| line.starts_with(field))?;
        Some(line[field.len()..].to_owned())
    };
    // Valkey also names the version of Redis that it is compatible with.
    match version("valkey_version:") {
        Some(valkey) if valkey.starts_with("8.1.") => Some(Servers::VALKEY_8_1),
        Some(valkey) if valkey.starts_with("9.1.") => Some(Servers::VALKEY_9_1),
        Some(_) => None,
        None => match version("redis_version:")? {
            redis if redis.starts_with("7.0.") => Some(Servers::REDIS_7_0),
            redis if redis.starts_with("8.2.") => Some(Servers::REDIS_8_2),
            _ => None,
        },
    }
}

/// What `COMMAND` says of one command or subcommand.
struct LiveRow {
    arity: i64,
    flags: Flags,
    range: (i64, i64, i64),
    categories: Categories,
}

fn live_rows(server: &mut Server) -> BTreeMap<String, LiveRow> {
    let Reply::Array(commands) = server.ask(&["COMMAND"]) else {
        panic!("{}: COMMAND is no array", server.name);
    };
    let mut found = BTreeMap::new();
    commands.iter().for_each(|reply| collect(reply, &mut found));
    found
}

fn collect(reply: &Reply, found: &mut BTreeMap<String, LiveRow>) {
    let parts = items(reply);
    let words = |index: usize| items(&parts[index]).iter().map(text);
    let row = LiveRow {
        arity: integer(&parts[1]),
        flags: Flags(words(2).fold(0, |bits, word| {
            bits | Flags::parse(&word)
                .unwrap_or_else(|| panic!("flag {word}"))
                .0
        })),
        range: (integer(&parts[3]), integer(&parts[4]), integer(&parts[5])),
        categories: words(6).fold(Categories::NONE, |set, word| {
            let one = Categories::parse(word.trim_start_matches('@').as_bytes());
            set.union(one.unwrap_or_else(|| panic!("category {word}")))
        }),
    };
    found.insert(text(&parts[0]).to_lowercase(), row);
    items(&parts[9]).iter().for_each(|sub| collect(sub, found));
}

fn items(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(value) => *value,
        other => panic!("no integer: {other:?}"),
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => text.clone(),
        Reply::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn every_live_command_has_its_row_and_every_row_its_command() {
    for Live { mut server, bit } in live() {
        let live: BTreeSet<String> = live_rows(&mut server).into_keys().collect();
        let known: BTreeSet<String> = rows()
            .iter()
            .filter(|spec| spec.servers.contains(bit))
            .map(|spec| spec.name.to_owned())
            .collect();
        let missing: Vec<_> = live.difference(&known).collect();
        let surplus: Vec<_> = known.difference(&live).collect();
        assert!(
            missing.is_empty(),
            "{}: no row for {missing:?}",
            server.name
        );
        assert!(surplus.is_empty(), "{}: has no {surplus:?}", server.name);
        assert!(live.len() > 300);
    }
}

/// Rows whose arity differs between servers; ours takes what any of them takes.
const VARYING_ARITY: [&str; 6] = [
    "cluster|replicate",
    "command|getkeys",
    "command|getkeysandflags",
    "script|debug",
    "zrank",
    "zrevrank",
];

/// Flags that a later version gave to or took from commands.
const VARYING_FLAGS: [&str; 7] = [
    "noscript",
    "blocking",
    "loading",
    "stale",
    "allow_busy",
    "no_multi",
    "skip_commandlog",
];

/// Channels that servers tell as if they were keys, so that clients of a cluster find their node.
const CHANNELS_AS_KEYS: [&str; 4] = ["spublish", "ssubscribe", "sunsubscribe", "clusterscan"];

#[test]
fn rows_say_what_the_servers_say() {
    for Live { mut server, .. } in live() {
        for (name, live) in live_rows(&mut server) {
            let row = lookup(name.as_bytes()).unwrap();
            let at = format!("{}: {name}", server.name);
            if VARYING_ARITY.contains(&&*name) {
                assert!(row.accepts(live.arity.unsigned_abs() as usize), "{at}");
            } else {
                assert_eq!(i64::from(row.arity), live.arity, "{at}");
            }
            assert!(row.flags.has(live.flags.0), "{at}: {:?}", live.flags);
            let more = Flags(row.flags.0 & !live.flags.0);
            let skips = |flag: &str| flag == "skip_slowlog" && name == "exec";
            assert!(
                more.names()
                    .all(|flag| VARYING_FLAGS.contains(&flag) || skips(flag)),
                "{at}: {:?}",
                more.names().collect::<Vec<_>>()
            );
            assert!(live.categories.contains(row.granted_by), "{at}");
            assert!(row.withdrawn_by.contains(live.categories), "{at}");
            if !CHANNELS_AS_KEYS.contains(&&*name) {
                assert_eq!(row.keys.plain_range(), live.range, "{at}");
            }
        }
    }
}

#[test]
fn categories_are_what_all_servers_grant_and_what_any_withdraws() {
    let mut seen: BTreeMap<String, (Categories, Categories)> = BTreeMap::new();
    let mut bits = 0;
    for Live { mut server, bit } in live() {
        bits |= bit.0;
        for (name, live) in live_rows(&mut server) {
            let sets = seen
                .entry(name)
                .or_insert((Categories::ALL, Categories::NONE));
            sets.0 = sets.0.without(Categories::ALL.without(live.categories));
            sets.1 = sets.1.union(live.categories);
        }
    }
    if bits != Servers::ALL.0 {
        println!("not every supported server is here: compared by bounds only");
        return;
    }
    for (name, (all, any)) in seen {
        let row = lookup(name.as_bytes()).unwrap();
        assert_eq!(row.granted_by, all, "{name}");
        assert_eq!(row.withdrawn_by, any, "{name}");
    }
}

/// Keys by name, each with all that is done with it.
type Keys = BTreeMap<String, Access>;

/// What our grammar finds; `None` where it denies.
fn ours(call: &Call<'_>) -> Option<Keys> {
    let mut found = Keys::new();
    let _read_beyond_names = keys::extract(call, &mut |key| {
        let name = call.request.arg(key.index).unwrap();
        let name = String::from_utf8_lossy(name).into_owned();
        let access = found
            .get(&name)
            .map_or(key.access, |old| both(*old, key.access));
        found.insert(name, access);
    })
    .ok()?;
    Some(found)
}

/// What the server finds; `None` where it finds an error.
fn theirs(reply: &Reply) -> Option<Keys> {
    let Reply::Array(entries) = reply else {
        return None;
    };
    let mut found = Keys::new();
    for entry in entries {
        let [name, flags] = items(entry) else {
            panic!("{entry:?}");
        };
        let name = text(name);
        let flags: Vec<String> = items(flags).iter().map(text).collect();
        let access = access(&flags);
        let access = found.get(&name).map_or(access, |old| both(*old, access));
        found.insert(name, access);
    }
    Some(found)
}

fn access(flags: &[String]) -> Access {
    let has = |flag: &str| flags.iter().any(|other| other == flag);
    let changes = has("insert") || has("update") || has("delete");
    match (has("access"), changes) {
        (true, true) => Access::ReadWrite,
        (true, false) => Access::Read,
        (false, true) => Access::Write,
        (false, false) => Access::Metadata,
    }
}

fn both(one: Access, other: Access) -> Access {
    match (one, other) {
        (Access::Metadata, more) | (more, Access::Metadata) => more,
        (Access::Read, Access::Read) => Access::Read,
        (Access::Write, Access::Write) => Access::Write,
        _ => Access::ReadWrite,
    }
}

/// Whether a user who may do `ours` may also do `theirs`.
fn asks_enough(ours: Access, theirs: Access) -> bool {
    both(ours, theirs) == ours
}

/// Rows for which ours asks more than the server, and why.
const STRICTER: [(&str, &str); 8] = [
    (
        "set",
        "IFEQ and options not known here tell whether a value matched",
    ),
    ("delifeq", "tells whether a value matched"),
    ("zadd", "INCR tells the score"),
    ("xclaim", "returns the messages that it claims"),
    ("xautoclaim", "returns the messages that it claims"),
    ("bitfield", "words that are no operation count as writing"),
    ("pfdebug", "changes how the value is stored"),
    ("sinterstore", "Redis 7.0 says that it updates in place"),
];

/// Rows for which servers take a keyword for one although it stands where a value is expected, or find fewer keys than there are
/// where a keyword is missing: in random words they prove nothing, so these rows are compared by well-formed requests.
const FOOLED: [&str; 5] = [
    "georadius",
    "georadiusbymember",
    "migrate",
    "xread",
    "xreadgroup",
];

/// Compares one request. Returns whether both sides found keys.
fn compare(at: &str, spec: &CommandSpec, ours: Option<Keys>, theirs: Option<Keys>) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return false;
    };
    for (key, access) in &theirs {
        let found = ours.get(key);
        assert!(
            found.is_some_and(|found| asks_enough(*found, *access)),
            "{at}: we find {ours:?}, the server {theirs:?}"
        );
        let more = found.is_some_and(|found| found != access);
        let listed = STRICTER.iter().any(|(name, _)| *name == spec.name);
        assert!(
            !more || listed,
            "{at}: we find {ours:?}, the server {theirs:?}"
        );
    }
    let surplus = ours.keys().any(|key| !theirs.contains_key(key));
    assert!(!surplus, "{at}: we find {ours:?}, the server {theirs:?}");
    true
}

#[test]
fn our_grammars_find_the_keys_that_the_server_finds() {
    for Live { mut server, bit } in live() {
        for spec in rows() {
            let known = spec.servers.contains(bit) && spec.keys != KeyGrammar::None;
            if !known || spec.is_container() {
                continue;
            }
            let requests = corpus::requests(spec);
            for words in &requests {
                let mut asked = vec!["COMMAND".to_owned(), "GETKEYSANDFLAGS".to_owned()];
                asked.extend(words.clone());
                server.send(&asked);
            }
            let mut agreed = 0;
            for words in &requests {
                let theirs = theirs(&server.reply());
                let owned = OwnedRequest::new(words);
                let Ok(call) = classify(owned.as_request()) else {
                    continue;
                };
                let at = format!("{}: {}", server.name, words.join(" "));
                let ours = ours(&call);
                assert!(
                    ours.is_some() || theirs.is_none(),
                    "{at}: well-formed, yet denied"
                );
                agreed += usize::from(compare(&at, spec, ours, theirs));
            }
            assert!(
                agreed > 0,
                "{}: {} was never compared",
                server.name,
                spec.name
            );
            let words = corpus::random_requests(spec);
            compare_random(&mut server, spec, &words);
        }
    }
}

/// Random words: most are denied here, or are an error there; where both find keys, they must be the same.
fn compare_random(server: &mut Server, spec: &CommandSpec, requests: &[Vec<String>]) {
    for words in requests {
        let mut asked = vec!["COMMAND".to_owned(), "GETKEYSANDFLAGS".to_owned()];
        asked.extend(words.clone());
        server.send(&asked);
    }
    for words in requests {
        let theirs = theirs(&server.reply());
        let owned = OwnedRequest::new(words);
        let fooled = FOOLED.contains(&spec.name);
        if let (Ok(call), false) = (classify(owned.as_request()), fooled) {
            let at = format!("{}: {}", server.name, words.join(" "));
            compare(&at, spec, ours(&call), theirs);
        }
    }
}
