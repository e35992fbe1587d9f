//! The reply scanner on what real servers write: each command's reply is one frame, and a decoder reads each to the same end.

use redwall::resp::decode::DecodeError;
use redwall::resp::{Frame, FrameKind, Protocol, ReplyScanner, decode, encode};

use crate::server::{Server, servers};

/// All frames that `commands` are answered with on one connection, with their bytes.
fn frames(server: &Server, commands: &[&str]) -> Vec<(Frame, Vec<u8>)> {
    let mut input = Vec::new();
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        encode::command(&mut input, &words);
    }
    let answer = server.converse(&mut input);
    let mut scanner = ReplyScanner::new();
    let (mut frames, mut start, mut rest) = (Vec::new(), 0, &answer[..]);
    let mut end = 0;
    while !rest.is_empty() {
        // In small pieces, as a slow backend sends.
        let step = scanner.advance(&rest[..rest.len().min(61)]).unwrap();
        end += step.consumed;
        rest = &answer[end..];
        if let Some(frame) = step.end {
            assert_eq!(frame.len() as usize, end - start);
            frames.push((frame, answer[start..end].to_vec()));
            start = end;
        }
    }
    assert_eq!(start, answer.len(), "{}: a frame is cut off", server.name);
    let quit = frames.pop().map(|(_, bytes)| bytes);
    assert_eq!(quit.as_deref(), Some(&b"+OK\r\n"[..]), "{}", server.name);
    frames
}

fn shown(frames: &[(Frame, Vec<u8>)]) -> String {
    let lines = frames.iter().map(|(_, bytes)| bytes.escape_ascii());
    lines.map(|line| format!("\n  {line:.300}")).collect()
}

const COMMANDS: [&str; 23] = [
    "HSET h f v g w",
    "HGETALL h",
    "SADD s a b c",
    "SMEMBERS s",
    "ZADD z 1.5 a 2 b",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZSCORE z a",
    "GET none",
    "GET h",
    "CONFIG GET *",
    "INFO all",
    "COMMAND",
    "COMMAND DOCS",
    "COMMAND INFO get nosuch",
    "CLIENT LIST",
    "CLIENT INFO",
    "ACL LIST",
    "ACL GETUSER default",
    "XADD x 1-1 f v",
    "XINFO STREAM x FULL",
    "LOLWUT",
    "SLOWLOG GET",
    "MEMORY STATS",
];

/// In RESP3 these hold sets of maps, which `redis-protocol` can't read: Redwall has to ask them in RESP2.
const SETS_OF_MAPS: [&str; 3] = ["COMMAND", "COMMAND DOCS", "COMMAND INFO get nosuch"];

#[test]
fn each_command_of_a_long_list_is_answered_with_one_frame_in_both_versions() {
    for server in servers(&[]) {
        for (hello, protocol) in [("HELLO 2", Protocol::Resp2), ("HELLO 3", Protocol::Resp3)] {
            let commands = [&[hello][..], &COMMANDS].concat();
            let found = frames(&server, &commands);
            assert_eq!(found.len(), commands.len(), "{}", server.name);
            let mut unreadable = Vec::new();
            for ((frame, bytes), command) in found.iter().zip(commands) {
                assert_eq!(frame.kind(), FrameKind::Reply);
                match decode::frame(bytes, protocol) {
                    Ok(read) => assert_eq!(read.unwrap().1, bytes.len()),
                    Err(DecodeError::Content { .. }) => unreadable.push(command),
                    Err(error) => panic!("{}: {command}: {error}", server.name),
                }
            }
            let expected = match protocol {
                Protocol::Resp2 => &[][..],
                Protocol::Resp3 => &SETS_OF_MAPS,
            };
            assert_eq!(unreadable, expected, "{}", server.name);
            let proto = decode::frame(&found[0].1, protocol).unwrap().unwrap().0;
            let proto = proto.field("proto").cloned();
            assert_eq!(proto, Some(decode::Value::Integer(protocol as i64 + 2)));
        }
    }
}

