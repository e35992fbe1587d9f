use super::*;
use crate::acl::role::RoleRules;
use crate::acl::rule::{RuleList, Vocabulary};
use crate::acl::source::{DenyRule, RoleSource, UserSource};
use crate::command;
use crate::resp::OwnedRequest;
use DenialReason as Why;

fn own(rules: &str) -> UserSource {
    let rules = RuleList::parse(rules.as_bytes(), Vocabulary::Rights)
        .unwrap_or_else(|f| panic!("{rules}: {f:?}"));
    UserSource {
        rules,
        ..UserSource::new("bob")
    }
}

fn with_roles(roles: &[&str]) -> UserSource {
    UserSource {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        prefix: Some("app".to_owned()),
        ..UserSource::new("bob")
    }
}

fn role(name: &str, inherits: &[&str], rules: &str) -> RoleSource {
    RoleSource {
        name: name.to_owned(),
        inherits: inherits.iter().map(|role| (*role).to_owned()).collect(),
        rules: RoleRules::parse(rules).unwrap(),
    }
}

/// What a policy says of one request, and the line that the client would see.
fn judged(user: &UserSource, roles: &[RoleSource], request: &str) -> (Result<(), Why>, String) {
    let policy =
        Policy::compile(1, std::slice::from_ref(user), roles).unwrap_or_else(|f| panic!("{f:?}"));
    let user = policy.user("bob").unwrap();
    let words: Vec<&str> = request.split(' ').collect();
    let owned = OwnedRequest::new(&words);
    let call = command::classify(owned.as_request()).unwrap_or_else(|f| panic!("{request}: {f:?}"));
    let explained = policy.explain(user, &call).outcome;
    match policy.evaluate(user, call) {
        Verdict::Allow(permit) => {
            assert_eq!(permit.generation(), 1);
            assert_eq!(explained, Ok(()));
            (Ok(()), String::new())
        }
        Verdict::Deny(denial) => {
            assert_eq!(
                explained,
                Err(denial.reason()),
                "the explanation says something else"
            );
            (
                Err(denial.reason()),
                denial.wire_text(user, &call).to_string(),
            )
        }
    }
}

fn check(user: &UserSource, cases: &[(&str, Result<(), Why>)]) {
    for (request, expected) in cases {
        assert_eq!(judged(user, &[], request).0, *expected, "{request}");
    }
}

fn key(argument: usize) -> Result<(), Why> {
    Err(Why::Key { argument })
}

fn channel(argument: usize) -> Result<(), Why> {
    Err(Why::Channel { argument })
}

const ALLOWED: Result<(), Why> = Ok(());
const NO_COMMAND: Result<(), Why> = Err(Why::Command);

#[test]
fn a_user_without_rules_may_do_nothing() {
    let user = UserSource::new("bob");
    check(
        &user,
        &[
            ("PING", NO_COMMAND),
            ("GET a:1", NO_COMMAND),
            ("AUTH x", NO_COMMAND),
            ("COMMAND", NO_COMMAND),
        ],
    );
}

#[test]
fn commands_are_granted_and_taken_away_in_order() {
    check(
        &own("+@all -@dangerous +config|get ~* &*"),
        &[
            ("GET a", ALLOWED),
            ("ACL LIST", NO_COMMAND),
            ("SWAPDB 0 1", NO_COMMAND),
        ],
    );
    check(&own("-get +get ~*"), &[("get a", ALLOWED)]);
    check(
        &own("+@read -get +@read -mget ~*"),
        &[("GET a", ALLOWED), ("MGET a", NO_COMMAND)],
    );
    check(
        &own("+client -client|list ~*"),
        &[
            ("CLIENT ID", ALLOWED),
            ("CLIENT LIST", NO_COMMAND),
            ("PING", NO_COMMAND),
        ],
    );
    check(
        &own("+acl|whoami"),
        &[("ACL WHOAMI", ALLOWED), ("ACL LIST", NO_COMMAND)],
    );
}

