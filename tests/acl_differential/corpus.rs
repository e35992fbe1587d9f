//! What is asked: lists of rules and requests, some written out, most made from a seed.

/// A generator of numbers that repeats itself exactly (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

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

const KEYS: [&str; 16] = [
    "~a:*",
    "~b:*",
    "%R~a:*",
    "%W~a:*",
    "%R~b:*",
    "%W~b:*",
    "%RW~c:*",
    "~*",
    "%R~*",
    "%W~*",
    "~a:1",
    "~[ab]:?",
    "~*:1",
    "~?:[^2]",
    "~\\a:*",
    "resetkeys",
];

const CHANNELS: [&str; 8] = [
    "&a:*",
    "&b:*",
    "&*",
    "&a:1",
    "&[ab]:?",
    "resetchannels",
    "&a:?*",
    "&*:1",
];

/// Sets of rules that people write.
pub(crate) const WRITTEN_RULES: [&str; 15] = [
    "+@all ~* &*",
    "+@all ~a:* &a:*",
    "+@all -@dangerous ~* &*",
    "+@all -@all +get ~a:*",
    "+@read %R~a:*",
    "+@write %W~a:*",
    "+@read +@write %R~a:* %W~b:*",
    "+@read ~a:* (+@write ~b:*) (+publish &a:*)",
    "+@all -@write ~* (+set ~a:1)",
    "+@string +@hash -set ~a:*",
    "+@read +@connection +@transaction -@dangerous +sort_ro +info +time +command %R~* resetchannels",
    "+@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -function +info +sort +sort_ro +time +command \
     +eval +evalsha +eval_ro +evalsha_ro +fcall +fcall_ro +script|load +script|exists ~* &*",
    "+@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -function +info +time +eval +evalsha \
     +script|load +script|exists ~a* resetchannels &a*",
    "+@all -client +client|id -config|set ~* &a:*",
    "+@pubsub &a:* ~a:* (+@pubsub &*)",
];

/// A list of rules. `names` are commands that the server knows.
pub(crate) fn rules(dice: &mut Dice, names: &[&str]) -> String {
    let mut words = Vec::new();
    if dice.below(3) == 0 {
        words.push("+@all".to_owned());
    }
    selector(dice, names, &mut words);
    for _ in 0..dice.below(3) {
        let mut inner = Vec::new();
        selector(dice, names, &mut inner);
        words.push(format!("({})", inner.join(" ")));
    }
    words.join(" ")
}

fn selector(dice: &mut Dice, names: &[&str], words: &mut Vec<String>) {
    for _ in 0..1 + dice.below(8) {
        let sign = ["+", "+", "-"][dice.below(3)];
        match dice.below(8) {
            0..=2 => words.push(format!("{sign}@{}", dice.pick(&CATEGORIES))),
            3 | 4 => words.push(format!("{sign}{}", dice.pick(names))),
            5 | 6 => words.push(dice.pick(&KEYS).to_owned()),
            _ => words.push(dice.pick(&CHANNELS).to_owned()),
        }
    }
}

const WORDS: [&str; 48] = [
    "a:1",
    "a:2",
    "b:1",
    "b:2",
    "c:1",
    "a:1",
    "b:1",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "x",
    "*",
    "a:*",
    "STORE",
    "STOREDIST",
    "BY",
    "GET",
    "LIMIT",
    "MATCH",
    "COUNT",
    "EX",
    "NX",
    "XX",
    "KEEPTTL",
    "WITHSCORES",
    "WEIGHTS",
    "AGGREGATE",
    "SUM",
    "STREAMS",
    "BLOCK",
    "GROUP",
    "LEFT",
    "RIGHT",
    "MIN",
    "ASC",
    "ALPHA",
    "REPLACE",
    "ABSTTL",
    "KEYS",
    "DB",
    "AND",
    "FIELDS",
    "IFEQ",
    "NOACK",
    "5.0",
    "",
];