#[test]
fn every_type_that_a_server_can_be_made_to_send_is_delimited() {
    let kinds = "string integer double null array set map attrib push verbatim true false bignum";
    for server in servers(&["--enable-debug-command", "yes"]) {
        for hello in ["HELLO 2", "HELLO 3"] {
            for kind in kinds.split(' ') {
                let debug = format!("DEBUG PROTOCOL {kind}");
                let found = frames(&server, &[hello, &debug, "PING"]);
                let answers = |(frame, _): &&(Frame, _)| frame.kind() == FrameKind::Reply;
                let what = format!("{}: {hello}, {debug}: {}", server.name, shown(&found));
                assert_eq!(found.iter().filter(answers).count(), 3, "{what}");
                assert_eq!(found.last().unwrap().1, b"+PONG\r\n", "{what}");
            }
        }
    }
}

#[test]
fn subscriptions_are_labelled_and_counted() {
    let commands = [
        "SUBSCRIBE a b",
        "PSUBSCRIBE p*",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
    ];
    let expected: [(&[u8], i64); 6] = [
        (b"subscribe", 1),
        (b"subscribe", 2),
        (b"psubscribe", 3),
        (b"unsubscribe", 2),
        (b"unsubscribe", 1),
        (b"punsubscribe", 0),
    ];
    for server in servers(&[]) {
        for (hello, kind) in [("HELLO 2", FrameKind::Reply), ("HELLO 3", FrameKind::Push)] {
            let commands = [&[hello][..], &commands].concat();
            let found = frames(&server, &commands);
            let found: Vec<_> = found[1..]
                .iter()
                .inspect(|(frame, _)| assert_eq!(frame.kind(), kind))
                .map(|(frame, _)| (frame.label(), frame.third().unwrap()))
                .collect();
            assert_eq!(found, expected, "{}", server.name);
        }
    }
}

#[test]
fn an_invalidation_inside_a_transaction_is_not_one_of_its_elements() {
    let commands = [
        "HELLO 3",
        "CLIENT TRACKING ON BCAST",
        "MULTI",
        "SET k 1",
        "GET k",
        "EXEC",
        "CLIENT TRACKING OFF",
        "CLIENT TRACKING ON",
        "MULTI",
        "GET k",
        "SET k 2",
        "GET k",
        "EXEC",
        "PING",
    ];
    for server in servers(&[]) {
        let found = frames(&server, &commands);
        let replies = found
            .iter()
            .filter(|(frame, _)| frame.kind() == FrameKind::Reply);
        assert_eq!(
            replies.count(),
            commands.len(),
            "{}: {}",
            server.name,
            shown(&found)
        );
        let pushes: u64 = found
            .iter()
            .map(|(frame, _)| frame.nested_pushes() + u64::from(frame.kind() == FrameKind::Push))
            .sum();
        assert!(pushes > 0, "{}: {}", server.name, shown(&found));
    }
}

/// One request, no reply: where another reply is waiting to be written. So Redwall's own AUTH must never stand behind anything.
#[test]
fn redis_8_2_alone_leaves_out_the_reply_to_a_failed_auth_behind_another() {
    for server in servers(&[]) {
        for login in ["AUTH a b", "HELLO 3 AUTH a b"] {
            let missing = usize::from(server.name.contains("redis-8.2"));
            let found = frames(&server, &["PING", login, "PING"]);
            assert_eq!(found.len(), 3 - missing, "{}: {login}", server.name);
            assert_eq!(frames(&server, &[login, "PING"]).len(), 2);
        }
    }
}

/// A failed AUTH comes first, for the reason above.
#[test]
fn an_error_is_known_by_its_first_word() {
    let commands = ["AUTH a b", "SET s v", "LPUSH s v", "GET", "EVALSHA x 0"];
    let labels: [&[u8]; 5] = [b"WRONGPASS", b"", b"WRONGTYPE", b"ERR", b"NOSCRIPT"];
    for server in servers(&[]) {
        let found = frames(&server, &commands);
        let found: Vec<_> = found.iter().map(|(frame, _)| frame.label()).collect();
        assert_eq!(found, labels, "{}", server.name);
    }
}
