//! What Redwall answers itself, to whom, and how: texts are those of live servers.

use super::*;

#[test]
fn before_login_nothing_but_a_login_is_answered_and_nothing_is_forwarded() {
    let cases = [
        ("GET a:k", "-NOAUTH Authentication required. "),
        ("GET", "-NOAUTH Authentication required. "),
        ("NOSUCH", "-NOAUTH Authentication required. "),
        ("PING", "-NOAUTH Authentication required. "),
        ("MULTI", "-NOAUTH Authentication required. "),
        ("EXEC x", "-NOAUTH Authentication required. "),
        ("CLIENT SETNAME x", "-NOAUTH Authentication required. "),
        ("COMMAND", "-NOAUTH Authentication required. "),
        ("RESET x", "-NOAUTH Authentication required. "),
        ("AUTH", "-ERR wrong number of arguments for 'auth' command "),
        ("AUTH a b c", "-ERR syntax error "),
        (
            "AUTH app wrong",
            "-WRONGPASS invalid username-password pair or user is disabled. ",
        ),
        (
            "AUTH nobody app",
            "-WRONGPASS invalid username-password pair or user is disabled. ",
        ),
        (
            "HELLO 3 AUTH app wrong",
            "-WRONGPASS invalid username-password pair or user is disabled. ",
        ),
        ("RESET", "+RESET "),
        ("QUIT", "+OK "),
    ];
    let mut bed = Bed::stranger(APP);
    for (line, expected) in cases {
        assert_eq!(bed.ask(line), expected, "{line}");
    }
    assert!(bed.ask("HELLO 3").starts_with("-NOAUTH HELLO must be"));
    assert_eq!(bed.session.protocol(), Protocol::Resp2);
    assert_eq!(bed.sent(), "");
}

#[test]
fn what_is_answered_to_everybody_needs_no_right_and_no_backend() {
    let cases = [
        ("PING", "+PONG ", "+PONG "),
        ("PING x", "$1 x ", "$1 x "),
        (
            "PING a b",
            "-ERR wrong number of arguments for 'ping' command ",
            "-ERR wrong number of arguments for 'ping' command ",
        ),
        ("ECHO x", "$1 x ", "$1 x "),
        ("SELECT 0", "+OK ", "+OK "),
        ("CLIENT ID", ":7 ", ":7 "),
        ("CLIENT GETNAME", "$-1 ", "_ "),
        ("CLIENT SETNAME n", "+OK ", "+OK "),
        ("CLIENT GETNAME", "$1 n ", "$1 n "),
        ("CLIENT SETINFO lib-name x", "+OK ", "+OK "),
        (
            "CLIENT SETINFO foo x",
            "-ERR Unrecognized option 'foo' ",
            "-ERR Unrecognized option 'foo' ",
        ),
        ("COMMAND COUNT", ":1 ", ":1 "),
        ("COMMAND INFO set", "*1 $-1 ", "*1 _ "),
    ];
    for resp3 in [false, true] {
        let mut bed = Bed::with("+get ~a:*");
        bed.lane = Open::No;
        if resp3 {
            assert!(bed.ask("HELLO 3").starts_with("%7 $6 server "));
        }
        for (line, in_resp2, in_resp3) in cases {
            let expected = if resp3 { in_resp3 } else { in_resp2 };
            assert_eq!(bed.ask(line), expected, "{line}");
        }
        assert_eq!(bed.sent(), "");
    }
}

