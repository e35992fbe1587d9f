//! Clients that take much, or that don't take what they asked for.

use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Outcome;
use crate::samples::Samples;
use crate::wire::{Door, Replies, Socket, Wire, request};

/// Between two tries of a client that was disconnected.
const REST: Duration = Duration::from_millis(200);

/// One large value after another.
#[derive(Args)]
pub(crate) struct Bulk {
    /// Which value.
    #[arg(long)]
    key: String,
    /// How long.
    #[arg(long)]
    seconds: f64,
}

impl Bulk {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let mut wire = door.connect(Socket::Usual).await?;
        let (get, end) = (request(&["GET", &self.key]), after(self.seconds));
        let mut buffer = vec![0; 256 << 10];
        let (mut values, mut bytes) = (0, 0);
        println!("begin");
        while Instant::now() < end {
            wire.stream.write_all(&get).await?;
            let mut wanted = true;
            while wanted {
                let got = wire.stream.read(&mut buffer).await?;
                if got == 0 {
                    return Err("closed by the server".into());
                }
                bytes += got;
                wanted = wire.replies.count(&buffer[..got])? == 0;
            }
            values += 1;
        }
        println!(
            "values={values} bytes={bytes} errors={}",
            wire.replies.errors
        );
        Ok(())
    }
}

/// Asks, and never reads; comes again when it is disconnected.
#[derive(Args)]
pub(crate) struct Mute {
    /// Which value.
    #[arg(long)]
    key: String,
    /// How often it is asked for, in one go.
    #[arg(long)]
    count: usize,
    /// How long.
    #[arg(long)]
    seconds: f64,
}

impl Mute {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let end = after(self.seconds);
        let ask = request(&["GET", &self.key]).repeat(self.count);
        let mut disconnected = 0;
        println!("begin");
        while Instant::now() < end {
            let mut wire = door.connect(Socket::Usual).await?;
            let asked = tokio::time::timeout_at(end.into(), wire.stream.write_all(&ask)).await;
            if matches!(asked, Ok(Ok(()))) && stay(&mut wire, end).await {
                break;
            }
            disconnected += 1;
            tokio::time::sleep(REST).await;
        }
        println!("disconnected={disconnected}");
        Ok(())
    }
}

/// Stays connected without reading; `false` if it was disconnected before the end.
async fn stay(wire: &mut Wire, end: Instant) -> bool {
    let ping = request(&["PING"]);
    while Instant::now() < end {
        tokio::time::sleep(REST).await;
        // Whoever has gone answers a write with a reset, and the next fails.
        let sent = tokio::time::timeout_at(end.into(), wire.stream.write_all(&ping)).await;
        if let Ok(Err(_)) = sent {
            return false;
        }
    }
    true
}

/// Long pipelines, one after another; it reads while it sends.
#[derive(Args)]
pub(crate) struct Pipeline {
    /// Requests in one go.
    #[arg(long)]
    depth: usize,
    /// How long.
    #[arg(long)]
    seconds: f64,
}

impl Pipeline {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let wire = door.connect(Socket::Usual).await?;
        let (mut reader, mut writer) = tokio::io::split(wire.stream);
        let (mut replies, end) = (wire.replies, after(self.seconds));
        let gets: Vec<u8> = (0..self.depth)
            .flat_map(|key| request(&["GET", &format!("key:{:012}", key % 10_000)]))
            .collect();
        let mut buffer = vec![0; 64 << 10];
        let mut took = Samples::default();
        println!("begin");
        while Instant::now() < end {
            let since = Instant::now();
            let read = read(&mut reader, &mut replies, self.depth, &mut buffer);
            let (sent, heard) = tokio::join!(writer.write_all(&gets), read);
            sent?;
            heard?;
            took.add(since.elapsed());
        }
        let summary = took.summary();
        println!(
            "pipelines={} errors={}{summary}",
            took.len(),
            replies.errors
        );
        Ok(())
    }
}

async fn read(
    reader: &mut (impl AsyncReadExt + Unpin),
    replies: &mut Replies,
    mut wanted: usize,
    buffer: &mut [u8],
) -> Outcome {
    while wanted > 0 {
        let got = reader.read(buffer).await?;
        if got == 0 {
            return Err("closed by the server".into());
        }
        wanted = wanted.saturating_sub(replies.count(&buffer[..got])?);
    }
    Ok(())
}

/// One value, slowly.
#[derive(Args)]
pub(crate) struct Slow {
    /// Which value.
    #[arg(long)]
    key: String,
    /// Bytes a second.
    #[arg(long)]
    rate: u64,
}

impl Slow {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let mut wire = door.connect(Socket::Narrow).await?;
        wire.stream.write_all(&request(&["GET", &self.key])).await?;
        let mut buffer = vec![0; 16 << 10];
        let (mut bytes, mut whole, since) = (0, false, Instant::now());
        println!("begin");
        while !whole {
            let due = since + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
            tokio::time::sleep_until(due.into()).await;
            let got = wire.stream.read(&mut buffer).await?;
            if got == 0 {
                break;
            }
            bytes += got;
            whole = wire.replies.count(&buffer[..got])? > 0;
        }
        println!(
            "whole={} bytes={bytes} errors={} seconds={:.1}",
            u8::from(whole),
            wire.replies.errors,
            since.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

fn after(seconds: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(seconds)
}
