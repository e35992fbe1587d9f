use super::*;
use AclFileFaultKind as Kind;

fn refused(_: &str) -> NoPassRule {
    NoPassRule::Refused
}

fn faults(text: &[u8]) -> Vec<(usize, usize, Kind)> {
    let faults = parse(text, refused).expect_err("the file has a fault");
    faults
        .into_iter()
        .map(|AclFileFault { line, column, kind }| (line, column, kind))
        .collect()
}

/// What each server says of a file was asked with `ACL LOAD` of Redis 7.0.15, 8.2.3, Valkey 8.1.8 and 9.1.2.
#[test]
fn what_servers_refuse_is_refused_with_its_place() {
    let cases: [(&[u8], usize, usize, Kind); 9] = [
        (b"\xef\xbb\xbfuser bob on\n", 1, 1, Kind::ByteOrderMark),
        (b"# c\nuser bob on\n", 1, 1, Kind::NotAUser),
        (b"USER bob on\n", 1, 1, Kind::NotAUser),
        (b"user  bob on\n", 1, 6, Kind::NoName),
        (b"user\n", 1, 5, Kind::NoName),
        (b"user\tbob on\n", 1, 5, Kind::ControlCharacter),
        (
            b"user bob \"on\"\n",
            1,
            10,
            Kind::Rule(RuleFaultKind::UnknownRule),
        ),
        (
            b"user bob on\n\nuser bob off\n",
            3,
            6,
            Kind::Duplicate { first: 1 },
        ),
        (
            b"user bob >a b\n",
            1,
            13,
            Kind::Rule(RuleFaultKind::UnknownRule),
        ),
    ];
    for (text, line, column, kind) in cases {
        assert_eq!(
            faults(text),
            [(line, column, kind)],
            "{}",
            text.escape_ascii()
        );
    }
}

#[test]
fn what_servers_silently_misread_is_refused() {
    let cases: [(&[u8], usize, usize, Kind); 9] = [
        (b"user bob on ~a\0b +get\n", 1, 15, Kind::Nul),
        (b"user bob ~a\rb\n", 1, 12, Kind::ControlCharacter),
        (b"user \"bob\" on\n", 1, 6, Kind::Name),
        (b"user b\x01b on\n", 1, 6, Kind::Name),
        (b"user b\xffb on\n", 1, 6, Kind::Name),
        (
            b"user bob (~it's)\n",
            1,
            10,
            Kind::Rule(RuleFaultKind::QuoteInSelector),
        ),
        (
            b"user bob >\n",
            1,
            10,
            Kind::Rule(RuleFaultKind::EmptyPassword),
        ),
        (
            b"user bob db=0\n",
            1,
            10,
            Kind::Rule(RuleFaultKind::DatabaseRule),
        ),
        (b"user bob off\nuser ann off", 2, 13, Kind::Truncated),
    ];
    for (text, line, column, kind) in cases {
        assert_eq!(
            faults(text),
            [(line, column, kind)],
            "{}",
            text.escape_ascii()
        );
    }
    assert_eq!(faults(b""), [(1, 1, Kind::NoUser)]);
    assert_eq!(faults(b"\n  \r\n"), [(1, 1, Kind::NoUser)]);
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let text = b"user a ~x[ &[]\n#\n  user b >\nuser c nopass on";
    let told: Vec<_> = faults(text)
        .into_iter()
        .map(|(line, column, _)| (line, column))
        .collect();
    assert_eq!(told, [(1, 8), (1, 12), (2, 1), (3, 10), (4, 17)]);
}

#[test]
fn what_servers_take_is_taken() {
    let texts: [&[u8]; 8] = [
        b"user bob on ~a\r\n",
        b"\r\n\n  \nuser bob on ~a\n",
        b" user bob on ~a\n",
        b"user bob on  ~a\n",
        b"user bob on ~a \n",
        b"user bob on ~* ~a\n",
        b"user bob off sanitize-payload resetchannels (~a resetchannels)\n",
        b"user b(o)b on #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 ~a\n",
    ];
    for text in texts {
        let file =
            parse(text, refused).unwrap_or_else(|f| panic!("{}: {f:?}", text.escape_ascii()));
        assert_eq!(file.users.len(), 1);
        assert_eq!(file.notes, []);
    }
}

#[test]
fn nopass_is_a_fault_unless_it_is_taken_for_that_user() {
    let text = b"user ann on nopass\nuser bob on nopass\n";
    assert_eq!(faults(text), [(1, 13, Kind::NoPass), (2, 13, Kind::NoPass)]);
    let only_bob = |name: &str| {
        if name == "bob" {
            NoPassRule::Taken
        } else {
            NoPassRule::Refused
        }
    };
    let faults = parse(text, only_bob).unwrap_err();
    assert_eq!(faults.len(), 1);
    let harmless = b"user ann off nopass\nuser bob on nopass >p\n";
    assert_eq!(
        parse(harmless, refused).unwrap().users[1].identity.nopass,
        NoPass::No
    );
}

#[test]
fn the_default_user_of_a_stock_server_is_read_as_off() {
    let text = b"user default on nopass sanitize-payload ~* &* +@all\n";
    let file = parse(text, refused).unwrap();
    assert_eq!(file.users[0].identity, Identity::default());
    let note = AclFileNote {
        line: 1,
        column: 17,
        kind: AclFileNoteKind::DefaultSwitchedOff,
    };
    assert_eq!(file.notes, [note]);
    // Nor does it open the door where other users may be `nopass`.
    assert_eq!(parse(text, |_| NoPassRule::Taken), Ok(file));
}

#[test]
fn no_fault_quotes_the_file() {
    let secret = "s3cret-of-the-operator";
    let text = format!(
        "user a {secret}\nuser b >{secret} {secret}\nuser c #{secret}\nuser {secret}\t on\n{secret}\nuser d +{secret} <{secret}\n"
    );
    let faults = parse(text.as_bytes(), refused).unwrap_err();
    assert!(faults.len() >= 6, "{faults:?}");
    for fault in faults {
        assert!(!format!("{fault:?} {}", fault.kind).contains(secret));
    }
}

#[test]
fn every_cut_of_a_file_is_refused_or_ends_at_a_line() {
    let text = b"user ann on >one ~a:*\nuser bob on >two ~b:*\nuser cid off\n";
    for end in 0..text.len() {
        let cut = &text[..end];
        let whole_lines = cut.ends_with(b"\n");
        assert_eq!(parse(cut, refused).is_ok(), whole_lines, "cut at {end}");
    }
}
