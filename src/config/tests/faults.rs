//! Every kind of fault in its exact words and at its place.

use super::{minimal_but, parse};

/// A part of the minimal file, what stands in its place, and the faults without file name and `error`. `...` cuts a long list.
type Case = (&'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        r#"name = "main""#,
        "nmae = \"main\"",
        &[
            "3:1: `name` is missing in [[database]], expected a name for the database",
            "4:1: unknown key `nmae` (near `name`), expected one of `name`, `listen`, ...",
        ],
    ),
    (
        r#"name = "main""#,
        "name = \"ma in\"",
        &[
            "4:8: `name` is not a name, expected 1 to 64 of the characters a-z, A-Z, 0-9, `_`, `-` and `.`",
        ],
    ),
    (
        "allow = [",
        "hunter2 = 1\nallow = [",
        &["6:1: unknown key, expected one of `name`, `listen`, ..."],
    ),
    (
        "allow = [",
        "private_only = \"yes\"\nallow = [",
        &["6:16: `private_only` is a string, expected `true` or `false`"],
    ),
    (
        "allow = [",
        "lanes = \"private\"\nallow = [",
        &["6:9: `lanes` has an unknown value, expected one of `shared`, `own`"],
    ),
    (
        "allow = [",
        "lanes = true\nallow = [",
        &["6:9: `lanes` is a boolean, expected one of `shared`, `own`"],
    ),
    (
        r#""10.0.0.0/8""#,
        "\"10.1.2.3/8\", 7, \"hunter2\"",
        &[
            "6:10: `allow` has bits set beyond its prefix, expected `10.0.0.0/8`",
            r#"6:24: `allow` is a number, expected a network such as "10.0.0.0/8" or "2001:db8::/32", or a single address"#,
            r#"6:27: `allow` is not a network, expected a network such as "10.0.0.0/8" or "2001:db8::/32", or a single address"#,
        ],
    ),
    (
        r#""0.0.0.0:6379""#,
        "\"0.0.0.0\", \"[::]:0\", \"[::ffff:1.2.3.4]:5\"",
        &[
            r#"5:11: `listen` is not an address to listen on, expected an address with a port, such as "0.0.0.0:6379" or "[::]:6379""#,
            "5:32: `listen` is an IPv4 address written as IPv6, expected `1.2.3.4:5`",
        ],
    ),
    (
        r#"listen = ["0.0.0.0:6379"]"#,
        "listen = []",
        &[
            r#"3:1: the database listens nowhere, expected `listen = ["0.0.0.0:6379", "[::]:6379"]` or another address"#,
        ],
    ),
    (
        r#"listen = ["0.0.0.0:6379"]"#,
        "listen = [\"0.0.0.0:6379\", \"127.0.0.1:6379\", \"[::]:6379\"]",
        &[
            "5:27: the address overlaps with the one at 5:11, expected another port or address",
            "5:45: the address overlaps with the one at 5:27, expected another port or address",
        ],
    ),
    (
        r#"listen = ["0.0.0.0:6379"]"#,
        "listen = [\"127.0.0.1:6379\", \"[::]:6379\"]",
        &["5:29: the address overlaps with the one at 5:11, expected another port or address"],
    ),
    (
        r#"listen = ["0.0.0.0:6379"]"#,
        "listen = [\"127.0.0.1:9121\"]",
        &[
            "5:11: the address overlaps with the default of `listen` in [status], expected another port or address",
        ],
    ),
    (
        r#"listen = ["0.0.0.0:6379"]"#,
        "plaintext_listen = [\"0.0.0.0:6379\"]",
        &[
            "5:21: `plaintext_listen` is off loopback and without TLS, expected a loopback address, or the same address again in `plaintext_off_loopback`",
        ],
    ),
    (
        "allow = [",
        "plaintext_off_loopback = \"0.0.0.0:6380\"\nallow = [",
        &[
            "6:26: `plaintext_off_loopback` repeats no address, expected an address that stands in `plaintext_listen`",
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nhandshake_timeout = 10\n",
        &[
            r#"9:21: `handshake_timeout` is a number without a unit, expected a duration from "100ms" to "10m", with its unit (ms, s, m, h, d)"#,
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nhandshake_timeout = \"10\"\ncrl_grace = \"1w\"\nmin_version = \"1.1\"\n",
        &[
            r#"9:21: `handshake_timeout` has no unit, expected a duration from "100ms" to "10m", with its unit (ms, s, m, h, d)"#,
            r#"10:13: `crl_grace` has an unknown unit, expected a duration from "0ms" to "30d", with its unit (ms, s, m, h, d)"#,
            "11:15: `min_version` has an unknown value, expected one of `1.2`, `1.3`",
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nhandshake_timeout = \"1h\"\ncrl_grace = \"99999999999999999999999d\"\n",
        &[
            r#"9:21: `handshake_timeout` is out of range, expected a duration from "100ms" to "10m", with its unit (ms, s, m, h, d)"#,
            r#"10:13: `crl_grace` has no number that can be read, expected a duration from "0ms" to "30d", with its unit (ms, s, m, h, d)"#,
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nclient_certificates = \"required\"\n",
        &[
            r#"9:1: client certificates are asked for, but no `client_ca` is given, expected [{ name = "corp", file = "ca.crt", crl = ["ca.crl"] }]"#,
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nclient_ca = { name = \"a\", file = \"b\" }\n",
        &[
            r#"9:1: `client_ca` is given, but client certificates are off, expected `client_certificates = "optional"` or `"required"`"#,
        ],
    ),
    (
        "[database.tls]\n",
        "[database.tls]\nclient_certificates = \"optional\"\nclient_ca = [{ name = \"a\", file = \"b\" }, { name = \"a\", fil = \"b\" }, { name = \"a\", file = \"b\" }]\n",
        &[
            "10:42: `file` is missing in [[database.tls.client_ca]], expected the path of a PEM file",
            "10:56: unknown key `fil` (near `file`), expected one of `name`, `file`, `crl`",
        ],
    ),
    (
        r#"certificates = [{ cert = "../certs/server.crt", key = "../certs/server.key" }]"#,
        "certificates = [{ cert = \"../certs/server.crt\" }]",
        &[
            "9:17: `key` is missing in [[database.tls.certificates]], expected the path of a PEM file",
        ],
    ),
    (
        r#"url = "unix:///run/redis/redis.sock""#,
        "url = \"redis://u:hunter2@h\"",
        &[
            r#"12:7: `url` has a password, expected the password in `password = { file = "..." }` or `{ env = "..." }`"#,
        ],
    ),
    (
        r#"url = "unix:///run/redis/redis.sock""#,
        "url = \"rediss://u@h\"\nuser = \"v\"",
        &[
            "11:1: `ca` is missing: the certificate of a rediss:// backend is always verified, expected the path of a PEM file with its CA",
            "13:1: the service user stands in `url` and in `user`, expected one of them",
        ],
    ),
    (
        r#"url = "unix:///run/redis/redis.sock""#,
        "url = \"redis://h\"\nuser = \"v\"\nca = \"x\"",
        &[
            r#"11:1: the service user has no password, expected `password = { file = "..." }` or `{ env = "..." }`"#,
            "14:1: `ca` is given, but the backend is not rediss://, expected a `url` that begins with `rediss://`",
        ],
    ),
    (
        r#"url = "unix:///run/redis/redis.sock""#,
        "url = \"redis://h\"\npassword = \"hunter2\"",
        &[
            r#"13:12: `password` is a secret in plain text, expected { file = "..." } or { env = "..." }"#,
        ],
    ),
    (
        r#"url = "unix:///run/redis/redis.sock""#,
        "url = \"redis://h\"\npassword = { file = \"a\", env = \"b\" }",
        &[r#"13:12: `password` has two sources, expected { file = "..." } or { env = "..." }"#],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "passwords = [\"hunter2\", \"#abc\", {}, { env = \"a b\" }, { sha256 = \"x\" }]",
        &[
            r##"15:14: `passwords` is a string that is not a hash, expected { file = "..." }, { env = "..." }, { sha256 = "64 lower-case hexadecimal digits" } or "#64 lower-case hexadecimal digits""##,
            r##"15:25: `passwords` is a string that is not a hash, expected { file = "..." }, { env = "..." }, { sha256 = "64 lower-case hexadecimal digits" } or "#64 lower-case hexadecimal digits""##,
            r##"15:33: `passwords` has no source, expected { file = "..." }, { env = "..." }, { sha256 = "64 lower-case hexadecimal digits" } or "#64 lower-case hexadecimal digits""##,
            "15:45: `env` is not the name of an environment variable, expected the name of an environment variable: letters, digits and `_`",
            "15:65: `sha256` is not a SHA-256 hash, expected 64 lower-case hexadecimal digits, as `redwall hash-password` prints them",
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "",
        &[
            r#"14:1: the user has nothing by which to log in, expected `passwords`, `certificates`, or `require = "certificate"` for the templates"#,
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "nopass = true",
        &[
            "15:1: `nopass` lets anyone in under this name, expected `passwords`, a certificate that is required, or `allow_nopass = true` in [database.acl]",
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "passwords = { env = \"A\" }\nnopass = true",
        &["16:1: the user has passwords and `nopass`, expected one of them"],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "require = \"both\"\npasswords = { env = \"A\" }\ncertificates = { cn = \"a\" }",
        &[
            "17:16: a certificate proves a user, but client certificates are off, expected `client_certificates` and `client_ca` in [database.tls]",
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "require = \"certificate\"\npasswords = { env = \"A\" }",
        &[
            r#"15:1: the user has a password that is never asked for, expected `require = "both"` or `"either"`, or no `passwords` and no `nopass`"#,
            "15:1: a certificate is required, but none proves the user, expected `certificates`, or [[database.certificate_users]]",
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "passwords = { env = \"A\" }\nprefix = \"a*\"",
        &[
            "16:10: `prefix` is given, but no role of the user uses it, expected a role with `{prefix}` in its rules",
        ],
    ),
    (
        r#"passwords = [{ file = "../certs/app.password" }]"#,
        "passwords = { env = \"A\" }\nprefix = \"a\"",
        &[
            "16:10: `prefix` is given, but no role of the user uses it, expected a role with `{prefix}` in its rules",
        ],
    ),
    (
        r#"["read-write"]"#,
        "\"queue-worker\"\nprefix = \"a*\"",
        &["17:10: a character that a prefix can't hold, expected A-Z a-z 0-9 . _ @ -"],
    ),
    (
        "[[database]]",
        "[roles.q]\nrules = \"+get ~{prefix}-*\"\n[[database]]\nusers.x = { roles = \"q\", prefix = \"a-b\", passwords = { env = \"A\" } }",
        &[
            "6:35: the prefix holds `-`, which follows {prefix} in a role, so that two prefixes could run into each other, expected a prefix without it",
        ],
    ),
    (
        r#"["read-write"]"#,
        "[\"read-wirte\", \"hunter2\", \"queue-worker\"]",
        &[
            "16:1: no prefix, expected one because a role uses {prefix}",
            "16:10: unknown role (near `read-write`), expected one of `full-access`, `queue-worker`, `read-only`, `read-write`",
            "16:24: unknown role, expected one of `full-access`, `queue-worker`, `read-only`, `read-write`",
        ],
    ),
    (
        r#"["read-write"]"#,
        "[]\nrules = [\"+get >hunter2\", \"\", \"(~a <hunter2)\", \"+get\\u0000\"]",
        &[
            "17:10: `rules` has a password among its rules, expected the user's passwords in `passwords`, and no rule that begins with `>`, `<`, `#` or `!`",
            r#"17:27: `rules` is empty, expected ACL rules, such as ["+@read", "~orders:*"]"#,
            "17:31: `rules` has a password among its rules, expected the user's passwords in `passwords`, and no rule that begins with `>`, `<`, `#` or `!`",
            r#"17:48: `rules` has a control character, expected ACL rules, such as ["+@read", "~orders:*"]"#,
        ],
    ),
    (
        "[database.users.app]",
        "[database.users.\"a b\"]",
        &[
            "14:17: a key that is not a user's name, expected 1 to 128 characters, none of them a space or a control character",
        ],
    ),
    (
        "[database.tls]",
        "[server]\nworkers = 0\ndrain_timeout = 3\n[database.tls]",
        &[
            "9:11: `workers` is out of range, expected a number from 1 to 1024",
            r#"10:17: `drain_timeout` is a number without a unit, expected a duration from "1s" to "1h", with its unit (ms, s, m, h, d)"#,
        ],
    ),
    (
        "[[database]]",
        "[roles.read-only]\nrules = \"+get\"\n[roles.a]\ninherits = \"b\"\n[roles.b]\ninherits = [\"a\", \"c\"]\n[roles.e]\n[[database]]",
        &[
            "3:8: role `read-only` is built in, expected another name",
            "5:8: role `a` inherits itself in the end, expected roles that inherit in one direction",
            "7:8: role `b` inherits itself in the end, expected roles that inherit in one direction",
            "8:18: unknown role, expected one of `a`, `b`, `e`, `full-access`, `queue-worker`, `read-only`, `read-write`",
            "9:8: role `e` has no rules, expected `rules`, `inherits` or both",
        ],
    ),
    (
        "[[database]]",
        "[server]\nworkers = \"auto\"\nworkers = 3\nx = y\n[log]\nlevel = \"loud\"\n[[database]]",
        &[
            "5:1: duplicate key, expected TOML",
            "6:5: string values must be quoted, expected literal string",
        ],
    ),
    (
        "[[database]]",
        "[status]\nlisten = \"0.0.0.0:9121\"\n[log]\nlevel = \"loud\"\n[[database]]",
        &[
            "4:10: `listen` is off loopback and without TLS, expected a loopback address, or the same address again in `off_loopback`",
            "6:9: `level` has an unknown value, expected one of `error`, `warn`, `info`, `debug`, `trace`",
        ],
    ),
];

#[test]
fn every_fault_is_told_in_words_and_at_its_place() {
    for (from, to, expected) in CASES {
        let faults = parse(&minimal_but(from, to)).unwrap_err();
        assert_eq!(faults.len(), expected.len(), "{to}: {faults:#?}");
        for (fault, expected) in faults.iter().zip(*expected) {
            let fault = fault.strip_prefix("r.toml:").unwrap();
            let fault = fault.replacen(": error: ", ": ", 1);
            match expected.strip_suffix("...") {
                Some(beginning) => assert!(fault.starts_with(beginning), "{fault}"),
                None => assert_eq!(&fault, expected),
            }
        }
    }
}

const FAULTY_RULES: &str = r#"[roles.r]
rules = ["~{prefix}:*", "&x ~{name}"]
[[database]]
allow = "10.0.0.1/8"
[database.users.app]
deny = "@nosuch -nosuch"
rules = ["~ok:*", "~a oops &b", "\u002bnosuch"]
roles = "r"
prefix = "a"
"#;

#[test]
fn faults_of_rules_are_told_together_with_all_others_and_at_their_own_characters() {
    let faults = parse(FAULTY_RULES).unwrap_err();
    let places: Vec<&str> = faults
        .iter()
        .map(|fault| fault.split(": ").next().unwrap())
        .collect();
    let expected = [
        "r.toml:2:30", // {name}
        "r.toml:3:1",  // the name is missing
        "r.toml:3:1",  // nowhere to listen
        "r.toml:3:1",  // the backend is missing
        "r.toml:4:9",  // host bits
        "r.toml:5:1",  // no password
        "r.toml:6:9",  // @nosuch
        "r.toml:6:17", // -nosuch
        "r.toml:7:23", // oops
        "r.toml:7:33", // +nosuch: an escape hides its place in the string
    ];
    assert_eq!(places, expected, "{faults:#?}");
}

const CERTIFIED: &str = r#"[[database]]
name = "a"
listen = "127.0.0.1:6379"
backend.url = "unix:///a"
certificate_users = { san_dns = "{user}.corp" }
[database.tls]
certificates = { cert = "a", key = "b" }
client_certificates = "required"
client_ca = { name = "c", file = "c.crt" }
[database.users."a.b"]
require = "certificate"
[database.users.x]
certificates = { cn = "y" }
[database.users.z]
certificates = { cn = "y", ca = "c" }
"#;

#[test]
fn a_user_whom_no_certificate_can_prove_is_a_fault() {
    let expected = [
        "r.toml:10:17: error: a certificate is required, but no template can yield this user's name, expected `certificates`, or a name of the characters that a template takes",
        "r.toml:14:17: error: a certificate of this user proves an earlier user too, so that it would prove neither, expected a certificate for one user only",
    ];
    assert_eq!(parse(CERTIFIED).unwrap_err(), expected);
}
