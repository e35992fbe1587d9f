//! A file that is read while it is written: at whatever byte it ends, it never opens more than the whole one.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;

/// Other orders than the shipped files have.
pub(super) const USERS_FIRST: &str = r#"[[database]]
name = "a"
listen = "127.0.0.1:6379"
users.x.deny = "+get"
users.x.enabled = false
users.x.passwords = { env = "A" }
users.x.rules = "+get ~*"
tls = { client_certificates = "off", certificates = { cert = "a", key = "b" } }
max_clients = 5
deny = "10.0.0.0/9"
allow = "10.0.0.0/8"
limits.max_request = "16KiB"
backend.user = "svc"
backend.password = { env = "B" }
backend.url = "redis://h"
backend.request_timeout = "1s"
[[database]]
name = "b"
plaintext_listen = "127.0.0.1:6380"
private_only = true
backend.password = { env = "C" }
backend.url = "redis://i"
acl.aclfile = "f"
acl.allow_nopass = true
"#;

pub(super) const TEMPLATES: &str = r#"[roles.r]
rules = "+@read %R~*"
inherits = "read-only"
[server]
max_clients = 3
[status]
listen = []
[[database]]
name = "a"
listen = "127.0.0.1:6379"
[database.tls]
certificates = { cert = "a", key = "b" }
min_version = "1.3"
client_certificates = "optional"
[[database.tls.client_ca]]
name = "c"
file = "c.crt"
crl = "c.crl"
[database.backend]
url = "redis://h"
user = "svc"
password = { env = "B" }
[[database.certificate_users]]
cn = "{user}"
ca = "c"
[database.users.x]
require = "both"
rules = "+get ~x"
roles = ["r"]
passwords = { env = "A" }
certificates = { cn = "y" }
[database.users.z]
enabled = false
passwords = { env = "A" }
certificates = { cn = "z" }
require = "both"
rules = "+get ~z"
"#;

/// Refuses a part that allows what the whole doesn't.
fn opens_no_more(part: &Config, whole: &Config) {
    assert_eq!(part.server, whole.server);
    assert_eq!(part.status, whole.status);
    for database in &part.databases {
        let full = whole.database(database.name.value.as_str()).unwrap();
        assert!(database.listen.is_empty() || database.listen == full.listen);
        let plaintext = &database.plaintext_listen;
        assert!(plaintext.is_empty() || *plaintext == full.plaintext_listen);
        assert_eq!(database.admission.deny, full.admission.deny);
        assert_eq!(database.admission.deny_files, full.admission.deny_files);
        assert_eq!(database.admission.private_only, full.admission.private_only);
        let allow = &database.admission.allow;
        assert!(
            allow
                .iter()
                .all(|network| full.admission.allow.contains(network))
        );
        assert_eq!(database.connections, full.connections);
        assert_eq!(database.limits, full.limits);
        assert!(database.listen.is_empty() || database.tls == full.tls);
        assert_eq!(database.backend.address, full.backend.address);
        assert_eq!(database.backend.user, full.backend.user);
        assert_eq!(database.backend.password, full.backend.password);
        assert_eq!(database.backend.tls, full.backend.tls);
        assert!(database.acl.allow_nopass <= full.acl.allow_nopass);
        let templates = &database.certificate_users;
        assert!(full.certificate_users.starts_with(templates));
        for user in &database.users {
            let same = |full: &&User| full.name == user.name;
            user_may_no_more(user, full.users.iter().find(same).unwrap());
        }
    }
}

fn user_may_no_more(user: &User, full: &User) {
    if user.roles.is_empty() && user.rules.is_empty() {
        return;
    }
    assert!(user.roles.is_empty() || user.roles == full.roles);
    assert!(user.rules.is_empty() || user.rules == full.rules);
    assert_eq!(user.deny, full.deny);
    assert_eq!(user.require, full.require);
    assert!(user.enabled <= full.enabled);
    assert!(user.nopass <= full.nopass);
    assert!(user.operator <= full.operator);
    assert!(full.passwords.starts_with(&user.passwords));
    assert!(full.certificates.starts_with(&user.certificates));
}

#[test]
fn a_file_cut_at_any_byte_is_refused_or_opens_no_more() {
    let mut sound_parts = 0;
    for text in [MINIMAL, REFERENCE, USERS_FIRST, TEMPLATES] {
        let whole = parse(text).unwrap();
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            if let Ok(part) = parse(&text[..cut]) {
                opens_no_more(&part, &whole);
                sound_parts += 1;
            }
        }
    }
    assert!(
        sound_parts > 20,
        "no cut was sound, so nothing was compared"
    );
}

#[test]
fn what_takes_away_may_not_stand_last() {
    let cases = [
        (
            USERS_FIRST,
            "deny = \"10.0.0.0/9\"",
            "backend.url = \"redis://h\"",
        ),
        (
            USERS_FIRST,
            "users.x.deny = \"+get\"",
            "users.x.rules = \"+get ~*\"",
        ),
        (
            USERS_FIRST,
            "backend.user = \"svc\"",
            "backend.url = \"redis://h\"",
        ),
        (
            USERS_FIRST,
            "limits.max_request = \"16KiB\"",
            "backend.url = \"redis://h\"",
        ),
        (USERS_FIRST, "private_only = true", "acl.aclfile = \"f\""),
        (
            TEMPLATES,
            "require = \"both\"\nrules = \"+get ~x\"",
            "certificates = { cn = \"y\" }",
        ),
        (TEMPLATES, "enabled = false", "rules = \"+get ~z\""),
        (
            TEMPLATES,
            "[server]\nmax_clients = 3",
            "rules = \"+get ~z\"",
        ),
        (TEMPLATES, "[status]\nlisten = []", "rules = \"+get ~z\""),
    ];
    for (text, narrow, last) in cases {
        let without = text.replacen(&format!("{narrow}\n"), "", 1);
        let moved = without.replacen(last, &format!("{last}\n{narrow}"), 1);
        assert!(without != text && moved != without, "{narrow}");
        let faults = parse(&moved).unwrap_err();
        assert!(
            faults.iter().all(|fault| fault.contains("stands below")),
            "{faults:?}"
        );
    }
}

