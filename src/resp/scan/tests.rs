//! What the scanner accepts and refuses, and that the way the bytes are cut never matters.

use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::resp2;

use super::*;
use crate::resp::Login;

/// One outcome of a scan, with all that a caller sees of it.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Request {
        words: Vec<Vec<u8>>,
        bytes: Vec<u8>,
        taken: usize,
    },
    Skipped(usize),
    Rest(usize),
    Error(ScanError),
}

/// Feeds `pieces` as a connection would and returns all outcomes. What is complete is taken from the buffer's front.
fn scan_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Vec<Event> {
    let mut scanner = RequestScanner::new();
    let mut buffer = Vec::new();
    let mut events = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let outcome = scanner.scan(&buffer, limits);
            let (event, len) = match outcome {
                Ok(Scan::Complete { len } | Scan::Inline { len }) => {
                    let request = scanner.request(&buffer);
                    assert!(request.is_whole());
                    let event = Event::Request {
                        words: request.iter().map(<[u8]>::to_vec).collect(),
                        bytes: request.bytes().to_vec(),
                        taken: len,
                    };
                    (event, len)
                }
                Ok(Scan::Skipped { len }) => (Event::Skipped(len), len),
                Ok(Scan::Rest { len }) => (Event::Rest(len), len),
                Ok(Scan::Incomplete) => break,
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            };
            events.push(event);
            buffer.drain(..len);
        }
    }
    events
}

fn scan_whole(input: &[u8], limits: &Limits) -> Vec<Event> {
    scan_pieces([input], limits)
}

