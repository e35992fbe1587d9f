//! What the process holds for clients has one bound, whoever they are and however many.

use redwall::resp::OwnedRequest;
use std::io::Read;
use std::net::TcpStream;

use crate::bed::{Backend, Client, Config, Identity, PATIENCE, Redwall, wait_until};

const MIB: usize = 1 << 20;
const VALUE: usize = 4 * MIB;

const HELD: &str = "redwall_client_memory_bytes";
const RECEIVED: &str = "redwall_received_bytes_total{database=\"main\"}";
const CLOSED: &str = "redwall_connections_closed_total{database=\"main\",reason=\"memory\"}";

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

fn config(backend: &Backend) -> Config {
    let mut config = Config::new(&backend.url());
    config.server = "max_memory = \"64MiB\"".to_owned();
    config.limits =
        "max_request = \"1MiB\"\noutput_soft_limit = \"4MiB\"\noutput_timeout = \"1h\"\n\
                     output_hard_limit = \"512MiB\""
            .to_owned();
    config
}

/// A Redwall with a budget of 64 MiB, and a value of 4 MiB behind it.
fn with_budget() -> (Backend, Redwall, Client) {
    with_budget_and("")
}

/// The same, with a line more of its database.
fn with_budget_and(line: &str) -> (Backend, Redwall, Client) {
    let backend = Backend::start();
    let mut config = config(&backend);
    config.database.push_str(line);
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(
        client.ask(&["SET", "app:big", &"v".repeat(VALUE)]),
        "+OK\r\n"
    );
    assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
    (backend, redwall, client)
}

/// A client that asks for more than it reads: more replies than are held before nothing more is forwarded, and then requests
/// of so many bytes in all. Says whether all of it was taken.
fn ask_for_too_much(client: &mut Client, requests: usize) -> bool {
    let replies = request(&["GET", "app:big"]).repeat(3);
    let more = request(&["SET", "app:x", &"x".repeat(1_000)]);
    let block = more.repeat(64 * 1024 / more.len());
    client.try_send_raw(&replies)
        && (0..requests / block.len()).all(|_| client.try_send_raw(&block))
}

/// A new client that has asked for too much, all of which has been read; or somebody had to go.
fn greedy(redwall: &Redwall, requests: usize) -> Client {
    let before = redwall.metric(RECEIVED);
    let mut client = Client::login(redwall.address, "app", "app");
    assert!(ask_for_too_much(&mut client, requests));
    // Less than a block of them is missing where they don't fill the last.
    let sent = requests.saturating_sub(64 * 1024) as f64;
    wait_until("all of it has been read", || {
        redwall.metric(RECEIVED) >= before + sent || redwall.metric(CLOSED) > 0.0
    });
    client
}

