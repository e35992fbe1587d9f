//! Requests for every row with keys: well-formed ones, whose options come in any number and order, and random words.

use redwall::command::grammar::Counted;
use redwall::command::{CommandSpec, KeyGrammar};

const WELL_FORMED: usize = 60;
const RANDOM: usize = 200;

/// Rows whose options matter. Fixed words, then options of which any may come in any order, then fixed words.
/// `a|b` is a choice.
const TEMPLATES: [(&str, &str, &[&str], &str); 26] = [
    (
        "set",
        "k v",
        &["NX|XX", "GET|get", "EX 10|PX 10|EXAT 99|PXAT 99|KEEPTTL"],
        "",
    ),
    ("set", "k v", &["IFEQ w", "GET"], ""),
    ("zadd", "k", &["NX|XX", "GT|LT", "CH", "INCR|incr"], "1 m"),
    ("bitfield", "k", &["GET u8 0", "get i4 #1", "GET u2 3"], ""),
    (
        "bitfield",
        "k",
        &[
            "GET u8 0",
            "SET u8 0 1",
            "INCRBY i4 1 2",
            "OVERFLOW SAT INCRBY u2 0 1",
        ],
        "",
    ),
    ("lmove", "a d LEFT RIGHT", &[], ""),
    ("smove", "a d 1", &[], ""),
    ("lmpop", "2 a b LEFT", &["COUNT 2"], ""),
    ("zmpop", "2 a b MIN", &["COUNT 2"], ""),
    ("zrangestore", "d a 0 -1", &["REV"], ""),
    (
        "geosearchstore",
        "d a FROMLONLAT 1 2 BYRADIUS 3 km",
        &["ASC|DESC"],
        "",
    ),
    ("lcs", "a b", &["LEN|IDX"], ""),
    ("bitop", "AND d a b", &[], "c"),
    (
        "zunionstore",
        "d 2 a b",
        &["WEIGHTS 1 2", "AGGREGATE MAX"],
        "",
    ),
    ("zinterstore", "d 3 a b c", &["AGGREGATE MAX"], ""),
    ("copy", "a b", &["DB 1", "REPLACE|replace"], ""),
    (
        "sort",
        "k",
        &[
            "BY w_*|BY nosort|by STORE",
            "LIMIT 0 1",
            "GET #",
            "GET o_*",
            "ASC|DESC",
            "ALPHA",
            "STORE d|store d",
        ],
        "",
    ),
    (
        "sort_ro",
        "k",
        &["BY w_*", "LIMIT 0 1", "GET #", "ASC|DESC", "ALPHA"],
        "",
    ),
    (
        "georadius",
        "k 1 2 3 km",
        &[
            "WITHCOORD",
            "WITHDIST",
            "WITHHASH",
            "COUNT 1|COUNT 1 ANY",
            "ASC|DESC",
            "STORE d|STOREDIST d",
        ],
        "",
    ),
    (
        "georadiusbymember",
        "k m 3 km",
        &[
            "WITHCOORD",
            "WITHDIST",
            "WITHHASH",
            "COUNT 1|COUNT 1 ANY",
            "ASC|DESC",
            "store d|storedist d",
        ],
        "",
    ),
    ("xread", "", &["COUNT 1", "BLOCK 10"], "STREAMS a 0"),
    ("xread", "", &["COUNT 1", "BLOCK 10"], "streams a b c 0 0 $"),
    (
        "xreadgroup",
        "",
        &["COUNT 1", "BLOCK 10", "NOACK"],
        "GROUP g c STREAMS a >",
    ),
    (
        "xreadgroup",
        "GROUP g c",
        &["COUNT 1", "BLOCK 10", "NOACK"],
        "STREAMS a b > >",
    ),
    (
        "migrate",
        "h 1 k 0 9",
        &["COPY", "REPLACE", "AUTH p|AUTH2 u p"],
        "",
    ),
    (
        "migrate",
        "h 1 EMPTY 0 9",
        &["COPY", "REPLACE", "AUTH p|AUTH2 u p"],
        "KEYS a b",
    ),
];

