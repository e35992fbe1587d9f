//! The works that are counted. Each is done once before, so that no memory is made while it counts.

use std::hint::black_box;
use std::time::Instant;

use redwall::acl::{Enabled, Policy, Proofs, RuleList, UserSource, Verdict, Vocabulary};
use redwall::command;
use redwall::resp::{Limits, OwnedRequest, ReplyScanner, RequestScanner, Scan, encode};
use redwall::session::{Beginning, Session};

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
    source.identity.enabled = Enabled::On;
    source.proofs = Proofs::Certificate;
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

/// All of a command's way through the session, from its bytes to the end of its reply; 16 are under way at a time.
#[test]
#[ignore = "run under callgrind"]
fn pass_get() {
    let policy = Policy::compile(1, &[user("client")], &[]).unwrap();
    let now = Instant::now();
    let beginning = Beginning {
        id: 1,
        peer: "192.0.2.1:1000".parse().unwrap(),
        local: "192.0.2.2:6379".parse().unwrap(),
        certificate_user: Some("client".to_owned()),
        since: now,
    };
    let mut session = Session::new(beginning, &policy);
    let input = many(&["GET", "key:000000012345"]);
    let (mut scanner, mut lane, mut out) = (RequestScanner::new(), Vec::new(), Vec::new());
    count(|| {
        let mut rest = black_box(&input[..]);
        lane.clear();
        while let Ok(Scan::Complete { len }) = scanner.scan(rest, &Limits::DEFAULT) {
            let forward = session.ordinary(scanner.request(rest), &policy).unwrap();
            lane.extend_from_slice(forward.bytes());
            session.forwarded(forward, now);
            rest = &rest[len..];
            if session.outstanding().0 == 16 || rest.is_empty() {
                while session.has_outstanding() {
                    session.on_shared_end(now, &mut out).unwrap();
                }
            }
        }
        assert!(lane == input && out.is_empty());
    });
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
