//! Whether requests on a shared lane rest for a moment before they are written, so that more of them leave in one write.
//!
//! A write, and all that the backend does for it, costs nearly as much for one request as for twenty. Where very many clients ask, and
//! several have whenever the worker looks, somebody has too much to do: then those who are first wait until half of all who ask have
//! asked. Who asks alone, or among few, never waits.
//! Never reads or writes a socket.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Who has asked in a span of this length are those who ask.
const SPAN: Duration = Duration::from_millis(5);

/// So many different clients must ask. Fewer would soon all be waiting, and nobody asking.
const CROWD: u32 = 32;

/// So many requests must have come at once. Fewer do where nobody has too much to do: three cost a quarter of a millisecond at 20,000 a second.
const AT_ONCE: u32 = 5;

/// Requests of more bytes than this gain nothing by waiting.
const ENOUGH: usize = 4 * 1024;

/// How often requests rest at most: together some 0.2 ms, and longer where something else has the core.
const RESTS: u32 = 3;

/// How long a rest is meant to be. The kernel adds 50 us, by which it may put timers together (`PR_SET_TIMERSLACK`, prctl(2)).
const REST: Duration = Duration::from_micros(10);

/// What a lane knows of those who ask, and how often those who wait have rested.
#[derive(Debug)]
pub(super) struct Gathering {
    /// Those whose requests wait to be written.
    waiting: Clients,
    requests: u32,
    rests: u32,
    /// Those who have asked since then.
    asked: Clients,
    since: Instant,
    /// How many had in the span before.
    crowd: u32,
    /// Whether the worker rests for this lane.
    sleeps: bool,
}

/// Tells a worker's clients apart that came one after the other: below 128, and then from 0 again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientNumber(u8);

impl ClientNumber {
    /// A worker's first client's.
    pub(super) const FIRST: Self = Self(0);
}

/// Different clients, as many as there are at least: a bit may stand for several.
#[derive(Clone, Copy, Debug, Default)]
struct Clients(u128);

impl Clients {
    #[inline(always)]
    fn add(&mut self, client: ClientNumber) {
        self.0 |= 1 << client.0;
    }

    fn add_all(&mut self, others: Self) {
        self.0 |= others.0;
    }

    fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl Gathering {
    /// Nobody asks yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            waiting: Clients::default(),
            requests: 0,
            rests: 0,
            asked: Clients::default(),
            since: now,
            crowd: 0,
            sleeps: false,
        }
    }

    /// A client asks for something.
    #[inline(always)]
    pub(super) fn asked(&mut self, client: ClientNumber) {
        self.waiting.add(client);
        self.requests += 1;
    }

    /// Whether what waits, of so many bytes, rests before it is written. If it doesn't, it counts as written. Where others wait for the
    /// worker, not for their sockets, it has no time to rest.
    pub(super) fn rests(&mut self, bytes: usize, resting: &Resting, now: Instant) -> bool {
        if self.requests == 0 {
            return false;
        }
        let rests = !resting.busy.take()
            && self.rests < RESTS
            && self.crowd >= CROWD
            && (self.rests > 0 || self.requests >= AT_ONCE)
            && bytes <= ENOUGH
            && self.waiting.count() < self.crowd / 2;
        match rests {
            true => self.rests += 1,
            false => self.written(now),
        }
        rests
    }

    /// Rests, unless another lane of the worker does.
    pub(super) fn rest(&mut self, resting: &Resting) {
        if !resting.rests.replace(true) {
            self.sleeps = true;
            std::thread::sleep(REST);
        }
    }

    /// The worker has looked at its sockets since the lane rested.
    pub(super) fn has_rested(&mut self, resting: &Resting) {
        if std::mem::take(&mut self.sleeps) {
            resting.rests.set(false);
        }
    }

    fn written(&mut self, now: Instant) {
        self.asked.add_all(std::mem::take(&mut self.waiting));
        (self.requests, self.rests) = (0, 0);
        if now.saturating_duration_since(self.since) >= SPAN {
            self.crowd = std::mem::take(&mut self.asked).count();
            self.since = now;
        }
    }
}

/// What a worker's lanes have to know of each other and of its connections.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// Whether one of them rests: the others rest with it, and not after it.
    rests: Cell<bool>,
    /// Whether a client waits for the worker itself, and not for a socket.
    busy: Cell<bool>,
    /// Of the client that comes next.
    number: Cell<u8>,
}

impl Resting {
    /// The number of a client that has come.
    pub(super) fn next_number(&self) -> ClientNumber {
        let number = self.number.get();
        self.number.set((number + 1) % 128);
        ClientNumber(number)
    }

    /// A client waits for the worker's next turn, whatever comes.
    pub(super) fn somebody_waits(&self) {
        self.busy.set(true);
    }
}

#[cfg(test)]
mod tests;
