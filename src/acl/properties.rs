//! What holds for any rules and requests.

use super::aclfile::{self, NoPassRule};
use super::*;
use crate::command;
use crate::resp::OwnedRequest;
use proptest::prelude::*;

const WORDS: [&str; 30] = [
    "+@all",
    "+@read",
    "+@write",
    "-@dangerous",
    "-@write",
    "+get",
    "-get",
    "+config|get",
    "-config",
    "+client",
    "+eval",
    "+pubsub",
    "+publish",
    "~*",
    "%R~*",
    "%W~a:*",
    "%R~a:*",
    "~a:*",
    "~b:*",
    "~[ab]:?",
    "resetkeys",
    "&*",
    "&a:*",
    "resetchannels",
    "(+@read ~b:*)",
    "(+@all ~* &*)",
    "(+publish &b:*)",
    "(%W~a:* +set)",
    "clearselectors",
    "-@all",
];

const DENIED: [&str; 8] = [
    "get",
    "@read",
    "@write",
    "client|kill",
    "publish",
    "@dangerous",
    "set",
    "config",
];

const REQUESTS: [&str; 20] = [
    "GET a:1",
    "GET b:1",
    "SET a:1 x",
    "SET b:1 x GET",
    "MSET a:1 x b:1 y",
    "DEL a:1",
    "EXISTS a:1",
    "KEYS *",
    "FLUSHALL",
    "PING",
    "PUBLISH a:1 x",
    "PUBLISH b:1 x",
    "SUBSCRIBE a:1",
    "PSUBSCRIBE a:*",
    "PUBSUB CHANNELS",
    "EVAL x 1 a:1",
    "CONFIG GET timeout",
    "CLIENT LIST",
    "SORT a:1 BY x_* STORE b:1",
    "COPY a:1 b:1",
];

fn rules() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), 0..10).prop_map(|words| words.join(" "))
}

fn user(rules: &str) -> UserSource {
    let rules = RuleList::parse(rules.as_bytes(), Vocabulary::Rights).expect("made of sound words");
    UserSource {
        rules,
        ..UserSource::new("bob")
    }
}

fn verdict(source: UserSource, request: &str) -> Result<(), DenialReason> {
    let policy = Policy::compile(1, &[source], &[]).expect("a sound user");
    let user = policy.user("bob").expect("the only user");
    let owned = OwnedRequest::new(&request.split(' ').collect::<Vec<_>>());
    let call = command::classify(owned.as_request()).expect("a sound request");
    let explanation = policy.explain(user, &call);
    let outcome = match policy.evaluate(user, call) {
        Verdict::Allow(_) => Ok(()),
        Verdict::Deny(denial) => Err(denial.reason()),
    };
    assert_eq!(explanation.outcome, outcome, "{explanation}");
    outcome
}

proptest! {
    #[test]
    fn a_deny_list_never_allows_more(
        rules in rules(),
        denied in prop::collection::vec(prop::sample::select(&DENIED[..]), 1..4),
        request in prop::sample::select(&REQUESTS[..]),
    ) {
        let whole = user(&rules);
        let deny = denied.iter().map(|word| DenyRule::parse(word).expect("sound")).collect();
        if verdict(UserSource { deny, ..whole.clone() }, request).is_ok() {
            prop_assert_eq!(verdict(whole, request), Ok(()));
        }
    }

    #[test]
    fn a_role_never_takes_away(
        rules in rules(),
        role in prop::sample::select(&["full-access", "read-write", "read-only", "queue-worker"][..]),
        request in prop::sample::select(&REQUESTS[..]),
    ) {
        let own = user(&rules);
        if verdict(own.clone(), request).is_ok() {
            let both = UserSource { roles: vec![role.to_owned()], prefix: Some("a".to_owned()), ..own };
            prop_assert_eq!(verdict(both, request), Ok(()));
        }
    }

    #[test]
    fn rules_mean_the_same_in_a_role(rules in rules(), request in prop::sample::select(&REQUESTS[..])) {
        let roles = [RoleSource {
            name: "role".to_owned(),
            inherits: Vec::new(),
            rules: RoleRules::parse(&rules).expect("made of sound words"),
        }];
        let with_role = UserSource { roles: vec!["role".to_owned()], ..UserSource::new("bob") };
        let policy = Policy::compile(1, &[with_role], &roles).expect("a sound user");
        let owned = OwnedRequest::new(&request.split(' ').collect::<Vec<_>>());
        let call = command::classify(owned.as_request()).expect("a sound request");
        let by_role = policy.evaluate(policy.user("bob").expect("the only user"), call);
        prop_assert_eq!(matches!(by_role, Verdict::Allow(_)), verdict(user(&rules), request).is_ok());
    }

    #[test]
    fn any_bytes_are_rules_or_faults_within_them(text in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Err(faults) = RuleList::parse(&text, Vocabulary::Whole) {
            prop_assert!(faults.iter().all(|fault| fault.at < text.len()));
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn any_text_that_resembles_rules_is_rules_or_faults_within_it(text in "([+~&%()@><#!-]{0,3}[a-z|*{}\"\\[\\]]{0,6}[ \t\n]{0,2}){0,8}") {
        if let Err(faults) = RuleList::parse(text.as_bytes(), Vocabulary::Whole) {
            prop_assert!(faults.iter().all(|fault| fault.at < text.len()));
        }
        if let Err(faults) = RoleRules::parse(&text) {
            prop_assert!(!faults.is_empty());
            prop_assert!(faults.iter().all(|fault| fault.at() < text.len()));
        }
    }

    #[test]
    fn any_bytes_are_an_acl_file_or_faults_in_its_lines(text in prop::collection::vec(any::<u8>(), 0..80), ended in "user [a-z]{1,3} [ -~]{0,40}\n") {
        for text in [text, ended.into_bytes()] {
            let lines = text.split(|byte| *byte == b'\n').count();
            if let Err(faults) = aclfile::parse(&text, |_| NoPassRule::Taken) {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line) && fault.column >= 1));
            }
        }
    }
}