#[test]
fn a_key_needs_one_pattern_that_carries_all_that_is_done_with_it() {
    check(
        &own("+@all %R~app:* %W~app:c* %RW~app:rw ~both:* %W~m:* %R~m:*"),
        &[
            ("GET app:x", ALLOWED),
            ("SET app:x 1", key(1)),
            ("SET app:c 1", ALLOWED),
            ("INCR app:c", key(1)),
            ("INCR app:rw", ALLOWED),
            ("INCR both:x", ALLOWED),
            ("INCR m:x", ALLOWED),
            ("GET other", key(1)),
            ("MGET app:1 other app:2", key(2)),
            ("EXISTS app:c", ALLOWED),
        ],
    );
    check(&own("+get %R~*"), &[("GET x", ALLOWED)]);
    check(&own("+get ~* resetkeys"), &[("GET x", key(1))]);
    check(&own("+get ~* ~a"), &[("GET x", ALLOWED)]);
}

#[test]
fn two_selectors_never_grant_a_request_together() {
    let user = own("+@read ~a:* (+@write ~b:*) (+publish &c)");
    check(
        &user,
        &[
            ("GET a:1", ALLOWED),
            ("SET b:1 x", ALLOWED),
            ("SET a:1 x", key(1)),
            ("GET b:1", key(1)),
            ("COPY a:1 b:1", key(1)),
            ("PUBLISH c x", ALLOWED),
            ("PUBLISH d x", channel(1)),
        ],
    );
}

#[test]
fn the_selector_that_got_furthest_gives_the_reason() {
    let cases = [
        ("(+get ~a) (+get ~b)", "GET c", key(1)),
        ("(+mget ~a) (+mget ~b ~c)", "MGET c b a", key(3)),
        ("(+get ~a)", "SET a x", NO_COMMAND),
        ("+get ~x (+publish ~* &a)", "PUBLISH b x", channel(1)),
    ];
    for (rules, request, expected) in cases {
        assert_eq!(
            judged(&own(rules), &[], request).0,
            expected,
            "{rules}: {request}"
        );
    }
}

#[test]
fn what_sees_the_whole_keyspace_needs_all_keys_where_it_is_granted() {
    let reads = Err(Why::ReadsAllKeys);
    let writes = Err(Why::WritesAllKeys);
    let cases = [
        ("+@all ~*", "KEYS *", ALLOWED),
        ("+@all ~*", "FLUSHALL", ALLOWED),
        ("+@all %R~*", "KEYS *", ALLOWED),
        ("+@all %R~*", "DBSIZE", ALLOWED),
        ("+@all %R~*", "FLUSHALL", writes),
        ("+@all %RW~*", "FLUSHALL", writes),
        ("+@all %W~*", "KEYS *", reads),
        ("+@all ~**", "KEYS *", reads),
        ("+@all ~app:*", "SCAN 0", reads),
        ("+@all ~app:*", "RANDOMKEY", reads),
        ("+get ~* (+keys ~app:*)", "KEYS *", reads),
        ("+get ~app:* (+keys ~*)", "KEYS *", ALLOWED),
        ("+@all ~* resetkeys ~a", "SWAPDB 0 1", writes),
        ("+sort ~app:*", "SORT app:1 BY x_*", reads),
        ("+sort %RW~app:* %R~*", "SORT app:1 BY x_* GET #", ALLOWED),
    ];
    for (rules, request, expected) in cases {
        assert_eq!(
            judged(&own(rules), &[], request).0,
            expected,
            "{rules}: {request}"
        );
    }
}

#[test]
fn pubsub_shows_channels_only_to_those_who_may_use_all() {
    let sees = Err(Why::SeesAllChannels);
    check(
        &own("+pubsub &app:*"),
        &[("PUBSUB CHANNELS", sees), ("PUBSUB NUMSUB app:1", sees)],
    );
    check(&own("+pubsub &*"), &[("PUBSUB CHANNELS", ALLOWED)]);
}

