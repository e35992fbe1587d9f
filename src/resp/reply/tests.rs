//! Where frames end, what is known of them, and that the way the bytes are cut never matters.

use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::{resp2, resp3};

use super::*;
use crate::resp::{FrameKind, Protocol};

/// Feeds `pieces` as a connection would: all frames, then the fault if there is one.
fn frames_of<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<ReplyFault>, u64) {
    let mut scanner = ReplyScanner::new();
    let mut frames = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let least = scanner.least_len();
            match scanner.advance(piece) {
                Ok(step) => {
                    piece = &piece[step.consumed..];
                    match step.end {
                        Some(frame) => {
                            assert!(frame.len() >= least, "{} < {least}", frame.len());
                            frames.push(frame);
                        }
                        None => {
                            assert!(piece.is_empty());
                            assert!(scanner.current().is_some());
                            assert!(scanner.least_len() >= least);
                        }
                    }
                }
                Err(fault) => return (frames, Some(fault), 0),
            }
        }
    }
    (frames, None, scanner.least_len())
}

/// The only frame of `input`, or the fault.
fn frame(input: &[u8]) -> Result<Frame, ReplyFault> {
    match frames_of([input]) {
        (frames, None, 0) if frames.len() == 1 => Ok(frames[0]),
        (_, Some(fault), _) => Err(fault),
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

#[test]
fn every_type_ends_where_it_ends() {
    let cases: [&[u8]; 26] = [
        b"+OK\r\n",
        b"+\r\n",
        b"-ERR no\r\n",
        b":-12\r\n",
        b"$0\r\n\r\n",
        b"$4\r\n\r\n\r\n\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        b"*1\r\n*0\r\n",
        b"_\r\n",
        b"#t\r\n",
        b"#f\r\n",
        b",1.5e-7\r\n",
        b",-inf\r\n",
        b",nan\r\n",
        b"(-3492890328409238509324850943850943825024385\r\n",
        b"!5\r\nERR x\r\n",
        b"=6\r\ntxt:hi\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n",
        b"~2\r\n:1\r\n_\r\n",
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
        b"|1\r\n+ttl\r\n:3600\r\n",
        b"*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n:2\r\n",
        b"*2\r\n:1\r\n>2\r\n+invalidate\r\n_\r\n:2\r\n",
    ];
    for input in cases {
        let found = frame(input).unwrap();
        assert_eq!(found.len(), input.len() as u64, "{}", input.escape_ascii());
        assert_eq!(found.first(), input[0]);
    }
}

#[test]
fn whatever_no_server_sends_is_a_fault() {
    use ReplyFault::*;
    let cases: [(&[u8], ReplyFault); 31] = [
        (b"OK\r\n", UnknownType { found: b'O' }),
        (b"\r\n", UnknownType { found: b'\r' }),
        (b";4\r\n", UnknownType { found: b';' }),
        (b"*1\r\n.\r\n", UnknownType { found: b'.' }),
        (b"$?\r\n", Streamed { of: b'$' }),
        (b"*?\r\n", Streamed { of: b'*' }),
        (b"%?\r\n", Streamed { of: b'%' }),
        (b"~?\r\n", Streamed { of: b'~' }),
        (b":\r\n", NumberMalformed { of: b':' }),
        (b":+1\r\n", NumberMalformed { of: b':' }),
        (b":01\r\n", NumberMalformed { of: b':' }),
        (b":9223372036854775808\r\n", NumberMalformed { of: b':' }),
        (b"$-2\r\n", NumberMalformed { of: b'$' }),
        (b"%-1\r\n", NumberMalformed { of: b'%' }),
        (b"!-1\r\n", NumberMalformed { of: b'!' }),
        (b"=3\r\n", NumberMalformed { of: b'=' }),
        (
            b"*4294967296\r\n",
            NumberTooLarge {
                of: b'*',
                limit: MAX_COUNT,
                found: 4_294_967_296,
            },
        ),
        (
            b"$1099511627777\r\n",
            NumberTooLarge {
                of: b'$',
                limit: MAX_STRING,
                found: 1_099_511_627_777,
            },
        ),
        (b"+O\nK\r\n", LineBreak),
        (b"+O\rK\r\n", LineBreak),
        (b"-ERR\n", LineBreak),
        (b"$1\r\nab\r\n", LineBreak),
        (b"$1\r\na\n", LineBreak),
        (b"#x\r\n", ScalarMalformed { of: b'#' }),
        (b"#tt\r\n", LineBreak),
        (b"_x\r\n", LineBreak),
        (b",\r\n", ScalarMalformed { of: b',' }),
        (b",1x\r\n", ScalarMalformed { of: b',' }),
        (b"(1.5\r\n", ScalarMalformed { of: b'(' }),
        (b">0\r\n", PushMisplaced),
        (b">1\r\n>1\r\n+a\r\n", PushMisplaced),
    ];
    for (input, fault) in cases {
        assert_eq!(frame(input), Err(fault), "{}", input.escape_ascii());
    }
}

#[test]
fn depth_is_bounded_and_counted_without_recursion() {
    let nested = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
    assert!(frame(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(
        frame(&nested(MAX_DEPTH + 1)),
        Err(ReplyFault::TooDeep { limit: MAX_DEPTH })
    );
}

#[test]
fn a_fault_is_answered_again_whatever_comes_after_it() {
    let mut scanner = ReplyScanner::new();
    let fault = Err(ReplyFault::UnknownType { found: b'x' });
    assert_eq!(scanner.advance(b"x"), fault);
    assert_eq!(scanner.advance(b"+OK\r\n"), fault);
    assert_eq!(scanner.current(), None);
}

#[test]
fn the_kind_is_known_with_the_first_byte() {
    let cases = [
        (b'$', FrameKind::Reply),
        (b'*', FrameKind::Reply),
        (b'>', FrameKind::Push),
        (b'|', FrameKind::Attribute),
    ];
    for (first, kind) in cases {
        let mut scanner = ReplyScanner::new();
        assert_eq!(scanner.current(), None);
        let step = scanner.advance(&[first]).unwrap();
        assert_eq!((step.consumed, step.end), (1, None));
        let current = scanner.current().unwrap();
        assert_eq!((current.kind(), current.first()), (kind, first));
    }
}

#[test]
fn an_attribute_is_a_frame_of_its_own_and_no_reply() {
    let (frames, fault, _) = frames_of([&b"|1\r\n+a\r\n:1\r\n+OK\r\n"[..]]);
    assert_eq!(fault, None);
    let kinds: Vec<_> = frames.iter().map(Frame::kind).collect();
    assert_eq!(kinds, [FrameKind::Attribute, FrameKind::Reply]);
}

#[test]
fn a_frame_is_labelled_by_its_first_short_string_or_its_errors_first_word() {
    let cases: [(&[u8], &[u8]); 14] = [
        (b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n", b"message"),
        (b">3\r\n+subscribe\r\n$1\r\nc\r\n:1\r\n", b"subscribe"),
        (b"*1\r\n$15\r\nabcdefghijklmno\r\n", b"abcdefghijklmno"),
        (b"*1\r\n$16\r\nabcdefghijklmnop\r\n", b""),
        (b"*1\r\n+abcdefghijklmnop\r\n", b""),
        (b"*2\r\n:1\r\n+message\r\n", b""),
        (b"*1\r\n*1\r\n+message\r\n", b""),
        (b"+message\r\n", b""),
        (b"$7\r\nmessage\r\n", b""),
        (b"-NOPERM this user\r\n", b"NOPERM"),
        (b"-ERR\r\n", b"ERR"),
        (b"-\r\n", b""),
        (b"-ABCDEFGHIJKLMNOPQ x\r\n", b"ABCDEFGHIJKLMNO"),
        (b"!10\r\nMOVED 1 ab\r\n", b"MOVED"),
    ];
    for (input, label) in cases {
        assert_eq!(
            frame(input).unwrap().label(),
            label,
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn the_number_of_subscriptions_is_the_third_element_if_that_is_an_integer() {
    let cases: [(&[u8], Option<i64>); 6] = [
        (b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:2\r\n", Some(2)),
        (b">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n", Some(0)),
        (b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n", Some(0)),
        (b"*3\r\n$1\r\na\r\n:1\r\n$1\r\nc\r\n", None),
        (b"*3\r\n$1\r\na\r\n*1\r\n:7\r\n*1\r\n:8\r\n", None),
        (b"*2\r\n$1\r\na\r\n:1\r\n", None),
    ];
    for (input, third) in cases {
        let frame = frame(input).unwrap();
        assert_eq!(frame.third(), third, "{}", input.escape_ascii());
    }
}

#[test]
fn a_null_has_no_count_and_an_empty_array_is_no_null() {
    let cases: [(&[u8], bool, Option<u64>); 6] = [
        (b"*-1\r\n", true, None),
        (b"$-1\r\n", true, None),
        (b"_\r\n", true, None),
        (b"*0\r\n", false, Some(0)),
        (b"*1\r\n$-1\r\n", false, Some(1)),
        (b"%2\r\n:1\r\n:2\r\n:3\r\n_\r\n", false, Some(2)),
    ];
    for (input, null, count) in cases {
        let frame = frame(input).unwrap();
        assert_eq!(
            (frame.is_null(), frame.count()),
            (null, count),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn a_push_between_the_elements_of_a_reply_is_counted_apart() {
    let frame = frame(b"*2\r\n+OK\r\n>2\r\n+invalidate\r\n*1\r\n+k\r\n:5\r\n").unwrap();
    assert_eq!((frame.nested_pushes(), frame.count()), (1, Some(2)));
}

#[test]
fn a_large_reply_is_known_to_be_large_when_its_header_comes() {
    let cases: [(&[u8], u64); 4] = [
        (b"", 0),
        (b"$1000\r\n", 7 + 1000 + 2),
        (b"*1000\r\n", 7 + 1000 * 3),
        (
            b"*2\r\n*1000\r\n$10\r\nabc",
            4 + 7 + 5 + 3 + 7 + 2 + 3 + 999 * 3,
        ),
    ];
    for (input, least) in cases {
        assert_eq!(frames_of([input]).2, least, "{}", input.escape_ascii());
    }
}

#[test]
fn a_string_is_passed_in_one_step_whatever_its_size() {
    let mut scanner = ReplyScanner::new();
    let mut input = b"$1048576\r\n".to_vec();
    input.resize(input.len() + 500_000, b'\r');
    assert_eq!(scanner.advance(&input).unwrap().consumed, input.len());
    assert_eq!(scanner.least_len(), 10 + 1_048_576 + 2);
}

/// A value of any type, at most `depth` aggregates deep. What is in only one of the versions is there only with it.
fn any_value(protocol: Protocol) -> impl Strategy<Value = Vec<u8>> {
    let text = || vec(any::<u8>(), 0..20);
    let word = || "[ -~]{0,20}";
    let string = |of: u8, bytes: Vec<u8>| {
        let header = format!("{}{}\r\n", char::from(of), bytes.len());
        [header.into_bytes(), bytes, b"\r\n".to_vec()].concat()
    };
    let line = |of: char| move |text: String| format!("{of}{text}\r\n").into_bytes();
    let old = prop_oneof![
        word().prop_map(line('+')),
        word().prop_map(line('-')),
        any::<i64>().prop_map(|value| format!(":{value}\r\n").into_bytes()),
        text().prop_map(move |bytes| string(b'$', bytes)),
    ];
    let resp3 = protocol == Protocol::Resp3;
    let null = Just(if resp3 { &b"_\r\n"[..] } else { b"$-1\r\n" }.to_vec());
    let new = prop_oneof![
        any::<bool>().prop_map(|value| if value {
            b"#t\r\n".to_vec()
        } else {
            b"#f\r\n".to_vec()
        }),
        any::<f64>().prop_map(|value| format!(",{value}\r\n").replace("NaN", "nan").into_bytes()),
        "-?[1-9][0-9]{0,40}".prop_map(line('(')),
        word().prop_map(move |word| string(b'!', word.into_bytes())),
        text().prop_map(move |bytes| string(b'=', [b"txt:".to_vec(), bytes].concat())),
    ];
    let scalar = match resp3 {
        true => prop_oneof![3 => old.boxed(), 1 => null, 3 => new.boxed()].boxed(),
        false => prop_oneof![3 => old.boxed(), 1 => null].boxed(),
    };
    scalar.prop_recursive(4, 24, 5, move |inner| {
        let of = if resp3 { &b"**%"[..] } else { b"*" };
        (prop::sample::select(of), vec(inner, 0..5)).prop_map(|(of, mut items)| {
            if of == b'%' {
                // The oracle's maps have scalar keys, each once.
                items = items
                    .into_iter()
                    .enumerate()
                    .flat_map(|(key, value)| [format!("+{key}\r\n").into_bytes(), value])
                    .collect();
            }
            let count = if of == b'%' {
                items.len() / 2
            } else {
                items.len()
            };
            let header = format!("{}{count}\r\n", char::from(of));
            [header.into_bytes(), items.concat()].concat()
        })
    })
}

fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => prop::sample::select(&b"*$%~>|+-:,(#_!=\r\n0123456789-?tfe."[..]),
        1 => any::<u8>(),
    ]
}

/// Frames with up to three bytes changed, or cut off.
fn any_bytes(protocol: Protocol) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<usize>(), prop::option::of(interesting())), 0..4);
    let frames = vec(any_value(protocol), 1..4).prop_map(|all| all.concat());
    (frames, changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            let at = at % (bytes.len() + 1);
            match byte {
                Some(byte) if at < bytes.len() => bytes[at] = byte,
                Some(byte) => bytes.push(byte),
                None => bytes.truncate(at),
            }
        }
        bytes
    })
}

fn pieces(input: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]).collect()
}

/// Checks each frame that the scanner delimits with a decoder that has never heard of it.
fn oracle_agrees(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<usize>,
) -> Result<(), TestCaseError> {
    let mut start = 0;
    for frame in frames_of([bytes]).0 {
        let end = start + frame.len() as usize;
        // With more behind it than the frame: the decoder, too, must stop there.
        if let Some(len) = decode(&bytes[start..]) {
            prop_assert_eq!(len as u64, frame.len());
        }
        if let Some(len) = decode(&bytes[start..end]) {
            prop_assert_eq!(len as u64, frame.len());
        }
        start = end;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_resp2_frame_has_the_length_that_the_oracle_finds(value in any_value(Protocol::Resp2)) {
        let (_, len) = resp2::decode::decode(&value).unwrap().unwrap();
        prop_assert_eq!(len, value.len());
        prop_assert_eq!(frame(&value).unwrap().len() as usize, len);
    }

    #[test]
    fn every_resp3_frame_has_the_length_that_the_oracle_finds(value in any_value(Protocol::Resp3)) {
        let (_, len) = resp3::decode::complete::decode(&value).unwrap().unwrap();
        prop_assert_eq!(len, value.len());
        prop_assert_eq!(frame(&value).unwrap().len() as usize, len);
    }

    #[test]
    fn what_is_taken_for_a_short_reply_is_one_when_it_is_read_by_elements(
        old in any_bytes(Protocol::Resp2),
        len in 0_usize..1_200,
        behind in any_bytes(Protocol::Resp3),
    ) {
        let bulk = [format!("${len}\r\n").as_bytes(), &vec![b'x'; len], b"\r\n", &behind].concat();
        for bytes in [&old, &bulk, &b":17\r\n"[..], b"+OK\r\n"] {
            let mut scanner = ReplyScanner::new();
            if let Some(short) = scanner.short_reply(bytes) {
                let step = scanner.advance_by_elements(bytes).unwrap();
                prop_assert_eq!(step.consumed, short);
                let frame = step.end.unwrap();
                prop_assert!(frame.kind() == FrameKind::Reply && !frame.is_error() && !frame.is_null());
            }
        }
        prop_assert_eq!(ReplyScanner::new().short_reply(&bulk).is_some(), len < 1_000);
        let mut within = ReplyScanner::new();
        within.advance(b"*2\r\n").unwrap();
        prop_assert_eq!(within.short_reply(b":1\r\n"), None);
    }

    /// The oracle refuses some content that can be delimited without being understood; never may it read another length.
    #[test]
    fn whatever_is_delimited_the_oracle_never_delimits_otherwise(
        old in any_bytes(Protocol::Resp2),
        new in any_bytes(Protocol::Resp3),
    ) {
        oracle_agrees(&old, |bytes| Some(resp2::decode::decode(bytes).ok()??.1))?;
        // The oracle hangs attributes on the frame after them.
        if !new.contains(&b'|') && !new.contains(&b'>') {
            oracle_agrees(&new, |bytes| Some(resp3::decode::complete::decode(bytes).ok()??.1))?;
        }
    }

    #[test]
    fn any_way_of_cutting_the_input_gives_the_same_frames(
        bytes in any_bytes(Protocol::Resp3),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let whole = frames_of([&bytes[..]]);
        prop_assert_eq!(&frames_of(pieces(&bytes, cuts)), &whole);
        prop_assert_eq!(&frames_of(bytes.chunks(1)), &whole);
        for cut in 0..bytes.len() {
            let (one, two) = bytes.split_at(cut);
            prop_assert_eq!(&frames_of([one, two]), &whole);
        }
    }
}
