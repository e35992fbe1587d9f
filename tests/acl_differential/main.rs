//! The policy beside real servers: what Redwall allows, each server allows too; what it denies beyond that is listed by reason.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where what it needs is missing"
)]

mod corpus;
mod known;
mod server;
mod strictness;

use corpus::Dice;
use known::Known;
use redwall::acl::{
    DenialReason, Glob, Operator, Policy, RuleList, UserSource, Verdict, Vocabulary,
};
use redwall::command;
use redwall::resp::OwnedRequest;
use server::{Reply, Server, installed};

fn servers() -> Vec<Server> {
    let servers: Vec<Server> = installed().iter().map(|path| Server::start(path)).collect();
    assert!(
        !servers.is_empty(),
        "no server found: run `make servers`, or install redis-server"
    );
    servers
}

/// Whether the server's `ACL DRYRUN` says that `user` may run the requests.
fn dry_runs<W: AsRef<[u8]>>(server: &mut Server, user: &str, requests: &[Vec<W>]) -> Vec<Reply> {
    for request in requests {
        let mut words: Vec<&[u8]> = vec![b"ACL", b"DRYRUN", user.as_bytes()];
        words.extend(request.iter().map(AsRef::as_ref));
        server.send(&words);
    }
    requests.iter().map(|_| server.reply()).collect()
}

fn allowed(reply: &Reply) -> bool {
    *reply == Reply::Status("OK".to_owned())
}

/// A pattern, and a text that it matches more often than not.
fn pattern_and_text(dice: &mut Dice) -> (Vec<u8>, Vec<u8>) {
    let (mut pattern, mut text) = (Vec::new(), Vec::new());
    for _ in 0..1 + dice.below(5) {
        match dice.below(8) {
            0 => {
                pattern.push(b'*');
                text.extend((0..dice.below(3)).map(|_| byte(dice)));
            }
            1 => {
                pattern.push(b'?');
                text.push(byte(dice));
            }
            2..=4 => {
                let class: Vec<u8> = (0..1 + dice.below(5)).map(|_| byte(dice)).collect();
                pattern.push(b'[');
                pattern.extend(&class);
                pattern.push(b']');
                text.push(class[dice.below(class.len())]);
            }
            5 => {
                let escaped = byte(dice);
                pattern.extend([b'\\', escaped]);
                text.push(escaped);
            }
            _ => {
                let plain = byte(dice);
                pattern.push(plain);
                text.push(plain);
            }
        }
    }
    (pattern, text)
}

/// The text with one byte changed, or taken out.
fn changed(dice: &mut Dice, text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if !text.is_empty() {
        let at = dice.below(text.len());
        match dice.below(4) {
            0 => {
                text.remove(at);
            }
            1 => text.insert(at, byte(dice)),
            _ => text[at] = byte(dice),
        }
    }
    text
}

/// A byte that means something in a pattern, or a letter, or any byte at all.
fn byte(dice: &mut Dice) -> u8 {
    match dice.below(4) {
        0 => b"*?[]^-\\"[dice.below(7)],
        1 | 2 => b"abc-"[dice.below(4)],
        _ => dice.below(256) as u8,
    }
}

