//! What a request does beyond its keys, where the arguments decide it: which lane it needs, what it sees, whether it may be
//! forwarded while it arrives.

use super::grammar::KeyGrammar;
use super::spec::{Call, LaneNeed, Sight, Streaming};
use crate::resp::Request;

/// The connection that the call needs: its row's, but XREAD and XREADGROUP without BLOCK may share one.
#[inline]
pub fn lane_need(call: &Call<'_>) -> LaneNeed {
    let reads_streams = matches!(call.spec.keys, KeyGrammar::XRead | KeyGrammar::XReadGroup);
    if reads_streams && call.request.is_whole() && !has_word(&call.request, b"block") {
        return LaneNeed::Shared;
    }
    call.spec.lane
}

/// What the call sees: its row's sight, but CLIENT TRACKING sees all names only if it asks for broadcasts; else it is told of
/// the keys that the client has read itself. What SORT reads beyond its keys `keys::extract` tells.
#[inline]
pub fn sight(call: &Call<'_>) -> Sight {
    let tracking = call.spec.name == "client|tracking";
    if tracking && call.request.is_whole() && !has_word(&call.request, b"bcast") {
        return Sight::Own;
    }
    call.spec.sight
}

/// Parameters that CONFIG GET tells to everybody who may run it: client libraries ask for them, and they hold no secret.
const PUBLIC_PARAMETERS: [&str; 5] = [
    "maxmemory",
    "maxmemory-policy",
    "notify-keyspace-events",
    "databases",
    "timeout",
];

/// Whether `request`, a CONFIG GET, asks for nothing but parameters that everybody may know, each by its exact name. A pattern
/// or any other parameter is for operators: `CONFIG GET *` tells the replication password in plain text.
pub fn config_get_is_public(request: &Request<'_>) -> bool {
    request.is_whole()
        && request.len() > 2
        && request.iter().skip(2).all(|name| {
            PUBLIC_PARAMETERS
                .iter()
                .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        })
}

/// Proof that a request may be forwarded while it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamable {
    /// Index of the first argument that no verdict depends on; those before it are whole.
    pub free_from: usize,
}

/// Whether nothing that is still to come of `call` can change what is judged: `None` where something can, or where the arguments
/// that are judged haven't all arrived. The last argument of `call` may have arrived in part.
pub fn may_stream(call: &Call<'_>) -> Option<Streamable> {
    let free_from = match call.spec.streaming {
        Streaming::No => return None,
        Streaming::OfThreeArguments if call.request.announced() != 3 => return None,
        Streaming::OfThreeArguments | Streaming::AfterFirstArgument => 2,
    };
    // Arguments are recorded when they are whole, so the key is.
    (call.request.len() >= free_from).then_some(Streamable { free_from })
}

fn has_word(request: &Request<'_>, word: &[u8]) -> bool {
    request.iter().any(|arg| arg.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
