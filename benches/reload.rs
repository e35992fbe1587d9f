//! A reload of 10,000 users and 100,000 networks: how long it takes, and what a client notices of it.
//!
//! Prints the time from files to snapshot, the time from SIGHUP to "reloaded", and the round trips of a client that asks PING all the
//! while, in quiet windows and in windows with a reload. A slow one is a worker that stood still, or a machine that did: compare the rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a benchmark that can't go on has failed"
)]

#[path = "../tests/bed/mod.rs"]
mod bed;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bed::{Backend, Client, Config, Redwall, TempDir};

const USERS: u32 = 10_000;
const NETWORKS: u32 = 100_000;
const RELOADS: usize = 30;
/// How long each is watched, and each quiet time between.
const WINDOW: Duration = Duration::from_millis(300);
/// Logged-in clients that are judged again at each reload.
const IDLE_CLIENTS: usize = 500;

fn users() -> String {
    let mut text = String::new();
    for user in 0..USERS {
        let _ = writeln!(
            text,
            "user u{user} on #{user:064x} +@read +@write -@dangerous ~u{user}:* ~shared:* (+get %R~public:*)"
        );
    }
    text
}

fn networks() -> String {
    let mut text = "127.0.0.0/8\n".to_owned();
    for number in 0..NETWORKS {
        let _ = writeln!(
            text,
            "{}/30",
            std::net::Ipv4Addr::from(0x0b00_0000 + number * 16)
        );
    }
    text
}

fn main() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = format!("[database.acl]\naclfile = \"users.acl\"\n{}", config.users);
    config.allow = "\"127.0.0.1\"\nallow_files = \"allow.txt\"".to_owned();
    let (users, networks) = (users(), networks());
    in_memory(&config.text(), &users, &networks);
    let files = [("users.acl", &users[..]), ("allow.txt", &networks[..])];
    let mut redwall = Redwall::spawn_with(&config.text(), &files);
    redwall.wait_until_ready();
    let idle: Vec<_> = (0..IDLE_CLIENTS)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    let mut took = Vec::new();
    let mut longest = [Vec::new(), Vec::new()];
    let mut all = [Vec::new(), Vec::new()];
    // In turns, so that the machine's own pauses fall on both alike.
    for _ in 0..RELOADS {
        let quiet = pings(&redwall, || std::thread::sleep(WINDOW));
        let busy = pings(&redwall, || {
            let since = Instant::now();
            redwall.hang_up("configuration reloaded");
            took.push(since.elapsed());
            std::thread::sleep(WINDOW.saturating_sub(since.elapsed()));
        });
        for (kind, trips) in [quiet, busy].into_iter().enumerate() {
            longest[kind].extend(trips.iter().max());
            all[kind].extend(trips);
        }
    }
    for (kind, name) in ["quiet", "reload"].into_iter().enumerate() {
        report(name, &mut all[kind], &mut longest[kind]);
    }
    took.sort();
    println!(
        "SIGHUP to reloaded, {USERS} users, {NETWORKS} networks, {IDLE_CLIENTS} clients: median {:?}, longest {:?}",
        took[took.len() / 2],
        took[took.len() - 1]
    );
    drop(idle);
}

fn in_memory(text: &str, users: &str, networks: &str) {
    let folder = TempDir::new("load");
    folder.write("users.acl", users);
    folder.write("allow.txt", networks);
    let secret = folder.write("secret", "service");
    let text = text.replace(
        "{ env = \"REDWALL_TEST_SERVICE\" }",
        &format!("{{ file = {secret:?} }}"),
    );
    let file = folder.write("redwall.toml", &text);
    let since = Instant::now();
    let loaded = redwall::load::load(&file, 1).unwrap();
    println!("files to snapshot: {:?}", since.elapsed());
    let since = Instant::now();
    drop(loaded);
    println!("freeing a snapshot: {:?}", since.elapsed());
}

/// Round trips of PING while `during` runs.
fn pings(redwall: &Redwall, during: impl FnOnce()) -> Vec<Duration> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let mut client = Client::login(redwall.address, "root", "root");
            let mut trips = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let since = Instant::now();
                assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
                trips.push(since.elapsed());
                std::thread::sleep(Duration::from_micros(200));
            }
            trips
        });
        during();
        over.store(true, Ordering::Relaxed);
        asker.join().unwrap()
    })
}

fn report(name: &str, trips: &mut [Duration], longest: &mut [Duration]) {
    trips.sort();
    longest.sort();
    let at = |sorted: &[Duration], share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    println!(
        "{name:7} {:6} pings: p50 {:?}, p99 {:?}, p99.9 {:?}; the longest of a window: median {:?}, p90 {:?}",
        trips.len(),
        at(trips, 0.5),
        at(trips, 0.99),
        at(trips, 0.999),
        at(longest, 0.5),
        at(longest, 0.9),
    );
}
