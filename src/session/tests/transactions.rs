//! MULTI, WATCH and EXEC: what the backend is told when a part of a transaction is refused here, and what SELECT in one does.

use super::*;

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors. ";

#[test]
fn what_is_refused_here_aborts_the_transaction_there() {
    for line in [
        "GET x",
        "NOSUCH",
        "GET",
        "DISCARD x",
        "SUBSCRIBE a:c",
        "UNSUBSCRIBE",
        "AUTH root root",
        "HELLO 3",
        "CLIENT ID",
        "COMMAND",
        "ACL WHOAMI",
        "CLIENT REPLY OFF",
    ] {
        let mut bed = Bed::new();
        bed.exchange("MULTI", "+OK ");
        assert!(bed.ask(line).starts_with('-'), "{line}");
        bed.exchange("GET a:k", "+QUEUED ");
        assert_eq!(bed.exchange("EXEC", "+OK "), ABORTED, "{line}");
        assert_eq!(bed.sent(), "*1 MULTI *2 GET a:k *1 DISCARD", "{line}");
        assert!(bed.session.is_idle(), "{line}");
        assert_eq!(bed.ask("ACL WHOAMI"), "$3 app ", "{line}");
    }
}

#[test]
fn an_exec_that_is_itself_refused_ends_the_transaction_as_in_redis() {
    let denied = "-EXECABORT Transaction discarded because of: NOPERM User app has no permissions to run the 'exec' command ";
    let arity = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command ";
    for (rules, line, text) in [
        ("+@all -exec ~a:*", "EXEC", denied),
        ("+@all -exec ~a:*", "EXEC x", arity),
        (APP, "EXEC x", arity),
    ] {
        let mut bed = Bed::with(rules);
        assert_eq!(bed.ask(line), text, "{line}");
        bed.exchange("WATCH a:k", "+OK ");
        bed.offer(line);
        bed.reply("+OK ");
        assert_eq!(bed.heard(), text, "{line}");
        assert!(bed.session.is_idle(), "{line}");
        bed.exchange("MULTI", "+OK ");
        bed.exchange("GET a:k", "+QUEUED ");
        bed.offer(line);
        bed.offer("GET a:k");
        bed.reply("+OK $1 v ");
        assert_eq!(bed.heard(), format!("{text}$1 v "), "{line}");
        assert_eq!(
            bed.sent(),
            "*2 WATCH a:k *1 UNWATCH *1 MULTI *2 GET a:k *1 DISCARD *2 GET a:k",
            "{line}"
        );
    }
}

#[test]
fn a_select_counts_only_if_it_ran_and_did_not_fail() {
    let cases: [(&[&str], &str, u32); 7] = [
        (&["SELECT 3"], "*1 +OK ", 3),
        (&["GET a:k", "SELECT 3"], "*2 -ERR +OK ", 3),
        (&["GET a:k", "SELECT 99"], "*2 $1 v -ERR ", 0),
        (&["SELECT 2", "GET a:k", "SELECT 3"], "*3 +OK -ERR +OK ", 3),
        (&["SELECT 3"], "*-1 ", 0),
        (&["SELECT 3"], "-EXECABORT ", 0),
        (&["SELECT 05"], "*1 -ERR ", 0),
    ];
    for (queued, reply, expected) in cases {
        let mut bed = Bed::new();
        bed.exchange("MULTI", "+OK ");
        for line in queued {
            bed.exchange(line, "+QUEUED ");
        }
        bed.exchange("EXEC", reply);
        assert_eq!(bed.session.database(), expected, "{queued:?}: {reply}");
    }
}

#[test]
fn the_backend_decides_whether_a_nested_multi_or_watch_aborts_and_neither_counts_as_queued() {
    for reply in ["-ERR ", "-EXECABORT "] {
        let mut bed = Bed::new();
        bed.exchange("MULTI", "+OK ");
        bed.exchange("MULTI", "-ERR ");
        bed.exchange("WATCH a:k", "-ERR ");
        bed.exchange("UNWATCH", "+QUEUED ");
        bed.exchange("SELECT 9", "+QUEUED ");
        assert_eq!(bed.exchange("EXEC", reply), reply);
        assert_eq!(bed.session.database(), 0);
        bed.exchange("MULTI", "+OK ");
        bed.exchange("MULTI", "-ERR ");
        bed.exchange("UNWATCH", "+QUEUED ");
        bed.exchange("SELECT 9", "+QUEUED ");
        bed.exchange("EXEC", "*2 -ERR +OK ");
        assert_eq!(bed.session.database(), 9);
    }
}

#[test]
fn a_select_is_not_answered_here_while_the_database_is_not_known() {
    let mut bed = Bed::new();
    for line in ["MULTI", "SELECT 4", "EXEC"] {
        bed.offer(line);
    }
    assert_eq!(bed.offer("SELECT 0"), "forwarded");
    bed.reply("+OK +QUEUED *1 +OK +OK ");
    assert_eq!(bed.session.database(), 0);
    bed.heard();
    assert_eq!(bed.offer("SELECT 0"), "answered");
}

#[test]
fn of_several_selects_the_last_must_not_fail_or_nobody_knows_the_database() {
    let mut bed = Bed::new();
    for (line, reply) in [
        ("MULTI", "+OK "),
        ("SELECT 3", "+QUEUED "),
        ("SELECT 99", "+QUEUED "),
    ] {
        bed.exchange(line, reply);
    }
    bed.offer("EXEC");
    assert_eq!(
        bed.try_reply(b"*2\r\n+OK\r\n-ERR\r\n"),
        Err(PairingFault::OutOfStep)
    );
}

#[test]
fn a_select_late_in_a_transaction_is_refused_because_its_outcome_is_not_looked_at() {
    let mut bed = Bed::new();
    bed.exchange("MULTI", "+OK ");
    for _ in 0..64 {
        bed.exchange("GET a:k", "+QUEUED ");
    }
    assert_eq!(
        bed.ask("SELECT 3"),
        "-ERR SELECT must be one of the first 64 commands of a transaction "
    );
}

#[test]
fn a_transaction_of_commands_that_were_judged_by_other_rights_fails() {
    let mut bed = Bed::new();
    bed.exchange("MULTI", "+OK ");
    bed.exchange("SET a:k v", "+QUEUED ");
    assert_eq!(bed.reload(APP), Standing::Unchanged);
    assert_eq!(bed.exchange("EXEC", "*1 +OK "), "*1 +OK ");
    bed.exchange("MULTI", "+OK ");
    bed.exchange("SET a:k v", "+QUEUED ");
    assert_eq!(bed.reload("+@all -set ~a:*"), Standing::Changed);
    assert_eq!(bed.exchange("EXEC", "+OK "), ABORTED);
}

#[test]
fn another_login_keeps_what_is_watched_and_is_refused_inside_a_transaction() {
    let mut bed = Bed::new();
    bed.exchange("WATCH a:k", "+OK ");
    assert_eq!(bed.offer("AUTH root root"), "login");
    assert!(bed.session.needs_its_lane());
    bed.heard();
    bed.exchange("MULTI", "+OK ");
    assert!(bed.ask("AUTH app app").starts_with("-ERR"));
    assert_eq!(
        bed.exchange("GET x", "+QUEUED "),
        "+QUEUED ",
        "still judged as root"
    );
}
