//! What is forbidden costs the backend nothing: not one byte reaches it.

use crate::bed::{Backend, Client, Config, Tap, passwords};

/// Commands that `app` (`+@all ~app:* &app:*`) may not run, by kind.
const DENIED_TO_APP: &[&str] = &[
    // Keys outside its pattern, in every place where a key can stand.
    "GET other",
    "SET other v",
    "MGET app:a other",
    "MSET app:a 1 other 2",
    "MSETNX app:a 1 other 2",
    "DEL app:a other",
    "UNLINK other",
    "EXISTS app:a other",
    "TYPE other",
    "TOUCH other",
    "RENAME app:a other",
    "RENAME other app:a",
    "RENAMENX app:a other",
    "COPY app:a other",
    "COPY other app:a",
    "EXPIRE other 1",
    "PERSIST other",
    "TTL other",
    "OBJECT ENCODING other",
    "DUMP other",
    "SORT other",
    "SORT app:a STORE other",
    "SORT app:a BY w_* GET #",
    "SORT app:a GET x_*",
    "SORT app:a STORE app:b STORE other",
    "SORT_RO other",
    "APPEND other x",
    "GETSET other x",
    "GETDEL other",
    "GETEX other",
    "INCR other",
    "SETRANGE other 0 x",
    "LCS app:a other",
    "SETBIT other 0 1",
    "BITOP AND app:a app:b other",
    "BITOP AND other app:a",
    "BITFIELD other GET u8 0",
    "BITCOUNT other",
    "LPUSH other x",
    "LRANGE other 0 1",
    "LMOVE app:a other LEFT LEFT",
    "LMOVE other app:a LEFT LEFT",
    "RPOPLPUSH app:a other",
    "LMPOP 2 app:a other LEFT",
    "BLPOP app:a other 1",
    "BRPOPLPUSH other app:a 1",
    "BLMOVE app:a other LEFT LEFT 1",
    "BLMPOP 1 2 app:a other LEFT",
    "SADD other x",
    "SMOVE app:a other x",
    "SINTER app:a other",
    "SINTERSTORE other app:a",
    "SINTERCARD 2 app:a other",
    "SUNIONSTORE app:a app:b other",
    "SDIFFSTORE app:a other",
    "HSET other f v",
    "HGETALL other",
    "HSCAN other 0",
    "ZADD other 1 x",
    "ZUNIONSTORE app:a 2 app:b other",
    "ZUNIONSTORE other 1 app:a",
    "ZUNION 2 app:a other",
    "ZINTERSTORE other 1 app:a",
    "ZDIFF 2 app:a other",
    "ZRANGESTORE app:a other 0 1",
    "ZRANGESTORE other app:a 0 1",
    "ZMPOP 2 app:a other MIN",
    "BZPOPMIN app:a other 1",
    "BZMPOP 1 2 app:a other MIN",
    "GEOADD other 1 1 x",
    "GEOSEARCHSTORE app:a other FROMLONLAT 1 1 BYRADIUS 1 m",
    "GEORADIUS app:a 1 1 1 m STORE other",
    "GEORADIUS app:a 1 1 1 m STORE app:b STORE other",
    "GEORADIUSBYMEMBER app:a x 1 m STOREDIST other",
    "PFADD other x",
    "PFCOUNT app:a other",
    "PFMERGE app:a other",
    "XADD other * f v",
    "XREAD STREAMS app:a other 0 0",
    "XREAD COUNT 1 STREAMS other 0",
    "XREADGROUP GROUP g c STREAMS app:a other > >",
    "XGROUP CREATE other g 0",
    "XINFO STREAM other",
    "XACK other g 1-1",
    "XCLAIM other g c 0 1-1",
    "XDEL other 1-1",
    "XTRIM other MAXLEN 1",
    // Channels outside its pattern.
    "PUBLISH other x",
    "SPUBLISH other x",
    "SUBSCRIBE app:a other",
    "PSUBSCRIBE *",
    "PSUBSCRIBE app:**",
    "SSUBSCRIBE other",
    "PUBSUB CHANNELS",
    "PUBSUB NUMSUB",
    "PUBSUB NUMPAT",
    // The whole keyspace.
    "KEYS *",
    "KEYS app:*",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    // Scripts and functions.
    "EVAL return(1) 0",
    "EVALSHA abc 0",
    "EVAL_RO return(1) 1 app:a",
    "FCALL f 0",
    "FUNCTION LIST",
    "FUNCTION FLUSH",
    "FUNCTION LOAD x",
    "SCRIPT LOAD x",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "SCRIPT DEBUG YES",
    // Operators' commands.
    "CONFIG SET maxmemory 1",
    "CONFIG GET masterauth",
    "CONFIG GET *",
    "CONFIG REWRITE",
    "SHUTDOWN",
    "SHUTDOWN NOSAVE",
    "DEBUG SLEEP 1",
    "REPLICAOF 127.0.0.1 1",
    "SLAVEOF 127.0.0.1 1",
    "MIGRATE 127.0.0.1 1 app:a 0 1",
    "SYNC",
    "PSYNC ? -1",
    "REPLCONF ack 1",
    "MONITOR",
    "BGSAVE",
    "SAVE",
    "BGREWRITEAOF",
    "LASTSAVE",
    "SLOWLOG GET",
    "LATENCY DOCTOR",
    "MODULE LIST",
    "MODULE LOAD /x",
    "CLUSTER RESET",
    "CLUSTER NODES",
    "FAILOVER",
    "RESTORE app:a 0 x",
    "RESTORE-ASKING app:a 0 x",
    "ACL SETUSER x",
    "ACL LIST",
    "ACL LOAD",
    "CLIENT KILL 1",
    "CLIENT LIST",
    "CLIENT PAUSE 1",
    "CLIENT UNBLOCK 1",
    "CLIENT NO-EVICT on",
    "PFDEBUG ENCODING app:a",
    "PFSELFTEST",
    // What nobody knows, or not in this form.
    "NOSUCH",
    "CONFIG NOSUCH",
    "GET",
    "GET app:a app:b",
    "MSET app:a",
    "XREAD STREAMS app:a",
    "ZUNION 9 app:a",
    "ZUNION x app:a",
    "BITOP AND app:a",
    "OBJECT",
    "EVAL",
    "LMPOP 0 app:a LEFT",
];

