//! Subscribers: which frames are replies and which are messages, in both protocols and while one becomes the other.

use super::*;

const MESSAGE: &str = "*3 $7 message $3 a:c $1 m ";
const PUSHED: &str = ">3 $7 message $3 a:c $1 m ";

fn subscribed() -> Bed {
    let mut bed = Bed::new();
    bed.exchange("SUBSCRIBE a:c", "*3 $9 subscribe $3 a:c :1 ");
    bed
}

fn subscribed_in_resp3() -> Bed {
    let mut bed = Bed::resp3();
    bed.exchange("SUBSCRIBE a:c", ">3 $9 subscribe $3 a:c :1 ");
    bed
}

#[test]
fn a_subscriber_in_resp2_may_do_little_and_hears_of_rights_first() {
    let context =
        "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context ";
    let mut bed = subscribed();
    for (line, name) in [
        ("GET a:k", "get"),
        ("HELLO 3", "hello"),
        ("AUTH root root", "auth"),
        ("MULTI", "multi"),
        ("CLIENT ID", "client|id"),
        ("EXEC", "exec"),
    ] {
        let mut text = format!("-ERR Can't execute '{name}': {context}");
        if line == "EXEC" {
            text = text.replace("ERR", "EXECABORT Transaction discarded because of:");
        }
        assert_eq!(bed.ask(line), text, "{line}");
    }
    assert!(bed.ask("GET x").starts_with("-NOPERM"));
    assert_eq!(
        bed.ask("GET"),
        "-ERR wrong number of arguments for 'get' command "
    );
    assert_eq!(bed.ask("PING"), "*2 $4 pong $0  ");
    assert_eq!(bed.ask("PING x"), "*2 $4 pong $1 x ");
    assert_eq!(
        bed.ask("PING a b"),
        "-ERR wrong number of arguments for 'ping' command "
    );
    bed.sent();
    assert_eq!(bed.ask("RESET"), "+RESET ");
    assert_eq!(bed.sent(), "");
}

#[test]
fn messages_are_no_replies_even_between_those_of_joining_and_leaving() {
    let mut bed = subscribed();
    bed.offer("PSUBSCRIBE a:*");
    bed.offer("PING");
    bed.offer("GET a:k");
    bed.offer("UNSUBSCRIBE");
    bed.offer("PUNSUBSCRIBE");
    bed.offer("LRANGE a:l 0 -1");
    let frames = [
        MESSAGE,
        "*3 $10 psubscribe $3 a:* :2 ",
        MESSAGE,
        "*3 $11 unsubscribe $3 a:c :1 ",
        "*4 $8 pmessage $3 a:* $3 a:c $1 m ",
        "*3 $12 punsubscribe $3 a:* :0 ",
        "*3 $7 message $1 x $1 y ",
    ];
    bed.reply(&frames.concat());
    let heard = bed.heard();
    let pong = "*2 $4 pong $0  ";
    let place = heard.find(pong).unwrap();
    assert!(heard[..place].ends_with(frames[1]), "{heard}");
    assert!(heard[place + pong.len()..].starts_with("-ERR Can't execute 'get'"));
    assert!(heard.ends_with(&frames[2..].concat()), "{heard}");
    assert!(bed.session.is_idle());
}

#[test]
fn leaving_without_being_subscribed_is_confirmed_once() {
    let mut bed = Bed::new();
    for (line, reply) in [
        ("UNSUBSCRIBE", "*3 $11 unsubscribe $-1 :0 "),
        ("PUNSUBSCRIBE", "*3 $12 punsubscribe $-1 :0 "),
        ("SUNSUBSCRIBE", "*3 $12 sunsubscribe $-1 :0 "),
        (
            "UNSUBSCRIBE x y",
            "*3 $11 unsubscribe $1 x :0 *3 $11 unsubscribe $1 y :0 ",
        ),
    ] {
        bed.offer(line);
        bed.offer("GET a:k");
        bed.reply(&format!("{reply}$1 v "));
        assert_eq!(bed.heard(), format!("{reply}$1 v "), "{line}");
        assert!(bed.session.is_idle(), "{line}");
    }
}

#[test]
fn a_bare_leave_of_one_kind_leaves_the_other_kinds() {
    let mut bed = subscribed();
    bed.exchange("SSUBSCRIBE a:s", "*3 $10 ssubscribe $3 a:s :1 ");
    bed.exchange("PUNSUBSCRIBE", "*3 $12 punsubscribe $-1 :1 ");
    bed.exchange("UNSUBSCRIBE", "*3 $11 unsubscribe $3 a:c :0 ");
    assert!(bed.session.needs_its_lane());
    assert!(bed.ask("GET a:k").starts_with("-ERR Can't execute"));
    bed.reply("*3 $8 smessage $3 a:s $1 m ");
    bed.heard();
    bed.exchange("SUNSUBSCRIBE", "*3 $12 sunsubscribe $3 a:s :0 ");
    bed.exchange("GET a:k", "$1 v ");
}