#[test]
fn a_pattern_to_subscribe_to_must_be_granted_by_its_very_text() {
    check(
        &own("+@pubsub &app:* &x"),
        &[
            ("SUBSCRIBE app:1 x", ALLOWED),
            ("SUBSCRIBE app:1 y", channel(2)),
            ("PSUBSCRIBE app:*", ALLOWED),
            ("PSUBSCRIBE app:1*", channel(1)),
            ("PSUBSCRIBE app:1", channel(1)),
            ("PSUBSCRIBE *", channel(1)),
            ("PUBLISH app:1 m", ALLOWED),
            ("SPUBLISH y m", channel(1)),
            ("UNSUBSCRIBE y", ALLOWED),
            ("PUNSUBSCRIBE y*", ALLOWED),
        ],
    );
}

#[test]
fn channels_of_servers_are_for_operators_to_publish_and_for_readers_of_all_keys_to_hear() {
    let reserved = |argument| Err(Why::ReservedChannel { argument });
    let all = own("+@all -@dangerous ~* &*");
    let one = own("+@all -@dangerous ~app:* &*");
    let operator = UserSource {
        operator: Operator::Yes,
        ..all.clone()
    };
    for name in [
        "__sentinel__:hello",
        "__keyspace@0__:x",
        "__keyevent@0__:set",
        "__redis__:invalidate",
    ] {
        let publish = format!("PUBLISH {name} x");
        assert_eq!(judged(&all, &[], &publish).0, reserved(1), "{publish}");
        assert_eq!(judged(&operator, &[], &publish).0, ALLOWED, "{publish}");
        let subscribe = format!("SUBSCRIBE x {name}");
        assert_eq!(judged(&all, &[], &subscribe).0, ALLOWED, "{subscribe}");
        assert_eq!(judged(&one, &[], &subscribe).0, reserved(2), "{subscribe}");
    }
    check(
        &one,
        &[
            ("PSUBSCRIBE *", reserved(1)),
            ("PSUBSCRIBE __key*", reserved(1)),
            ("PSUBSCRIBE ??keyspace*", reserved(1)),
            ("PSUBSCRIBE app:*", ALLOWED),
            ("SUBSCRIBE __key", ALLOWED),
        ],
    );
}

#[test]
fn scripts_are_for_users_who_may_touch_everything() {
    let cases = [
        ("+@all ~* &*", ALLOWED),
        ("+@all ~*", Err(Why::Script)),
        ("+@all ~app:* &*", Err(Why::Script)),
        ("+@all %RW~* &*", Err(Why::Script)),
        ("+@all -get ~* &*", Err(Why::Script)),
        ("+@all -get +get ~* &*", Err(Why::Script)),
        ("-get +@all ~* &*", ALLOWED),
        ("+eval ~* &*", Err(Why::Script)),
        ("+get", NO_COMMAND),
    ];
    for (rules, expected) in cases {
        assert_eq!(judged(&own(rules), &[], "EVAL x 0").0, expected, "{rules}");
    }
    for role in ["read-write", "queue-worker"] {
        let (reason, text) = judged(&with_roles(&[role]), &[], "EVAL x 1 app:1");
        assert_eq!(reason, Err(Why::Script), "{role}");
        assert_eq!(
            text,
            "NOPERM User bob has no permissions to run the 'eval' command: scripts need +@all ~* &*"
        );
    }
    assert_eq!(
        judged(&with_roles(&["full-access"]), &[], "EVAL x 0").0,
        ALLOWED
    );
}

#[test]
fn operator_rows_need_the_mark_and_the_rule() {
    let full = own("+@all ~* &*");
    let operator = UserSource {
        operator: Operator::Yes,
        ..full.clone()
    };
    let little = UserSource {
        operator: Operator::Yes,
        ..own("+get ~*")
    };
    for request in [
        "CONFIG SET maxmemory 0",
        "DEBUG SLEEP 0",
        "SHUTDOWN",
        "REPLICAOF NO ONE",
        "MODULE LIST",
    ] {
        assert_eq!(
            judged(&full, &[], request).0,
            Err(Why::Operator),
            "{request}"
        );
        assert_eq!(judged(&operator, &[], request).0, ALLOWED, "{request}");
        assert_eq!(judged(&little, &[], request).0, NO_COMMAND, "{request}");
    }
    for request in ["SCRIPT DEBUG YES", "SYNC", "PSYNC ? -1"] {
        assert_eq!(
            judged(&operator, &[], request).0,
            Err(Why::Never),
            "{request}"
        );
    }
}

