//! The built-in roles, with what queues, caches and readers ask of a server; and the prefix that makes one role many.

use super::{House, check, make_user, server_allows, user};
use crate::bed::{Config, Server};

/// RQ's worker and its client: birth, a job through the queue, its result, death.
const RQ: [&str; 34] = [
    "CLIENT SETINFO LIB-NAME redis-py",
    "CLIENT SETINFO LIB-VER 6.2.0",
    "CLIENT SETNAME rq-worker",
    "INFO server",
    "EXISTS rq:worker:w1",
    "MULTI",
    "DEL rq:worker:w1",
    "HSET rq:worker:w1 birth now queues default state started",
    "SADD rq:workers rq:worker:w1",
    "SADD rq:workers:default rq:worker:w1",
    "EXPIRE rq:worker:w1 480",
    "EXEC",
    "SADD rq:queues rq:queue:default",
    "WATCH rq:job:j1",
    "UNWATCH",
    "HSET rq:job:j1 data payload status queued",
    "RPUSH rq:queue:default j1",
    "LRANGE rq:queue:default 0 -1",
    "LMOVE rq:queue:default rq:queue:default:intermediate LEFT RIGHT",
    "RPUSH rq:queue:default j2",
    "BLMOVE rq:queue:default rq:queue:default:intermediate LEFT RIGHT 1",
    "LREM rq:queue:default:intermediate 1 j1",
    "ZADD rq:wip:default 1700000000 j1",
    "ZRANGEBYSCORE rq:wip:default 0 +inf",
    "HGETALL rq:job:j1",
    "HINCRBY rq:worker:w1 successful_job_count 1",
    "XADD rq:results:j1 MAXLEN ~ 10 * type 1",
    "ZREM rq:wip:default j1",
    "ZADD rq:finished:default 1700000000 j1",
    "SET rq:scheduler-lock:default 1 NX EX 60",
    "PUBLISH rq:pubsub:w1 stop",
    "TTL rq:job:j1",
    "SREM rq:workers rq:worker:w1",
    "SUBSCRIBE rq:pubsub:w1",
];

/// BullMQ's queue and worker, as far as it needs no scripts.
const BULLMQ: [&str; 12] = [
    "INFO",
    "CLIENT SETNAME bull:cXVldWU=:w",
    "HMSET bull:q:meta opts.maxLenEvents 10000 version bullmq:5",
    "HGET bull:q:meta version",
    "XADD bull:q:events MAXLEN ~ 10000 * event added jobId 1",
    "XREAD BLOCK 1 STREAMS bull:q:events 0",
    "XTRIM bull:q:events MAXLEN ~ 0",
    "ZADD bull:q:marker 0 0",
    "BZPOPMIN bull:q:marker 1",
    "LRANGE bull:q:wait 0 -1",
    "ZCARD bull:q:delayed",
    "SMEMBERS bull:q:1:dependencies",
];

/// Celery by kombu, with a prefix for all its keys.
const CELERY: [&str; 15] = [
    "INFO",
    "SADD celery.binding.celery celery\\x06\\x16\\x06\\x16celery",
    "SMEMBERS celery.binding.celery",
    "MULTI",
    "LLEN celery.q",
    "LLEN celery.q\\x06\\x163",
    "EXEC",
    "LPUSH celery.q task",
    "BRPOP celery.q celery.q\\x06\\x163 1",
    "ZADD celery.unacked_index 1700000000 tag",
    "HSET celery.unacked tag payload",
    "ZREVRANGEBYSCORE celery.unacked_index 1 0 LIMIT 0 10 WITHSCORES",
    "SETEX celery.task-meta-1 60 result",
    "PUBLISH celery.task-meta-1 result",
    "PSUBSCRIBE celery.*",
];

/// django-redis as a cache.
const CACHE: [&str; 12] = [
    "SET :1:k v PX 1000 NX",
    "GET :1:k",
    "MGET :1:k :1:l",
    "MSET :1:k v :1:l w",
    "INCRBY :1:n 2",
    "PEXPIRE :1:k 1000",
    "TTL :1:k",
    "PERSIST :1:k",
    "SCAN 0 MATCH :1:* COUNT 10",
    "EXISTS :1:k",
    "DEL :1:k",
    "SORT :1:list",
];

const READER: [&str; 9] = [
    "GET :1:k",
    "SCAN 0",
    "HGETALL h",
    "ZRANGE z 0 -1",
    "XRANGE s - +",
    "INFO keyspace",
    "DBSIZE",
    "SORT_RO l",
    "TIME",
];

/// No role grants it but full-access, and that only to operators.
const OPERATORS: [&str; 14] = [
    "CLIENT KILL ID 1",
    "CLIENT KILL 127.0.0.1:1",
    "CLIENT PAUSE 1000",
    "CLIENT UNPAUSE",
    "CLIENT LIST",
    "CLIENT UNBLOCK 1",
    "CONFIG SET maxmemory 1",
    "DEBUG SLEEP 0",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "ACL SETUSER x",
    "MONITOR",
    "MIGRATE 127.0.0.1 1 k 0 1",
    "MODULE LIST",
];

