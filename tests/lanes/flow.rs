//! Clients that write before they read, and clients that read slowly: what is held for them, and that the others don't notice.

use std::io::Read;
use std::time::{Duration, Instant};

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Config, Redwall, Server, wait_until};
use crate::track::{SHARED, lanes, shared, unshared};

const MIB: usize = 1 << 20;

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

#[test]
fn one_who_writes_a_long_pipeline_before_it_reads_gets_all_of_it_and_the_others_do_not_wait() {
    const ROUNDS: usize = 700;
    const LEN: usize = 16 << 10;
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut others: Vec<Client> = (0..3)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        let mut client = Client::login(redwall.address, "app", "app");
        let value = |round: usize| format!("{round:08}").repeat(LEN / 8);
        for round in 0..ROUNDS {
            let mut bytes = request(&["SET", "app:k", &value(round)]);
            bytes.extend(request(&["GET", "app:k"]));
            client.send_raw(&bytes);
            if round % 50 == 0 {
                for other in &mut others {
                    assert_eq!(other.ask(&["INCR", "app:n"]).as_bytes()[0], b':');
                }
            }
        }
        for other in &mut others {
            assert_eq!(other.ask(&["SET", "app:other", "1"]), "+OK\r\n");
        }
        for round in 0..ROUNDS {
            assert_eq!(client.text(), "+OK\r\n");
            assert_eq!(client.text(), format!("${LEN}\r\n{}\r\n", value(round)));
        }
    }
}

const VALUE: usize = 24 * MIB;

/// A client that asks for the large value while three others ask for something small behind it, or doesn't.
enum Behind {
    Nobody,
    Others,
}

/// Reads the large value, whatever it takes.
fn read_all(client: &mut Client) {
    let frame = client.frame();
    assert_eq!(frame.len(), VALUE + "$25165824\r\n\r\n".len());
    assert!(frame[11..frame.len() - 2].iter().all(|byte| *byte == b'v'));
}

const HELD: &str = "redwall_client_memory_bytes";

/// One asks for a large value and doesn't read. Returns the clients, it first.
fn one_that_does_not_read(backend: &Backend, redwall: &Redwall, behind: Behind) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..5)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
    }
    backend.freeze();
    clients[0].send(&["GET", "app:big"]);
    redwall.wait_for_metric(
        "redwall_commands_total{command=\"get\",verdict=\"allowed\"}",
        6.0,
    );
    if let Behind::Others = behind {
        for client in &mut clients[1..] {
            client.send(&["GET", "app:k"]);
        }
        redwall.wait_for_metric(
            "redwall_commands_total{command=\"get\",verdict=\"allowed\"}",
            10.0,
        );
    }
    backend.thaw();
    clients
}

#[test]
fn one_who_reads_a_large_value_slowly_gets_it_and_those_beside_and_behind_it_go_on() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        backend.admin(&["SET", "app:big", &"v".repeat(VALUE)]);
        backend.admin(&["SET", "app:k", "1"]);

        // Behind it: they wait a moment, then the rest is held for it.
        let redwall = shared(&backend.url()).start();
        let mut clients = one_that_does_not_read(&backend, &redwall, Behind::Others);
        for client in &mut clients[1..] {
            assert_eq!(client.text(), "$1\r\n1\r\n", "{server:?}");
        }
        read_all(&mut clients[0]);
        assert_eq!(clients[0].ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        drop(redwall);

        // Beside it: they go elsewhere, and it costs no memory.
        let redwall = shared(&backend.url()).start();
        let mut clients = one_that_does_not_read(&backend, &redwall, Behind::Nobody);
        assert_eq!(clients[0].socket().peek(&mut [0]).unwrap(), 1);
        for _ in 0..50 {
            for client in &mut clients[1..] {
                assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n", "{server:?}");
            }
        }
        let held = redwall.metric(HELD);
        assert!(held < (8 * MIB) as f64, "{server:?}: {held} bytes are held");
        read_all(&mut clients[0]);
        assert_eq!(clients[0].ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        wait_until("the connections of large replies are closed", || {
            lanes(&backend, SHARED).len() <= 2
        });
    }
}

/// Far more than others may have to wait for a slow reader, and far less than it takes.
const FELT: Duration = Duration::from_secs(3);

/// Reads so many bytes, one MiB each eighth of a second.
fn read_slowly(client: &mut Client, len: usize) {
    let mut block = vec![0; len.min(MIB)];
    let start = Instant::now();
    for number in 1..=len / block.len() {
        client.read_exact(&mut block).unwrap();
        let due = Duration::from_secs(1) * number as u32 / 8;
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
}

#[test]
fn one_who_reads_64_mib_in_eight_seconds_is_neither_cut_off_nor_felt() {
    const LEN: usize = 64 * MIB;
    let backend = Backend::start();
    backend.admin(&["SET", "app:big", &"v".repeat(LEN)]);
    backend.admin(&["SET", "app:k", "1"]);
    let redwall = shared(&backend.url()).start();
    let mut clients = one_that_does_not_read(&backend, &redwall, Behind::Others);
    let (slow, others) = clients.split_first_mut().unwrap();
    std::thread::scope(|scope| {
        let start = Instant::now();
        let slow = scope.spawn(|| read_slowly(slow, LEN));
        for other in &mut *others {
            assert_eq!(other.text(), "$1\r\n1\r\n");
        }
        assert!(start.elapsed() < FELT, "those behind it wait for it");
        while !slow.is_finished() {
            let start = Instant::now();
            for other in &mut *others {
                assert_eq!(other.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
            }
            assert!(start.elapsed() < FELT, "those beside it wait for it");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    slow.read_exact(&mut [0; "$67108864\r\n\r\n".len()])
        .unwrap();
    assert_eq!(slow.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
}

/// A reply of several MiB, and answers of Redwall's own behind it, of more bytes than are held willingly.
fn ask_for_much_and_more_behind_it(config: fn(&str) -> Config) {
    const ECHOES: usize = 40;
    let backend = Backend::start();
    let redwall = config(&backend.url()).start();
    backend.admin(&["SET", "app:large", &"v".repeat(8 * MIB)]);
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    let text = "x".repeat(60_000);
    client.send(&["GET", "app:large"]);
    for _ in 0..ECHOES {
        client.send(&["ECHO", &text]);
    }
    assert_eq!(client.frame().len(), "$8388608\r\n\r\n".len() + 8 * MIB);
    for _ in 0..ECHOES {
        assert_eq!(client.frame().len(), "$60000\r\n\r\n".len() + text.len());
    }
}

#[test]
fn what_waits_behind_a_reply_does_not_keep_that_from_being_read() {
    ask_for_much_and_more_behind_it(shared);
    ask_for_much_and_more_behind_it(unshared);
}
