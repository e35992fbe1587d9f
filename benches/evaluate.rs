//! What the policy costs a request that has been scanned: find the row, judge it, or judge alone.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where what it needs is missing"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use redwall::acl::{Policy, RuleList, UserSource, Vocabulary};
use redwall::command;
use redwall::resp::OwnedRequest;
use std::hint::black_box;

const CASES: [(&str, &str, &str); 8] = [
    ("get, all keys", "+@all ~* &*", "GET app:user:1000"),
    (
        "get, one prefix",
        "+@read +@write ~app:*",
        "GET app:user:1000",
    ),
    (
        "set, one prefix",
        "+@read +@write ~app:*",
        "SET app:user:1000 value",
    ),
    (
        "get, fourth prefix",
        "+@read ~a:* ~b:* ~c:* ~app:*",
        "GET app:user:1000",
    ),
    (
        "get, glob with a class",
        "+@read ~[ab]pp:*:[0-9]*",
        "GET app:user:1000",
    ),
    (
        "get, third selector",
        "+ping (+set ~app:*) (+@read ~app:*)",
        "GET app:user:1000",
    ),
    (
        "mget of ten, one prefix",
        "+@read ~app:*",
        "MGET app:1 app:2 app:3 app:4 app:5 app:6 app:7 app:8 app:9 app:10",
    ),
    ("denied key", "+@read ~app:*", "GET other:user:1000"),
];

fn policy(rules: &str) -> Policy {
    let mut source = UserSource::new("bob");
    source.rules = RuleList::parse(rules.as_bytes(), Vocabulary::Rights).unwrap();
    Policy::compile(1, &[source], &[]).unwrap()
}

fn evaluate(criterion: &mut Criterion) {
    for (name, rules, request) in CASES {
        let policy = policy(rules);
        let user = policy.user("bob").unwrap();
        let owned = OwnedRequest::new(&request.split(' ').collect::<Vec<_>>());
        let call = command::classify(owned.as_request()).unwrap();
        criterion.bench_function(&format!("evaluate/{name}"), |bencher| {
            bencher.iter(|| {
                let verdict = policy.evaluate(black_box(user), black_box(call));
                let _ = black_box(verdict);
            });
        });
        criterion.bench_function(&format!("classify and evaluate/{name}"), |bencher| {
            bencher.iter(|| {
                let call = command::classify(black_box(owned.as_request())).unwrap();
                let verdict = policy.evaluate(black_box(user), call);
                let _ = black_box(verdict);
            });
        });
    }
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