#[test]
fn a_pattern_matches_what_every_server_says_it_matches_over_all_bytes() {
    for mut server in servers() {
        let mut dice = Dice::new(20);
        let (mut asked, mut matched) = (0, 0);
        while asked < 100_000 {
            let (pattern, text) = pattern_and_text(&mut dice);
            let blank = pattern
                .iter()
                .any(|byte| matches!(byte, 0 | b' ' | b'\t'..=b'\r'));
            let (Ok(glob), false) = (Glob::compile(&pattern), blank || pattern == b"*") else {
                continue;
            };
            let rule = [b"~", pattern.as_slice()].concat();
            let reply = server.ask(&[
                b"ACL".as_slice(),
                b"SETUSER",
                b"g",
                b"reset",
                b"+get",
                &rule,
            ]);
            assert!(allowed(&reply), "{}: {glob:?}: {reply:?}", server.name);
            let mut texts: Vec<Vec<u8>> = (0..30).map(|_| changed(&mut dice, &text)).collect();
            texts.push(text);
            texts.push(Vec::new());
            texts.extend((0..=255).map(|byte| vec![byte]));
            let requests: Vec<Vec<&[u8]>> = texts
                .iter()
                .map(|text| vec![b"get".as_slice(), text])
                .collect();
            for (text, reply) in texts.iter().zip(dry_runs(&mut server, "g", &requests)) {
                assert_eq!(
                    glob.matches(text),
                    allowed(&reply),
                    "{}: {glob:?} on {}",
                    server.name,
                    text.escape_ascii()
                );
                asked += 1;
                matched += usize::from(allowed(&reply));
            }
        }
        assert!(
            matched > 1_000 && matched < asked - 1_000,
            "{matched} of {asked} matched: the corpus says little"
        );
    }
}

/// How one request was judged on both sides.
struct Pair<'a> {
    known: &'a Known,
    rules: &'a str,
    request: &'a [String],
    origin: Origin,
    ours: Ours,
    theirs: Reply,
}

/// Whether a request was written out, or made from a seed and mostly senseless.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Written,
    Made,
}

/// What Redwall says.
#[derive(Clone, Debug)]
enum Ours {
    Allowed,
    Denied {
        reason: DenialReason,
        command: &'static str,
    },
    /// The table can't place the request: unknown, wrong arity.
    Unplaced,
}

fn ask_redwall(policy: &Policy, request: &[String]) -> Ours {
    let owned = OwnedRequest::new(request);
    let Ok(call) = command::classify(owned.as_request()) else {
        return Ours::Unplaced;
    };
    let user = policy.user("bob").expect("the only user");
    let command = call.spec.name;
    match policy.evaluate(user, call) {
        Verdict::Allow(_) => Ours::Allowed,
        Verdict::Deny(denial) => Ours::Denied {
            reason: denial.reason(),
            command,
        },
    }
}

fn policy_of(rules: &str) -> Policy {
    let rules = RuleList::parse(rules.as_bytes(), Vocabulary::Rights)
        .unwrap_or_else(|f| panic!("{rules}: {f:?}"));
    // An operator, for else what is for operators would hide how its keys are judged.
    let source = UserSource {
        rules,
        operator: Operator::Yes,
        ..UserSource::new("bob")
    };
    Policy::compile(1, &[source], &[]).expect("a sound user")
}

