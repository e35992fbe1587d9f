//! What a pattern must carry for what is done with a key.

use super::{House, make_user, server_allows, user, words};
use crate::bed::Server;

const SPLIT: &str = "+@all %R~app:* %W~app:c*";
const MERGED: &str = "+@all %R~app:* %W~app:*";

/// Each is asked of Redwall and of the server.
const LINES: [&str; 23] = [
    "INCR app:cnt",
    "GETSET app:cnt 1",
    "GETDEL app:cnt",
    "GETEX app:cnt EX 9",
    "SET app:cnt 1 GET",
    "SET app:cnt 1",
    "APPEND app:cnt 1",
    "GET app:cnt",
    "DEL app:cnt",
    "EXISTS app:cnt",
    "GET app:other",
    "SET app:other 1",
    "COPY app:cnt app:cnu",
    "COPY app:other app:cnu",
    "COPY app:cnt app:other",
    "RENAME app:cnt app:cnu",
    "LPOP app:clist",
    "LPUSH app:clist 1",
    "LMOVE app:clist app:clisu LEFT LEFT",
    "HINCRBY app:chash f 1",
    "HSET app:chash f 1",
    "ZADD app:czset 1 m",
    "BITFIELD app:cnt GET u8 0",
];

/// They tell the value though servers ask for the right to write alone: Redwall asks for both.
const STRICTER: [&str; 1] = ["ZADD app:czset INCR 1 m"];

#[test]
fn a_pattern_to_read_and_another_to_write_dont_add_up() {
    let users = user("split", &format!("rules = \"{SPLIT}\""))
        + &user("merged", &format!("rules = \"{MERGED}\""));
    for server in Server::ALL {
        let house = House::new(server, &[], &users);
        make_user(&house.backend, "split", SPLIT);
        make_user(&house.backend, "merged", MERGED);
        house.denies(
            "split",
            &["INCR app:cnt", "SET app:cnt 1 GET", "LPOP app:clist"],
        );
        house.serves("split", &["SET app:cnt 1", "GET app:cnt", "DEL app:cnt"]);
        house.serves(
            "merged",
            &["INCR app:cnt", "SET app:cnt 1 GET", "LPOP app:clist"],
        );
        house.denies("split", &STRICTER);
        house.serves("merged", &STRICTER);
        for who in ["split", "merged"] {
            let mut client = house.login(who);
            for line in LINES {
                let reply = client.ask(&words(line));
                let allowed = !reply.starts_with("-NOPERM");
                let theirs = server_allows(&house.backend, who, line);
                assert_eq!(allowed, theirs, "{server:?}: {who}: {line}: {reply:?}");
            }
        }
    }
}