#[test]
fn config_get_tells_a_few_parameters_by_name_and_the_rest_to_operators() {
    let user = own("+config|get");
    let operator = UserSource {
        operator: Operator::Yes,
        ..user.clone()
    };
    for parameters in ["maxmemory", "MAXMEMORY-policy timeout"] {
        let request = format!("CONFIG GET {parameters}");
        assert_eq!(judged(&user, &[], &request).0, ALLOWED, "{request}");
    }
    for parameters in ["*", "masterauth", "maxmemory*", "maxmemory requirepass"] {
        let request = format!("CONFIG GET {parameters}");
        assert_eq!(
            judged(&user, &[], &request).0,
            Err(Why::Operator),
            "{request}"
        );
        assert_eq!(judged(&operator, &[], &request).0, ALLOWED, "{request}");
    }
}

#[test]
fn a_request_whose_keys_are_ambiguous_is_denied_even_to_those_who_may_touch_all() {
    let cases = [
        "SORT a STORE b STORE c",
        "GEORADIUS a 1 1 1 m STORE b STORE c",
    ];
    for request in cases {
        assert_eq!(
            judged(&own("+@all ~* &*"), &[], request).0,
            Err(Why::AmbiguousKeys),
            "{request}"
        );
    }
}

#[test]
fn each_role_is_a_selector_of_its_own() {
    let roles = [
        role("reader", &[], "+@read ~a:*"),
        role("most", &["reader"], "+@all -@dangerous ~b:*"),
        role("star", &[], "+@read ~*"),
        role("one", &[], "+@read ~a"),
    ];
    let user = with_roles(&["most"]);
    for (request, expected) in [
        ("GET a:1", ALLOWED),
        ("SET b:1 x", ALLOWED),
        ("SET a:1 x", key(1)),
    ] {
        assert_eq!(judged(&user, &roles, request).0, expected, "{request}");
    }
    assert_eq!(
        judged(&with_roles(&["star", "one"]), &roles, "GET z").0,
        ALLOWED
    );
}

#[test]
fn a_users_own_minus_narrows_its_root_and_deny_narrows_everything() {
    let mut user = with_roles(&["read-write"]);
    user.rules = own("-get").rules;
    check(&user, &[("GET a", ALLOWED)]);
    for deny in ["get", "-get", "GET", "@string", "-@read", "@all"] {
        user.deny = vec![DenyRule::parse(deny).unwrap()];
        check(&user, &[("GET a", NO_COMMAND)]);
    }
    user = with_roles(&["full-access"]);
    user.deny = vec![
        DenyRule::parse("flushall").unwrap(),
        DenyRule::parse("client|kill").unwrap(),
    ];
    check(
        &user,
        &[
            ("FLUSHALL", NO_COMMAND),
            ("CLIENT KILL x", NO_COMMAND),
            ("CLIENT ID", ALLOWED),
            ("FLUSHDB", ALLOWED),
            ("EVAL x 0", Err(Why::Script)),
        ],
    );
}

#[test]
fn a_prefix_fills_the_patterns_of_a_role() {
    check(
        &with_roles(&["queue-worker"]),
        &[
            ("GET app:1", ALLOWED),
            ("GET other", key(1)),
            ("PUBLISH app:1 x", ALLOWED),
            ("PUBLISH other x", channel(1)),
            ("RANDOMKEY", Err(Why::ReadsAllKeys)),
            ("BLPOP app:1 0", ALLOWED),
        ],
    );
}

#[test]
fn read_only_reads_everything_and_writes_nothing() {
    check(
        &with_roles(&["read-only"]),
        &[
            ("GET a", ALLOWED),
            ("KEYS *", NO_COMMAND),
            ("SCAN 0", ALLOWED),
            ("SORT_RO a BY x_*", ALLOWED),
            ("SET a x", NO_COMMAND),
            ("PUBLISH a x", NO_COMMAND),
            ("MULTI", ALLOWED),
            ("FLUSHALL", NO_COMMAND),
            ("GETDEL a", NO_COMMAND),
        ],
    );
}

