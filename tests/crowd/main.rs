//! A crowd of clients that each know what every answer must be: on connections that they share, with everything that moves them between
//! connections, while they break off and while the backend's connections and the backend itself are lost.
//!
//! Each value holds the tag of who wrote it, so that an answer that reaches the wrong client shows. What was written is counted at the
//! backend: nothing that was answered is lost, nothing is done twice, nothing is done out of order.
//!
//! `make crowd` goes on for a minute and prints its figures; without `CROWD_SECS` it is short. `CROWD_SEED` has everybody say again what
//! was said under a seed; `CROWD_CLIENTS` takes fewer, and `CROWD_ONLY` a list of what a client does (`Transaction,Reset`) beside what it
//! always does, to find a small case.

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

mod client;
mod crowd;
mod dice;
mod field;
mod helpers;
mod ledger;
mod model;
mod op;
mod plan;
mod reply;
mod storms;
mod tag;
mod tally;

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use bed::{Backend, Server};
use client::Client;
use crowd::{Crowd, Scale, Weather};
use field::Field;
use helpers::Helpers;
use redwall::config::Lanes;
use tally::Tally;

/// One crowd at a time: each takes the whole machine.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn every_answer_reaches_its_own_client_in_order_and_no_write_is_done_twice_on_shared_lanes() {
    gather(Lanes::Shared);
}

#[test]
fn every_answer_reaches_its_own_client_in_order_and_no_write_is_done_twice_on_own_lanes() {
    gather(Lanes::Own);
}

fn gather(lanes: Lanes) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seed = match std::env::var("CROWD_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => new_seed(),
    };
    let scale = Scale::of_environment(lanes);
    let mut all = Tally::default();
    let start = Instant::now();
    loop {
        all.add(go_through_all_weathers(scale, seed));
        if start.elapsed() >= scale.time {
            break;
        }
        seed += 1;
    }
    all.print();
    if scale.clients >= 100 {
        all.show_that_all_was_done();
    }
}

fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_nanos() as u64 % 1_000_000_000
}

/// Each seed is another crowd before a server of its own.
fn go_through_all_weathers(scale: Scale, seed: u64) -> Tally {
    let server = Server::ALL[seed as usize % Server::ALL.len()];
    let mut backend = field::backend(server);
    let crowd = Crowd::new(Field::lay(&backend, scale.lanes), scale, seed);
    let Scale { clients, lanes, .. } = scale;
    println!("CROWD_SEED={seed} CROWD_CLIENTS={clients} {server:?}, {lanes:?} lanes");
    let mut clients: Vec<_> = (0..scale.clients).map(Client::new).collect();
    for weather in scale.weathers.iter().copied() {
        crowd.turn(weather);
        let work = |client: &mut Client, helpers: &Helpers| client.work(&crowd, helpers);
        phase(&crowd, &mut clients, work, || {
            storms::rage(&crowd, &mut backend);
        });
        the_books_are_right(&crowd, &backend, &clients);
    }
    let leave = |client: &mut Client, helpers: &Helpers| client.leave(&crowd, helpers);
    phase(&crowd, &mut clients, leave, || {});
    the_books_are_right(&crowd, &backend, &clients);
    crowd.look_why_connections_ended();
    crowd.has_no_faults();
    let log = crowd.field.redwall.log();
    assert!(!log.contains("panicked"), "{log}");
    let mut tally = Tally::default();
    let tallies = clients.into_iter().map(|client| client.tally);
    tallies.for_each(|one| tally.add(one));
    println!("{} requests, {} lost", tally.requests(), tally.lost);
    tally
}

/// All clients do something, each on a thread of its own, with `meanwhile` on one more.
fn phase(
    crowd: &Crowd,
    clients: &mut [Client],
    work: impl Fn(&mut Client, &Helpers) + Sync,
    meanwhile: impl FnOnce() + Send,
) {
    std::thread::scope(|scope| {
        let (helpers, jobs) = Helpers::hire();
        for jobs in jobs {
            scope.spawn(|| helpers::help(crowd, jobs));
        }
        for client in clients {
            let (helpers, work) = (helpers.clone(), &work);
            scope.spawn(move || work(client, &helpers));
        }
        drop(helpers);
        meanwhile();
    });
    crowd.has_no_faults();
}

/// Those of all connections that are over, again and again: something could still be done late.
fn the_books_are_right(crowd: &Crowd, backend: &Backend, clients: &[Client]) {
    storms::wait_until_loaded(backend);
    for client in clients {
        ledger::audit(backend, &client.accounts)
            .into_iter()
            .for_each(|fault| crowd.fault(fault));
    }
    crowd.has_no_faults();
}
