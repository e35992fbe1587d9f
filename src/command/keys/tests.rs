use super::*;
use crate::command::classify;
use crate::resp::OwnedRequest;

/// The keys of a request in words: `name:access`, then `*` if it reads keys that it doesn't name; or the fault.
fn found(line: &str) -> String {
    let words: Vec<&str> = line
        .split(' ')
        .map(|word| if word == "\"\"" { "" } else { word })
        .collect();
    let owned = OwnedRequest::new(&words);
    let call = classify(owned.as_request()).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
    let mut text = Vec::new();
    match extract(&call, &mut |key| {
        let access = match key.access {
            Access::Metadata => "M",
            Access::Read => "R",
            Access::Write => "W",
            Access::ReadWrite => "RW",
        };
        text.push(format!("{}:{access}", words[key.index]));
    }) {
        Ok(Extracted { all_keys_read }) => {
            if all_keys_read {
                text.push("*".to_string());
            }
            text.join(" ")
        }
        Err(fault) => format!("{fault:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(&found(line), expected, "{line}");
    }
}

#[test]
fn keys_stand_where_the_row_says() {
    check(&[
        ("PING", ""),
        ("GET a", "a:R"),
        ("OBJECT ENCODING a", "a:M"),
        ("XGROUP CREATE s g $", "s:W"),
        ("RENAME a b", "a:RW b:W"),
        ("LMOVE a b LEFT RIGHT", "a:RW b:W"),
        ("DEL a b c", "a:W b:W c:W"),
        ("EXISTS a b", "a:M b:M"),
        ("BLPOP a b 0", "a:RW b:RW"),
        ("BITOP AND d a b", "d:W a:R b:R"),
        ("PFMERGE d", "d:RW"),
        ("PFMERGE d a", "d:RW a:R"),
        ("SDIFFSTORE d a b", "d:W a:R b:R"),
        ("MSET a 1 b 2", "a:W b:W"),
        ("LCS a b LEN", "a:R b:R"),
        ("GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 km", "d:W a:R"),
    ]);
}

#[test]
fn a_key_without_its_value_is_a_fault() {
    check(&[
        ("MSET a 1 b", "Unpaired"),
        ("MSETNX a 1 b", "Unpaired"),
        ("XREAD STREAMS a b 0", "Unpaired"),
        ("XREAD COUNT 1 STREAMS", "Unpaired"),
        ("VADD", "TooFewArguments"),
    ]);
}

#[test]
fn a_number_of_keys_must_be_plain_and_fit() {
    check(&[
        ("EVAL x 0 a", ""),
        ("EVAL x 1 a b", "a:RW"),
        ("EVAL x 2 a", "KeyCount { index: 2 }"),
        ("EVAL x -1 a", "KeyCount { index: 2 }"),
        ("ZUNIONSTORE d 2 a b", "d:W a:R b:R"),
        ("ZUNIONSTORE d 02 a b", "KeyCount { index: 2 }"),
        ("ZUNIONSTORE d 0 a b", "KeyCount { index: 2 }"),
        ("ZUNIONSTORE d +2 a b", "KeyCount { index: 2 }"),
        ("ZUNIONSTORE d 3 a b", "KeyCount { index: 2 }"),
        (
            "ZUNIONSTORE d 18446744073709551618 a b",
            "KeyCount { index: 2 }",
        ),
        ("ZUNIONSTORE d \"\" a b", "KeyCount { index: 2 }"),
        ("SINTERCARD 1 a LIMIT 1", "a:R"),
        ("BLMPOP 0 2 a b LEFT", "a:RW b:RW"),
        ("MSETEX 2 a 1 b 2 EX 9", "a:W b:W"),
        ("MSETEX 2 a 1 b", "KeyCount { index: 1 }"),
    ]);
}

#[test]
fn options_decide_what_is_done_with_a_single_key() {
    check(&[
        ("SET a 1", "a:W"),
        ("SET a GET", "a:W"),
        ("SET a 1 PX 100 nx keepttl", "a:W"),
        ("SET a 1 EX GET", "a:W"),
        ("SET a 1 EX 1 gEt", "a:RW"),
        ("SET a 1 IFEQ 2", "a:RW"),
        ("SET a 1 NEWER", "a:RW"),
        ("SET a 1 a-very-long-word-that-is-no-option", "a:RW"),
        ("DELIFEQ a 1", "a:RW"),
        ("BITFIELD a", "a:R"),
        ("BITFIELD a GET u8 0 get u8 1", "a:R"),
        ("BITFIELD a GET u8 0 SET u8 0 1", "a:RW"),
        ("BITFIELD a OVERFLOW SAT GET u8 0", "a:RW"),
        ("BITFIELD a GET u8", "a:RW"),
        ("BITFIELD a GET u8 0 foo", "a:RW"),
        ("ZADD a 1 m", "a:W"),
        ("ZADD a XX CH INCR 0 m", "a:RW"),
        ("ZADD a 1 INCR", "a:W"),
        ("HGETEX a FIELDS 1 f", "a:RW"),
        ("HGETDEL a FIELDS 1 f", "a:RW"),
        ("XCLAIM a g c 0 1-1", "a:RW"),
    ]);
}

#[test]
fn what_stands_behind_a_nul_hides_no_option_that_servers_see() {
    check(&[
        ("ZADD a INCR\0 0 m", "a:RW"),
        ("ZADD a incr\0and-whatever-else 0 m", "a:RW"),
        ("ZADD a nx\0 INCR 0 m", "a:RW"),
        ("ZADD a \0INCR 0 m", "a:W"),
        ("SET a 1 GET\0", "a:RW"),
        ("BITFIELD a GET\0 u8 0", "a:RW"),
        ("SORT a STORE\0 d", "UnknownOption { index: 2 }"),
        ("XREAD BLOCK\0 0 STREAMS s $", "UnknownOption { index: 1 }"),
    ]);
}

#[test]
fn a_repeated_destination_is_refused() {
    check(&[
        ("SORT a STORE d", "a:R d:W"),
        ("SORT a STORE d STORE e", "RepeatedOption { index: 4 }"),
        ("GEORADIUS a 1 2 3 km STORE d", "a:R d:W"),
        (
            "GEORADIUS a 1 2 3 km STORE d STOREDIST e",
            "RepeatedOption { index: 8 }",
        ),
        ("GEORADIUS a 1 2 3 km COUNT STORE STORE d", "a:R d:W"),
        ("GEORADIUSBYMEMBER a m 3 km STOREDIST d", "a:R d:W"),
        ("GEORADIUSBYMEMBER a STORE 3 km", "a:R"),
        (
            "GEORADIUSBYMEMBER a m 3 km STORE",
            "UnknownOption { index: 5 }",
        ),
        ("COPY a b DB 1 DB 2", "RepeatedOption { index: 5 }"),
        ("COPY a b REPLACE DB 1", "a:R b:W"),
        ("COPY a b WHERE", "UnknownOption { index: 3 }"),
    ]);
}

#[test]
fn a_keyword_in_the_place_of_a_value_hides_no_key() {
    check(&[
        ("SORT a BY STORE STORE d", "a:R d:W"),
        ("SORT a LIMIT 0 STORE STORE d", "a:R d:W"),
        ("SORT a GET STORE STORE d", "a:R d:W *"),
        ("XREAD BLOCK STREAMS STREAMS a 0", "a:R"),
        ("XREAD STREAMS STREAMS a 0 0", "STREAMS:R a:R"),
        ("XREADGROUP GROUP STREAMS c STREAMS a >", "a:R"),
        (
            "XREADGROUP GROUP STREAMS STREAMS STREAMS a b > >",
            "a:R b:R",
        ),
        (
            "XREADGROUP COUNT 1 NOACK GROUP g c BLOCK 0 STREAMS a >",
            "a:R",
        ),
        (
            "XREADGROUP GROUP g c GROUP STREAMS x STREAMS a >",
            "RepeatedOption { index: 4 }",
        ),
        (
            "XREADGROUP COUNT 1 STREAMS a b c > > >",
            "MissingOption { option: \"GROUP\" }",
        ),
        ("XREAD GROUP g c STREAMS a >", "UnknownOption { index: 1 }"),
        ("XREAD COUNT 1 NOACK a", "UnknownOption { index: 3 }"),
    ]);
}

#[test]
fn sorting_by_other_keys_needs_what_a_read_of_all_keys_needs() {
    check(&[
        ("SORT a BY nosort", "a:R"),
        ("SORT a BY w_* ASC ALPHA", "a:R *"),
        ("SORT a GET #", "a:R *"),
        ("SORT_RO a GET x GET y", "a:R *"),
        ("SORT_RO a STORE d", "UnknownOption { index: 2 }"),
        ("SORT a ASC DESC", "RepeatedOption { index: 3 }"),
        ("SORT a BY", "UnknownOption { index: 2 }"),
    ]);
}

#[test]
fn migrate_names_one_key_or_a_list() {
    check(&[
        ("MIGRATE h 1 a 0 9", "a:RW"),
        ("MIGRATE h 1 a 0 9 COPY REPLACE AUTH KEYS", "a:RW"),
        ("MIGRATE h 1 \"\" 0 9 AUTH2 KEYS b KEYS a b", "a:RW b:RW"),
        (
            "MIGRATE h 1 \"\" 0 9 COPY",
            "MissingOption { option: \"KEYS\" }",
        ),
        ("MIGRATE h 1 \"\" 0 9 KEYS", "UnknownOption { index: 6 }"),
        ("MIGRATE h 1 a 0 9 KEYS b", "UnknownOption { index: 6 }"),
    ]);
}

#[test]
fn a_request_still_arriving_tells_only_a_key_that_stands_first() {
    let part_of = |words: &[&str], announced| {
        let owned = OwnedRequest::new(words);
        let whole = owned.as_request();
        let mut start = 4;
        let ranges: Vec<_> = words
            .iter()
            .map(|word| {
                let range = crate::resp::ArgRange {
                    start: start + 4,
                    len: word.len() as u32,
                };
                start += 6 + word.len() as u32;
                range
            })
            .collect();
        let call = classify(Request::new(whole.bytes(), &ranges, announced)).unwrap();
        assert_eq!(call.request.arg(1), Some(words[1].as_bytes()));
        let mut keys = Vec::new();
        extract(&call, &mut |key| keys.push(key)).map(|_| keys)
    };
    assert_eq!(part_of(&["SET", "k", "v"], 3).unwrap().len(), 1);
    assert_eq!(part_of(&["HSET", "k", "f"], 40).unwrap().len(), 1);
    for (words, announced) in [
        (&["SET", "k", "v"][..], 4),
        (&["MSET", "k", "v"], 5),
        (&["DEL", "k"], 3),
        (&["ZADD", "k", "1"], 4),
    ] {
        assert_eq!(
            part_of(words, announced),
            Err(KeyFault::StillArriving),
            "{words:?}"
        );
    }
}
