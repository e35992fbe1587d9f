//! GETs at a fixed rate, whether or not the replies come: a server that stands still can't make its clients ask later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Outcome;
use crate::pace::moments;
use crate::samples::Samples;
use crate::wire::{Door, Socket, Wire, request};

/// How long replies that are late are awaited at the end. What hasn't come by then counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Args)]
pub(crate) struct Steady {
    /// Connections, which take turns.
    #[arg(long)]
    connections: usize,
    /// Requests a second, of all connections together.
    #[arg(long)]
    rate: u32,
    /// How long, after half a second that doesn't count.
    #[arg(long)]
    seconds: f64,
    /// The keys are key:000000000000 and so on.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
}

/// One request at a time, as fast as the replies come.
#[derive(Args)]
pub(crate) struct OneByOne {
    /// How long, after a fifth of a second that doesn't count.
    #[arg(long)]
    seconds: f64,
    /// The keys are key:000000000000 and so on.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
}

impl OneByOne {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let mut wire = door.connect(Socket::Usual).await?;
        let warm = Instant::now() + Duration::from_millis(200);
        let end = warm + Duration::from_secs_f64(self.seconds);
        let (mut trips, mut key) = (Samples::default(), 0);
        loop {
            key = (key + 7_919) % self.keys;
            let get = request(&["GET", &format!("key:{key:012}")]);
            let since = Instant::now();
            wire.stream.write_all(&get).await?;
            wire.replies(1).await?;
            if since >= end {
                break;
            }
            if since >= warm {
                if trips.len() == 0 {
                    println!("begin");
                }
                trips.add(since.elapsed());
            }
        }
        let summary = trips.summary();
        println!(
            "answered={} errors={}{summary}",
            trips.len(),
            wire.replies.errors
        );
        Ok(())
    }
}

/// What came of one connection's requests.
#[derive(Default)]
struct Heard {
    /// From when a request was meant to be sent until its reply had come.
    trips: Samples,
    /// From when a request was meant to be sent until it was: what the load itself adds.
    lateness: Samples,
    errors: u64,
    unanswered: usize,
}

/// A request that is due: when it was meant to be sent, and which key it asks for.
type Due = (Instant, u64);

impl Steady {
    pub(crate) async fn run(self, door: Door) -> Outcome {
        let wires = door.many(self.connections).await?;
        let warm = Instant::now() + Duration::from_millis(500);
        let end = warm + Duration::from_secs_f64(self.seconds);
        let (clients, tasks): (Vec<_>, Vec<_>) = wires
            .into_iter()
            .map(|wire| {
                let (client, due) = unbounded_channel();
                (client, tokio::spawn(Client::new(wire, warm).run(due)))
            })
            .unzip();
        let sent = self.send(&clients, warm, end).await?;
        drop(clients);
        let mut all = Heard::default();
        for task in tasks {
            let heard = task.await??;
            all.trips.extend(heard.trips);
            all.lateness.extend(heard.lateness);
            all.errors += heard.errors;
            all.unanswered += heard.unanswered;
        }
        let trips = all.trips.summary();
        all.lateness.summary();
        println!(
            "sent={sent} answered={} unanswered={} errors={}{trips} lateness_p99_us={:.1}",
            all.trips.len(),
            all.unanswered,
            all.errors,
            all.lateness.at(990).unwrap_or_default().as_secs_f64() * 1e6,
        );
        Ok(())
    }

    /// Hands out what is due until the end; returns how much of it counts.
    async fn send(
        &self,
        clients: &[UnboundedSender<Due>],
        warm: Instant,
        end: Instant,
    ) -> Outcome<usize> {
        let mut moments = moments(self.rate);
        let mut turns = clients.iter().cycle();
        let (mut key, mut sent) = (0, 0);
        while let Some(due) = moments.recv().await {
            if due >= end {
                break;
            }
            if due >= warm {
                if sent == 0 {
                    println!("begin");
                }
                sent += 1;
            }
            // Every key's turn comes, in an order that isn't that of the clients.
            key = (key + 7_919) % self.keys;
            if let Some(client) = turns.next() {
                client
                    .send((due, key))
                    .map_err(|_| "a connection has ended")?;
            }
        }
        Ok(sent)
    }
}

/// One connection.
struct Client {
    wire: Wire,
    /// Requests meant before then don't count.
    warm: Instant,
    /// When the requests without a reply were meant to be sent.
    waiting: VecDeque<Instant>,
    heard: Heard,
}

impl Client {
    fn new(wire: Wire, warm: Instant) -> Self {
        Self {
            wire,
            warm,
            waiting: VecDeque::new(),
            heard: Heard::default(),
        }
    }

    async fn run(mut self, mut due: UnboundedReceiver<Due>) -> Outcome<Heard> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            tokio::select! {
                next = due.recv() => match next {
                    Some(next) => self.ask(next).await?,
                    None => break,
                },
                got = self.wire.stream.read(&mut buffer) => self.hear(&buffer[..got?])?,
            }
        }
        let _ = tokio::time::timeout(PATIENCE, self.hear_the_rest(&mut buffer)).await;
        self.heard.unanswered = self.waiting.len();
        self.heard.errors = self.wire.replies.errors;
        Ok(self.heard)
    }

    async fn ask(&mut self, (due, key): Due) -> Outcome {
        self.waiting.push_back(due);
        let get = request(&["GET", &format!("key:{key:012}")]);
        self.wire.stream.write_all(&get).await?;
        if due >= self.warm {
            self.heard.lateness.add(due.elapsed());
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Outcome {
        if bytes.is_empty() {
            return Err("closed by the server".into());
        }
        let now = Instant::now();
        for _ in 0..self.wire.replies.count(bytes)? {
            let due = self.waiting.pop_front().ok_or("a reply too many")?;
            if due >= self.warm {
                self.heard.trips.add(now.saturating_duration_since(due));
            }
        }
        Ok(())
    }

    async fn hear_the_rest(&mut self, buffer: &mut [u8]) -> Outcome {
        while !self.waiting.is_empty() {
            let got = self.wire.stream.read(buffer).await?;
            self.hear(&buffer[..got])?;
        }
        Ok(())
    }
}
