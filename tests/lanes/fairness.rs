//! One client's pipeline and the others' commands: what a shared backend connection must not have them share.

use std::io::Write;
use std::net::Shutdown;

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Gauge, Pipe, Server, wait_until};
use crate::track::{SHARED, lanes, shared};

/// Some hundredth of a millisecond of a server's time.
const SCRIPT: &str = "local x = 0 for i = 1, 5000 do x = x + i end return x";

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

/// How many scripts the server has run.
fn scripts(backend: &Backend) -> u64 {
    let info = backend.admin(&["INFO", "commandstats"]);
    let line = info.lines().find(|line| line.starts_with("cmdstat_eval:"));
    let calls = line.and_then(|line| line.split_once("calls=")?.1.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

const CROWD: usize = 100;
const VALUE: usize = 16 << 10;

/// Runs `meanwhile` while somebody pipelines scripts without end on a connection of its own to the server.
fn beside_a_pipeliner<T>(backend: &Backend, meanwhile: impl FnOnce() -> T) -> T {
    let pipeliner = backend.direct("admin", 2);
    let block = request(&["EVAL", SCRIPT, "0"]).repeat(200);
    std::thread::scope(|scope| {
        // Both end when the connection is shut down.
        scope.spawn(|| {
            std::iter::repeat(&block).all(|block| pipeliner.stream().write_all(block).is_ok())
        });
        scope.spawn(|| std::io::copy(&mut pipeliner.stream(), &mut std::io::sink()));
        wait_for_scripts(backend);
        let outcome = meanwhile();
        pipeliner.stream().shutdown(Shutdown::Both).unwrap();
        outcome
    })
}

fn wait_for_scripts(backend: &Backend) {
    let before = scripts(backend);
    wait_until("scripts are run", || scripts(backend) > before + 500);
}

/// How many of them the server runs while a hundred values come on one connection.
fn scripts_beside_one_connection(backend: &Backend) -> u64 {
    beside_a_pipeliner(backend, || {
        let mut crowd = backend.direct("admin", 2);
        let sets = vec![OwnedRequest::new(&["SET", "app:k", &"v".repeat(VALUE)]); CROWD];
        let before = scripts(backend);
        assert_eq!(crowd.ask_all(&sets).len(), CROWD);
        scripts(backend) - before
    })
}

/// Most requests of one client that are at the server at a time on a connection of its own, and some more of Redwall's own.
const MOST_AT_ONCE: usize = 32;

#[test]
fn a_hundred_values_wait_for_few_scripts_of_one_who_pipelines_thousands() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let direct = scripts_beside_one_connection(&backend);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        let mut crowd: Vec<Client> = (0..CROWD)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        let mut pipeliner = Client::login(redwall.address, "root", "root");
        pipeliner.send_raw(&request(&["EVAL", SCRIPT, "0"]).repeat(20_000));
        wait_for_scripts(&backend);
        let value = "v".repeat(VALUE);
        let before = scripts(&backend);
        for client in &mut crowd {
            client.send(&["SET", "app:k", &value]);
        }
        for client in &mut crowd {
            assert_eq!(client.text(), "+OK\r\n");
        }
        let run = scripts(&backend) - before;
        assert!(
            run < direct / 4,
            "{server:?}: {run} scripts, and {direct} directly"
        );
        for client in &mut crowd {
            assert_eq!(client.ask(&["STRLEN", "app:k"]), format!(":{VALUE}\r\n"));
        }
        for pipe in gauge.pipes().iter() {
            let most = pipe.most_unanswered;
            assert!(pipe.count("EVAL") == 0 || most <= MOST_AT_ONCE, "{most}");
            assert!(
                pipe.count("SET") == 0 || pipe.count("STRLEN") == 0,
                "{server:?}: small requests go where large ones do"
            );
        }
    }
}

/// On how many connections there were scripts, and how many reads went to others.
fn elsewhere(gauge: &Gauge) -> (usize, usize) {
    let pipes = gauge.pipes();
    let runs_scripts = |pipe: &&Pipe| pipe.count("EVAL") > 0;
    let others = pipes.iter().filter(|pipe| !runs_scripts(pipe));
    (
        pipes.iter().filter(runs_scripts).count(),
        others.map(|pipe| pipe.count("GET")).sum(),
    )
}

#[test]
fn one_who_alternates_between_reads_and_scripts_does_not_wait_for_a_change_of_connection_each_time()
{
    const TIMES: usize = 1_000;
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        let mut client = Client::login(redwall.address, "root", "root");
        let mut round = request(&["GET", "k"]);
        round.extend(request(&["EVAL", "return 1", "0"]));
        client.send_raw(&round.repeat(TIMES));
        for _ in 0..TIMES {
            assert_eq!(client.text(), "$-1\r\n");
            assert_eq!(client.text(), ":1\r\n");
        }
        // And when each waits for the reply to the one before.
        for _ in 0..TIMES / 4 {
            assert_eq!(client.ask(&["GET", "k"]), "$-1\r\n");
            assert_eq!(client.ask(&["EVAL", "return 1", "0"]), ":1\r\n");
        }
        let (connections, elsewhere) = elsewhere(&gauge);
        assert!(
            connections <= 3,
            "{server:?}: {connections} connections for its scripts"
        );
        assert!(
            elsewhere <= TIMES / 50,
            "{server:?}: {elsewhere} reads went elsewhere"
        );
        assert_eq!(gauge.count("EVAL", |_| true), TIMES + TIMES / 4);
    }
}

/// Most shared connections of one kind that a worker has.
const MOST: usize = 8;

#[test]
fn a_write_that_the_server_holds_back_does_not_hold_back_the_reads_of_others() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        let mut clients: Vec<Client> = (0..5)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        for client in &mut clients {
            assert_eq!(client.ask(&["SET", "app:k", "old"]), "+OK\r\n");
        }
        let (writer, readers) = clients.split_first_mut().unwrap();
        backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        let before = gauge.count("SET", |_| true);
        writer.send(&["SET", "app:k", "new"]);
        // What it sends behind it waits with it.
        writer.send(&["GET", "app:k"]);
        wait_until("the write is at the server", || {
            gauge.count("SET", |_| true) > before
        });
        for _ in 0..20 {
            for reader in &mut *readers {
                assert_eq!(reader.ask(&["GET", "app:k"]), "$3\r\nold\r\n");
            }
        }
        // Writers come one after the other, and each is held back on the connection where it went.
        for reader in &mut *readers {
            reader.send(&["INCR", "app:n"]);
        }
        assert!(writer.is_silent(std::time::Duration::from_millis(1)));
        let shared = lanes(&backend, SHARED).len();
        assert!(shared <= 2 * MOST, "{shared} connections");
        backend.admin(&["CLIENT", "UNPAUSE"]);
        assert_eq!(writer.text(), "+OK\r\n");
        assert_eq!(writer.text(), "$3\r\nnew\r\n");
        for reader in &mut *readers {
            assert!(reader.text().starts_with(':'));
            assert_eq!(reader.ask(&["GET", "app:k"]), "$3\r\nnew\r\n");
        }
        assert_eq!(backend.admin(&["GET", "app:n"]), "$1\r\n4\r\n");
    }
}
