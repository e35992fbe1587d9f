//! The door holds: one test for each way in which servers, libraries and proxies were seen to fail, named after what a user or an
//! attacker would see. Each repeats the experiment that showed the fault. `make door` runs these alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a test that can't go on has failed; not every test uses all of the bed"
)]

#[path = "../bed/mod.rs"]
mod bed;

mod handshake;
mod lanes;
mod offers;
mod policy;
mod process;
mod reload;
mod start;
mod strangers;
mod worker;
