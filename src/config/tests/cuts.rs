//! A file that is read while it is written: at whatever byte it ends, it never opens more than the whole one.

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
        assert_eq!(database.listen, full.listen);
        assert_eq!(database.plaintext_listen, full.plaintext_listen);
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
        assert_eq!(database.tls, full.tls);
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
