//! What one client, and all of a database's clients, may take.

use std::time::Duration;

use super::document::{Section, Table, Value};
use super::position::{At, Placed};
use super::units::{ByteSize, duration, size};
use crate::admission::slots::SlotLimits;

pub(crate) const LIMITS: Section = Section {
    path: "[database.limits]",
    keys: &[
        "max_request",
        "max_value",
        "max_uploads",
        "upload_timeout",
        "max_in_flight",
        "max_subscriptions",
        "output_soft_limit",
        "output_hard_limit",
        "output_timeout",
        "send_buffer",
    ],
};

/// How many connections a database takes, where nothing is written. An IPv6 host is given a /64, which counts as one address.
pub const CONNECTIONS: SlotLimits = SlotLimits {
    connections: 10_000,
    per_address: 1_000,
    half_open: 4_096,
    half_open_per_address: 1_000,
    ipv6_prefix: 64,
};

/// How many connections a database takes: these limits stand in `[[database]]` itself.
pub(crate) fn connections(table: &Table<'_>) -> Option<SlotLimits> {
    let number = |key, default| table.or(key, default, |value| value.number(1..=1_000_000));
    let default = CONNECTIONS;
    let connections = number("max_clients", default.connections);
    let per_address = number("max_clients_per_address", default.per_address);
    let half_open = number("max_half_open", default.half_open);
    let half_open_per_address = number("max_half_open_per_address", default.half_open_per_address);
    let ipv6_prefix = table.or("ipv6_prefix", default.ipv6_prefix, |value| {
        u8::try_from(value.number(32..=128)?).ok()
    });
    Some(SlotLimits {
        connections: connections?,
        per_address: per_address?,
        half_open: half_open?,
        half_open_per_address: half_open_per_address?,
        ipv6_prefix: ipv6_prefix?,
    })
}

/// `[database.limits]`: what one client may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request that is held whole before it is judged and forwarded.
    pub max_request: ByteSize,
    /// Largest argument that is passed on while it arrives (Redis: `proto-max-bulk-len`).
    pub max_value: ByteSize,
    /// Bytes of requests that are passed on while they arrive, announced ones counted, of all clients together: a server sets the
    /// announced length aside at once.
    pub max_uploads: ByteSize,
    /// Most requests that wait for their replies; more are read only when replies have come.
    pub max_in_flight: u32,
    /// Most channels and patterns that one client is subscribed to.
    pub max_subscriptions: u32,
    /// Replies held for a client above which nothing more of it is forwarded.
    pub output_soft_limit: ByteSize,
    /// Replies held for a client above which its connection is closed.
    pub output_hard_limit: ByteSize,
    /// How long a client may leave its replies unread before its connection is closed.
    pub output_timeout: Duration,
    /// How long 64 KiB of a large value may take to arrive.
    pub upload_timeout: Duration,
    /// Bytes of replies that the kernel is asked to take for a client beside those that Redwall holds; it counts its own
    /// book-keeping too, and takes up to twice as much.
    pub send_buffer: Placed<ByteSize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request: ByteSize::mebibytes(64),
            max_value: ByteSize::mebibytes(512),
            max_uploads: ByteSize::mebibytes(1_024),
            max_in_flight: 1_024,
            max_subscriptions: 10_000,
            output_soft_limit: ByteSize::mebibytes(1),
            output_hard_limit: ByteSize::mebibytes(128),
            output_timeout: Duration::from_secs(60),
            upload_timeout: Duration::from_secs(10),
            send_buffer: Placed::new(ByteSize::kibibytes(128), At::START),
        }
    }
}

pub(super) const MAX_VALUE: ByteSize = ByteSize::mebibytes(512);
pub(super) const LEAST: ByteSize = ByteSize::kibibytes(16);
pub(super) const MOST: ByteSize = ByteSize::mebibytes(4_095);
/// The kernel wakes a writer when a third of its buffer is free: with more than this, a slow client would seem to stand still for
/// longer than `output_timeout`.
const MOST_SENT: ByteSize = ByteSize::mebibytes(16);

impl Limits {
    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&LIMITS)?;
        let default = Self::default();
        let bytes = |key, default, most| table.or(key, default, |value| size(value, LEAST..=most));
        let count = |key, default| table.or(key, default, |value| value.number(1..=1_000_000));
        let max_request = bytes("max_request", default.max_request, MOST);
        let max_value = bytes("max_value", default.max_value, MAX_VALUE);
        let max_uploads = bytes(
            "max_uploads",
            default.max_uploads,
            ByteSize::mebibytes(1 << 20),
        );
        let max_in_flight = count("max_in_flight", default.max_in_flight);
        let max_subscriptions = count("max_subscriptions", default.max_subscriptions);
        let soft = bytes("output_soft_limit", default.output_soft_limit, MOST);
        let hard = bytes("output_hard_limit", default.output_hard_limit, MOST);
        let unread = Duration::from_millis(100)..=Duration::from_secs(3_600);
        let output_timeout = table.or("output_timeout", default.output_timeout, |value| {
            duration(value, unread)
        });
        let slow = Duration::from_millis(100)..=Duration::from_secs(3_600);
        let upload_timeout = table.or("upload_timeout", default.upload_timeout, |value| {
            duration(value, slow)
        });
        let send_buffer = table.or("send_buffer", default.send_buffer, |value| {
            let bytes = size(value, LEAST..=MOST_SENT)?;
            Some(Placed::new(bytes, value.at()))
        });
        let (output_soft_limit, output_hard_limit) = ordered(&table, soft?, hard?)?;
        Some(Self {
            max_request: max_request?,
            max_value: max_value?,
            max_uploads: max_uploads?,
            max_in_flight: max_in_flight?,
            max_subscriptions: max_subscriptions?,
            output_soft_limit,
            output_hard_limit,
            output_timeout: output_timeout?,
            upload_timeout: upload_timeout?,
            send_buffer: send_buffer?,
        })
    }
}

fn ordered(table: &Table<'_>, soft: ByteSize, hard: ByteSize) -> Option<(ByteSize, ByteSize)> {
    if soft <= hard {
        return Some((soft, hard));
    }
    let at = table.key_at("output_soft_limit");
    let at = at.or(table.key_at("output_hard_limit")).unwrap_or(table.at);
    let what = format!("the soft limit of output, {soft}, is above the hard limit, {hard}");
    table.fault(at, what, "a hard limit at or above the soft one");
    None
}
