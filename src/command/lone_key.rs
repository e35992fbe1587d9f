//! Requests of which nothing is judged but the command itself and one key: nearly all are, and they are judged in one step.

use super::grammar::{ChannelGrammar, KeyGrammar, Slot};
use super::spec::{Access, Call, CommandSpec, Gate, Sight};

/// Whether a row's first argument is a key, and nothing else of its requests is judged: no other argument, no channel, no sight, no gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoneKey {
    /// No: the row's grammars, sight and gate decide.
    No,
    /// Of every request; what is done with the key.
    Always(Access),
    /// Of requests of exactly three arguments in all, because options would follow (SET).
    OfThree(Access),
}

impl LoneKey {
    /// What the row's other columns say.
    pub(super) const fn of(spec: &CommandSpec) -> Self {
        let nothing_else = matches!(
            (spec.gate, spec.sight, spec.channels),
            (Gate::Open, Sight::Own, ChannelGrammar::None)
        );
        match spec.keys {
            KeyGrammar::One(Slot { index: 1, access }) if nothing_else => Self::Always(access),
            KeyGrammar::Set if nothing_else => Self::OfThree(Access::Write),
            _ => Self::No,
        }
    }
}

/// The one key of which alone `call` is judged, and what is done with it; `None` says nothing: the whole of the grammar decides.
#[inline]
pub fn lone_key<'r>(call: &Call<'r>) -> Option<(&'r [u8], Access)> {
    let access = match call.spec.lone_key {
        LoneKey::Always(access) => access,
        LoneKey::OfThree(access) if call.request.announced() == 3 => access,
        LoneKey::OfThree(_) | LoneKey::No => return None,
    };
    Some((call.request.arg(1)?, access))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{KeyUse, channels, classify, keys, rows, sight};
    use crate::resp::OwnedRequest;

    /// The row's requests of up to eight arguments that it takes; `fill` stands for all behind the key.
    fn requests(spec: &CommandSpec, fill: &str) -> impl Iterator<Item = OwnedRequest> {
        let name = spec.name.to_owned();
        let counts = (2..8)
            .filter(|count| spec.accepts(*count))
            .collect::<Vec<_>>();
        let fill = fill.to_owned();
        counts.into_iter().map(move |count| {
            let mut words = vec![name.as_str(), "key"];
            words.resize(count, &fill);
            OwnedRequest::new(&words)
        })
    }

    #[test]
    fn where_one_key_is_judged_alone_the_whole_grammar_finds_that_key_and_nothing_else() {
        let mut found = 0;
        let plain = |spec: &&CommandSpec| spec.parent.is_none() && !spec.is_container();
        for spec in rows().iter().filter(plain) {
            for fill in ["1", "get", "incr", "store", "block", "bcast"] {
                for request in requests(spec, fill) {
                    let call = classify(request.as_request()).unwrap();
                    let Some((key, access)) = lone_key(&call) else {
                        continue;
                    };
                    let mut uses = Vec::new();
                    let beside = keys::extract(&call, &mut |key| uses.push(key));
                    assert_eq!(beside, Ok(keys::Extracted::default()), "{}", spec.name);
                    assert_eq!(uses, [KeyUse { index: 1, access }], "{}", spec.name);
                    assert_eq!(key, b"key");
                    channels::extract(&call, &mut |it| panic!("{}: {it:?}", spec.name));
                    assert_eq!((sight(&call), spec.gate), (Sight::Own, Gate::Open));
                    found += 1;
                }
            }
        }
        assert!(found > 1_000, "{found}");
    }

    #[test]
    fn a_set_with_options_is_judged_by_them() {
        let lone = |words: &[&str]| {
            let request = OwnedRequest::new(words);
            lone_key(&classify(request.as_request()).unwrap()).map(|(_, access)| access)
        };
        assert_eq!(lone(&["SET", "k", "v"]), Some(Access::Write));
        assert_eq!(lone(&["SET", "k", "v", "GET"]), None);
        assert_eq!(lone(&["GET", "k"]), Some(Access::Read));
        assert_eq!(lone(&["MGET", "k"]), None);
        assert_eq!(lone(&["PUBLISH", "k", "v"]), None);
    }

    #[test]
    fn rows_with_a_gate_or_a_sight_of_their_own_are_judged_by_them() {
        let of = |name: &str| super::super::lookup(name.as_bytes()).unwrap().lone_key;
        for name in [
            "restore",
            "pfdebug",
            "publish",
            "zadd",
            "bitfield",
            "sort",
            "object|freq",
        ] {
            assert_eq!(of(name), LoneKey::No, "{name}");
        }
        let mut gated = *super::super::lookup(b"get").unwrap();
        assert_eq!(LoneKey::of(&gated), LoneKey::Always(Access::Read));
        gated.gate = Gate::Operator;
        assert_eq!(LoneKey::of(&gated), LoneKey::No);
        gated.gate = Gate::Open;
        gated.sight = Sight::ReadsAll;
        assert_eq!(LoneKey::of(&gated), LoneKey::No);
    }
}
