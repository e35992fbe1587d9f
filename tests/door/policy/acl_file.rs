//! Files in the servers' own ACL format.

use super::{check, with_acl_file};
use crate::bed::{ADMIN, Backend, Client, Server, TempDir};

/// What a server does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfServer {
    Refuses,
    Takes,
}
use OfServer::{Refuses, Takes};

/// Line and column of a fault, and a part of what is said of it.
type Fault = (&'static str, &'static str);

/// A file, with the administrator's line before it, what servers do with it, and where and why Redwall refuses it.
const CASES: [(&[u8], OfServer, Option<Fault>); 19] = [
    (
        b"# a comment\n",
        Refuses,
        Some(("2:1", "comments aren't part")),
    ),
    (b"USER bob on\n", Refuses, Some(("2:1", "not a user"))),
    (
        b"user  bob on\n",
        Refuses,
        Some(("2:6", "one right after `user`")),
    ),
    (
        b"user bob on \"~a\"\n",
        Refuses,
        Some(("2:13", "unknown rule")),
    ),
    (b"user bob on ~a\tb\n", Refuses, Some(("2:15", "a tab"))),
    (
        b"user bob on\nuser bob off\n",
        Refuses,
        Some(("3:6", "line 2 defines")),
    ),
    (
        b"user bob on +nosuch\n",
        Refuses,
        Some(("2:13", "unknown command")),
    ),
    (
        b"\xef\xbb\xbfuser bob on\n",
        Refuses,
        Some(("2:1", "not a user")),
    ),
    // What servers take and misread.
    (b"user \"bob\" on\n", Takes, Some(("2:6", "without quotes"))),
    (
        b"user bob on >\n",
        Takes,
        Some(("2:13", "an empty password")),
    ),
    (
        b"user bob on >p +get ~a\0b -get\n",
        Takes,
        Some(("2:23", "a NUL byte")),
    ),
    (
        b"user bob off\nuser ann off",
        Takes,
        Some(("3:13", "no line break")),
    ),
    // What servers take, and Redwall as well.
    (b"user bob on >p +get ~a\r\n", Takes, None),
    (b"user bob on >p +get  ~a \r\n\r\n\n", Takes, None),
    (b" user bob on >p +get ~a\n", Takes, None),
    (b"user bob on >p +get ~a (~b +set)\n", Takes, None),
    (b"user bob on >p +get %RW~* ~a\n", Takes, None),
    // What servers write, and then don't load.
    (b"user bob on >p +get ~* ~a\n", Refuses, None),
    (b"user bob on >p +get ~* %R~a &* &b\n", Refuses, None),
];

#[test]
fn an_acl_file_means_what_it_means_to_a_server_or_is_refused_by_line_and_reason() {
    let servers = Server::ALL.map(|server| (server, Backend::start_with_acl_file(server)));
    for (case, does, fault) in CASES {
        let file = [ADMIN.as_bytes(), b"\n", case].concat();
        for (server, backend) in &servers {
            let said = backend.load_acl_file(&file);
            let found = if said == "+OK\r\n" { Takes } else { Refuses };
            assert_eq!(found, does, "{server:?}: {}: {said}", case.escape_ascii());
        }
        judges(&file, fault);
    }
    let marked = [b"\xef\xbb\xbf", ADMIN.as_bytes(), b"\n"].concat();
    judges(&marked, Some(("1:1", "a byte order mark")));
    // Redis 7.0.15 crashes when it loads this.
    judges(b"user bob on (+get\n", Some(("1:13", "doesn't end")));
    what_servers_write_works(&servers[0].1);
    a_nul_cut_a_denial_off(&servers);
}

/// Redwall finds the file sound, or faulty at that place and for that reason.
fn judges(file: &[u8], fault: Option<Fault>) {
    let folder = TempDir::new("aclfile");
    let (sound, said) = check(&with_acl_file(&folder, "unix:///nowhere.sock", file));
    let Some((place, reason)) = fault else {
        assert!(sound, "{}: {said}", file.escape_ascii());
        return;
    };
    let place = format!("users.acl:{place}: error: ");
    let mut lines = said.lines().filter(|line| line.contains(&place));
    let told = lines.any(|line| line.contains(reason));
    assert!(!sound && told, "{}: {said}", file.escape_ascii());
}

/// With a pattern after `~*`, and with lines that end as on Windows.
fn what_servers_write_works(backend: &Backend) {
    let service = crate::bed::service_user();
    assert_eq!(
        backend.load_acl_file(format!("{ADMIN}\n{service}\n").as_bytes()),
        "+OK\r\n"
    );
    let folder = TempDir::new("aclfile");
    let file = b"user bob on >p +get ~* ~a\r\nuser ann on >p +get ~a\r\n";
    let redwall = with_acl_file(&folder, &backend.url(), file).start();
    let mut bob = Client::login(redwall.address, "bob", "p");
    assert_eq!(bob.ask(&["GET", "anything"]), "$-1\r\n");
    let mut ann = Client::login(redwall.address, "ann", "p");
    assert_eq!(ann.ask(&["GET", "a"]), "$-1\r\n");
    assert!(ann.ask(&["GET", "a\r"]).starts_with("-NOPERM"));
    assert!(ann.ask(&["GET", "anything"]).starts_with("-NOPERM"));
}

/// The fault: to a server the line ends at the NUL, so that what it takes away isn't taken away.
fn a_nul_cut_a_denial_off(servers: &[(Server, Backend); 4]) {
    for (server, backend) in servers {
        let file = [ADMIN.as_bytes(), b"\nuser bob on >p +get ~a\0 -get\n"].concat();
        assert_eq!(backend.load_acl_file(&file), "+OK\r\n");
        let allowed = super::server_allows(backend, "bob", "GET a");
        assert!(allowed, "{server:?}");
    }
}
