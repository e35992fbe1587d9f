//! Commands that touch every key there is.

use super::{House, make_user, server_allows, user};
use crate::bed::Server;

/// They read every key, or tell of it.
const READS: [&str; 7] = [
    "KEYS *",
    "KEYS app:*",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "SORT app:list BY weight_*",
    "SORT app:list GET secret_*",
];

const WRITES: [&str; 4] = ["FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1", "FLUSHALL SYNC"];

#[test]
fn only_the_rules_that_grant_a_command_say_whether_it_may_touch_every_key() {
    let users = user("reads", "rules = \"+@all %R~* &*\"")
        + &user("writes", "rules = \"+@all %W~* %R~app:* &*\"")
        + &user(
            "mixed",
            "rules = \"+get ~* (+keys +scan +randomkey +dbsize +sort +flushall +flushdb +swapdb ~app:*)\"",
        )
        + &user("stars", "rules = \"+@all ~** &*\"")
        + &user("undone", "rules = \"+@all ~* resetkeys ~app:* &*\"")
        + &user("whole", "rules = \"+@all ~* &*\"");
    for server in Server::ALL {
        let house = House::new(server, &[], &users);
        servers_ask_for_the_command_alone(&house);
        let mut root = house.login("root");
        assert_eq!(root.ask(&["RPUSH", "app:list", "1"]), ":1\r\n");
        assert_eq!(root.ask(&["SET", "secret_1", "s"]), "+OK\r\n");
        house.serves("reads", &READS);
        for who in ["writes", "mixed", "stars", "undone"] {
            house.denies(who, &READS);
        }
        for who in ["reads", "writes", "mixed", "stars", "undone"] {
            house.denies(who, &WRITES);
        }
        house.serves("stars", &["GET secret_1", "SORT app:list"]);
        assert_eq!(root.ask(&["GET", "secret_1"]), "$1\r\ns\r\n");
        house.serves("whole", &READS);
        house.serves("whole", &WRITES);
    }
}

fn servers_ask_for_the_command_alone(house: &House) {
    make_user(&house.backend, "r", "+@all %R~*");
    assert!(server_allows(&house.backend, "r", "FLUSHALL"));
    make_user(&house.backend, "mixed", "+get ~* (+keys ~app:*)");
    assert!(server_allows(&house.backend, "mixed", "KEYS *"));
}
