//! The bound on resident memory that the configuration implies, and what it was.
//!
//! The bound is the sum of
//! - what was resident before the first client came: the program, its workers' buffers, the first configuration;
//! - four snapshots: the one in force, the one that is loaded, and two old ones that are still held or not yet freed, each
//!   [`SNAPSHOT`] and [`PER_BYTE`] for each byte of the configuration with its files;
//! - for each connection of `server.max_clients` [`CONNECTION`]: TLS, session, lane, and what a handshake may make it hold;
//! - what is held for clients: `server.max_memory`, and for each worker what it may be in the middle of: what it reads at once, and a
//!   client's share before it is counted, twice, since buffers grow by doubling;
//! - a quarter of all this for what the allocator doesn't give back.

use std::time::Duration;

use crate::Siege;
use crate::field::{HARD_LIMIT, MAX_CLIENTS};

/// `server.max_memory` of both configurations.
const MAX_MEMORY: u64 = 64 << 20;

/// What a configuration without a word in it takes in memory: sets of ciphers, tables, arenas.
const SNAPSHOT: u64 = 1 << 20;

/// What a byte of a configuration becomes in memory.
const PER_BYTE: u64 = 32;

/// A connection with nothing in its buffers but what a handshake may bring: 32 KiB, copied once.
const CONNECTION: u64 = (32 + 2 * 32) << 10;

/// As the bed starts it.
const WORKERS: u64 = 2;

/// What is read at once, from a client and from its backend.
const READ_AT_ONCE: u64 = (64 + 256) << 10;

/// What was seen of the resident memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub before: u64,
    pub peak: u64,
    pub after: u64,
    pub bound: u64,
}

/// Lines of `[server]` that the bound depends on.
pub fn server_lines() -> String {
    format!("max_memory = \"{}MiB\"\n", MAX_MEMORY >> 20)
}

/// The bound, by the configuration of `siege`.
fn bound(siege: &Siege) -> u64 {
    let snapshots = 4 * (SNAPSHOT + PER_BYTE * siege.field.configuration);
    let connections = MAX_CLIENTS * CONNECTION;
    let held = MAX_MEMORY + WORKERS * 2 * (HARD_LIMIT + READ_AT_ONCE);
    let sum = siege.field.resident + snapshots + connections + held;
    sum + sum / 4
}

/// Samples the resident memory until the siege is over.
pub fn watch(siege: &Siege) -> Memory {
    let pid = siege.field.redwall.pid();
    let mut after = 0;
    while !siege.is_over() {
        after = status_of(pid, "VmRSS");
        siege.pause(Duration::from_millis(50));
    }
    Memory {
        before: siege.field.resident,
        // The kernel has missed nothing between the samples.
        peak: status_of(pid, "VmHWM").max(after),
        after,
        bound: bound(siege),
    }
}

/// A line of `/proc/PID/status` that tells kilobytes, in bytes.
pub fn status_of(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}