#[test]
fn what_else_is_answered_here_is_judged_first() {
    let mut bed = Bed::with("+get ~a:*");
    for line in [
        "ACL WHOAMI",
        "ACL CAT",
        "CLIENT INFO",
        "CLIENT LIST",
        "CLIENT KILL x",
        "CLIENT NO-TOUCH on",
        "CLIENT REPLY off",
    ] {
        assert_eq!(bed.offer(line), "denied", "{line}");
        assert!(bed.heard().starts_with("-NOPERM "), "{line}");
    }
    let mut bed = Bed::new();
    assert_eq!(bed.ask("ACL WHOAMI"), "$3 app ");
    assert_eq!(
        bed.ask("ACL CAT a b"),
        "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP. "
    );
    assert_eq!(bed.ask("ACL CAT nosuch"), "-ERR Unknown category 'nosuch' ");
    assert!(bed.ask("CLIENT INFO").contains(" user=app "));
    assert_eq!(
        bed.ask("CLIENT REPLY off"),
        "-ERR 'client|reply' is not available through Redwall "
    );
    assert_eq!(bed.sent(), "");
}

#[test]
fn hello_does_all_of_it_or_nothing() {
    let cases = [
        ("HELLO 4", "-NOPROTO unsupported protocol version "),
        (
            "HELLO +3",
            "-ERR Protocol version is not an integer or out of range ",
        ),
        (
            "HELLO 03",
            "-ERR Protocol version is not an integer or out of range ",
        ),
        (
            "HELLO 3 AUTH x",
            "-ERR Syntax error in HELLO option 'AUTH' ",
        ),
        (
            "HELLO 3 SETNAME",
            "-ERR Syntax error in HELLO option 'SETNAME' ",
        ),
        (
            "HELLO 3 AUTH root wrong SETNAME n",
            "-WRONGPASS invalid username-password pair or user is disabled. ",
        ),
        (
            "HELLO 3 AUTH root root SETNAME x\ty",
            "-ERR Client names cannot contain spaces, newlines or special characters. ",
        ),
    ];
    let mut bed = Bed::new();
    for (line, expected) in cases {
        assert_eq!(bed.ask(line), expected, "{line}");
        assert_eq!(bed.ask("ACL WHOAMI"), "$3 app ", "{line}");
        assert_eq!(bed.ask("CLIENT GETNAME"), "$-1 ", "{line}");
    }
    assert_eq!(bed.sent(), "");
    assert_eq!(bed.offer("HELLO 3 AUTH root root SETNAME n"), "login");
    bed.reply("%0 ");
    assert!(bed.heard().starts_with("%7 "));
    assert_eq!(bed.ask("ACL WHOAMI"), "$4 root ");
    assert_eq!(bed.ask("CLIENT GETNAME"), "$1 n ");
}

#[test]
fn a_number_that_redis_would_not_read_is_none() {
    let mut bed = Bed::new();
    for number in ["00", "+0", "0x", "-0"] {
        assert_eq!(
            bed.offer(&format!("SELECT {number}")),
            "forwarded",
            "{number}"
        );
        bed.reply("-ERR ");
        assert_eq!(bed.session.database(), 0);
    }
}

#[test]
fn info_without_all_keys_tells_of_the_server_and_its_memory_alone() {
    const SENT: &str = "*3 INFO server memory";
    for rules in ["+@all ~a:*", "+@all %W~*", "+info"] {
        let mut bed = Bed::with(rules);
        for line in [
            "INFO",
            "INFO keyspace",
            "INFO all",
            "INFO everything server",
        ] {
            assert_eq!(bed.exchange(line, "$1 i "), "$1 i ", "{rules}: {line}");
            assert_eq!(bed.sent(), SENT, "{rules}: {line}");
        }
    }
    let mut bed = Bed::with("+@all ~a:*");
    bed.exchange("MULTI", "+OK ");
    bed.exchange("INFO keyspace", "+QUEUED ");
    assert_eq!(bed.sent(), format!("*1 MULTI {SENT}"));
    bed.exchange("EXEC", "*1 $1 i ");
    let mut bed = Bed::with("+@all ~*");
    bed.exchange("INFO keyspace", "$1 i ");
    assert_eq!(bed.sent(), "*2 INFO keyspace");
}