/// Commands that `few` (`+get ~*`) may not run.
const DENIED_TO_FEW: &[&str] = &[
    "SET a 1",
    "DEL a",
    "MGET a",
    "HGET a f",
    "LPUSH a b",
    "EXPIRE a 1",
    "TTL a",
    "WAIT 0 0",
    "TIME",
    "INFO",
    "MULTI",
    "EXEC",
    "WATCH a",
    "SUBSCRIBE a",
    "PUBLISH a b",
    "OBJECT HELP",
    "LOLWUT",
    "ROLE",
    "SELECT 1",
    "SCAN 0",
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn a_denied_command_puts_no_byte_on_the_backend() {
    assert!(DENIED_TO_APP.len() + DENIED_TO_FEW.len() > 150);
    let backend = Backend::start();
    let tap = Tap::before(backend.socket());
    let mut config = Config::new(&tap.url());
    config.users += &format!(
        "[database.users.few]\nrules = [\"+get\", \"~*\"]\n{}\n",
        passwords("few")
    );
    let redwall = config.start();
    for (user, lines) in [("app", DENIED_TO_APP), ("few", DENIED_TO_FEW)] {
        let mut client = Client::login(redwall.address, user, user);
        for line in lines {
            let reply = client.ask(&words(line));
            assert!(reply.starts_with('-'), "{user}: {line}: {reply:?}");
            assert_eq!(String::from_utf8_lossy(&tap.heard()), "", "{user}: {line}");
        }
    }
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SET", "app:a", "1"]), "+OK\r\n");
    assert!(!tap.heard().is_empty(), "the tap hears what is permitted");
}

#[test]
fn a_denied_command_has_the_text_that_redis_gives_it() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "reader", "reader");
    let cases: [(&[&str], &str); 4] = [
        (
            &["SET", "a", "1"],
            "-NOPERM User reader has no permissions to run the 'set' command\r\n",
        ),
        (
            &["CONFIG", "SET", "a", "1"],
            "-NOPERM User reader has no permissions to run the 'config|set' command\r\n",
        ),
        (
            &["NOSUCH", "a"],
            "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n",
        ),
        (
            &["GET"],
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(client.ask(words), expected);
    }
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(
        client.ask(&["GET", "other"]),
        "-NOPERM No permissions to access a key\r\n"
    );
    assert_eq!(
        client.ask(&["PUBLISH", "other", "x"]),
        "-NOPERM No permissions to access a channel\r\n"
    );
}

#[test]
fn a_denied_command_in_a_pipeline_is_answered_in_its_own_turn() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    for round in 0..200 {
        client.send(&["SET", "app:a", &round.to_string()]);
        client.send(&["GET", "other"]);
        client.send(&["PING"]);
        client.send(&["GET", "app:a"]);
        client.send(&["NOSUCH"]);
    }
    for round in 0..200 {
        assert_eq!(client.text(), "+OK\r\n");
        assert!(client.text().starts_with("-NOPERM"));
        assert_eq!(client.text(), "+PONG\r\n");
        let text = round.to_string();
        assert_eq!(client.text(), format!("${}\r\n{text}\r\n", text.len()));
        assert!(client.text().starts_with("-ERR unknown command"));
    }
    assert_eq!(
        redwall.metric("redwall_commands_total{command=\"get\",verdict=\"denied\"}"),
        200.0
    );
    assert_eq!(
        redwall.metric("redwall_commands_total{command=\"get\",verdict=\"allowed\"}"),
        200.0
    );
}
