//! What the operator does meanwhile: replaces the configuration every second. And what the machine does: it runs out of descriptors.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::Siege;
use crate::bed::{PATIENCE, wait_until};
use crate::field::{DESCRIPTORS, Order, from, withdrawn};
use crate::peer::{Peer, dial_for};

/// Within this time of a reload what was taken away must have ended.
const PROMISED: Duration = Duration::from_secs(1);

/// What came of the reloads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reloads {
    pub accepted: usize,
    /// Only where the files couldn't be opened, for want of descriptors.
    pub refused: usize,
    /// The slowest, from the signal to the log line.
    pub slowest: Duration,
    /// Sessions that ended because their right to be here was withdrawn.
    pub ended: usize,
    /// How long the slowest of them went on with the second configuration in force.
    pub last_end: Duration,
}

/// The descriptors ran out so often.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shortages {
    pub times: usize,
}

/// Puts the other configuration in place, every second in turn. Whoever the second one takes the right to be here from is ended by it in
/// time; nobody else is.
pub fn reload_every_second(siege: &Siege) -> Reloads {
    let mut reloads = Reloads::default();
    let mut order = Order::First;
    while !siege.is_over() {
        let due = Instant::now() + Duration::from_secs(1);
        order = order.other();
        let doomed = match order {
            Order::First => Vec::new(),
            Order::Second => muster_doomed(siege),
        };
        siege.field.redwall.rewrite(siege.field.text(order));
        let mut since = Instant::now();
        while !hang_up(siege, &mut reloads) {
            // With descriptors at hand it must be accepted.
            drop(siege.descriptors.read().unwrap());
            since = Instant::now();
        }
        reloads.slowest = reloads.slowest.max(since.elapsed());
        all_end(siege, doomed, Instant::now(), &mut reloads);
        siege.pause(due.saturating_duration_since(Instant::now()));
    }
    reloads
}

/// Sends SIGHUP and waits for what is said of it; whether it was accepted.
fn hang_up(siege: &Siege, reloads: &mut Reloads) -> bool {
    let redwall = &siege.field.redwall;
    let was_short = siege.shortages.load(Ordering::SeqCst);
    redwall.signal("HUP");
    let (mut accepted, mut refused) = (reloads.accepted, reloads.refused);
    wait_until("it says what came of a reload", || {
        accepted = redwall.times_logged("configuration reloaded");
        refused = redwall.times_logged("reload refused");
        accepted + refused > reloads.accepted + reloads.refused
    });
    let short = siege.shortages.load(Ordering::SeqCst);
    if refused > reloads.refused && short == was_short && short.is_multiple_of(2) {
        siege.fault("a reload was refused though there were descriptors".to_owned());
    }
    let went_through = accepted > reloads.accepted;
    (reloads.accepted, reloads.refused) = (accepted, refused);
    went_through || siege.is_over()
}

/// Those whom the second configuration takes their right to be here: a user, a certificate, an address; idle, in the middle of something,
/// waiting for something.
fn muster_doomed(siege: &Siege) -> Vec<(&'static str, Peer)> {
    let _while_there_are_descriptors = siege.descriptors.read().unwrap();
    let configs = &siege.field.configs;
    let cases: [(&str, &[&str]); 6] = [
        ("user, idle", &["PING"]),
        ("user, subscribed", &["SUBSCRIBE", "app:doom"]),
        ("user, in MULTI", &["MULTI"]),
        ("user, blocked", &["BLPOP", "app:never", "0"]),
        ("certificate", &["WATCH", "app:doom"]),
        ("address", &["PING"]),
    ];
    let connect = |(case, words): &(&'static str, &[&str])| {
        let (from, config, login) = match *case {
            "certificate" => (from(13, 0), &configs.mallory, None),
            "address" => (withdrawn(0), &configs.plain, Some("app")),
            _ => (from(13, 0), &configs.plain, Some("turncoat")),
        };
        let socket = dial_for(PATIENCE, from, siege.field.address())?;
        let mut peer = Peer::shake(socket, config)?;
        if let Some(user) = login {
            peer.ask(&["AUTH", user, user])?;
        }
        peer.send(&crate::peer::request(words))?;
        if !words.contains(&"0") {
            let answer = peer.answer()?;
            if answer.starts_with(b"-") {
                return Err(std::io::Error::other(
                    String::from_utf8_lossy(&answer).into_owned(),
                ));
            }
        }
        Ok((*case, peer))
    };
    let mut doomed = Vec::new();
    for case in &cases {
        match connect(case) {
            Ok(one) => doomed.push(one),
            Err(error) => siege.fault(format!(
                "{} was not let in before it was doomed: {error}",
                case.0
            )),
        }
    }
    doomed
}

fn all_end(
    siege: &Siege,
    doomed: Vec<(&'static str, Peer)>,
    since: Instant,
    reloads: &mut Reloads,
) {
    for (case, mut peer) in doomed {
        match peer.until_closed() {
            Ok(said) if said.is_empty() && since.elapsed() < PROMISED => {
                reloads.ended += 1;
                reloads.last_end = reloads.last_end.max(since.elapsed());
            }
            Ok(said) => siege.fault(format!(
                "{case}: ended {:?} after its right was withdrawn, with {said:?}",
                since.elapsed()
            )),
            Err(error) => siege.fault(format!("{case}: not ended: {error}")),
        }
    }
}

/// Takes descriptors from the running process, so that it has more open than it may have, for a while every few seconds.
pub fn run_out_of_descriptors(siege: &Siege) -> Shortages {
    let mut shortages = Shortages::default();
    let (rest, shortage) = match siege.scale.calm {
        1 => (Duration::from_secs(4), Duration::from_secs(1)),
        _ => (Duration::from_secs(1), Duration::from_millis(300)),
    };
    while !siege.is_over() {
        siege.pause(rest);
        let _nobody_needs_any = siege.descriptors.write().unwrap();
        siege.shortages.fetch_add(1, Ordering::SeqCst);
        // Below the lowest of a client's, so that no number that somebody gave back is free either.
        siege.field.let_have(3);
        shortages.times += 1;
        siege.pause(shortage);
        siege.field.let_have(DESCRIPTORS);
        siege.shortages.fetch_add(1, Ordering::SeqCst);
    }
    shortages
}