/// A request of which nothing is sure but that its name is one of `names`.
pub(crate) fn random_request(dice: &mut Dice, names: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = dice.pick(names).split('|').map(str::to_owned).collect();
    for _ in 0..dice.below(9) {
        words.push(dice.pick(&WORDS).to_owned());
    }
    words
}

/// Requests that a server would run.
pub(crate) const WRITTEN_REQUESTS: &str = "
PING
ECHO x
GET a:1
GET b:1
SET a:1 x
SET b:1 x EX 10
SET a:1 x GET
SET a:1 x NX GET
SET a:1 x KEEPTTL
GETSET a:1 x
GETDEL a:1
GETEX a:1
GETEX a:1 EX 5
SETNX b:1 x
MGET a:1 a:2
MGET a:1 b:1
MSET a:1 x a:2 y
MSET a:1 x b:1 y
MSETNX a:1 x b:1 y
APPEND a:1 x
STRLEN a:1
INCR a:1
INCRBYFLOAT a:1 1.5
SETRANGE a:1 0 x
GETRANGE a:1 0 1
SUBSTR a:1 0 1
LCS a:1 b:1
DEL a:1 b:1
UNLINK a:1 a:2
EXISTS a:1 b:1
TYPE a:1
TOUCH a:1 b:1
TTL a:1
EXPIRE a:1 10
EXPIREAT a:1 10 NX
PERSIST a:1
RENAME a:1 b:1
RENAMENX a:1 a:2
COPY a:1 b:1
COPY a:1 a:2 REPLACE
DUMP a:1
RESTORE a:1 0 x
OBJECT ENCODING a:1
OBJECT HELP
SORT a:1
SORT a:1 STORE b:1
SORT a:1 LIMIT 0 1 ALPHA
SORT_RO a:1
LPUSH a:1 x
LPOP a:1
LRANGE a:1 0 -1
LINSERT a:1 BEFORE x y
LMOVE a:1 b:1 LEFT RIGHT
RPOPLPUSH a:1 b:1
LMPOP 2 a:1 b:1 LEFT
BLMPOP 0 2 a:1 a:2 LEFT
BLPOP a:1 b:1 0
BRPOPLPUSH a:1 b:1 0
BLMOVE a:1 b:1 LEFT RIGHT 0
LPOS a:1 x
SADD a:1 x
SMEMBERS a:1
SMOVE a:1 b:1 x
SINTER a:1 b:1
SINTERCARD 2 a:1 b:1
SINTERCARD 2 a:1 b:1 LIMIT 1
SUNIONSTORE a:1 b:1 b:2
SDIFFSTORE b:1 a:1
SPOP a:1
SRANDMEMBER a:1
SSCAN a:1 0
HSET a:1 f x
HGET a:1 f
HGETALL b:1
HINCRBY a:1 f 1
HRANDFIELD a:1
HSCAN a:1 0
HEXPIRE a:1 10 FIELDS 1 f
HGETEX a:1 FIELDS 1 f
HGETDEL a:1 FIELDS 1 f
ZADD a:1 1 x
ZADD a:1 NX 1 x
ZINCRBY a:1 1 x
ZRANGE a:1 0 -1
ZRANGESTORE b:1 a:1 0 -1
ZUNION 2 a:1 b:1
ZUNION 2 a:1 b:1 WEIGHTS 1 2 WITHSCORES
ZUNIONSTORE a:1 2 b:1 b:2
ZINTERSTORE b:1 1 a:1
ZINTERCARD 2 a:1 b:1
ZDIFF 2 a:1 b:1
ZDIFFSTORE a:1 1 b:1
ZMPOP 1 a:1 MIN
BZMPOP 0 1 a:1 MIN
BZPOPMIN a:1 b:1 0
ZPOPMIN a:1
ZRANDMEMBER a:1
ZSCAN a:1 0
GEOADD a:1 1 1 x
GEODIST a:1 x y
GEOSEARCH a:1 FROMMEMBER x BYRADIUS 1 m
GEOSEARCHSTORE b:1 a:1 FROMMEMBER x BYRADIUS 1 m
GEORADIUS a:1 1 1 1 m
GEORADIUS a:1 1 1 1 m STORE b:1
GEORADIUSBYMEMBER a:1 x 1 m STOREDIST b:1
GEORADIUS_RO a:1 1 1 1 m
PFADD a:1 x
PFCOUNT a:1 b:1
PFMERGE a:1 b:1
SETBIT a:1 1 1
GETBIT a:1 1
BITCOUNT a:1
BITPOS a:1 1
BITFIELD a:1 GET u8 0
BITFIELD a:1 SET u8 0 1
BITFIELD_RO a:1 GET u8 0
BITOP AND a:1 b:1 b:2
XADD a:1 * f x
XADD a:1 MAXLEN 5 * f x
XLEN a:1
XRANGE a:1 - +
XREAD STREAMS a:1 0
XREAD COUNT 1 STREAMS a:1 b:1 0 0
XREADGROUP GROUP g c STREAMS a:1 >
XREADGROUP GROUP g c COUNT 1 NOACK STREAMS a:1 b:1 > >
XACK a:1 g 0-1
XCLAIM a:1 g c 0 0-1
XAUTOCLAIM a:1 g c 0 0
XPENDING a:1 g
XTRIM a:1 MAXLEN 1
XDEL a:1 0-1
XSETID a:1 0-1
XGROUP CREATE a:1 g $
XGROUP DESTROY b:1 g
XINFO STREAM a:1
XINFO GROUPS b:1
PUBLISH a:1 x
PUBLISH b:1 x
SPUBLISH a:1 x
SUBSCRIBE a:1 a:2
SUBSCRIBE a:1 b:1
SSUBSCRIBE a:1
PSUBSCRIBE a:*
PSUBSCRIBE a:1
PSUBSCRIBE a:* b:*
UNSUBSCRIBE a:1
UNSUBSCRIBE
PUNSUBSCRIBE b:*
SUNSUBSCRIBE
PUBSUB CHANNELS
PUBSUB NUMSUB a:1
KEYS *
SCAN 0
SCAN 0 MATCH a:*
RANDOMKEY
DBSIZE
FLUSHALL
FLUSHDB ASYNC
SWAPDB 0 1
SELECT 0
MOVE a:1 1
INFO
TIME
ROLE
LASTSAVE
CONFIG GET maxmemory
CONFIG SET maxmemory 0
CLIENT ID
CLIENT LIST
CLIENT KILL 127.0.0.1:1
CLIENT SETNAME x
COMMAND
COMMAND COUNT
COMMAND DOCS get
ACL WHOAMI
ACL SETUSER x on
ACL LIST
MULTI
EXEC
DISCARD
WATCH a:1 b:1
UNWATCH
EVAL x 1 a:1
EVAL x 0
EVALSHA x 2 a:1 b:1
EVAL_RO x 1 a:1
FCALL f 1 a:1
FCALL_RO f 1 b:1
SCRIPT LOAD x
SCRIPT EXISTS x
SCRIPT FLUSH
FUNCTION LIST
FUNCTION LOAD x
WAIT 0 0
DEBUG OBJECT a:1
MEMORY USAGE a:1
MEMORY DOCTOR
SLOWLOG GET
LATENCY LATEST
MODULE LIST
SHUTDOWN NOSAVE
REPLICAOF NO ONE
MIGRATE 127.0.0.1 1 a:1 0 10
MONITOR
SAVE
BGSAVE
LOLWUT
READONLY
ASKING
CLUSTER INFO
CLUSTER KEYSLOT a:1
DELIFEQ a:1 x
MSETEX 2 a:1 x b:1 y EX 10
VADD a:1 VALUES 1 1 x
VSIM a:1 ELE x
";

/// [`WRITTEN_REQUESTS`], in words.
pub(crate) fn written_requests() -> Vec<Vec<String>> {
    let lines = WRITTEN_REQUESTS.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect()
}
