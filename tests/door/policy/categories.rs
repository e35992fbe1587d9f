//! Categories, which differ from server to server.

use std::collections::BTreeSet;

use super::{House, make_user, server_allows, user};
use crate::bed::{Backend, Server};

const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// Names of commands, with those of subcommands as `container|sub`.
type Names = BTreeSet<String>;

#[test]
fn a_category_grants_what_all_servers_agree_on_and_takes_away_what_any_says() {
    let mut users = user("unwriting", "rules = \"+@all -@write ~* &*\"")
        + &user("reading", "rules = \"+@read ~* &*\"")
        + &user("blocking", "rules = \"+@blocking ~* &*\"")
        + &user("unblocking", "rules = \"+@all -@blocking ~* &*\"")
        + &user("vectors", "rules = \"+vadd +vcard ~v:*\"")
        + &user("half", "rules = \"+vadd +vcard %R~v:* %W~w:*\"");
    for name in CATEGORIES {
        users += &user(
            &format!("with-{name}"),
            &format!("rules = \"+@{name} ~* &*\"\noperator = true"),
        );
        users += &user(
            &format!("less-{name}"),
            &format!("rules = \"+@all -@{name} ~* &*\"\noperator = true"),
        );
    }
    let servers = Server::ALL.map(|server| Backend::start_as(server, &[]));
    let known = servers
        .each_ref()
        .map(|backend| names(&backend.admin(&["COMMAND", "LIST"])));
    for server in Server::ALL {
        let house = House::new(server, &[], &users);
        rows_that_differ_are_judged_the_strictest_way(server, &house);
    }
    let house = House::new(Server::Redis70, &[], &users);
    for name in CATEGORIES {
        let here = servers
            .each_ref()
            .map(|backend| names(&backend.admin(&["ACL", "CAT", name])));
        let granted = house
            .login(&format!("with-{name}"))
            .ask(&["COMMAND", "LIST"]);
        for command in names(&granted) {
            for (known, here) in known.iter().zip(&here) {
                let agrees = !known.contains(&command) || in_category(here, &command);
                assert!(
                    agrees,
                    "+@{name} grants {command}, which some server doesn't count to it"
                );
            }
        }
        let left = house
            .login(&format!("less-{name}"))
            .ask(&["COMMAND", "LIST"]);
        for command in names(&left) {
            let any = here.iter().any(|here| here.contains(&command));
            assert!(
                !any,
                "-@{name} leaves {command}, which some server counts to it"
            );
        }
    }
}

/// A container counts if one of its subcommands does.
fn in_category(category: &Names, command: &str) -> bool {
    let sub = format!("{command}|");
    category.contains(command) || category.iter().any(|name| name.starts_with(&sub))
}

fn names(reply: &str) -> Names {
    let lines = reply
        .split("\r\n")
        .filter(|line| !line.starts_with(['*', '$', '~']));
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn rows_that_differ_are_judged_the_strictest_way(server: Server, house: &House) {
    let vector = ["VADD v:1 VALUES 2 1 1 e", "VREM v:1 e", "VSETATTR v:1 e {}"];
    house.denies("unwriting", &vector);
    house.denies(
        "reading",
        &[
            "VADD v:1 VALUES 2 1 1 e",
            "VCARD v:1",
            "VSIM v:1 ELE e",
            "VEMB v:1 e",
            "SORT l STORE m",
        ],
    );
    // Redis 7.0 counts WAIT to no category that blocks.
    house.denies("blocking", &["WAIT 0 1"]);
    house.denies("unblocking", &["WAIT 0 1", "BLPOP l 1"]);
    house.denies(
        "half",
        &[
            "VADD v:1 VALUES 2 1 1 e",
            "VCARD v:1",
            "VADD w:1 VALUES 2 1 1 e",
        ],
    );
    match server {
        Server::Redis82 => {
            make_user(&house.backend, "unwriting", "+@all -@write ~*");
            assert!(server_allows(&house.backend, "unwriting", vector[0]));
            house.serves("vectors", &[vector[0], "VCARD v:1"]);
        }
        Server::Redis70 => {
            make_user(&house.backend, "unblocking", "+@all -@blocking ~*");
            assert!(server_allows(&house.backend, "unblocking", "WAIT 0 1"));
        }
        Server::Valkey81 | Server::Valkey91 => {
            make_user(&house.backend, "blocking", "+@blocking ~*");
            assert!(server_allows(&house.backend, "blocking", "WAIT 0 1"));
        }
    }
}
