//! A file that is read while it is written: wherever it is cut within a line, it is refused.

use super::*;

/// Other orders than the shipped files have.
pub(super) const USERS_FIRST: &str = r#"[[database]]
name = "a"
listen = "127.0.0.1:6379"
users.x.deny = "get"
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
lanes = "own"
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

#[test]
fn a_file_cut_within_a_line_is_refused() {
    let mut cuts = 0;
    for text in [MINIMAL, REFERENCE, USERS_FIRST, TEMPLATES] {
        assert!(parse(text).is_ok());
        let within = |cut: &usize| text.is_char_boundary(*cut) && text.as_bytes()[cut - 1] != b'\n';
        for cut in (1..text.len()).filter(within) {
            assert!(parse(&text[..cut]).is_err(), "cut at {cut}");
            cuts += 1;
        }
    }
    assert!(cuts > 1_000, "{cuts} cuts were tried");
}