/// Source: the same requests to Redis 8.2.3 and Valkey 9.1.2.
#[test]
fn the_client_sees_the_very_words_of_redis() {
    let cases = [
        (
            "+get ~*",
            "CONFIG GET x",
            "NOPERM User bob has no permissions to run the 'config|get' command",
        ),
        (
            "+get ~*",
            "set a x",
            "NOPERM User bob has no permissions to run the 'set' command",
        ),
        ("+get ~a", "GET b", "NOPERM No permissions to access a key"),
        (
            "+publish &a",
            "PUBLISH b x",
            "NOPERM No permissions to access a channel",
        ),
    ];
    for (rules, request, text) in cases {
        assert_eq!(judged(&own(rules), &[], request).1, text);
    }
}

#[test]
fn a_user_of_another_generation_is_allowed_nothing() {
    let source = own("+@all ~* &*");
    let old = Policy::compile(1, std::slice::from_ref(&source), &[]).unwrap();
    let new = Policy::compile(2, &[source], &[]).unwrap();
    let owned = OwnedRequest::new(&["GET", "a"]);
    let call = command::classify(owned.as_request()).unwrap();
    assert!(
        matches!(new.evaluate(old.user("bob").unwrap(), call), Verdict::Deny(d) if d.reason() == Why::Stale)
    );
    assert!(matches!(
        new.evaluate(new.user("bob").unwrap(), call),
        Verdict::Allow(_)
    ));
}

#[test]
fn rights_are_the_same_if_they_grant_the_same_however_they_are_written() {
    let compile = |rules: &str| {
        Policy::compile(1, &[own(rules)], &[])
            .unwrap()
            .user("bob")
            .unwrap()
            .clone()
    };
    assert!(compile("+get ~a").has_same_rights(&compile("+GET ~a ~a")));
    assert!(!compile("+get ~a").has_same_rights(&compile("+get ~b")));
    assert!(!compile("+get ~a").has_same_rights(&compile("+set ~a")));
}

#[test]
fn rows_without_a_category_are_granted_by_name_or_all_and_taken_away_by_what_they_do() {
    let cases = [
        ("+@all ~*", "VADD a x", ALLOWED),
        ("+vadd ~*", "VADD a x", ALLOWED),
        ("+@read +@write +@fast +@slow ~*", "VADD a x", NO_COMMAND),
        ("+@all -@write ~*", "VADD a x", NO_COMMAND),
        ("+@all -@write ~*", "VSIM a x", ALLOWED),
        ("+@all -@read ~*", "VSIM a x", NO_COMMAND),
        ("+@all -@dangerous ~*", "VADD a x", ALLOWED),
        ("+@all %R~*", "VSIM a x", key(1)),
    ];
    for (rules, request, expected) in cases {
        assert_eq!(
            judged(&own(rules), &[], request).0,
            expected,
            "{rules}: {request}"
        );
    }
}

#[test]
fn a_user_is_told_of_the_rows_that_it_could_use() {
    let compile = |source: UserSource| Policy::compile(1, &[source], &[]).unwrap();
    let row = |name: &str| command::lookup(name.as_bytes()).unwrap();
    let cases = [
        (own("+get (+set ~a)"), "get", true),
        (own("+get (+set ~a)"), "set", true),
        (own("+get (+set ~a)"), "del", false),
        (own("+@all ~* &*"), "eval", true),
        (own("+@all ~*"), "eval", false),
        (own("+@all ~* &*"), "config|set", false),
        (own("+config|get"), "config|get", true),
        (own("+@all ~* &*"), "script|debug", false),
    ];
    for (source, name, expected) in cases {
        let policy = compile(source);
        assert_eq!(
            policy.user("bob").unwrap().may_use(row(name)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn every_row_has_room_in_a_set_of_commands() {
    let most = crate::acl::table::rows()
        .iter()
        .map(|row| usize::from(row.id.0))
        .max();
    assert!(most.is_some_and(|most| most < crate::acl::command_set::CAPACITY));
}