/// Gives the server lists of rules, and both sides requests; `each` gets what they said.
fn compare(server: &mut Server, lists: usize, mut each: impl FnMut(&Pair<'_>)) {
    let known = Known::of(server);
    let names: Vec<&str> = known
        .names()
        .filter(|name| command::lookup(name.as_bytes()).is_some())
        .collect();
    let mut dice = Dice::new(lists as u64);
    let written = corpus::WRITTEN_RULES
        .iter()
        .map(|rules| (*rules).to_owned());
    let made: Vec<String> = (0..lists)
        .map(|_| corpus::rules(&mut dice, &names))
        .collect();
    for rules in written.chain(made) {
        if !set_user(server, &rules) {
            continue;
        }
        let policy = policy_of(&rules);
        let written = corpus::written_requests()
            .into_iter()
            .map(|request| (Origin::Written, request));
        let made: Vec<_> = (0..200)
            .map(|_| (Origin::Made, corpus::random_request(&mut dice, &names)))
            .collect();
        let (origins, requests): (Vec<_>, Vec<_>) = written.chain(made).unzip();
        let replies = dry_runs(server, "bob", &requests);
        for ((origin, request), theirs) in origins.into_iter().zip(&requests).zip(replies) {
            let ours = ask_redwall(&policy, request);
            each(&Pair {
                known: &known,
                rules: &rules,
                request,
                origin,
                ours,
                theirs,
            });
        }
    }
}

/// Makes the server's user; `false` for the one thing that Redwall takes and servers don't, a pattern after `~*` or `&*`.
fn set_user(server: &mut Server, rules: &str) -> bool {
    let mut words = vec!["ACL", "SETUSER", "bob", "reset"];
    words.extend(rules.split_whitespace());
    match server.ask(&words) {
        Reply::Status(_) => true,
        Reply::Error(text) if text.contains("Adding a pattern after") => false,
        other => panic!("{}: {rules}: {other:?}", server.name),
    }
}

#[test]
fn nothing_is_allowed_that_a_real_server_denies() {
    for mut server in servers() {
        let (mut laxer, mut both) = (Vec::new(), 0);
        let name = server.name.clone();
        compare(&mut server, 150, |pair| match (&pair.ours, &pair.theirs) {
            (Ours::Allowed, Reply::Status(_)) => both += 1,
            (Ours::Allowed, Reply::Bulk(why)) => {
                let why = String::from_utf8_lossy(why.as_deref().unwrap_or_default()).into_owned();
                laxer.push(format!(
                    "{} under {}: {why}",
                    pair.request.join(" "),
                    pair.rules
                ));
            }
            // An error is about the request itself: unknown there, or of another arity.
            (Ours::Allowed, _) | (Ours::Denied { .. } | Ours::Unplaced, _) => {}
        });
        assert!(
            both > 1_000,
            "{name}: {both} allowed by both: the corpus says little"
        );
        assert_eq!(
            laxer,
            Vec::<String>::new(),
            "{name}: {} of them",
            laxer.len()
        );
    }
}

#[test]
fn what_is_denied_beyond_a_real_server_has_a_reason_that_is_listed() {
    for mut server in servers() {
        let (mut unlisted, mut both) = (Vec::new(), 0);
        let name = server.name.clone();
        compare(&mut server, 150, |pair| match (&pair.ours, &pair.theirs) {
            (Ours::Denied { .. }, Reply::Bulk(_)) => both += 1,
            (Ours::Denied { .. } | Ours::Unplaced, Reply::Status(_))
                if !strictness::is_listed(pair) =>
            {
                unlisted.push(format!(
                    "{:?}: {} under {}",
                    pair.ours,
                    pair.request.join(" "),
                    pair.rules
                ));
            }
            _ => {}
        });
        assert!(
            both > 1_000,
            "{name}: {both} denied by both: the corpus says little"
        );
        assert_eq!(
            unlisted,
            Vec::<String>::new(),
            "{name}: {} of them",
            unlisted.len()
        );
    }
}

/// Redis 7.0 has older words for the same.
#[test]
fn a_denied_client_sees_the_very_words_of_newer_servers() {
    const RULES: &str = "+get +subscribe +config|get ~a:* &a:*";
    const REQUESTS: [&[&str]; 6] = [
        &["SET", "a:1", "x"],
        &["config", "SET", "maxmemory", "0"],
        &["Client", "LIST"],
        &["GET", "b:1"],
        &["SUBSCRIBE", "a:1", "b:1"],
        &["FLUSHALL"],
    ];
    let policy = policy_of(RULES);
    let user = policy.user("bob").expect("the only user");
    let mut compared = 0;
    for mut server in servers() {
        assert!(set_user(&mut server, &format!("on >p {RULES}")));
        assert!(allowed(&server.ask(&["AUTH", "bob", "p"])));
        for request in REQUESTS {
            let Reply::Error(theirs) = server.ask(request) else {
                panic!("{}: {request:?} isn't denied", server.name);
            };
            if theirs.to_lowercase().starts_with("noperm this user") {
                continue;
            }
            let owned = OwnedRequest::new(request);
            let call = command::classify(owned.as_request()).expect("a sound request");
            let Verdict::Deny(denial) = policy.evaluate(user, call) else {
                panic!("{request:?} is allowed");
            };
            assert_eq!(
                denial.wire_text(user, &call).to_string(),
                theirs,
                "{}",
                server.name
            );
            compared += 1;
        }
    }
    // Debian's own server alone has the older words; where there is a newer one, its words were compared.
    assert!(
        compared > 0 || installed().len() == 1,
        "no server has the newer words"
    );
}
