//! Connections that come and go, and connections that stay and do nothing.

use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::samples::Samples;
use crate::wire::{Door, Socket};

/// One after another.
#[derive(Args)]
pub(crate) struct Sequence {
    /// How long.
    #[arg(long)]
    seconds: f64,
}

impl Sequence {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        door.connect(Socket::Reset).await?.ping().await?;
        println!("begin");
        let end = Instant::now() + Duration::from_secs_f64(self.seconds);
        let mut took = Samples::default();
        while Instant::now() < end {
            let since = Instant::now();
            door.connect(Socket::Reset).await?.ping().await?;
            took.add(since.elapsed());
        }
        let summary = took.summary();
        println!("connections={}{summary}", took.len());
        Ok(())
    }
}

/// Many at once.
#[derive(Args)]
pub(crate) struct Crowd {
    /// How many.
    #[arg(long)]
    count: usize,
    /// How long from one crowd to the next.
    #[arg(long, default_value_t = 1.0)]
    every: f64,
    /// How many crowds.
    #[arg(long)]
    crowds: u32,
}

impl Crowd {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        println!("begin");
        let start = Instant::now();
        let (mut took, mut failed) = (Samples::default(), 0);
        for crowd in 0..self.crowds {
            let at = start + Duration::from_secs_f64(self.every) * crowd;
            tokio::time::sleep_until(at.into()).await;
            let since = Instant::now();
            let mut all = JoinSet::new();
            for _ in 0..self.count {
                let door = door.clone();
                all.spawn(async move { door.connect(Socket::Reset).await?.ping().await });
            }
            let ended = all.join_all().await;
            failed += ended.iter().filter(|one| one.is_err()).count();
            took.add(since.elapsed());
        }
        let summary = took.summary();
        println!("crowds={} failed={failed}{summary}", took.len());
        Ok(())
    }
}

/// They stay and do nothing.
#[derive(Args)]
pub(crate) struct Idle {
    /// How many.
    #[arg(long)]
    connections: usize,
}

impl Idle {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let mut wires = door.many(self.connections).await?;
        println!("begin");
        tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
        let mut lost = 0;
        for wire in &mut wires {
            lost += usize::from(wire.ping().await.is_err());
        }
        for mut wire in wires {
            let _ = wire.stream.shutdown().await;
        }
        println!("connections={} lost={lost}", self.connections);
        Ok(())
    }
}
