//! The request scanner beside real servers: the same raw bytes to both.
//!
//! Whatever the scanner accepts every server must read as the same words, and answer once. Where both refuse, the texts are the
//! same. Where only the scanner refuses, the case is in the table of [`DELIBERATE`] strictness. A server must never refuse
//! what the scanner accepts.
//!
//! Servers differ among themselves about inline commands. The scanner reads them as Redis does; nothing depends on it, because no
//! server ever gets the line itself.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redwall::resp::{Limits, OwnedRequest, RequestScanner, Scan, ScanError};

use crate::server::servers;

/// A request as the client wrote it, and its words as the scanner read them.
#[derive(Debug, PartialEq)]
struct Found {
    written: Vec<u8>,
    words: Vec<Vec<u8>>,
}

/// What the scanner makes of `input`: the requests, and the error that ended it.
fn scanned(input: &[u8], limits: &Limits) -> (Vec<Found>, Option<ScanError>) {
    let mut scanner = RequestScanner::new();
    let (mut requests, mut rest) = (Vec::new(), input);
    loop {
        match scanner.scan(rest, limits) {
            Ok(Scan::Complete { len } | Scan::Inline { len }) => {
                let request = scanner.request(rest);
                requests.push(Found {
                    written: rest[..len].to_vec(),
                    words: request.iter().map(<[u8]>::to_vec).collect(),
                });
                rest = &rest[len..];
            }
            Ok(Scan::Skipped { len }) => rest = &rest[len..],
            Ok(Scan::Rest { .. }) => unreachable!("nothing was dropped"),
            Ok(Scan::Incomplete) => return (requests, None),
            Err(error) => return (requests, Some(error)),
        }
    }
}

/// The error as a frame; `None` for silence.
fn as_frame(error: ScanError) -> Option<Vec<u8>> {
    let text = error.redis_text()?;
    Some(format!("-{text}\r\n").into_bytes())
}

fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

/// What both refuse, in the same words.
const REFUSED: [&[u8]; 22] = [
    b"*x\r\n",
    b"*\r\n",
    b"*+1\r\n",
    b"*01\r\n",
    b"*-0\r\n",
    b"* 1\r\n",
    b"*1 \r\n",
    b"*1\n$4\r\nPING\r\n",
    b"*99999999999999999999\r\n",
    b"*2147483648\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n*1\r\n",
    b"*1\r\n'\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$536870913\r\n",
    b"PING \"\r\n",
];

/// What only the scanner refuses, and how many replies a server gives to it.
const DELIBERATE: [(&[u8], ScanError, usize); 9] = [
    // Servers skip the byte after a CR, and the two after an argument, whatever they are.
    (b"*1\rx$4\r\nPING\r\n", ScanError::CountMalformed, 1),
    (b"*1\r\n$4\rxPING\r\n", ScanError::LengthMalformed, 1),
    (b"*1\r\n$4\r\nPINGxx", ScanError::BulkUnterminated, 1),
    // Servers skip every array of a negative length.
    (b"*-2\r\n", ScanError::CountMalformed, 0),
    // Servers wait for the end of a line before they look at it.
    (b"*x", ScanError::CountMalformed, 0),
    (b"*1\r\n$x", ScanError::LengthMalformed, 0),
    (b"*1\r\n:", ScanError::NotABulk { found: b':' }, 0),
    // Servers that search as C does never find the line's end behind a NUL.
    (b"PI\0NG\n", ScanError::InlineNul, 0),
    // Beyond this number of arguments older servers refuse, newer ones don't.
    (
        b"*1048577\r\n",
        ScanError::CountTooLarge {
            limit: 1_048_576,
            found: 1_048_577,
        },
        0,
    ),
];

#[test]
fn what_scanner_and_server_refuse_they_refuse_in_the_same_words() {
    for server in servers(&[]) {
        for input in REFUSED {
            let (requests, error) = scanned(input, &Limits::DEFAULT);
            assert_eq!(requests.len(), 0, "{}", input.escape_ascii());
            let expected = as_frame(error.unwrap()).unwrap();
            assert_eq!(
                server.answer(input).escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{}: {}",
                server.name,
                input.escape_ascii()
            );
        }
    }
}

