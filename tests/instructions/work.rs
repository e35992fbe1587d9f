//! The works that are counted. Each is done once before, so that no memory is made while it counts.

use std::hint::black_box;

use redwall::acl::{Policy, RuleList, UserSource, Verdict, Vocabulary};
use redwall::command;
use redwall::resp::{Limits, OwnedRequest, ReplyScanner, RequestScanner, Scan, encode};

/// How often a work does what it is named after.
pub(crate) const COMMANDS: u32 = 1000;

/// What callgrind looks at: it counts from this function's entry to its end.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

fn count(mut work: impl FnMut()) {
    work();
    counted(&mut work);
}

fn many(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..COMMANDS {
        encode::command(&mut out, words);
    }
    out
}

fn scan(words: &[&str]) {
    let (input, mut scanner) = (many(words), RequestScanner::new());
    count(|| {
        let mut rest = black_box(&input[..]);
        while let Ok(Scan::Complete { len }) = scanner.scan(rest, &Limits::DEFAULT) {
            black_box(scanner.request(rest));
            rest = &rest[len..];
        }
        assert!(rest.is_empty());
    });
}

#[test]
#[ignore = "run under callgrind"]
fn scan_get() {
    scan(&["GET", "key:000000012345"]);
}

#[test]
#[ignore = "run under callgrind"]
fn scan_set() {
    scan(&["SET", "key:000000012345", &"v".repeat(64)]);
}

#[test]
#[ignore = "run under callgrind"]
fn scan_reply() {
    let reply = format!("$64\r\n{}\r\n", "v".repeat(64)).repeat(COMMANDS as usize);
    let mut scanner = ReplyScanner::new();
    count(|| {
        let mut rest = black_box(reply.as_bytes());
        while !rest.is_empty() {
            let step = scanner.advance(rest).unwrap();
            rest = &rest[step.consumed..];
        }
    });
}

fn user(name: &str) -> UserSource {
    let mut source = UserSource::new(name);
    let rules = b"+@all -@dangerous +info ~key:*";
    source.rules = RuleList::parse(rules, Vocabulary::Rights).unwrap();
    source
}

fn judge(words: &[&str], others: usize) {
    let mut users = vec![user("client")];
    users.extend((0..others).map(|other| user(&format!("u{other}"))));
    let policy = Policy::compile(1, &users, &[]).unwrap();
    let (user, request) = (policy.user("client").unwrap(), OwnedRequest::new(words));
    count(|| {
        for _ in 0..COMMANDS {
            let call = command::classify(black_box(request.as_request())).unwrap();
            let verdict = policy.evaluate(black_box(user), call);
            assert!(matches!(black_box(verdict), Verdict::Allow(_)));
        }
    });
}

#[test]
#[ignore = "run under callgrind"]
fn judge_get() {
    judge(&["GET", "key:000000012345"], 0);
}

#[test]
#[ignore = "run under callgrind"]
fn judge_get_among_10_000_users() {
    judge(&["GET", "key:000000012345"], 9_999);
}

#[test]
#[ignore = "run under callgrind"]
fn judge_mget() {
    let keys: Vec<_> = (0..10).map(|key| format!("key:{key:012}")).collect();
    let words: Vec<_> = ["MGET"]
        .into_iter()
        .chain(keys.iter().map(String::as_str))
        .collect();
    judge(&words, 0);
}

fn encoded(mut write: impl FnMut(&mut Vec<u8>)) {
    let mut out = Vec::with_capacity(4 << 10);
    count(|| {
        for _ in 0..COMMANDS {
            out.clear();
            write(black_box(&mut out));
            black_box(&out);
        }
    });
}

#[test]
#[ignore = "run under callgrind"]
fn encode_command() {
    encoded(|out| encode::command(out, &["GET", "key:000000012345"]));
}

#[test]
#[ignore = "run under callgrind"]
fn encode_error() {
    encoded(|out| encode::error(out, "NOPERM this user may not run 'flushall'"));
}
