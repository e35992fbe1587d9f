use super::*;
use crate::command::{classify, keys, rows};
use crate::resp::{ArgRange, OwnedRequest};

#[test]
fn reading_streams_needs_an_own_lane_only_to_wait() {
    let need = |line: &str| {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        lane_need(&classify(owned.as_request()).unwrap())
    };
    assert_eq!(need("XREAD COUNT 1 STREAMS a 0"), LaneNeed::Shared);
    assert_eq!(need("XREAD bLoCk 1 STREAMS a 0"), LaneNeed::Own);
    assert_eq!(need("XREADGROUP GROUP g c STREAMS a >"), LaneNeed::Shared);
    assert_eq!(
        need("XREADGROUP GROUP g c BLOCK 0 STREAMS a >"),
        LaneNeed::Own
    );
    assert_eq!(need("BLPOP a 0"), LaneNeed::Own);
    assert_eq!(need("EVAL x 0"), LaneNeed::OwnForever);
}

#[test]
fn tracking_by_broadcast_sees_all_names() {
    let sees = |line: &str| {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        sight(&classify(owned.as_request()).unwrap())
    };
    assert_eq!(sees("CLIENT TRACKING ON NOLOOP"), Sight::Own);
    assert_eq!(sees("CLIENT TRACKING ON bcast PREFIX a"), Sight::ReadsAll);
    assert_eq!(sees("KEYS *"), Sight::ReadsAll);
}

#[test]
fn config_get_is_public_only_for_exact_names_without_secrets() {
    let public = |line: &str| {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        config_get_is_public(&owned.as_request())
    };
    assert!(public("CONFIG GET maxmemory"));
    assert!(public("config get Maxmemory-Policy databases timeout"));
    for line in [
        "CONFIG GET",
        "CONFIG GET *",
        "CONFIG GET maxmemory*",
        "CONFIG GET maxmemory masterauth",
        "CONFIG GET requirepass",
        "CONFIG GET maxmemor[y]",
    ] {
        assert!(!public(line), "{line}");
    }
}

/// A request with all its arguments, cut off behind the first `shown` of them.
fn keys_of(words: &[&str], shown: usize) -> Option<(bool, String)> {
    let owned = OwnedRequest::new(words);
    let whole = owned.as_request();
    let base = whole.bytes().as_ptr() as usize;
    let ranges: Vec<ArgRange> = whole
        .iter()
        .take(shown)
        .map(|arg| ArgRange {
            start: (arg.as_ptr() as usize - base) as u32,
            len: arg.len() as u32,
        })
        .collect();
    let call = classify(Request::new(whole.bytes(), &ranges, words.len())).ok()?;
    let mut text = String::new();
    let outcome = keys::extract(&call, &mut |key| text.push_str(&format!("{key:?}")));
    crate::command::channels::extract(&call, &mut |channel| text.push_str(&format!("{channel:?}")));
    let (need, sees) = (lane_need(&call), sight(&call));
    text.push_str(&format!("{outcome:?}{need:?}{sees:?}"));
    Some((may_stream(&call).is_some(), text))
}

#[test]
fn nothing_that_comes_after_a_streamed_value_began_changes_what_is_judged() {
    let late = [
        "GET", "IFEQ", "STORE", "KEYS", "2", "NX", "BLOCK", "BCAST", "",
    ];
    let mut streamed = 0;
    for spec in rows() {
        let mut words: Vec<&str> = spec.name.split('|').collect();
        words.push("key");
        for count in 3..9 {
            words.truncate(2);
            words.resize(count, "v");
            let Some((true, early)) = keys_of(&words, 2) else {
                continue;
            };
            streamed += 1;
            for place in 2..count {
                for word in late {
                    let mut other = words.clone();
                    other[place] = word;
                    let (_, whole) = keys_of(&other, count).unwrap();
                    assert_eq!(early, whole, "{} {other:?}", spec.name);
                }
            }
        }
    }
    assert!(streamed > 30, "{streamed}");
}

#[test]
fn only_reviewed_rows_stream() {
    let names: Vec<_> = rows()
        .iter()
        .filter(|spec| spec.streaming != Streaming::No)
        .map(|spec| spec.name)
        .collect();
    assert_eq!(
        names.join(" "),
        "hmset hset hsetnx pfadd linsert lpush lpushx lset rpush rpushx publish spublish sadd append getset psetex \
         set setex setnx setrange"
    );
}

#[test]
fn a_value_is_streamed_only_once_the_key_is_whole() {
    assert!(keys_of(&["SET", "k", "v"], 1).is_none_or(|(streams, _)| !streams));
    assert!(keys_of(&["SET", "k", "v"], 2).unwrap().0);
    assert!(keys_of(&["SET", "k", "v"], 3).unwrap().0);
    assert!(!keys_of(&["SET", "k", "v", "GET"], 3).unwrap().0);
    assert!(!keys_of(&["MSET", "k", "v", "l", "w"], 3).unwrap().0);
}