/// A closing quote in the middle of a word: Redis refuses, newer Valkey reads on, the scanner refuses.
#[test]
fn a_closing_quote_in_a_word_is_refused_in_the_words_of_those_that_refuse_it() {
    let input = b"ECHO \"a\"b\r\n";
    let (_, error) = scanned(input, &Limits::DEFAULT);
    assert_eq!(error, Some(ScanError::QuotesUnbalanced));
    for server in servers(&[]) {
        let answer = server.answer(input);
        let reads_on = server.is_valkey() && answer == b"$2\r\nab\r\n";
        assert!(reads_on || Some(answer) == as_frame(ScanError::QuotesUnbalanced));
    }
}

#[test]
fn valkey_alone_leaves_0xff_out_of_an_inline_command() {
    let input = b"ECHO a\xffb\r\n";
    let words = &scanned(input, &Limits::DEFAULT).0[0].words;
    assert_eq!(words[1], b"a\xffb");
    for server in servers(&[]) {
        let expected = match server.is_valkey() {
            true => b"$2\r\nab\r\n".to_vec(),
            false => b"$3\r\na\xffb\r\n".to_vec(),
        };
        assert_eq!(server.answer(input), expected, "{}", server.name);
    }
}

#[test]
fn an_inline_command_is_too_big_in_the_same_words() {
    let input = vec![b'a'; 64 * 1024 + 16 * 1024];
    let (_, error) = scanned(&input, &Limits::DEFAULT);
    for server in servers(&[]) {
        assert_eq!(Some(server.answer(&input)), as_frame(error.unwrap()));
    }
}

#[test]
fn where_only_the_scanner_refuses_it_is_meant() {
    for server in servers(&[]) {
        for (input, error, replies) in DELIBERATE {
            let what = format!("{}: {}", server.name, input.escape_ascii());
            assert_eq!(scanned(input, &Limits::DEFAULT).1, Some(error), "{what}");
            assert_eq!(server.replies(input).len(), replies, "{what}");
        }
    }
}

#[test]
fn an_http_request_is_closed_without_a_word() {
    let inputs: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\nPING\r\n",
        b"hOST: x\r\nPING\r\n",
        b"*1\r\n$4\r\npost\r\nPING\r\n",
        b"*2\r\n$5\r\nHost:\r\n$1\r\nx\r\nPING\r\n",
    ];
    for server in servers(&[]) {
        for input in inputs {
            let expected = (vec![], Some(ScanError::CrossProtocol));
            assert_eq!(scanned(input, &Limits::DEFAULT), expected);
            assert_eq!(server.answer(input), b"", "{}", server.name);
        }
    }
}

#[test]
fn before_login_scanner_and_server_refuse_in_the_same_words() {
    let refused: [&[u8]; 4] = [
        b"*11\r\n",
        b"*1\r\n$16385\r\n",
        b"*2147483648\r\n",
        b"*1\r\n$536870913\r\n",
    ];
    let mut words = vec![vec![b'a'; 16_384]; 10];
    words[0] = b"DEL".to_vec();
    let large = encoded(&words);
    for server in servers(&["--requirepass", "secret"]) {
        for input in refused {
            let error = scanned(input, &Limits::BEFORE_LOGIN).1.unwrap();
            assert_eq!(
                Some(server.answer(input)),
                as_frame(error),
                "{}: {}",
                server.name,
                input.escape_ascii()
            );
        }
        assert_eq!(scanned(&large, &Limits::BEFORE_LOGIN).0.len(), 1);
        assert_eq!(
            server.answer(&large),
            b"-NOAUTH Authentication required.\r\n"
        );
    }
}

/// Bytes that are likely to matter somewhere.
fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => prop::sample::select(&b"*$\r\n0123456789-+'\"\\ x\0\x0b\x0c\t?"[..]),
        1 => any::<u8>(),
    ]
}

/// A request that answers with its own argument, as an array.
fn array() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![vec(interesting(), 0..20), vec(any::<u8>(), 90..120)];
    text.prop_map(|text| encoded(&[b"ECHO".to_vec(), text]))
}

