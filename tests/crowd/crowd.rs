//! What all who take part know.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redwall::config::Lanes;

use crate::field::Field;
use crate::model::Strictness;

/// What befalls the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing, but that there are new configurations: nobody's connection may be lost.
    Calm,
    /// Connections to it are killed.
    Kills,
    /// It stands still for a while, and nobody's connection may be lost.
    Freeze,
    /// It is killed, and comes again with what it had.
    Restart,
    /// It stands still for longer than a reply may take.
    Stall,
}

impl Weather {
    /// Those that take no long time.
    pub const SHORT: [Self; 4] = [Self::Calm, Self::Kills, Self::Freeze, Self::Restart];

    pub const ALL: [Self; 5] = [
        Self::Calm,
        Self::Kills,
        Self::Freeze,
        Self::Restart,
        Self::Stall,
    ];

    pub fn loses_connections(self) -> bool {
        matches!(self, Self::Kills | Self::Restart | Self::Stall)
    }

    pub fn strictness(self) -> Strictness {
        match self {
            // A connection can be killed while it is made.
            Self::Kills | Self::Restart => Strictness::RefusalsTaken,
            Self::Stall => Strictness::TimeoutsTaken,
            Self::Calm | Self::Freeze => Strictness::Everything,
        }
    }
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub lanes: Lanes,
    pub clients: usize,
    /// Of each client in each weather.
    pub rounds: usize,
    pub weathers: &'static [Weather],
    /// Until when all weathers come again.
    pub time: Duration,
}

impl Scale {
    /// `CROWD_SECS` seconds, or once through all weathers where that isn't set. `CROWD_CLIENTS` is for finding a small reproduction.
    pub fn of_environment(lanes: Lanes) -> Self {
        let number = |name| Some(std::env::var(name).ok()?.parse().expect("a number"));
        let seconds = number("CROWD_SECS");
        Self {
            lanes,
            clients: number("CROWD_CLIENTS").unwrap_or(200) as usize,
            rounds: if seconds.is_some() { 12 } else { 2 },
            weathers: match seconds {
                Some(_) => &Weather::ALL,
                None => &Weather::SHORT,
            },
            time: match lanes {
                Lanes::Shared => Duration::from_secs(seconds.unwrap_or(0)),
                Lanes::Own => Duration::from_secs(seconds.unwrap_or(0) / 4),
            },
        }
    }
}

/// What all know.
pub struct Crowd {
    pub field: Field,
    pub scale: Scale,
    pub seed: u64,
    weather: Mutex<Weather>,
    /// In this weather.
    rounds: AtomicUsize,
    stopped: AtomicBool,
    faults: Mutex<Vec<String>>,
}

impl Crowd {
    pub fn new(field: Field, scale: Scale, seed: u64) -> Self {
        Self {
            field,
            scale,
            seed,
            weather: Mutex::new(Weather::Calm),
            rounds: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            faults: Mutex::default(),
        }
    }

    pub fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    /// The weather turns.
    pub fn turn(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
        self.rounds.store(0, Ordering::SeqCst);
    }

    pub fn round_is_done(&self) {
        self.rounds.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until the crowd has come so far in this weather, or has stopped.
    pub fn wait_for_rounds(&self, rounds: usize) {
        while self.rounds.load(Ordering::SeqCst) < rounds && !self.is_stopped() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Something went wrong that must not: everybody stops.
    pub fn fault(&self, what: String) {
        let weather = self.weather();
        self.faults
            .lock()
            .unwrap()
            .push(format!("{weather:?}: {what}"));
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Redwall has ended connections only for reasons that somebody here has given it.
    pub fn look_why_connections_ended(&self) {
        let (_, metrics) = self.field.redwall.page("/metrics");
        let ended = metrics.lines().filter_map(|line| {
            let name = "redwall_connections_closed_total{database=\"main\",reason=\"";
            line.strip_prefix(name)?.split_once("\"} ")
        });
        let ended: Vec<_> = ended.collect();
        assert!(ended.iter().any(|(reason, _)| *reason == "overflow"));
        for (reason, times) in ended {
            let given = match reason {
                "client" | "protocol" | "transport" | "backend" => true,
                "backend_timeout" => self.scale.weathers.contains(&Weather::Stall),
                _ => false,
            };
            if !given && times != "0" {
                self.fault(format!("{times} connections ended because of {reason}"));
            }
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub fn has_no_faults(&self) {
        let faults = self.faults.lock().unwrap();
        let (seed, clients) = (self.seed, self.scale.clients);
        assert!(
            faults.is_empty(),
            "CROWD_SEED={seed} CROWD_CLIENTS={clients}: {} faults\n{}",
            faults.len(),
            faults.join("\n")
        );
    }
}
