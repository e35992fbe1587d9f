//! Roles, each of which grants by itself.

use super::{House, make_user, server_allows, user};
use crate::bed::Server;

const READS_A: &str = "+@read ~a:*";
const ALL_OF_B: &str = "+@all -@dangerous ~b:*";

#[test]
fn two_roles_never_multiply_into_a_right_that_neither_has() {
    let users = format!(
        "[roles.reads-a]\nrules = \"{READS_A}\"\n[roles.all-of-b]\nrules = \"{ALL_OF_B}\"\n\
         [roles.heir]\nrules = \"+ping\"\ninherits = [\"reads-a\", \"all-of-b\"]\n{}{}{}{}",
        user("both", "roles = [\"reads-a\", \"all-of-b\"]"),
        user("heir", "roles = [\"heir\"]"),
        user(
            "narrowed",
            "roles = [\"all-of-b\"]\nrules = \"+@all -get -@write ~own:*\""
        ),
        user(
            "denied",
            "roles = [\"reads-a\", \"all-of-b\"]\nrules = \"+@all ~own:* (+get +set ~sel:*)\"\ndeny = [\"get\", \"@write\"]"
        ),
    );
    for server in Server::ALL {
        let house = House::new(server, &[], &users);
        servers_multiply_what_is_joined_as_text(&house);
        for who in ["both", "heir"] {
            house.serves(who, &["GET a:x", "SET b:x 1", "GET b:x", "MGET b:x b:y"]);
            house.denies(
                who,
                &[
                    "SET a:x 1",
                    "DEL a:x",
                    "COPY b:x a:x",
                    "COPY a:x b:x",
                    "MGET a:x b:x",
                    "RENAME b:x a:x",
                    "SUNIONSTORE b:x a:x",
                    "GET c:x",
                    "KEYS *",
                ],
            );
        }
        // What a user takes away itself, it takes away from its own rules alone.
        house.serves("narrowed", &["GET b:x", "SET b:x 1", "STRLEN own:x"]);
        house.denies("narrowed", &["GET own:x", "SET own:x 1"]);
        // A deny list takes it away from everything.
        house.serves("denied", &["STRLEN a:x", "STRLEN b:x", "STRLEN own:x"]);
        house.denies(
            "denied",
            &[
                "GET a:x",
                "GET b:x",
                "GET own:x",
                "GET sel:x",
                "SET b:x 1",
                "SET own:x 1",
                "SET sel:x 1",
                "DEL b:x",
            ],
        );
    }
}

/// The fault: as two selectors the server keeps the rules apart, as one text it doesn't.
fn servers_multiply_what_is_joined_as_text(house: &House) {
    make_user(&house.backend, "joined", &format!("{READS_A} {ALL_OF_B}"));
    make_user(
        &house.backend,
        "apart",
        &format!("({READS_A}) ({ALL_OF_B})"),
    );
    assert!(server_allows(&house.backend, "joined", "SET a:x 1"));
    assert!(!server_allows(&house.backend, "apart", "SET a:x 1"));
}
