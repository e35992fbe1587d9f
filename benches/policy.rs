//! All that the policy costs a command on its way: find its end, its row, and its verdict. Goal: 50 ns a command, however many users
//! there are.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where what it needs is missing"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use redwall::acl::{Policy, RuleList, User, UserSource, Verdict, Vocabulary};
use redwall::command;
use redwall::resp::{Limits, RequestScanner, Scan, encode};

/// Commands of the pipeline that the scanner reads again and again.
const DEPTH: usize = 100;

const RULES: &str = "+@all -@dangerous +info ~key:*";

fn user(name: &str) -> UserSource {
    let mut source = UserSource::new(name);
    source.rules = RuleList::parse(RULES.as_bytes(), Vocabulary::Rights).unwrap();
    source
}

fn policy(others: usize) -> Policy {
    let mut users = vec![user("client")];
    users.extend((0..others).map(|other| user(&format!("u{other}"))));
    Policy::compile(1, &users, &[]).unwrap()
}

fn pipeline(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..DEPTH {
        encode::command(&mut out, words);
    }
    out
}

/// Scans, classifies and judges the first command of `input`; returns its length.
fn pass(scanner: &mut RequestScanner, input: &[u8], policy: &Policy, user: &User) -> usize {
    let Ok(Scan::Complete { len }) = scanner.scan(input, &Limits::DEFAULT) else {
        unreachable!("the pipeline holds whole commands");
    };
    let call = command::classify(scanner.request(input)).unwrap();
    let verdict = policy.evaluate(user, call);
    assert!(matches!(black_box(&verdict), Verdict::Allow(_)));
    len
}

fn all(criterion: &mut Criterion) {
    let value = "v".repeat(64);
    let commands = [
        ("get", pipeline(&["GET", "key:000000012345"])),
        ("set 64", pipeline(&["SET", "key:000000012345", &value])),
    ];
    for (others, name) in [(0, "one user"), (9_999, "10,000 users")] {
        let policy = policy(others);
        let user = policy.user("client").unwrap();
        for (command, input) in &commands {
            // One number for where it is: a slice handed through `black_box` is written in two parts and read as a whole, and waiting
            // for that is a sixth of the time.
            let (input, mut at) = (black_box(&input[..]), 0);
            let mut scanner = RequestScanner::new();
            criterion.bench_function(&format!("policy/{command}, {name}"), |bencher| {
                bencher.iter(|| {
                    at += pass(&mut scanner, &input[at..], &policy, black_box(user));
                    if at == input.len() {
                        at = 0;
                    }
                });
            });
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
