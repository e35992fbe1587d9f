//! Channels.

use super::row::{Row, container, own, shared};
use crate::command::categories::Categories as C;
use crate::command::flags::bits::{FAST, LOADING, NOSCRIPT, PUBSUB, STALE};
use crate::command::spec::ChannelAct::{Leave, Publish, Subscribe, SubscribePattern};
use crate::command::spec::Sight::Channels;

/// The rows; a container is followed by its subcommands.
#[rustfmt::skip] // one row, one line
pub(super) const ROWS: &[Row] = &[
    own("psubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(SubscribePattern),
    shared("publish", 3, PUBSUB | LOADING | STALE | FAST, C::NONE).channel(Publish).streams(),
    container("pubsub", C::NONE),
        shared("pubsub|channels", -2, PUBSUB | LOADING | STALE, C::NONE).sees(Channels),
        shared("pubsub|help", 2, LOADING | STALE, C::NONE).harmless(),
        shared("pubsub|numpat", 2, PUBSUB | LOADING | STALE, C::NONE).sees(Channels),
        shared("pubsub|numsub", -2, PUBSUB | LOADING | STALE, C::NONE).sees(Channels),
        shared("pubsub|shardchannels", -2, PUBSUB | LOADING | STALE, C::NONE).sees(Channels),
        shared("pubsub|shardnumsub", -2, PUBSUB | LOADING | STALE, C::NONE).sees(Channels),
    own("punsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(Leave),
    shared("spublish", 3, PUBSUB | LOADING | STALE | FAST, C::NONE).channel(Publish).streams(),
    own("ssubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(Subscribe),
    own("subscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(Subscribe),
    own("sunsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(Leave),
    own("unsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, C::NONE).every_channel(Leave),
];