#[test]
fn a_subscriber_that_goes_back_to_resp2_hears_one_answer_and_then_messages_of_resp2() {
    let mut bed = subscribed_in_resp3();
    bed.offer("LRANGE a:l 0 -1");
    bed.offer("HELLO 2");
    bed.offer("PING");
    let list = "*2 $7 message $1 x ";
    bed.reply(&format!("{PUSHED}{list}{PUSHED}*2 $6 server $5 redis "));
    let heard = bed.heard();
    assert!(
        heard.starts_with(&format!("{PUSHED}{list}{PUSHED}*14 $6 server ")),
        "{heard}"
    );
    assert_eq!(heard.matches("server").count(), 1, "{heard}");
    assert!(heard.ends_with("*0 *2 $4 pong $0  "), "{heard}");
    bed.reply(MESSAGE);
    assert_eq!(bed.heard(), MESSAGE);
    assert!(bed.ask("GET a:k").starts_with("-ERR Can't execute"));
}

#[test]
fn a_subscriber_that_leaves_and_changes_to_resp3_at_once_still_gets_the_messages_before() {
    let mut bed = subscribed();
    bed.offer("UNSUBSCRIBE");
    bed.offer("HELLO 3");
    bed.offer("GET a:k");
    let left = "*3 $11 unsubscribe $3 a:c :0 ";
    bed.reply(&format!("{MESSAGE}{left}%1 $1 x $1 y $1 v "));
    let heard = bed.heard();
    assert!(
        heard.starts_with(&format!("{MESSAGE}{left}%7 $6 server ")),
        "{heard}"
    );
    assert!(heard.ends_with("*0 $1 v "), "{heard}");
}

#[test]
fn in_resp3_pushes_stand_anywhere_between_replies() {
    let mut bed = subscribed_in_resp3();
    bed.offer("GET a:1");
    bed.offer("GET x");
    bed.offer("MULTI");
    bed.offer("PING");
    bed.offer("EXEC");
    bed.offer("PING x");
    bed.reply(&format!("{PUSHED}$1 1 "));
    bed.reply(&format!("+OK {PUSHED}+QUEUED *1 +PONG {PUSHED}"));
    assert_eq!(
        bed.heard(),
        format!(
            "{PUSHED}$1 1 -NOPERM No permissions to access a key +OK {PUSHED}+QUEUED *1 +PONG $1 x {PUSHED}"
        )
    );
}

#[test]
fn an_answer_of_redwall_s_own_never_stands_inside_a_message() {
    for (mut bed, message) in [(subscribed(), MESSAGE), (subscribed_in_resp3(), PUSHED)] {
        let whole = message.replace(' ', "\r\n");
        let (begin, end) = whole.as_bytes().split_at(12);
        bed.try_reply(begin).unwrap();
        assert_eq!(bed.offer("PING"), "answered");
        assert_eq!(bed.offer("GET x"), "denied");
        assert_eq!(bed.offer("RESET"), "wait");
        assert_eq!(bed.offer("QUIT"), "wait");
        bed.try_reply(end).unwrap();
        let heard = bed.heard();
        assert!(heard.starts_with(message), "{heard}");
        assert_eq!(
            heard.matches("PONG").count() + heard.matches("pong").count(),
            1
        );
        assert_eq!(bed.offer("RESET"), "reset");
    }
}

#[test]
fn a_subscription_that_the_backend_refuses_ends_the_connection() {
    let mut bed = Bed::new();
    bed.offer("SUBSCRIBE a:c");
    assert_eq!(bed.try_reply(b"-NOPERM\r\n"), Err(PairingFault::OutOfStep));
}

#[test]
fn a_frame_that_nobody_waits_for_ends_the_connection() {
    for frame in ["+OK ", MESSAGE, "|1 +a +b "] {
        let mut bed = Bed::new();
        let bytes = frame.replace(' ', "\r\n");
        assert_eq!(
            bed.try_reply(bytes.as_bytes()),
            Err(PairingFault::Surplus),
            "{frame}"
        );
    }
}

#[test]
fn another_login_keeps_subscriptions_as_redis_does() {
    let mut bed = subscribed_in_resp3();
    assert_eq!(bed.offer("AUTH root root"), "login");
    bed.heard();
    bed.reply(PUSHED);
    assert_eq!(bed.heard(), PUSHED);
}

#[test]
fn a_subscriber_whose_channel_is_taken_away_must_go_and_others_stay() {
    for (rules, standing) in [
        (APP, Standing::Unchanged),
        ("+@all -get ~a:* &a:*", Standing::Changed),
        ("+@all ~a:* &a:c", Standing::Changed),
        ("+@all ~a:* &b:*", Standing::Revoked),
        ("+@all ~a:*", Standing::Revoked),
    ] {
        let mut bed = subscribed();
        assert_eq!(bed.reload(rules), standing, "{rules}");
    }
    let mut bed = Bed::new();
    bed.exchange("PSUBSCRIBE a:*", "*3 $10 psubscribe $3 a:* :1 ");
    assert_eq!(bed.reload("+@all ~a:* &a:c"), Standing::Revoked);
}

#[test]
fn subscriptions_are_bounded() {
    let mut bed = Bed::new();
    let names: Vec<String> = (0..101).map(|number| format!("a:{number}")).collect();
    assert_eq!(
        bed.ask(&format!("SUBSCRIBE {}", names.join(" "))),
        "-ERR more than 100 subscriptions "
    );
    let name = format!("a:{}", "x".repeat(100 * 256));
    assert_eq!(
        bed.ask(&format!("SUBSCRIBE {name}")),
        "-ERR more than 25600 bytes of names subscribed to "
    );
    assert_eq!(bed.sent(), "");
}
