//! The policy beside real servers: what Redwall allows, each server allows too; what it denies beyond that is listed by reason.

mod corpus;
mod server;

use corpus::Dice;
use redwall::acl::Glob;
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