/// The words of the only request in `input`, or the error.
fn words(input: &[u8]) -> Result<Vec<String>, ScanError> {
    match scan_whole(input, &Limits::DEFAULT).as_slice() {
        [Event::Request { words, taken, .. }] if *taken == input.len() => Ok(words
            .iter()
            .map(|word| word.escape_ascii().to_string())
            .collect()),
        [Event::Error(error)] => Err(*error),
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

#[test]
fn memory_for_arguments_is_given_back_between_requests_and_not_inside_one() {
    let mut scanner = RequestScanner::new();
    let (whole, part) = (b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1");
    assert!(scanner.scan(whole, &Limits::DEFAULT).is_ok() && scanner.held() > 0);
    scanner.give_back();
    assert_eq!(scanner.held(), 0);
    assert_eq!(scanner.scan(part, &Limits::DEFAULT), Ok(Scan::Incomplete));
    scanner.give_back();
    let request = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    let len = request.len();
    assert_eq!(
        scanner.scan(request, &Limits::DEFAULT),
        Ok(Scan::Complete { len })
    );
    assert_eq!(scanner.request(request).arg(1), Some(&b"k"[..]));
}

#[test]
fn an_array_of_bulk_strings_is_a_request_over_the_clients_own_bytes() {
    let input = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n";
    assert_eq!(words(input).unwrap(), ["SET", "", r"a\r\nb"]);
    let mut scanner = RequestScanner::new();
    let len = input.len();
    assert_eq!(
        scanner.scan(input, &Limits::DEFAULT),
        Ok(Scan::Complete { len })
    );
    assert_eq!(scanner.request(input).bytes().as_ptr(), input.as_ptr());
}

#[test]
fn whatever_is_not_canonical_is_refused() {
    use ScanError::*;
    let cases: [(&[u8], ScanError); 22] = [
        (b"*\r\n", CountMalformed),
        (b"*x\r\n", CountMalformed),
        (b"*+1\r\n", CountMalformed),
        (b"*01\r\n", CountMalformed),
        (b"*-2\r\n", CountMalformed),
        (b"*-0\r\n", CountMalformed),
        (b"*1\n", CountMalformed),
        (b"*1\rx", CountMalformed),
        (b"*99999999999999999999\r\n", CountMalformed),
        (
            b"*1048577\r\n",
            CountTooLarge {
                limit: 1_048_576,
                found: 1_048_577,
            },
        ),
        (b"*1\r\n:1\r\n", NotABulk { found: b':' }),
        (b"*1\r\n*1\r\n", NotABulk { found: b'*' }),
        (b"*1\r\n\r\n", NotABulk { found: b'\r' }),
        (b"*1\r\n$-1\r\n", LengthMalformed),
        (b"*1\r\n$\r\n", LengthMalformed),
        (b"*1\r\n$04\r\nPING\r\n", LengthMalformed),
        (b"*1\r\n$?\r\n", LengthMalformed),
        (
            b"*1\r\n$536870913\r\n",
            LengthTooLarge {
                limit: 536_870_912,
                found: 536_870_913,
            },
        ),
        (b"*1\r\n$4\r\nPINGxx", BulkUnterminated),
        (b"*1\r\n$4\r\nPING\r\r", BulkUnterminated),
        (b"*1\r\n$3\r\nPING\r\n", BulkUnterminated),
        (b"*1\r\n$4\r\nPING\n", BulkUnterminated),
    ];
    for (input, error) in cases {
        assert_eq!(words(input), Err(error), "{}", input.escape_ascii());
    }
}

#[test]
fn an_empty_line_and_an_empty_array_are_skipped_without_an_answer() {
    for input in [&b"\r\n"[..], b"\n", b"  \t \r\n", b"*0\r\n", b"*-1\r\n"] {
        let events = scan_whole(input, &Limits::DEFAULT);
        assert_eq!(
            events,
            [Event::Skipped(input.len())],
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn an_inline_command_is_read_as_redis_reads_it() {
    let cases: [(&[u8], &[&str]); 14] = [
        (b"PING\n", &["PING"]),
        (b"PING\r\n", &["PING"]),
        (b"  SET \t k  v \r\n", &["SET", "k", "v"]),
        (br#"SET k "a b""#, &["SET", "k", "a b"]),
        (br#"SET k "\x00\xfF\xg1""#, &["SET", "k", r"\x00\xffxg1"]),
        (
            br#"SET k "\n\r\t\b\a\"\\\q""#,
            &["SET", "k", r#"\n\r\t\x08\x07\"\\q"#],
        ),
        (br"SET k 'a\'b\n'", &["SET", "k", r"a\'b\\n"]),
        (br#"SET "" ''"#, &["SET", "", ""]),
        (br#"a"b" c"#, &["ab", "c"]),
        (b"a\x0bb \x0b\x0cc", &[r"a\x0bb", "c"]),
        (b"a\rb", &["a", "b"]),
        (b"\xff\xfe", &[r"\xff\xfe"]),
        (b"$4", &["$4"]),
        (b" *1", &["*1"]),
    ];
    for (line, expected) in cases {
        let mut input = line.to_vec();
        if !line.ends_with(b"\n") {
            input.extend_from_slice(b"\r\n");
        }
        assert_eq!(words(&input).unwrap(), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn an_inline_command_whose_end_is_in_doubt_is_refused() {
    use ScanError::*;
    let cases: [(&[u8], ScanError); 7] = [
        (b"SET k \"a\n", QuotesUnbalanced),
        (b"SET k 'a\n", QuotesUnbalanced),
        (b"SET k \"a\"b\n", QuotesUnbalanced),
        (b"SET k 'a'b\n", QuotesUnbalanced),
        (b"SET k \"a\\\n", QuotesUnbalanced),
        (b"PI\0NG\n", InlineNul),
        (b"\x16\x03\x01\x00", InlineNul),
    ];
    for (input, error) in cases {
        assert_eq!(words(input), Err(error), "{}", input.escape_ascii());
    }
}

#[test]
fn an_inline_command_may_be_as_long_as_its_limit_however_it_arrives() {
    let max = Limits::DEFAULT.max_inline;
    let error = ScanError::InlineTooLong { limit: max };
    let mut fits = vec![b'a'; max];
    assert_eq!(scan_whole(&fits, &Limits::DEFAULT), []);
    fits.push(b'\n');
    assert!(words(&fits).is_ok());
    let mut long = vec![b'a'; max + 1];
    assert_eq!(words(&long), Err(error));
    long.push(b'\n');
    assert_eq!(words(&long), Err(error));
}

#[test]
fn an_http_request_is_refused_without_a_word() {
    let cases: [&[u8]; 6] = [
        b"POST / HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"\"post\" x\r\n",
        b"*1\r\n$4\r\npOsT\r\n",
        b"*2\r\n$5\r\nHOST:\r\n$1\r\nx\r\n",
        b"*1\r\n$6\r\npost\0x\r\n",
    ];
    for input in cases {
        let error = words(input).unwrap_err();
        assert_eq!(error, ScanError::CrossProtocol, "{}", input.escape_ascii());
        assert_eq!(error.redis_text(), None);
    }
    assert!(words(b"POSTS Host:\r\n").is_ok());
    assert!(words(b"HOST x\r\n").is_ok());
}

#[test]
fn before_login_ten_arguments_of_16_kib_pass_and_no_more() {
    let limits = Limits::BEFORE_LOGIN;
    assert_eq!(limits.login, Login::Awaited);
    let text = |input: &[u8]| match scan_whole(input, &limits).as_slice() {
        [] => None,
        [Event::Error(error)] => error.redis_text().map(|text| text.into_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(b"*10\r\n$16384\r\n"), None);
    let cases: [(&[u8], &str); 5] = [
        (b"*11\r\n", "unauthenticated multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (
            b"a b c d e f g h i j k\n",
            "unauthenticated multibulk length",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(
            text(input),
            Some(format!("ERR Protocol error: {expected}")),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn a_bound_holds_for_a_request_that_is_here_as_a_whole() {
    let many = [&b"*11\r\n"[..], &b"$1\r\nx\r\n".repeat(11)].concat();
    let error = scan_whole(&many, &Limits::BEFORE_LOGIN);
    assert!(
        matches!(
            error[..],
            [Event::Error(ScanError::CountBeforeLogin { .. })]
        ),
        "{error:?}"
    );
    let few = Limits {
        max_bulk: 10,
        ..Limits::DEFAULT
    };
    let error = scan_whole(b"*2\r\n$3\r\nGET\r\n$11\r\n12345678901\r\n", &few);
    let expected = ScanError::LengthTooLarge {
        limit: 10,
        found: 11,
    };
    assert!(
        matches!(error[..], [Event::Error(found)] if found == expected),
        "{error:?}"
    );
}

#[test]
fn limits_can_change_between_two_requests_of_one_pipeline() {
    let auth = encoded(&[b"AUTH".to_vec(), b"secret".to_vec()]);
    let large = encoded(&vec![b"MGET".to_vec(); 11]);
    let input = [auth.clone(), large.clone()].concat();
    let mut scanner = RequestScanner::new();
    let first = scanner.scan(&input, &Limits::BEFORE_LOGIN);
    assert_eq!(first, Ok(Scan::Complete { len: auth.len() }));
    let second = scanner.scan(&input[auth.len()..], &Limits::DEFAULT);
    assert_eq!(second, Ok(Scan::Complete { len: large.len() }));
}

#[test]
fn an_error_is_answered_again_whatever_comes_after_it() {
    let mut scanner = RequestScanner::new();
    let error = Err(ScanError::CountMalformed);
    assert_eq!(scanner.scan(b"*x", &Limits::DEFAULT), error);
    assert_eq!(
        scanner.scan(b"*1\r\n$4\r\nPING\r\n", &Limits::DEFAULT),
        error
    );
    scanner.release();
    assert_eq!(
        scanner.scan(b"*1\r\n$4\r\nPING\r\n", &Limits::DEFAULT),
        error
    );
}

#[test]
fn nothing_is_reserved_for_what_a_header_announces() {
    let mut scanner = RequestScanner::new();
    let input = b"*1048576\r\n$3\r\nDEL\r\n$536870912\r\nabc";
    assert_eq!(scanner.scan(input, &Limits::DEFAULT), Ok(Scan::Incomplete));
    assert!(scanner.args.capacity() <= 8);
    let progress = Progress {
        announced: 1_048_576,
        arrived: 1,
        open: Some(OpenBulk {
            announced: 536_870_912,
            arrived: 3,
        }),
        announced_bytes: 536_870_915,
    };
    assert_eq!(scanner.progress(), Some(progress));
}

#[test]
fn a_large_request_leaves_no_memory_behind() {
    let large = encoded(&vec![b"k".to_vec(); 10_000]);
    let mut scanner = RequestScanner::new();
    scanner.scan(&large, &Limits::DEFAULT).unwrap();
    assert!(scanner.args.capacity() >= 10_000);
    scanner.scan(b"", &Limits::DEFAULT).unwrap();
    assert!(scanner.args.capacity() <= KEPT_RANGES);
    scanner.release();
    assert_eq!(scanner.args.capacity(), 0);
}

#[test]
fn a_scanner_that_waits_costs_an_idle_client_less_than_200_bytes() {
    let size = size_of::<RequestScanner>();
    assert!(size < 200, "{size}");
}

#[test]
fn progress_and_prefix_are_known_only_within_an_array() {
    let whole = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    for end in 0..=whole.len() {
        let mut scanner = RequestScanner::new();
        let input = &whole[..end];
        scanner.scan(input, &Limits::DEFAULT).unwrap();
        assert_eq!(
            scanner.progress().is_some(),
            (4..whole.len()).contains(&end),
            "{end}"
        );
        let prefix = scanner.prefix(input);
        assert_eq!(prefix.is_some(), (13..whole.len()).contains(&end), "{end}");
        if let Some(prefix) = prefix {
            assert_eq!((prefix.len(), prefix.announced()), (1, 2));
            assert_eq!((prefix.arg(0), prefix.bytes()), (Some(&b"GET"[..]), input));
            assert!(!prefix.is_whole());
        }
    }
    let mut scanner = RequestScanner::new();
    scanner.scan(b"GET key", &Limits::DEFAULT).unwrap();
    assert_eq!(scanner.progress(), None);
    assert!(scanner.prefix(b"GET key").is_none());
}

/// What is behind the scanner is overwritten before each call. Only the command's name is looked at twice: when it is whole.
#[test]
fn a_byte_that_was_passed_is_never_read_again() {
    let input = encoded(&[b"SET".to_vec(), b"key".to_vec(), vec![b'v'; 300]]);
    let mut scanner = RequestScanner::new();
    let mut buffer = Vec::new();
    for (passed, byte) in input.iter().enumerate() {
        buffer[..passed].fill(b'X');
        buffer.push(*byte);
        let outcome = scanner.scan(&buffer, &Limits::DEFAULT).unwrap();
        let last = passed + 1 == input.len();
        assert_eq!(outcome != Scan::Incomplete, last);
    }
    assert_eq!(scanner.request(&buffer).len(), 3);
}

/// A second search would find the line breaks that are put in behind the first.
#[test]
fn the_end_of_an_inline_command_is_searched_for_once() {
    let mut scanner = RequestScanner::new();
    let mut buffer = Vec::new();
    for passed in 0..1000 {
        buffer[..passed].fill(b'\n');
        buffer.push(b'a');
        let outcome = scanner.scan(&buffer, &Limits::DEFAULT);
        assert_eq!(outcome, Ok(Scan::Incomplete));
    }
}

#[test]
fn a_discarded_inline_command_ends_at_its_line_break() {
    let mut scanner = RequestScanner::new();
    scanner.scan(b"SET k", &Limits::DEFAULT).unwrap();
    scanner.dropped(5);
    let rest = scanner.scan(b" v\r\nPING\r\n", &Limits::DEFAULT);
    assert_eq!(rest, Ok(Scan::Rest { len: 4 }));
    assert!(scanner.request(b" v\r\n").is_empty());
    let next = scanner.scan(b"PING\r\n", &Limits::DEFAULT);
    assert_eq!(next, Ok(Scan::Inline { len: 6 }));
}

#[test]
fn limits_hold_also_for_what_is_discarded() {
    let mut scanner = RequestScanner::new();
    let limits = Limits {
        max_bulk: 10,
        ..Limits::DEFAULT
    };
    scanner.scan(b"*3\r\n$3\r\nSET\r\n", &limits).unwrap();
    scanner.dropped(13);
    assert_eq!(
        scanner.scan(b"$11\r\n", &limits),
        Err(ScanError::LengthTooLarge {
            limit: 10,
            found: 11
        })
    );
}

/// Bytes that are likely to matter somewhere.
fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => prop::sample::select(&b"*$\r\n0123456789-+'\"\\ x\0:?"[..]),
        1 => any::<u8>(),
    ]
}

fn any_words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(
        prop_oneof![
            vec(any::<u8>(), 0..12),
            vec(interesting(), 0..12),
            vec(any::<u8>(), 250..300),
        ],
        1..5,
    )
}

/// One change of a valid pipeline.
#[derive(Clone, Debug)]
enum Change {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), interesting()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<usize>(), interesting()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<usize>().prop_map(Change::Remove),
        any::<usize>().prop_map(Change::Cut),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if input.is_empty() {
            break;
        }
        let len = input.len();
        match *change {
            Change::Replace(at, byte) => input[at % len] = byte,
            Change::Insert(at, byte) => input.insert(at % len, byte),
            Change::Remove(at) => drop(input.remove(at % len)),
            Change::Cut(at) => input.truncate(at % len),
        }
    }
    input
}

/// Pipelines: valid ones, changed ones, inline commands, and anything at all.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let valid =
        vec(any_words().prop_map(|words| encoded(&words)), 1..4).prop_map(|all| all.concat());
    let inline = vec(interesting(), 0..60).prop_map(|mut line| {
        line.push(b'\n');
        line
    });
    prop_oneof![
        4 => (valid, vec(any_change(), 0..4)).prop_map(|(input, changes)| changed(input, &changes)),
        2 => inline,
        1 => vec(interesting(), 0..60),
    ]
}

fn pieces(input: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_words_come_back_as_they_were_sent(words in any_words()) {
        prop_assume!(!is_http(&words[0]));
        let bytes = encoded(&words);
        let taken = bytes.len();
        let expected = Event::Request { words, bytes: bytes.clone(), taken };
        prop_assert_eq!(scan_whole(&bytes, &Limits::DEFAULT), [expected]);
    }

    #[test]
    fn any_way_of_cutting_the_input_gives_the_same_outcomes(
        input in any_input(),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let whole = scan_whole(&input, &Limits::DEFAULT);
        prop_assert_eq!(&scan_pieces(pieces(&input, cuts), &Limits::DEFAULT), &whole);
        prop_assert_eq!(&scan_pieces(input.chunks(1), &Limits::DEFAULT), &whole);
        for cut in 0..input.len() {
            let (one, two) = input.split_at(cut);
            prop_assert_eq!(&scan_pieces([one, two], &Limits::DEFAULT), &whole);
        }
    }

    #[test]
    fn whatever_is_accepted_the_oracle_reads_alike(input in any_input()) {
        for event in scan_whole(&input, &Limits::DEFAULT) {
            let Event::Request { words, bytes, .. } = event else { continue };
            let (frame, len) = resp2::decode::decode(&bytes).unwrap().unwrap();
            prop_assert_eq!(len, bytes.len());
            let read = words.into_iter().map(resp2::types::OwnedFrame::BulkString).collect();
            prop_assert_eq!(frame, resp2::types::OwnedFrame::Array(read));
        }
    }

    #[test]
    fn a_streamed_request_is_handed_on_to_the_byte_and_its_end_is_found(
        words in any_words(),
        cuts in vec(any::<usize>(), 1..8),
        start in 0usize..6,
    ) {
        prop_assume!(!is_http(&words[0]));
        let request = encoded(&words);
        let input = [request.clone(), b"PING\r\n".to_vec()].concat();
        let mut scanner = RequestScanner::new();
        let (mut buffer, mut sent) = (Vec::new(), Vec::new());
        let mut end = None;
        for (turn, piece) in pieces(&input, cuts).into_iter().enumerate() {
            buffer.extend_from_slice(piece);
            if end.is_some() {
                continue;
            }
            match scanner.scan(&buffer, &Limits::DEFAULT).unwrap() {
                Scan::Incomplete if turn >= start => {
                    if let Some(prefix) = scanner.prefix(&buffer) {
                        prop_assert!(!prefix.is_empty());
                        prop_assert_eq!(prefix.bytes(), &buffer[..]);
                    }
                    scanner.dropped(buffer.len());
                    sent.append(&mut buffer);
                }
                Scan::Incomplete => {}
                Scan::Rest { len } => {
                    prop_assert!(!sent.is_empty());
                    sent.extend(buffer.drain(..len));
                    end = Some(len);
                }
                Scan::Complete { len } => {
                    prop_assert!(sent.is_empty());
                    sent.extend(buffer.drain(..len));
                    end = Some(len);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(sent, request);
        prop_assert_eq!(scanner.scan(&buffer, &Limits::DEFAULT), Ok(Scan::Inline { len: 6 }));
    }
}
