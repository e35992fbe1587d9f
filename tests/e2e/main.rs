//! The whole of Redwall between real clients and real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test that can't go on has failed"
)]

#[path = "../bed/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the door, which use more of it"
)]
mod bed;

mod admission;
mod backend_faults;
mod backend_tls;
mod certificates;
mod cli;
mod clients;
mod denied;
mod door;
mod identical;
mod identity;
mod lanes;
mod large_values;
mod leaving;
mod listeners;
mod memory;
mod operations;
mod pubsub;
mod reload;
mod tls;
mod traffic;
mod transactions;
mod worn_out;