/// The settings of one database, each on a line of its own, in whatever order.
const LINES: [&str; 33] = [
    "name = \"a\"",
    "listen = \"127.0.0.1:6379\"",
    "plaintext_listen = \"127.0.0.1:6380\"",
    "allow = \"10.0.0.0/8\"",
    "deny = \"10.0.0.0/9\"",
    "private_only = true",
    "max_clients = 5",
    "limits.max_request = \"16KiB\"",
    "tls.certificates = { cert = \"a\", key = \"b\" }",
    "tls.client_certificates = \"optional\"",
    "tls.client_ca = { name = \"c\", file = \"c.crt\", crl = \"c.crl\" }",
    "tls.min_version = \"1.3\"",
    "backend.url = \"rediss://h\"",
    "backend.user = \"svc\"",
    "backend.password = { env = \"B\" }",
    "backend.ca = \"d\"",
    "backend.server_name = \"i\"",
    "acl.aclfile = \"f\"",
    "certificate_users = { cn = \"{user}\" }",
    "acl.allow_nopass = true",
    "users.x.enabled = false",
    "users.x.deny = \"get\"",
    "users.x.certificates = []",
    "users.x.passwords = { env = \"A\" }",
    "users.x.rules = \"+get ~*\"",
    "users.x.nopass = false",
    "users.z.roles = \"read-write\"",
    "users.z.nopass = true",
    "users.y.require = \"both\"",
    "users.y.deny = \"set\"",
    "users.y.passwords = { env = \"A\" }",
    "users.y.certificates = { cn = \"y\" }",
    "users.y.roles = \"read-only\"",
];

/// Lines in a chosen order: each is moved up or down from where it stands by its own number.
fn in_order(places: &[i16]) -> Vec<&'static str> {
    let mut placed: Vec<(i16, &str)> = LINES
        .iter()
        .enumerate()
        .map(|(index, line)| (i16::try_from(index).unwrap() + places[index], *line))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, line)| line).collect()
}

/// Cuts a file of these lines at each line's end, and tells how many of the parts were sound.
fn cut_at_every_line(lines: &[&str]) -> Option<usize> {
    let text = |lines: &[&str]| format!("[[database]]\n{}\n", lines.join("\n"));
    let whole = parse(&text(lines)).ok()?;
    let parts = (0..lines.len()).filter_map(|end| parse(&text(&lines[..end])).ok());
    Some(parts.inspect(|part| opens_no_more(part, &whole)).count())
}

/// Orders near the one above, and lines left out.
fn orders() -> impl Strategy<Value = Vec<&'static str>> {
    let near = prop_oneof![12 => Just(0i16), 3 => -3..4i16, 1 => -33..34i16];
    let places = prop::collection::vec(near, LINES.len());
    let kept = prop::collection::vec(prop::bool::weighted(0.96), LINES.len());
    (places, kept).prop_map(|(places, kept)| {
        let lines = in_order(&places).into_iter().zip(kept);
        lines
            .filter(|(_, kept)| *kept)
            .map(|(line, _)| line)
            .collect()
    })
}

#[test]
fn in_whatever_order_a_file_is_written_no_cut_opens_more() {
    let config = ProptestConfig::with_cases(3_000);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let (sound, parts) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&orders(), |lines| {
        if let Some(found) = cut_at_every_line(&lines) {
            sound.set(sound.get() + 1);
            parts.set(parts.get() + found);
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(sound.get() > 200, "only {} orders were sound", sound.get());
    assert!(parts.get() > 1_000, "only {} cuts were sound", parts.get());
}

#[test]
fn what_only_another_part_needs_does_not_hide_a_narrowing_key() {
    let cases: [(&str, &[&str]); 2] = [
        // Cut above `require`, the certificate alone would do.
        (
            "`require` stands below",
            &[
                "users.y.certificates = { cn = \"y\" }",
                "users.y.roles = \"read-only\"",
                "users.y.require = \"both\"",
                "users.y.passwords = { env = \"A\" }",
            ],
        ),
        // Cut above `deny`, the plaintext listener alone would do.
        (
            "`deny` stands below",
            &[
                "deny = \"10.0.0.0/9\"",
                "tls.certificates = { cert = \"a\", key = \"b\" }",
                "listen = \"127.0.0.1:6379\"",
            ],
        ),
    ];
    for (told, last) in cases {
        let mut lines: Vec<&str> = LINES
            .iter()
            .filter(|line| !last.contains(line))
            .copied()
            .collect();
        lines.extend(last);
        let faults = parse(&format!("[[database]]\n{}\n", lines.join("\n"))).unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.contains(told)),
            "{faults:?}"
        );
    }
}
