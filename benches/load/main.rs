//! The load that `make bench` needs and redis-benchmark doesn't make: a rate that doesn't wait for replies, handshakes, idle connections,
//! and neighbours that nobody wants.
//!
//! It prints `begin` when the connections stand and what it measures begins, then `name=value` pairs in one line, then it ends.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod handshakes;
mod neighbours;
mod pace;
mod samples;
mod steady;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::wire::Door;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Load for the benchmark.
#[derive(Parser)]
struct Options {
    /// Where to connect to.
    #[arg(long)]
    address: SocketAddr,
    /// The folder with ca.crt, client.crt and client.key. Left out: no TLS.
    #[arg(long)]
    pki: Option<PathBuf>,
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// GETs at a fixed rate, timed from when each was meant to be sent.
    Steady(steady::Steady),
    /// GETs, one after another.
    OneByOne(steady::OneByOne),
    /// Full handshakes, one after another: connect, PING, close.
    Handshakes(handshakes::Sequence),
    /// Many handshakes at once, again and again.
    Crowd(handshakes::Crowd),
    /// Connections that do nothing, until the standard input ends.
    Idle(handshakes::Idle),
    /// A client that fetches one large value after another.
    Bulk(neighbours::Bulk),
    /// A client that asks and never reads.
    Mute(neighbours::Mute),
    /// A client that sends long pipelines.
    Pipeline(neighbours::Pipeline),
    /// A client that fetches one value slowly.
    Slow(neighbours::Slow),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    pace::wake_in_time();
    let Options { address, pki, work } = Options::parse();
    let door = Door::new(address, pki.as_deref())?;
    match work {
        Work::Steady(work) => work.run(door).await,
        Work::OneByOne(work) => work.run(door).await,
        Work::Handshakes(work) => work.run(door).await,
        Work::Crowd(work) => work.run(door).await,
        Work::Idle(work) => work.run(door).await,
        Work::Bulk(work) => work.run(door).await,
        Work::Mute(work) => work.run(door).await,
        Work::Pipeline(work) => work.run(door).await,
        Work::Slow(work) => work.run(door).await,
    }
}
