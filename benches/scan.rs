//! What it costs to find a command in a pipeline, and a reply in what a backend sends. Goal: 25 ns a command.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redwall::resp::{Limits, ReplyScanner, RequestScanner, Scan, encode};

/// Commands, or replies, of one pipeline.
const DEPTH: usize = 100;

fn pipeline(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..DEPTH {
        encode::command(&mut out, words);
    }
    out
}

fn scan_all(scanner: &mut RequestScanner, mut input: &[u8]) -> usize {
    let mut arguments = 0;
    while let Ok(Scan::Complete { len }) = scanner.scan(input, &Limits::DEFAULT) {
        arguments += scanner.request(input).len();
        input = &input[len..];
    }
    arguments
}

fn delimit_all(scanner: &mut ReplyScanner, mut input: &[u8]) -> usize {
    let mut frames = 0;
    while !input.is_empty() {
        let Ok(step) = scanner.advance(input) else {
            return 0;
        };
        frames += usize::from(step.end.is_some());
        input = &input[step.consumed..];
    }
    frames
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Elements(DEPTH as u64));
    let value = "v".repeat(32);
    let cases = [
        ("get", pipeline(&["GET", "key:000000012345"]), 2),
        ("set_32", pipeline(&["SET", "key:000000012345", &value]), 3),
    ];
    for (name, input, arguments) in cases {
        let mut scanner = RequestScanner::new();
        assert_eq!(scan_all(&mut scanner, &input), DEPTH * arguments);
        group.bench_function(name, |bench| {
            bench.iter(|| scan_all(&mut scanner, black_box(&input)));
        });
    }
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reply");
    group.throughput(Throughput::Elements(DEPTH as u64));
    let cases = [
        ("ok", "+OK\r\n".to_owned()),
        ("integer", ":1\r\n".to_owned()),
        ("bulk_64", format!("$64\r\n{}\r\n", "v".repeat(64))),
        ("array_10", format!("*10\r\n{}", "$3\r\nabc\r\n".repeat(10))),
    ];
    for (name, reply) in cases {
        let input = reply.repeat(DEPTH).into_bytes();
        let mut scanner = ReplyScanner::new();
        assert_eq!(delimit_all(&mut scanner, &input), DEPTH);
        group.bench_function(name, |bench| {
            bench.iter(|| delimit_all(&mut scanner, black_box(&input)));
        });
    }
    group.finish();
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
