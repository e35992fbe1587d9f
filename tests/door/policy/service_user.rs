//! The user as whom Redwall itself is logged in at its backend, with the rules that the README gives.

use std::collections::BTreeSet;

use redwall::command::{CommandSpec, Gate, LaneNeed, rows};

use super::{House, words};
use crate::bed::{Direct, Server};

/// One command of each kind, as a user who may do everything that an operator needn't.
const EACH_KIND: [&str; 44] = [
    "SET k 1",
    "GET k",
    "DEL k",
    "RPUSH l 2 1",
    "SORT l",
    "SORT_RO l",
    "SORT l BY w_* STORE m",
    "BLPOP l 1",
    "HSET h f v",
    "HGETALL h",
    "SADD s m",
    "SSCAN s 0",
    "ZADD z 1 m",
    "ZRANGE z 0 -1",
    "XADD x * f v",
    "XREAD STREAMS x 0",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c STREAMS x >",
    "XINFO STREAM x",
    "PFADD p a",
    "PFCOUNT p",
    "GEOADD g 1 1 m",
    "GEOSEARCH g FROMMEMBER m BYRADIUS 1 m",
    "SETBIT b 0 1",
    "BITCOUNT b",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "INFO",
    "ROLE",
    "TIME",
    "LOLWUT",
    "OBJECT ENCODING k2",
    "MEMORY USAGE z",
    "CONFIG GET maxmemory",
    "PUBLISH c v",
    "PUBSUB CHANNELS",
    "EVAL return(1) 0",
    "SCRIPT LOAD return(2)",
    "COPY z z2",
    "SWAPDB 0 1",
    "FLUSHDB",
    "FLUSHALL",
];

/// What servers must refuse the service user even if somebody gets past Redwall.
const BEYOND_IT: [&str; 34] = [
    "ACL SETUSER redwall +@all",
    "ACL SETUSER x on nopass +@all",
    "ACL DELUSER admin",
    "ACL LIST",
    "ACL GETUSER admin",
    "ACL LOAD",
    "ACL SAVE",
    "ACL LOG",
    "CONFIG SET dir /",
    "CONFIG REWRITE",
    "CONFIG RESETSTAT",
    "DEBUG SLEEP 0",
    "REPLICAOF 127.0.0.1 1",
    "SLAVEOF 127.0.0.1 1",
    "FAILOVER",
    "MIGRATE 127.0.0.1 1 k 0 1",
    "RESTORE k 0 x",
    "MODULE LOAD /x",
    "MODULE LIST",
    "SHUTDOWN NOSAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "SAVE",
    "LASTSAVE",
    "MONITOR",
    "SYNC",
    "PSYNC ? -1",
    "SLOWLOG GET",
    "SCRIPT DEBUG YES",
    "SCRIPT FLUSH",
    "FUNCTION FLUSH",
    "CLIENT KILL ID 1",
    "CLIENT PAUSE 1",
    "CLIENT LIST",
];

/// Rows that the service user may run and that Redwall forwards for nobody, for operators, or for full users alone. For operators
/// and full users it needs the right, or servers know no category by which to take it away.
const GATED_BUT_PERMITTED: &str = "client|capa client|import-source client|unblock eval eval_ro evalsha evalsha_ro fcall fcall_ro \
    memory|purge script|exists script|help script|load script|show";

#[test]
fn the_service_user_of_the_readme_can_all_that_is_forwarded_and_cannot_rule_the_server() {
    for server in Server::ALL {
        let house = House::new(server, &[], "");
        let mut admin = house.backend.direct("admin", 2);
        let mut gated = BTreeSet::new();
        for row in rows().iter().filter(|row| !row.is_container()) {
            match (row.gate, may_run(&mut admin, row)) {
                (Gate::Open, Some(permitted)) if row.lane != LaneNeed::Redwall => {
                    assert!(
                        permitted,
                        "{server:?}: {} would be refused by the server",
                        row.name
                    );
                }
                (Gate::FullUser | Gate::Operator | Gate::Never, Some(true)) => {
                    gated.insert(row.name);
                }
                (Gate::Open | Gate::FullUser | Gate::Operator | Gate::Never, _) => {}
            }
        }
        let listed: BTreeSet<&str> = GATED_BUT_PERMITTED.split_whitespace().collect();
        assert!(
            !gated.is_empty() && gated.is_subset(&listed),
            "{server:?}: {gated:?}"
        );
        house.serves("root", &EACH_KIND[..33]);
        house.serves("root", &["SET k2 v"]);
        house.serves("root", &EACH_KIND[33..]);
        for line in BEYOND_IT {
            let reply = house.backend.direct("redwall", 2).ask(&words(line));
            let reply = String::from_utf8_lossy(&reply).into_owned();
            // DEBUG and MODULE are switched off as servers come, which is looked at before rules are.
            let refused = reply.starts_with("-NOPERM") || reply.contains("command not allowed");
            assert!(refused, "{server:?}: {line}: {reply}");
        }
        assert_eq!(house.backend.admin(&["PING"]), "+PONG\r\n");
    }
}

/// Whether the server lets the service user run the row; `None` if it doesn't know it.
fn may_run(admin: &mut Direct, row: &CommandSpec) -> Option<bool> {
    let mut words = vec!["ACL", "DRYRUN", "redwall"];
    words.extend(row.name.split('|'));
    let given = words.len() - 3;
    words.extend(vec![
        "1";
        usize::from(row.arity.unsigned_abs()).max(given) - given
    ]);
    let reply = String::from_utf8_lossy(&admin.ask(&words)).into_owned();
    if reply.contains("not found") || reply.contains("unknown subcommand") {
        return None;
    }
    Some(!reply.contains("permissions to run"))
}
