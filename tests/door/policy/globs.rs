//! What patterns match, byte by byte.

use redwall::resp::OwnedRequest;

use super::{check, with_acl_file};
use crate::bed::{Backend, Client, Server, TempDir, passwords};

/// Patterns of one byte after `k`, so that 256 keys tell all of their meaning.
const PATTERNS: [&[u8]; 34] = [
    b"k?",
    b"k[a-z]",
    b"k[z-a]",
    b"k[^a-z]",
    b"k[abc]",
    b"k[^abc]",
    b"k[!a]",
    b"k[a!]",
    b"k[a-]]",
    b"k[\\]]",
    b"k[\\a-c]",
    b"k[a-\\]]",
    b"k[^^]",
    b"k[a^]",
    b"k[-a]",
    b"k[+--]",
    b"k\\*",
    b"k\\?",
    b"k\\[",
    b"k\\",
    b"k*",
    b"k[*]",
    b"k[?]",
    b"k[[]",
    b"k[\x80]",
    b"k[^\x80]",
    b"k[\xff\x01]",
    b"k\xff",
    b"k[A-z]",
    b"k[0-9a-f]",
    b"?[\x01-\x7f]",
    b"*[k-m]",
    b"k**",
    b"k[^\\^]",
];

/// Patterns that servers read by the signs of bytes, or beyond their end.
const REFUSED: [(&[u8], &str); 9] = [
    (b"[a-\xff]", "outside ASCII"),
    (b"[\x80-a]", "outside ASCII"),
    (b"[\x80-\xff]", "outside ASCII"),
    ("[a-\u{e9}]".as_bytes(), "outside ASCII"),
    (b"[abc", "a [ that no ] ends"),
    (b"x[a-]", "a [ that no ] ends"),
    (b"x[\\", "a [ that no ] ends"),
    (b"x[]", "an empty class"),
    (b"[^]x", "an empty class"),
];

#[test]
fn a_pattern_matches_in_redwall_exactly_what_it_matches_in_the_server() {
    let folder = TempDir::new("globs");
    let password = sha256_of_p();
    let mut file = Vec::new();
    for (number, pattern) in PATTERNS.iter().enumerate() {
        file.extend(format!("user g{number} on #{password} +get ~").bytes());
        file.extend_from_slice(pattern);
        file.push(b'\n');
    }
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let redwall = with_acl_file(&folder, &backend.url(), &file).start();
        let mut admin = backend.direct("admin", 2);
        for (number, pattern) in PATTERNS.iter().enumerate() {
            let name = format!("g{number}");
            let rule = [b"~", *pattern].concat();
            let words = [
                b"ACL".as_slice(),
                b"SETUSER",
                name.as_bytes(),
                b"reset",
                b"+get",
                &rule,
            ];
            assert_eq!(
                admin.ask_all(&[OwnedRequest::new(&words)]),
                [b"+OK\r\n"],
                "{}",
                pattern.escape_ascii()
            );
            let theirs = admin.ask_all(&gets(&["ACL", "DRYRUN", &name]));
            let mut client = Client::login(redwall.address, &name, "p");
            let asked = gets(&[]);
            asked
                .iter()
                .for_each(|request| client.send_raw(request.as_request().bytes()));
            for (byte, theirs) in theirs.iter().enumerate() {
                let ours = client.text();
                let same = ours.starts_with("-NOPERM") != (theirs.as_slice() == b"+OK\r\n");
                assert!(
                    same,
                    "{server:?}: {} and byte {byte}: {ours:?}, {}",
                    pattern.escape_ascii(),
                    theirs.escape_ascii()
                );
            }
        }
    }
    what_servers_read_by_chance_is_refused();
}

/// GET of `k` and each byte there is, and of `k` alone.
fn gets(before: &[&str]) -> Vec<OwnedRequest> {
    let keys = (0..=255)
        .map(|byte| vec![b'k', byte])
        .chain([b"k".to_vec()]);
    let request = |key: Vec<u8>| {
        let mut words: Vec<&[u8]> = before.iter().map(|word| word.as_bytes()).collect();
        words.extend([b"GET".as_slice(), &key]);
        OwnedRequest::new(&words)
    };
    keys.map(request).collect()
}

fn what_servers_read_by_chance_is_refused() {
    for (pattern, expected) in REFUSED {
        for sign in ["~", "%R~", "&"] {
            let line = [
                b"user eve off +get ".as_slice(),
                sign.as_bytes(),
                pattern,
                b"\n",
            ]
            .concat();
            let folder = TempDir::new("globs");
            let (sound, said) = check(&with_acl_file(&folder, "unix:///nowhere.sock", &line));
            let told = said.contains("users.acl:1:19: error: ") && said.contains(expected);
            assert!(!sound && told, "{}: {said}", line.escape_ascii());
        }
    }
    let folder = TempDir::new("globs");
    let mut config = with_acl_file(
        &folder,
        "unix:///nowhere.sock",
        b"user eve off +get ~[!a]\n",
    );
    config.users +=
        "[roles.bang]\nrules = \"+get ~{prefix}[!b]\"\n[roles.unclosed]\nrules = \"+get ~x[a\"\n";
    let (sound, said) = check(&config);
    assert!(!sound && said.contains("a [ that no ] ends"), "{said}");
    config.users = config.users.replace("~x[a", "~x");
    let (sound, said) = check(&config);
    let warned = said.matches("[! is a plain exclamation mark").count();
    assert!(sound && warned == 2, "{said}");
}

/// The hash of the password `p`.
fn sha256_of_p() -> String {
    let line = passwords("p");
    line.split('"').nth(1).unwrap().to_owned()
}
