//! The configuration as it is shown again: as TOML, and in words.

use super::cuts::{TEMPLATES, USERS_FIRST};
use super::*;

#[test]
fn what_is_printed_can_be_read_again_and_means_the_same() {
    for text in [MINIMAL, REFERENCE, USERS_FIRST, TEMPLATES] {
        let printed = parse(text).unwrap().to_toml();
        let again = parse(&printed)
            .map_err(|faults| format!("{faults:#?}\n{printed}"))
            .unwrap();
        assert_eq!(again.to_toml(), printed);
        assert_eq!(again.in_words(), parse(text).unwrap().in_words());
    }
}

#[test]
fn the_lanes_are_those_that_were_asked_for() {
    let lanes = |text: &str| parse(text).unwrap().databases[0].lanes;
    for (line, expected) in [
        ("", Lanes::Shared),
        ("lanes = \"shared\"", Lanes::Shared),
        ("lanes = \"own\"", Lanes::Own),
    ] {
        let text = minimal_but("allow = [", &format!("{line}\nallow = ["));
        assert_eq!(lanes(&text), expected, "{line}");
        assert_eq!(lanes(&parse(&text).unwrap().to_toml()), expected, "{line}");
    }
}

#[test]
fn what_becomes_of_lost_replies_is_what_was_asked_for() {
    let lost = |text: &str| parse(text).unwrap().databases[0].backend.lost_replies;
    for (line, expected) in [
        ("", LostReplies::Close),
        ("lost_replies = \"close\"", LostReplies::Close),
        ("lost_replies = \"error\"", LostReplies::Error),
    ] {
        let text = minimal_but("[database.backend]", &format!("[database.backend]\n{line}"));
        assert_eq!(lost(&text), expected, "{line}");
        assert_eq!(lost(&parse(&text).unwrap().to_toml()), expected, "{line}");
    }
}

#[test]
fn what_is_printed_hides_hashes() {
    let config = parse(REFERENCE).unwrap();
    for shown in [config.to_toml(), config.in_words()] {
        assert!(
            !shown.contains("6b86b273") && !shown.contains("d4735e3a"),
            "{shown}"
        );
    }
}

#[test]
fn odd_strings_survive_printing() {
    let odd = minimal_but("\"../certs/app.password\"", r#"'a \ "b" # é'"#);
    let odd = odd.replace(
        "unix:///run/redis/redis.sock",
        "unix:///run/a%25%3Fb%23.sock",
    );
    let config = parse(&odd).unwrap();
    let printed = config.to_toml();
    let again = parse(&printed).unwrap();
    assert_eq!(again.to_toml(), printed);
    assert!(
        printed.contains(r#"{ file = "a \\ \"b\" # é" }"#),
        "{printed}"
    );
    assert_eq!(
        again.databases[0].backend.address.value,
        config.databases[0].backend.address.value
    );
}

#[test]
fn the_words_say_who_may_do_what_from_where() {
    let expected = "\
database main
  listens on 0.0.0.0:6379 with TLS 1.2 or newer
  asks for no client certificate
  clients may connect from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and 127.0.0.0/8
  backend: unix:///run/redis/redis.sock as its default user, without a password
  user app proves a password; has the roles read-write
";
    assert_eq!(parse(MINIMAL).unwrap().in_words(), expected);

    let reference = parse(REFERENCE).unwrap().in_words();
    let expected = "\
database orders
  listens on 0.0.0.0:6379 and [::]:6379 with TLS 1.2 or newer
  takes client certificates of corp and partners (no revocation list: nothing that it issued is ever revoked)
  listens on 127.0.0.1:6380 and 10.0.0.5:6380 WITHOUT TLS
  clients may connect from 10.0.0.0/8, 2001:db8::/32, 192.0.2.7/32 and those in offices.txt, but not 10.9.0.0/16
  backend: rediss://redis.internal:6379 as user redwall, verified as redis.internal by backend-ca.crt
  any user may be proved by a certificate of corp with the SAN URI spiffe://corp/{user}
";
    assert!(reference.starts_with(expected), "{reference}");
    let billing = "  user billing proves a certificate that a template maps to the user; has the roles read-only\n";
    assert!(reference.contains(billing), "{reference}");
    assert!(
        reference.ends_with("  more users are those of orders.acl\n"),
        "{reference}"
    );
}

#[test]
fn an_empty_allow_list_is_said_to_admit_nobody() {
    let line = MINIMAL
        .lines()
        .find(|line| line.starts_with("allow"))
        .unwrap();
    for none in ["allow = []", ""] {
        let words = parse(&minimal_but(line, none)).unwrap().in_words();
        assert!(words.contains("nobody may connect"), "{words}");
    }
}

#[test]
fn the_words_say_what_the_roles_are_made_of() {
    let words = parse(REFERENCE).unwrap().roles_in_words();
    for line in [
        "role session-store: +get +set +del +expire ~{prefix}:*; and all of order-reader\n",
        "role order-reader: +@read +@connection -@dangerous %R~orders:*\n",
        "role read-only: +@read ",
    ] {
        assert!(words.contains(line), "{line} in {words}");
    }
    assert!(!words.contains("role full-access"), "{words}");
}
