//! A reload of 10,000 users and 100,000 networks: how long it takes, and what a client notices of it.
//!
//! Prints the time from files to snapshot, the time from SIGHUP to "reloaded", and the round trips of a client that asks PING all the
//! while, in quiet times and during reloads. PING is answered by the worker itself, so a slow one is a worker that stood still,
//! or a machine that did: compare the two rows.

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
const RELOADS: usize = 20;
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
    let quiet = pings(&redwall, || std::thread::sleep(Duration::from_secs(4)));
    report("quiet", quiet);
    let mut took = Vec::new();
    let busy = pings(&redwall, || {
        for _ in 0..RELOADS {
            let since = Instant::now();
            redwall.hang_up("configuration reloaded");
            took.push(since.elapsed());
        }
    });
    report("reloads", busy);
    took.sort();
    println!(
        "SIGHUP to reloaded, {USERS} users, {NETWORKS} networks: median {:?}, longest {:?}",
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

fn report(name: &str, mut trips: Vec<Duration>) {
    trips.sort();
    let at = |share: f64| trips[((trips.len() - 1) as f64 * share) as usize];
    println!(
        "{name:8} {:6} pings: p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
        trips.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