#[test]
fn queues_caches_and_readers_work_with_the_built_in_roles_and_reach_nothing_else() {
    let users = user("rq", "roles = [\"queue-worker\"]\nprefix = \"rq\"")
        + &user("bull", "roles = [\"queue-worker\"]\nprefix = \"bull\"")
        + &user("celery", "roles = [\"queue-worker\"]\nprefix = \"celery.\"")
        + &user("cache", "roles = [\"read-write\"]")
        + &user("connection", "rules = \"+@connection ~* &*\"");
    for server in Server::ALL {
        let house = House::new(server, &[], &users);
        for (who, lines) in [
            ("rq", &RQ[..]),
            ("bull", &BULLMQ),
            ("celery", &CELERY),
            ("cache", &CACHE),
            ("reader", &READER),
        ] {
            house.serves(who, lines);
        }
        for who in [
            "rq",
            "bull",
            "celery",
            "cache",
            "reader",
            "connection",
            "root",
        ] {
            house.denies(who, &OPERATORS);
        }
        make_user(&house.backend, "connection", "+@connection ~*");
        assert!(server_allows(
            &house.backend,
            "connection",
            "CLIENT KILL ID 1"
        ));
        nothing_else_is_reached(&house);
    }
    a_prefix_that_would_widen_a_role_is_refused();
}

fn nothing_else_is_reached(house: &House) {
    house.denies(
        "rq",
        &[
            "GET bull:q:meta",
            "LPUSH bull:q:wait 1",
            "BRPOP rq:queue:default bull:q:wait 1",
            "BLMOVE bull:q:wait rq:queue:default LEFT RIGHT 1",
            "XREAD STREAMS bull:q:events 0",
            "PUBLISH bull:x 1",
            "SUBSCRIBE rq:pubsub:w1 bull:x",
            "PSUBSCRIBE *",
            "PSUBSCRIBE rq:pubsub:*",
            "SSUBSCRIBE bull:x",
            "KEYS rq:*",
            "SCAN 0",
            "FLUSHDB",
            "EVALSHA 0000000000000000000000000000000000000000 0",
            "FUNCTION LIST",
            "PUBSUB CHANNELS",
            "RANDOMKEY",
            "SORT rq:queue:default BY bull:*",
            "GET r",
            "GET qr:x",
        ],
    );
    house.denies("celery", &["GET celery", "GET celeryx:1", "GET rq:job:j1"]);
    house.denies(
        "cache",
        &[
            "KEYS *",
            "FLUSHALL",
            "FUNCTION LIST",
            "SCRIPT FLUSH",
            "SWAPDB 0 1",
            "RESTORE k 0 x",
            "EVAL return(1) 0",
        ],
    );
    house.denies(
        "reader",
        &[
            "SET k v",
            "DEL k",
            "SORT l STORE m",
            "GETDEL k",
            "GETEX k",
            "SUBSCRIBE c",
            "PUBLISH c x",
            "XREADGROUP GROUP g c STREAMS s >",
        ],
    );
}

/// Each would let its user reach the keys of others, or none.
fn a_prefix_that_would_widen_a_role_is_refused() {
    let own = "[roles.own]\nrules = \"+get ~{prefix}-*\"\n";
    let cases = [
        ("roles = [\"queue-worker\"]", "no prefix"),
        (
            "roles = [\"queue-worker\"]\nprefix = \"\"",
            "`prefix` is empty",
        ),
        ("roles = [\"queue-worker\"]\nprefix = \"*\"", "can't hold"),
        ("roles = [\"queue-worker\"]\nprefix = \"a?\"", "can't hold"),
        ("roles = [\"queue-worker\"]\nprefix = \"[a\"", "can't hold"),
        (
            "roles = [\"queue-worker\"]\nprefix = \"a\\\\\\\\\"",
            "can't hold",
        ),
        (
            "roles = [\"queue-worker\"]\nprefix = \"a ~*\"",
            "can't hold",
        ),
        ("roles = [\"queue-worker\"]\nprefix = \"a:b\"", "can't hold"),
        (
            "roles = [\"queue-worker\"]\nprefix = \"{prefix}\"",
            "can't hold",
        ),
        (
            "roles = [\"own\"]\nprefix = \"a-b\"",
            "the prefix holds `-`",
        ),
    ];
    for (lines, expected) in cases {
        let mut config = Config::new("unix:///nowhere.sock");
        config.users += &format!("{own}{}", user("eve", lines));
        let (sound, said) = check(&config);
        assert!(!sound && said.contains(expected), "{lines}: {said}");
    }
    let mut config = Config::new("unix:///nowhere.sock");
    config.users += &user("eve", "roles = [\"queue-worker\"]\nprefix = \"a\"");
    config.users += &user(
        "bob",
        "roles = [\"queue-worker\", \"read-write\", \"read-only\", \"full-access\"]\nprefix = \"ab\"",
    );
    let (sound, said) = check(&config);
    assert!(
        sound && said.contains("user eve with the prefix a reaches the keys of user bob"),
        "{said}"
    );
    assert!(said.contains("may not run its scripts"), "{said}");
}
