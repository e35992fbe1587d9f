//! Whatever a client sends: the scanner comes to the same end however the bytes are cut, whole or streamed, and what it accepts the
//! `redis-protocol` crate reads alike.
//!
//! `cargo +nightly fuzz run request`. The first byte of the input says where the bytes are cut.

#![no_main]

#[allow(
    dead_code,
    unused_imports,
    reason = "a target needs a part of the room"
)]
#[path = "../../src/resp/mod.rs"]
mod resp;

use libfuzzer_sys::fuzz_target;
use redis_protocol::resp2::{decode::decode, types::OwnedFrame};
use resp::{Limits, Request, RequestScanner, Scan, ScanError};

#[derive(Debug, PartialEq)]
enum Event {
    Request(Vec<Vec<u8>>, Vec<u8>),
    Skipped,
    Error(ScanError),
}

/// What is done with a request that isn't whole yet.
#[derive(Clone, Copy)]
enum Mode {
    Hold,
    Stream,
}

fn event(request: Request<'_>) -> Event {
    assert!(request.is_whole() && !request.is_empty());
    let words: Vec<_> = request.iter().map(<[u8]>::to_vec).collect();
    let (frame, len) = decode(request.bytes()).unwrap().unwrap();
    assert_eq!(len, request.bytes().len());
    let read = words.iter().cloned().map(OwnedFrame::BulkString).collect();
    assert_eq!(frame, OwnedFrame::Array(read));
    Event::Request(words, request.bytes().to_vec())
}

/// All events, and all bytes that were sent on or passed over, in pieces of `size` bytes.
fn scan(input: &[u8], size: usize, mode: Mode) -> (Vec<Event>, usize) {
    let mut scanner = RequestScanner::new();
    let (mut buffer, mut events, mut passed) = (Vec::new(), Vec::new(), 0);
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            let taken = match scanner.scan(&buffer, &Limits::DEFAULT) {
                Ok(Scan::Complete { len } | Scan::Inline { len }) => {
                    events.push(event(scanner.request(&buffer)));
                    len
                }
                Ok(Scan::Skipped { len }) => {
                    events.push(Event::Skipped);
                    len
                }
                Ok(Scan::Rest { len }) => len,
                Ok(Scan::Incomplete) => {
                    if let Some(prefix) = scanner.prefix(&buffer) {
                        assert_eq!(prefix.bytes(), buffer);
                        assert!(prefix.len() <= prefix.announced());
                    }
                    if matches!(mode, Mode::Stream) {
                        passed += buffer.len();
                        scanner.dropped(buffer.len());
                        buffer.clear();
                    }
                    break;
                }
                Err(error) => {
                    events.push(Event::Error(error));
                    return (events, passed);
                }
            };
            passed += taken;
            buffer.drain(..taken);
        }
    }
    (events, passed)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, input)) = input.split_first() else {
        return;
    };
    let size = usize::from(*cut) + 1;
    let whole = scan(input, input.len().max(1), Mode::Hold);
    assert_eq!(scan(input, 1, Mode::Hold), whole);
    assert_eq!(scan(input, size, Mode::Hold), whole);
    let (events, passed) = scan(input, size, Mode::Stream);
    // What is refused for its content alone (an inline command's quotes, POST) passes where nothing is judged.
    if !matches!(whole.0.last(), Some(Event::Error(_))) {
        assert!(events.iter().all(|event| !matches!(event, Event::Error(_))));
        assert!(passed >= whole.1);
    }
});
