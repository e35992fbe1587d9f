//! Whatever a backend sends: the scanner comes to the same frames however the bytes are cut, and the `redis-protocol` crate never
//! finds another end for one of them.
//!
//! `cargo +nightly fuzz run reply`. The first byte of the input says where the bytes are cut.

#![no_main]

#[allow(
    dead_code,
    unused_imports,
    reason = "a target needs a part of the room"
)]
#[path = "../../src/resp/mod.rs"]
mod resp;

use libfuzzer_sys::fuzz_target;
use redis_protocol::{resp2, resp3};
use resp::{Frame, FrameKind, Protocol, ReplyFault, ReplyScanner, decode};

fn frames(input: &[u8], size: usize) -> (Vec<Frame>, Option<ReplyFault>) {
    let mut scanner = ReplyScanner::new();
    let mut frames = Vec::new();
    for mut piece in input.chunks(size) {
        while !piece.is_empty() {
            let least = scanner.least_len();
            let step = match scanner.advance(piece) {
                Ok(step) => step,
                Err(fault) => return (frames, Some(fault)),
            };
            assert!(step.consumed > 0);
            piece = &piece[step.consumed..];
            match step.end {
                Some(frame) => {
                    assert!(frame.len() >= least);
                    frames.push(frame);
                }
                None => assert!(piece.is_empty() && scanner.least_len() >= least),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, input)) = input.split_first() else {
        return;
    };
    let whole = frames(input, input.len().max(1));
    assert_eq!(frames(input, 1), whole);
    assert_eq!(frames(input, usize::from(*cut) + 1), whole);
    let mut start = 0;
    for frame in whole.0 {
        let end = start + frame.len() as usize;
        let bytes = &input[start..end];
        if let Ok(Some((_, len))) = resp2::decode::decode(bytes) {
            assert_eq!(len, bytes.len());
        }
        // The oracle hangs an attribute on what comes after it, and counts a push between two elements as one of them.
        if frame.kind() == FrameKind::Reply
            && frame.nested_pushes() == 0
            && let Ok(Some((_, len))) = resp3::decode::complete::decode(bytes)
        {
            assert_eq!(len, bytes.len());
        }
        let _ = decode::frame(bytes, Protocol::Resp2);
        let _ = decode::frame(bytes, Protocol::Resp3);
        start = end;
    }
});