/// Words that mean something somewhere.
const WORDS: [&str; 44] = [
    "a",
    "b",
    "c",
    "d",
    "0",
    "1",
    "2",
    "3",
    "02",
    "-1",
    "",
    "*",
    "#",
    "km",
    "STORE",
    "store",
    "STOREDIST",
    "BY",
    "GET",
    "SET",
    "LIMIT",
    "STREAMS",
    "GROUP",
    "COUNT",
    "BLOCK",
    "NOACK",
    "KEYS",
    "COPY",
    "REPLACE",
    "AUTH",
    "DB",
    "NX",
    "XX",
    "EX",
    "IFEQ",
    "INCR",
    "CH",
    "OVERFLOW",
    "u8",
    "ASC",
    "ALPHA",
    "WITHDIST",
    "FIELDS",
    "LEFT",
];

/// Well-formed requests for the row, its name first.
pub(crate) fn requests(spec: &CommandSpec) -> Vec<Vec<String>> {
    let mut dice = Dice::seeded(spec);
    let templates: Vec<_> = TEMPLATES
        .iter()
        .filter(|(name, ..)| *name == spec.name)
        .collect();
    (0..WELL_FORMED)
        .map(|_| {
            let mut words = name_words(spec);
            if templates.is_empty() {
                words.extend(plain(spec, &mut dice));
            } else {
                let (_, head, options, tail) = templates[dice.below(templates.len())];
                words.extend(filled(head, options, tail, &mut dice));
            }
            words
        })
        .collect()
}

/// Requests of random words for the row, long enough for its arity.
pub(crate) fn random_requests(spec: &CommandSpec) -> Vec<Vec<String>> {
    let mut dice = Dice::seeded(spec);
    let least = usize::from(spec.arity.unsigned_abs());
    (0..RANDOM)
        .map(|_| {
            let mut words = name_words(spec);
            let longest = if spec.arity < 0 {
                least.max(3) + dice.below(9)
            } else {
                least
            };
            while words.len() < longest {
                words.push(WORDS[dice.below(WORDS.len())].to_owned());
            }
            words
        })
        .collect()
}

fn name_words(spec: &CommandSpec) -> Vec<String> {
    spec.name.split('|').map(str::to_owned).collect()
}

/// Distinct words, with a fitting number where the row wants one.
fn plain(spec: &CommandSpec, dice: &mut Dice) -> Vec<String> {
    let fixed = name_words(spec).len();
    let least = usize::from(spec.arity.unsigned_abs()).max(fixed + 1);
    let more = if spec.arity < 0 { dice.below(6) } else { 0 };
    let mut words: Vec<String> = (fixed..least + more)
        .map(|index| format!("w{index}"))
        .collect();
    if let KeyGrammar::Run(keys) = spec.keys {
        let keys = (words.len() + fixed - keys.first - keys.tail) % keys.step;
        words.truncate(words.len() - keys);
    }
    if let KeyGrammar::Counted(keys) | KeyGrammar::OneThenCounted(_, keys) = spec.keys {
        let Counted {
            count, step, least, ..
        } = keys;
        let room = (words.len() + fixed - 1 - count) / step;
        words[count - fixed] = (least + dice.below(room + 1 - least)).to_string();
    }
    words
}

fn filled(head: &str, options: &[&str], tail: &str, dice: &mut Dice) -> Vec<String> {
    let mut chosen: Vec<&str> = Vec::new();
    for option in options {
        if dice.below(2) == 1 {
            let choices: Vec<&str> = option.split('|').collect();
            let place = dice.below(chosen.len() + 1);
            chosen.insert(place, choices[dice.below(choices.len())]);
        }
    }
    let parts = std::iter::once(head).chain(chosen).chain([tail]);
    parts
        .flat_map(str::split_whitespace)
        .map(|word| {
            if word == "EMPTY" {
                String::new()
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// The same throws at every run.
struct Dice(u64);

impl Dice {
    fn seeded(spec: &CommandSpec) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (u64::from(spec.id.0) << 17))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}