#[test]
fn quit_and_reset_wait_for_the_replies_before_them_and_being_offered_again_changes_nothing() {
    for (line, done, text) in [("QUIT", "quit", "+OK "), ("RESET", "reset", "+RESET ")] {
        let mut bed = Bed::new();
        bed.offer("GET a:1");
        bed.offer("GET x");
        for _ in 0..5 {
            assert_eq!((bed.offer(line), bed.heard().as_str()), ("wait", ""));
        }
        bed.reply("$1 1 ");
        assert!(bed.heard().starts_with("$1 1 -NOPERM"));
        assert_eq!((bed.offer(line), bed.heard().as_str()), (done, text));
        assert_eq!(bed.sent(), "*2 GET a:1");
    }
}

#[test]
fn reset_leaves_a_session_as_it_began() {
    let mut bed = Bed::resp3();
    bed.exchange("SELECT 3", "+OK ");
    bed.ask("CLIENT SETNAME n");
    bed.exchange("WATCH a:k", "+OK ");
    bed.exchange("SUBSCRIBE a:c", ">3 $9 subscribe $3 a:c :1 ");
    bed.exchange("MULTI", "+OK ");
    bed.exchange("GET a:k", "+QUEUED ");
    assert_eq!(bed.ask("RESET"), "+RESET ");
    assert!(bed.session.is_idle());
    assert_eq!(bed.ask("GET a:k"), "-NOAUTH Authentication required. ");
    assert_eq!(bed.ask("AUTH app app"), "+OK ");
    let info = bed.ask("CLIENT INFO");
    for part in [" name= ", " db=0 ", " sub=0 ", " multi=-1 ", " resp=2"] {
        assert!(info.contains(part), "{part}: {info}");
    }
}

#[test]
fn nothing_is_judged_while_a_command_before_it_may_block() {
    let mut bed = Bed::new();
    assert_eq!(bed.offer("BLPOP a:l 0"), "forwarded");
    for line in ["SET a:k v", "PING", "GET x", "NOSUCH", "QUIT"] {
        assert_eq!(
            (bed.offer(line), bed.heard().as_str()),
            ("wait", ""),
            "{line}"
        );
    }
    assert_eq!(bed.reload("+@all -set ~a:* &a:*"), Standing::Changed);
    bed.reply("*2 $3 a:l $1 x ");
    bed.heard();
    assert_eq!(bed.offer("SET a:k v"), "denied");
    assert_eq!(bed.sent(), "*3 BLPOP a:l 0");
}

#[test]
fn a_part_of_a_request_that_can_not_be_streamed_is_incomplete_and_leaves_no_trace() {
    let mut bed = Bed::new();
    bed.exchange("MULTI", "+OK ");
    let whole = OwnedRequest::new(&["MSET", "a:k", "v", "x", "v"]);
    let (request, ranges) = (whole.as_request(), [(8, 4), (18, 3)]);
    let ranges = ranges.map(|(start, len)| crate::resp::ArgRange { start, len });
    let part = crate::resp::Request::new(&request.bytes()[..23], &ranges, 5);
    for _ in 0..3 {
        assert_eq!(bed.offer_request(part), "incomplete");
    }
    assert_eq!(bed.heard(), "");
    bed.exchange("EXEC", "*0 ");
}

#[test]
fn a_denied_or_too_large_request_in_a_transaction_makes_exec_fail() {
    let mut bed = Bed::new();
    for round in 0..2 {
        bed.exchange("MULTI", "+OK ");
        if round == 0 {
            bed.session.refuse_too_large(10, &mut bed.out);
        } else {
            let whole = OwnedRequest::new(&["SET", "x", "v"]);
            let (request, ranges) = (whole.as_request(), [(8, 3), (17, 1)]);
            let ranges = ranges.map(|(start, len)| crate::resp::ArgRange { start, len });
            let part = crate::resp::Request::new(&request.bytes()[..21], &ranges, 3);
            assert_eq!(bed.offer_request(part), "denied");
        }
        bed.heard();
        bed.sent();
        assert!(bed.exchange("EXEC", "+OK ").starts_with("-EXECABORT"));
        assert_eq!(bed.sent(), "*1 DISCARD");
    }
}
