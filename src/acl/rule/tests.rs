use super::*;
use crate::acl::glob::GlobFault;
use RuleFaultKind as Kind;

fn kinds(text: &[u8]) -> Vec<(usize, Kind)> {
    let faults = RuleList::parse(text, Vocabulary::Whole).expect_err("the rules have a fault");
    faults
        .into_iter()
        .map(|RuleFault { at, kind }| (at, kind))
        .collect()
}

/// Writes rules as this room reads them, selectors in parentheses.
fn read_back(text: &[u8]) -> String {
    let list = RuleList::parse(text, Vocabulary::Rights)
        .unwrap_or_else(|f| panic!("{}: {f:?}", text.escape_ascii()));
    let words = list.rules().iter().map(|placed| match &placed.rule {
        Rule::Right(right) => right.to_string(),
        Rule::Selector(rights) => {
            let rights: Vec<_> = rights
                .iter()
                .map(|placed| placed.rule.to_string())
                .collect();
            format!("({})", rights.join(" "))
        }
        Rule::ClearSelectors => "clearselectors".to_owned(),
        Rule::Reset | Rule::Identity(_) => panic!("not a right"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Each was asked of Redis 7.0.15, 8.2.3, Valkey 8.1.8 and 9.1.2 with `ACL SETUSER`, which take it.
#[test]
fn every_right_of_redis_is_read_in_any_case() {
    let cases: [(&[u8], &str); 17] = [
        (b"+GET -Set", "+get -set"),
        (b"+@READ -@write", "+@read -@write"),
        (
            b"+@all -@all allcommands NOCOMMANDS",
            "+@all -@all +@all -@all",
        ),
        (b"+config|GET -CONFIG|set", "+config|get -config|set"),
        (b"~a %R~b %w~c %rw~d %WR~e", "~a %R~b %W~c ~d ~e"),
        (b"~* allkeys resetkeys", "~* ~* resetkeys"),
        (b"%R~* %RW~*", "%R~* ~*"),
        (b"&a &* allchannels ResetChannels", "&a &* &* resetchannels"),
        (b"(+get ~a)", "(+get ~a)"),
        (b"( +get   ~a ) +set", "(+get ~a) +set"),
        (b"(+get ~a ) (+set)", "(+get ~a) (+set)"),
        (b"(+get\n\t~a)", "(+get ~a)"),
        (b"() ( )", "() ()"),
        (b"(~a))", "(~a))"),
        (b"~a)", "~a)"),
        (b"clearselectors", "clearselectors"),
        (b"~\xc3\xa4:*", "~\\xc3\\xa4:*"),
    ];
    for (text, expected) in cases {
        assert_eq!(read_back(text), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn what_redis_refuses_is_refused_with_its_offset() {
    let cases: [(&[u8], usize, Kind); 26] = [
        (b"+get nosuch", 5, Kind::UnknownRule),
        (b"+nosuch", 0, Kind::UnknownCommand),
        (b"-nosuch", 0, Kind::UnknownCommand),
        (b"+", 0, Kind::UnknownCommand),
        (b"-", 0, Kind::UnknownCommand),
        (b"+|get", 0, Kind::UnknownCommand),
        (b"+@nosuch", 0, Kind::UnknownCategory),
        (b"+@", 0, Kind::UnknownCategory),
        (b"+config|nosuch", 0, Kind::UnknownSubcommand),
        (b"+config|", 0, Kind::UnknownSubcommand),
        (b"+config|get|x", 0, Kind::UnknownSubcommand),
        (b"-get|x", 0, Kind::FirstArgument),
        (b"%~a", 0, Kind::KeyRight),
        (b"%RR~a", 0, Kind::KeyRight),
        (b"%RWR~a", 0, Kind::KeyRight),
        (b"%X~a", 0, Kind::KeyRight),
        (b"~a\x0bb", 0, Kind::BlankInPattern),
        (b"~a\0b", 0, Kind::BlankInPattern),
        (b"(+get", 0, Kind::UnclosedSelector),
        (b"+set (+get ~a)x", 5, Kind::UnclosedSelector),
        (b"(+get on)", 6, Kind::NotInSelector),
        (b"((~a))", 1, Kind::NotInSelector),
        (b"(reset)", 1, Kind::NotInSelector),
        (b"#abc", 0, Kind::NotAHash),
        (b"!abc", 0, Kind::NotAHash),
        (b"db=0", 0, Kind::DatabaseRule),
    ];
    for (text, at, kind) in cases {
        assert_eq!(kinds(text), [(at, kind)], "{}", text.escape_ascii());
    }
}

/// Servers take these, and misread some of them.
#[test]
fn what_is_surely_not_meant_is_refused() {
    let of_nothing = format!("#{}", PasswordHash::of(b"").to_hex());
    let cases: [(&[u8], Kind); 15] = [
        (of_nothing.as_bytes(), Kind::EmptyPassword),
        (b"+select|0", Kind::FirstArgument),
        (b"+get|x", Kind::FirstArgument),
        (b"%R", Kind::KeyRight),
        (b"~", Kind::Pattern(GlobFault::Empty)),
        (b"&", Kind::Pattern(GlobFault::Empty)),
        (b"~[a", Kind::Pattern(GlobFault::UnclosedClass)),
        (b"&[]", Kind::Pattern(GlobFault::EmptyClass)),
        (b"~[a-\xff]", Kind::Pattern(GlobFault::RangeBeyondAscii)),
        (b">", Kind::EmptyPassword),
        (b"<", Kind::EmptyPassword),
        (b"(+get \"~a\")", Kind::QuoteInSelector),
        (b"alldbs", Kind::DatabaseRule),
        (b"RESETDBS", Kind::DatabaseRule),
        (b"DB=1", Kind::DatabaseRule),
    ];
    for (text, kind) in cases {
        assert_eq!(kinds(text), [(0, kind)], "{}", text.escape_ascii());
    }
}

#[test]
fn where_only_rights_may_stand_passwords_are_refused() {
    for text in [
        "on",
        "off",
        "nopass",
        "resetpass",
        ">p",
        "reset",
        "sanitize-payload",
    ] {
        let faults = RuleList::parse(text.as_bytes(), Vocabulary::Rights).unwrap_err();
        assert_eq!(
            faults,
            [RuleFault {
                at: 0,
                kind: Kind::IdentityRule
            }],
            "{text}"
        );
    }
}

#[test]
fn a_class_with_a_bang_is_warned_of_where_it_stands() {
    let list = RuleList::parse(b"~a &[!x] (~y ~[!z])", Vocabulary::Rights).unwrap();
    let bang = |at| Placed {
        at,
        rule: RuleWarning::BangClass,
    };
    assert_eq!(list.warnings(), [bang(3), bang(13)]);
}

#[test]
fn no_rule_prints_a_password() {
    let secret = "s3cret";
    let list =
        RuleList::parse(format!(">{secret} <{secret}").as_bytes(), Vocabulary::Whole).unwrap();
    assert!(!format!("{list:?}").contains(secret));
    assert!(!format!("{list:?}").contains(&PasswordHash::of(secret.as_bytes()).to_hex()));
}