/// The same as an inline command, with any quotes.
fn inline() -> impl Strategy<Value = Vec<u8>> {
    let quote = || prop::sample::select(vec![&b""[..], b"\"", b"'"]);
    let text = vec(interesting().prop_filter("NUL", |byte| *byte != 0), 0..20);
    let end = prop::sample::select(vec![&b"\n"[..], b"\r\n"]);
    (quote(), text, quote(), end).prop_map(|(open, mut text, close, end)| {
        text.retain(|byte| *byte != b'\n');
        [b"echo ", open, &text, close, end].concat()
    })
}

/// Pipelines of both, with up to two bytes changed, or cut off.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let requests = vec(prop_oneof![array(), inline()], 1..5).prop_map(|all| all.concat());
    let changes = vec((any::<usize>(), prop::option::of(interesting())), 0..3);
    (requests, changes).prop_map(|(mut input, changes)| {
        for (at, byte) in changes {
            let at = at % (input.len() + 1);
            match byte {
                Some(byte) if at < input.len() => input[at] = byte,
                Some(byte) => input.push(byte),
                None => input.truncate(at),
            }
        }
        input
    })
}

/// The reply that `words` must get, if it is known.
fn expected(words: &[Vec<u8>]) -> Option<Vec<u8>> {
    match words {
        [name, text] if name.eq_ignore_ascii_case(b"echo") => {
            let header = format!("${}\r\n", text.len()).into_bytes();
            Some([&header, &text[..], b"\r\n"].concat())
        }
        _ => None,
    }
}

/// Whether a server reads on, or otherwise, where the scanner ends with this error: see [`DELIBERATE`].
fn may_go_on(error: ScanError) -> bool {
    match error {
        ScanError::CountMalformed
        | ScanError::NotABulk { .. }
        | ScanError::LengthMalformed
        | ScanError::BulkUnterminated
        | ScanError::CountTooLarge { .. }
        | ScanError::InlineNul => true,
        ScanError::CountBeforeLogin { .. }
        | ScanError::LengthTooLarge { .. }
        | ScanError::LengthBeforeLogin { .. }
        | ScanError::RequestTooLarge
        | ScanError::InlineTooLong { .. }
        | ScanError::QuotesUnbalanced
        | ScanError::CrossProtocol => false,
    }
}

#[test]
fn a_line_of_blanks_asks_for_nothing_though_one_server_loses_its_place_behind_it() {
    let input = b" \r\n*2\r\n$4\r\nECHO\r\n$6\r\nDBSIZE\r\n";
    let (requests, error) = scanned(input, &Limits::DEFAULT);
    assert_eq!((requests.len(), error), (1, None));
    assert!(requests[0].written.starts_with(b"*2"));
    for server in servers(&[]) {
        let replies = server.replies(input);
        if server.is_misled_by(input) {
            assert_eq!(replies.last().unwrap(), b":0\r\n", "{}", server.name);
        } else {
            assert_eq!(replies, [b"$6\r\nDBSIZE\r\n"], "{}", server.name);
        }
    }
}

#[test]
fn whatever_the_scanner_accepts_every_server_reads_alike() {
    for server in servers(&[]) {
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(2_000)
        });
        let outcome = runner.run(&any_input(), |input| {
            let (requests, error) = scanned(&input, &Limits::DEFAULT);
            let replies = server.replies(&input);
            let what = format!("{}: {}", server.name, input.escape_ascii());
            if error == Some(ScanError::CrossProtocol) || server.is_misled_by(&input) {
                return Ok(());
            }
            prop_assert!(replies.len() >= requests.len(), "{}", what);
            for (request, reply) in requests.iter().zip(&replies) {
                let expected = expected(&request.words);
                let alike = expected.is_none_or(|expected| expected == *reply)
                    || server.differs_about(&request.written);
                prop_assert!(alike, "{}: {}", what, reply.escape_ascii());
                let refused = reply.starts_with(b"-ERR Protocol error");
                prop_assert!(!refused, "{}: {}", what, reply.escape_ascii());
            }
            let further = &replies[requests.len()..];
            match error {
                None => prop_assert!(further.is_empty(), "{}: {:?}", what, further),
                Some(error) if may_go_on(error) => {}
                Some(ScanError::QuotesUnbalanced) if server.is_valkey() => {}
                Some(error) => prop_assert_eq!(further, [as_frame(error).unwrap()]),
            }
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
