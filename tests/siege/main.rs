//! The siege: good clients at work while everything hostile that is known comes at once, descriptors run out, and the configuration is
//! replaced every second. `make siege` lays it for a minute and prints its figures; without `SIEGE_SECS` it is short and modest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a test that can't go on has failed; not every test uses all of the bed"
)]

#[path = "../bed/mod.rs"]
mod bed;

mod bound;
mod changes;
mod field;
mod figures;
mod good;
mod insiders;
mod peer;
mod strangers;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use bed::wait_until;
use field::Field;
use figures::Metrics;
use good::Served;
use peer::Peer;

/// Where the siege stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Only good clients are there.
    Quiet,
    /// Everything comes at once.
    Siege,
    /// Everybody stops.
    Over,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) quiet: Duration,
    pub(crate) siege: Duration,
    /// Clients of each habit are so many times those of the short form.
    pub(crate) good: usize,
    /// What attackers do in a second is divided by this.
    pub(crate) calm: u32,
}

impl Scale {
    /// A whole siege of `SIEGE_SECS` seconds, or a short one on few clients where that isn't set.
    fn of_environment() -> Self {
        match std::env::var("SIEGE_SECS") {
            Ok(seconds) => Self {
                quiet: Duration::from_secs(5),
                siege: Duration::from_secs(seconds.parse().expect("SIEGE_SECS is a number")),
                good: 5,
                calm: 1,
            },
            Err(_) => Self {
                quiet: Duration::from_secs(1),
                siege: Duration::from_secs(5),
                good: 1,
                calm: 4,
            },
        }
    }
}

/// What all who take part know.
pub(crate) struct Siege {
    pub(crate) field: Field,
    pub(crate) scale: Scale,
    /// Held for writing while descriptors run out, and for reading by good clients that need new ones.
    pub(crate) descriptors: RwLock<()>,
    /// Odd while descriptors run out.
    pub(crate) shortages: AtomicU64,
    phase: AtomicU8,
    faults: Mutex<Vec<String>>,
}

impl Siege {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Quiet,
            1 => Phase::Siege,
            _ => Phase::Over,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase() == Phase::Over
    }

    /// Something went wrong that must not: the siege ends.
    pub(crate) fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
        self.enter(Phase::Over);
    }

    /// Waits for `duration`, or until the siege is over.
    pub(crate) fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while !self.is_over() {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            std::thread::park_timeout(rest.min(Duration::from_millis(50)));
        }
    }

    /// Everybody has stopped: what was wrong, if anything was.
    fn has_no_faults(&self) {
        let faults = self.faults.lock().unwrap();
        assert!(
            faults.is_empty(),
            "{} faults:\n{}",
            faults.len(),
            faults.join("\n")
        );
    }
}

#[test]
fn no_good_client_notices_that_everything_hostile_comes_at_once_and_the_configuration_changes_every_second()
 {
    field::raise_own_limit();
    let siege = Siege {
        field: Field::lay(),
        scale: Scale::of_environment(),
        descriptors: RwLock::new(()),
        shortages: AtomicU64::new(0),
        phase: AtomicU8::new(Phase::Quiet as u8),
        faults: Mutex::default(),
    };
    let clients = good::muster(&siege);
    let mut figures = std::thread::scope(|scope| {
        let siege = &siege;
        let at_work = clients
            .into_iter()
            .map(|client| scope.spawn(move || client.work(siege)));
        let at_work: Vec<_> = at_work.collect();
        siege.pause(siege.scale.quiet);
        siege.enter(Phase::Siege);
        let attacks = strangers::attacks(siege)
            .into_iter()
            .chain(insiders::attacks());
        let attacks = attacks.map(|attack| scope.spawn(move || attack.go_on(siege)));
        let attacks: Vec<_> = attacks.collect();
        let reloads = scope.spawn(|| changes::reload_every_second(siege));
        let shortages = scope.spawn(|| changes::run_out_of_descriptors(siege));
        let memory = scope.spawn(|| bound::watch(siege));
        siege.pause(siege.scale.siege);
        siege.enter(Phase::Over);
        figures::Figures {
            good: at_work.into_iter().map(|one| one.join().unwrap()).collect(),
            attacks: attacks.into_iter().map(|one| one.join().unwrap()).collect(),
            reloads: reloads.join().unwrap(),
            shortages: shortages.join().unwrap(),
            memory: memory.join().unwrap(),
        }
    });
    siege.has_no_faults();
    let metrics = the_books_add_up(&siege, &figures.good);
    figures.print(&siege, &metrics);
    figures.show_that_all_took_part();
    metrics.show_that_the_door_held();
    the_log_is_clean(&siege, &figures.reloads);
    assert!(
        figures.memory.peak < figures.memory.bound,
        "{:?}",
        figures.memory
    );
    let mut left: Vec<Peer> = figures.good.drain(..).flat_map(|one| one.peers).collect();
    it_drains(siege.field, &mut left);
}

/// With only the good clients left: who is there, who came and who went agree.
fn the_books_add_up(siege: &Siege, good: &[Served]) -> Metrics {
    let left: usize = good.iter().map(|one| one.peers.len()).sum();
    let mut metrics = Metrics::of(siege);
    wait_until("only the good clients are left", || {
        metrics = Metrics::of(siege);
        metrics.value("connections") == left as f64 && metrics.value("half_open_connections") == 0.0
    });
    let (opened, closed) = (
        metrics.value("connections_opened_total"),
        metrics.sum("connections_closed_total"),
    );
    assert_eq!(opened, closed + left as f64, "opened = closed + open");
    let shaken = metrics.labelled("handshakes_total", "outcome", "tls1.2")
        + metrics.labelled("handshakes_total", "outcome", "tls1.3");
    assert_eq!(shaken, opened, "each handshake opened a connection");
    assert_eq!(
        metrics.labelled("connections_closed_total", "reason", "internal"),
        0.0
    );
    metrics
}

/// Nothing panicked, every reload was accepted, and nothing else was called an error.
fn the_log_is_clean(siege: &Siege, reloads: &changes::Reloads) {
    let redwall = &siege.field.redwall;
    assert!(!redwall.has_logged("panicked"), "{}", redwall.log());
    assert_eq!(
        redwall.times_logged("configuration reloaded"),
        reloads.accepted
    );
    assert_eq!(redwall.times_logged("reload refused"), reloads.refused);
    let log = redwall.log();
    let errors = log
        .lines()
        .filter(|line| line.contains("\"level\":\"ERROR\""))
        .filter(|line| !line.contains("reload refused") && !line.contains("Too many open files"));
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// It still serves everybody, and ends when it is told to, with a goodbye and nothing else to those who are there.
fn it_drains(field: Field, left: &mut [Peer]) {
    for peer in left.iter_mut() {
        // One that is subscribed would be waited for.
        peer.ask(&["UNSUBSCRIBE"]).unwrap();
        assert_eq!(peer.ask(&["PING"]).unwrap(), b"+PONG\r\n");
    }
    let Field {
        mut redwall,
        backend: _backend,
        ..
    } = field;
    redwall.signal("TERM");
    assert!(redwall.wait().success());
    redwall.wait_for_log("\"drained\"");
    for peer in left {
        assert_eq!(peer.until_closed().unwrap(), "");
    }
}