/// Whether the server ends a connection when all that is on its way has been read.
fn is_cut_off(mut socket: &TcpStream) -> bool {
    let mut bytes = vec![0; MIB];
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn when_all_clients_together_hold_too_much_the_one_that_holds_the_most_goes_and_nobody_small_notices()
 {
    // Where they share, who holds the most depends on who waits behind whom.
    let (_backend, redwall, mut small) = with_budget_and("lanes = \"own\"");
    let mut clients: Vec<Client> = [3 * MIB, 9 * MIB, 3 * MIB, 3 * MIB]
        .map(|requests| greedy(&redwall, requests))
        .into();
    while redwall.metric(CLOSED) == 0.0 {
        assert_eq!(small.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        clients.push(greedy(&redwall, 3 * MIB));
        assert!(clients.len() < 32, "{}", redwall.metric(HELD));
    }
    assert_eq!(redwall.metric(CLOSED), 1.0);
    assert!(redwall.metric(HELD) <= redwall.metric("redwall_client_memory_max_bytes"));
    redwall.wait_for_log("closed one that held the most");
    assert!(is_cut_off(clients[1].socket()));
    assert_eq!(small.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
    drop(clients);
    wait_until("everything is given back", || redwall.metric(HELD) == 0.0);
}

#[test]
fn a_reload_with_a_smaller_budget_closes_the_largest_until_the_rest_fits() {
    let (backend, redwall, mut small) = with_budget();
    let mut greedy: Vec<Client> = Vec::new();
    for requests in [0, 24 * MIB] {
        let mut client = Client::login(redwall.address, "app", "app");
        assert!(ask_for_too_much(&mut client, requests));
        greedy.push(client);
    }
    wait_until("everything has arrived", || {
        redwall.metric(HELD) > (20 * MIB) as f64
    });
    assert_eq!(redwall.metric(CLOSED), 0.0);
    redwall.reload(&config(&backend).text().replace("64MiB", "16MiB"));
    redwall.wait_for_metric(CLOSED, 1.0);
    assert!(is_cut_off(greedy[1].socket()));
    assert_eq!(redwall.metric(CLOSED), 1.0);
    assert_eq!(small.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
}

#[test]
fn memory_stays_within_its_bound_however_much_is_sent_and_not_read() {
    let (_backend, redwall, mut small) = with_budget();
    let before = redwall.resident();
    let address = redwall.address;
    let greedy: Vec<_> = (0..10)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::login(address, "app", "app");
                let taken = ask_for_too_much(&mut client, 60 * MIB);
                (client, taken)
            })
        })
        .collect();
    // What each of two workers may be in the middle of: a request, replies, and what it reads at once.
    let in_work = 2 * (MIB + 4 * MIB + 2 * MIB);
    let held_bound = 64 * MIB + in_work;
    // The allocator keeps up to 64 MiB of what was freed, for each of them.
    let bound = held_bound + 2 * 64 * MIB;
    let (mut peak, mut most_held) = (0, 0.0_f64);
    while !greedy.iter().all(std::thread::JoinHandle::is_finished) {
        assert_eq!(small.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        peak = peak.max(redwall.resident().saturating_sub(before));
        most_held = most_held.max(redwall.metric(HELD));
    }
    eprintln!("at most {peak} bytes more were resident, and {most_held} held");
    assert!(peak < bound as u64, "memory grew by {peak} bytes");
    assert!(most_held < held_bound as f64, "{most_held} bytes were held");
    let clients: Vec<_> = greedy
        .into_iter()
        .map(|greedy| greedy.join().unwrap())
        .collect();
    let cut_off = clients.iter().filter(|(_, taken)| !taken).count();
    assert!(cut_off > 0, "somebody had to go");
    assert_eq!(small.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
    drop(clients);
    wait_until("everything is given back", || redwall.metric(HELD) == 0.0);
}

#[test]
fn a_client_that_reads_too_slowly_all_the_while_is_held_no_more_than_its_limit() {
    let (_backend, redwall, mut other) = with_budget();
    let mut slow = Client::login(redwall.address, "app", "app");
    let before = redwall.resident();
    let gets = 16;
    slow.send_raw(&request(&["GET", "app:big"]).repeat(gets));
    let mut socket = slow.socket();
    let mut bytes = vec![0; 64 * 1024];
    let (mut read, mut most_held) = (0, 0.0_f64);
    while read < gets * VALUE {
        read += socket.read(&mut bytes).unwrap();
        // Meanwhile Redwall fills up again what was taken.
        assert_eq!(other.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        if read % MIB < bytes.len() {
            most_held = most_held.max(redwall.metric(HELD));
        }
    }
    let grown = redwall.resident().saturating_sub(before);
    assert!(most_held < (20 * MIB) as f64, "{most_held}");
    assert!(grown < 24 * MIB as u64, "memory grew by {grown} bytes");
    assert_eq!(redwall.metric(CLOSED), 0.0);
}

#[test]
fn a_stranger_is_held_next_to_nothing() {
    let (_backend, redwall, _small) = with_budget();
    let mut stranger = Client::connect(redwall.address, Identity::None);
    assert!(stranger.ask(&["PING"]).starts_with("-NOAUTH"));
    let pings = b"PING\r\n".repeat(10_000);
    let taken = (0..1_000)
        .take_while(|_| stranger.try_send_raw(&pings))
        .count();
    assert!(taken < 1_000, "all of 60 MB was taken");
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"overflow\"}",
        1.0,
    );
    assert!(redwall.metric(HELD) < (2 * MIB) as f64);
}

#[test]
fn a_thousand_idle_clients_cost_8_kib_each_and_give_them_back() {
    const CLIENTS: u64 = 1_000;
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users =
        "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{ cn = \"alice\" }]\n"
            .to_owned();
    config.database = "max_clients_per_address = 2000".to_owned();
    let redwall = config.start();
    let connect = |_| {
        let mut client = Client::connect(redwall.address, Identity::Certificate("alice"));
        assert_eq!(client.ask(&["GET", "a:k"]), "$-1\r\n");
        client
    };
    let _first: Vec<Client> = (0..20).map(connect).collect();
    let before = redwall.resident();
    let clients: Vec<Client> = (0..CLIENTS).map(connect).collect();
    let grown = || redwall.resident().saturating_sub(before);
    wait_until("an idle client costs 8 KiB", || {
        grown() < CLIENTS * 8 * 1024
    });
    let with_all = grown();
    assert!(
        with_all > CLIENTS * 2 * 1024,
        "{with_all} bytes: they are not there"
    );
    drop(clients);
    wait_until("most of it is given back", || grown() < with_all * 2 / 5);
}
