//! The lanes hold: one test for each way in which commands of many clients over shared backend connections were seen to go
//! wrong, named after what a user would see. Each repeats the experiment that showed the fault, on every server that shows
//! it. `make lanes` runs these alone.

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

mod relay;
mod track;

mod again;
mod block;
mod busy;
mod exec;
mod fairness;
mod fence;
mod flow;
mod house;
mod incarnation;
mod late;
mod lent;
mod lent_again;
mod lost;
mod setup;
mod values;
mod wait;
mod withdrawn;
