//! Commands that name no key and no channel.

use std::collections::BTreeSet;

use redwall::command::{ChannelGrammar, CommandSpec, KeyGrammar, rows};

use super::{House, words};
use crate::bed::{Client, Server};

/// Each shows something of all tenants, or of the server.
const REVEALING: [&str; 28] = [
    "PUBSUB CHANNELS",
    "PUBSUB CHANNELS app:*",
    "PUBSUB NUMSUB secret-channel",
    "PUBSUB NUMPAT",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDNUMSUB secret-channel",
    "FUNCTION LIST",
    "FUNCTION LIST WITHCODE",
    "FUNCTION DUMP",
    "FUNCTION STATS",
    "SCRIPT SHOW 0000000000000000000000000000000000000000",
    "SCRIPT EXISTS 0000000000000000000000000000000000000000",
    "CLUSTERSCAN 0",
    "CLUSTER GETKEYSINSLOT 0 10",
    "CLUSTER COUNTKEYSINSLOT 0",
    "CLUSTER NODES",
    "KEYS *",
    "SCAN 0",
    "SCAN 0 MATCH secret*",
    "RANDOMKEY",
    "DBSIZE",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "LASTSAVE",
    "ROLE",
    "CLIENT LIST",
    "CLIENT TRACKING ON BCAST",
    "MONITOR",
];

/// What a user who owns `app:*` alone is let do without naming a key or a channel: each was reviewed and reveals nothing
/// beyond its arguments and its own connection.
const HARMLESS: &str = "acl|cat acl|genpass acl|help acl|whoami client|caching client|getname client|getredir client|help client|id \
    client|info client|no-evict client|no-touch client|reply client|setinfo client|setname client|tracking client|trackinginfo cluster|help \
    cluster|keyslot command command|count command|docs command|getkeys command|getkeysandflags command|help command|info \
    command|list commandlog|help config|help discard echo exec hello info latency|help lolwut memory|help module|help multi \
    object|help ping pubsub|help quit readonly readwrite reset select slowlog|help time unwatch wait waitaof xgroup|help \
    xinfo|help asking auth";

#[test]
fn what_names_no_key_shows_a_tenant_nothing_of_the_others() {
    for server in Server::ALL {
        let house = House::new(server, &[], "");
        let _listener = leave_secrets(&house);
        house.denies("app", &REVEALING);
        let mut app = house.login("app");
        for line in [
            "INFO",
            "INFO keyspace",
            "INFO everything",
            "INFO clients commandstats",
        ] {
            let reply = app.ask(&words(line));
            assert!(reply.contains("used_memory:"), "{line}: {reply}");
            for told in ["db0:", "secret", "cmdstat_", "connected_clients"] {
                assert!(
                    !reply.contains(told),
                    "{server:?}: {line} tells {told}: {reply}"
                );
            }
        }
        assert_eq!(
            let_through(&house),
            HARMLESS.split_whitespace().collect(),
            "{server:?}"
        );
    }
}

/// A key, two channels that somebody listens to, a script and a function of others.
fn leave_secrets(house: &House) -> [Client; 2] {
    let mut root = house.login("root");
    assert_eq!(root.ask(&["SET", "secret-key", "v"]), "+OK\r\n");
    assert!(
        root.ask(&["SCRIPT", "LOAD", "return 'secret'"])
            .starts_with('$')
    );
    let code = "#!lua name=secret\nredis.register_function('secret', function() return 1 end)";
    assert!(
        !house
            .backend
            .admin(&["FUNCTION", "LOAD", code])
            .starts_with('-')
    );
    let mut others = [house.login("root"), house.login("root")];
    assert!(
        others[0]
            .ask(&["SUBSCRIBE", "secret-channel"])
            .contains("subscribe")
    );
    assert!(
        others[1]
            .ask(&["SSUBSCRIBE", "secret-channel"])
            .contains("subscribe")
    );
    others
}

/// Sends each row without keys and channels, in its shortest form, and says which aren't denied.
fn let_through(house: &House) -> BTreeSet<&'static str> {
    let rows = rows().iter().filter(|row| {
        row.keys == KeyGrammar::None
            && row.channels == ChannelGrammar::None
            && (!row.is_container() || row.name == "command")
    });
    rows.filter(|row| is_let_through(house, row))
        .map(|row| row.name)
        .collect()
}

fn is_let_through(house: &House, row: &CommandSpec) -> bool {
    let mut client = house.login("app");
    let mut words: Vec<&str> = row.name.split('|').collect();
    while words.len() < usize::from(row.arity.unsigned_abs()) {
        words.push("1");
    }
    let before = house.tap.heard().len();
    let reply = client.ask(&words);
    let denied = reply.starts_with("-NOPERM");
    assert!(!denied || house.tap.heard().len() == before, "{}", row.name);
    !denied
}
