//! One client's pipeline and the others' commands: what a shared backend connection must not have them share.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Gauge, Pipe, Redwall, Server, redis_on_tcp, wait_until};
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

const SCRIPTS: usize = 5_000;
const CROWD: usize = 20;
const VALUE: usize = 16 << 10;

/// Most requests of one client that are at the server at a time on a connection of its own, and some more of Redwall's own.
const MOST_AT_ONCE: usize = 32;

#[test]
fn the_values_of_a_crowd_wait_for_few_scripts_of_one_who_pipelines_thousands() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        let mut crowd: Vec<Client> = (0..CROWD)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        let mut other = Client::login(redwall.address, "app", "app");
        let mut pipeliner = Client::login(redwall.address, "root", "root");
        pipeliner.send_raw(&request(&["EVAL", SCRIPT, "0"]).repeat(SCRIPTS));
        wait_until("scripts are run", || scripts(&backend) > 100);
        for client in &mut crowd {
            client.send(&["SET", "app:k", &"v".repeat(VALUE)]);
        }
        for client in &mut crowd {
            assert_eq!(client.text(), "+OK\r\n");
            assert_eq!(client.ask(&["STRLEN", "app:k"]), format!(":{VALUE}\r\n"));
            assert_eq!(other.ask(&["GET", "app:none"]), "$-1\r\n");
        }
        for _ in 0..SCRIPTS {
            assert!(pipeliner.text().starts_with(':'));
        }
        // A server takes from each connection so many bytes of requests at a time. What one may have there at once, and that
        // small requests don't wait behind large ones, is for Redwall to see to.
        for pipe in gauge.pipes().iter() {
            let most = pipe.most_unanswered;
            assert!(pipe.count("EVAL") == 0 || most <= MOST_AT_ONCE, "{most}");
            assert!(
                pipe.count("SET") == 0 || pipe.count("GET") == 0,
                "{server:?}: the small requests of one go where the large ones of others do"
            );
        }
        assert_eq!(gauge.count("EVAL", |_| true), SCRIPTS);
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

/// Longer than a connection may stand still before others go elsewhere. Only time tells that one does.
const STILL: Duration = Duration::from_millis(60);

#[test]
fn writes_that_the_server_holds_back_do_not_hold_back_the_reads_of_others() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = alone(&gauge.url());
        let mut clients: Vec<Client> = (0..3 * MOST / 2)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        for client in &mut clients {
            assert_eq!(client.ask(&["SET", "app:k", "old"]), "+OK\r\n");
        }
        let (reader, writers) = clients.split_first_mut().unwrap();
        backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        for (number, writer) in writers.iter_mut().enumerate() {
            let before = gauge.count("INCR", |_| true);
            // What it sends behind a write waits with it.
            writer.send_raw(&[request(&["INCR", "app:n"]), request(&["GET", "app:n"])].concat());
            wait_until("the write is at the server", || {
                gauge.count("INCR", |_| true) > before
            });
            std::thread::sleep(STILL);
            let wanted = "$3\r\nold\r\n";
            let heard = reader.ask(&["GET", "app:k"]);
            assert_eq!(heard, wanted, "{server:?}: behind {number} writes");
        }
        assert!(writers[0].is_silent(Duration::from_millis(1)));
        let shared = lanes(&backend, SHARED).len();
        assert!(shared <= MOST, "{shared} connections");
        backend.admin(&["CLIENT", "UNPAUSE"]);
        for writer in &mut *writers {
            assert!(writer.text().starts_with(':'));
            assert!(writer.text().starts_with('$'));
        }
        assert_eq!(reader.ask(&["GET", "app:n"]), "$2\r\n11\r\n");
        wait_until("all are on one connection again", || {
            for writer in &mut *writers {
                assert_eq!(writer.ask(&["GET", "app:n"]), "$2\r\n11\r\n");
            }
            lanes(&backend, SHARED).len() == 1
        });
    }
}

const GAVE_WAY: &str = "redwall_gave_way_total";

/// It is moved in some hundreds of pieces.
const LARGE: usize = 8 << 20;

fn store(client: &mut Client) {
    assert_eq!(
        client.ask(&["SET", "app:big", &"v".repeat(LARGE)]),
        "+OK\r\n"
    );
}

fn fetch(client: &mut Client) {
    assert_eq!(client.ask(&["GET", "app:big"]).len(), LARGE + 12);
}

/// Ends an asker also where what it asks beside has failed.
struct EndsWithThis<'a>(&'a AtomicBool);

impl Drop for EndsWithThis<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// How many pieces gave way while `mover` moved its value, some times if there is an asker.
fn given_way(
    redwall: &Redwall,
    mover: &mut Client,
    asker: Option<&mut Client>,
    moves: fn(&mut Client),
) -> f64 {
    let (before, times) = (
        redwall.metric(GAVE_WAY),
        if asker.is_some() { 5 } else { 1 },
    );
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = EndsWithThis(&ended);
        if let Some(asker) = asker {
            scope.spawn(|| {
                while !ended.load(Relaxed) {
                    assert_eq!(asker.ask(&["GET", "app:none"]), "$-1\r\n");
                }
            });
        }
        (0..times).for_each(|_| moves(mover));
    });
    redwall.metric(GAVE_WAY) - before
}

/// A Redwall with one worker.
fn alone(backend: &str) -> Redwall {
    let text = shared(backend).text();
    assert!(text.contains("workers = 2\n"));
    Redwall::start(&text.replace("workers = 2\n", "workers = 1\n"))
}

#[test]
fn large_values_wait_for_the_answers_of_others_piece_by_piece_but_for_none_that_does_not_come() {
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let login = || Client::login(redwall.address, "app", "app");
    let (mut mover, mut asker, mut writer) = (login(), login(), login());
    for moves in [store, fetch] {
        // The first time it may find its way only.
        moves(&mut mover);
        assert_eq!(given_way(&redwall, &mut mover, None, moves), 0.0);
        let beside = given_way(&redwall, &mut mover, Some(&mut asker), moves);
        assert!(beside >= 5.0, "{beside} pieces gave way");
    }
    fetch(&mut mover);
    backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    writer.send(&["INCR", "app:n"]);
    redwall.wait_for_metric(
        "redwall_commands_total{command=\"incr\",verdict=\"allowed\"}",
        1.0,
    );
    let beside = given_way(&redwall, &mut mover, None, fetch);
    assert!(beside <= 5.0, "{beside} pieces waited for nothing");
    backend.admin(&["CLIENT", "UNPAUSE"]);
    assert_eq!(writer.text(), ":1\r\n");
}

#[test]
fn large_values_do_not_wait_for_answers_from_elsewhere_for_which_no_core_is_needed_here() {
    // Another address than that of this end is another machine's, as far as one can tell.
    for (ip, gives_way) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let (_backend, port) = redis_on_tcp(ip);
        let redwall = alone(&format!("redis://{ip}:{port}"));
        let mut mover = Client::login(redwall.address, "app", "app");
        let mut asker = Client::login(redwall.address, "app", "app");
        store(&mut mover);
        fetch(&mut mover);
        let beside = given_way(&redwall, &mut mover, Some(&mut asker), fetch);
        assert_eq!(beside > 0.0, gives_way, "{ip}: {beside} pieces gave way");
    }
}

/// So many requests are some 600 KiB.
const MANY: usize = 20_000;

fn ask_many(client: &mut Client) {
    client.send_raw(&request(&["GET", "app:none"]).repeat(MANY));
    for _ in 0..MANY {
        assert_eq!(client.text(), "$-1\r\n");
    }
}

#[test]
fn a_long_pipeline_waits_for_the_answers_of_others_piece_by_piece() {
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let mut mover = Client::login(redwall.address, "app", "app");
    let mut asker = Client::login(redwall.address, "app", "app");
    let beside = given_way(&redwall, &mut mover, Some(&mut asker), ask_many);
    assert!(beside >= 5.0, "{beside} pieces gave way");
}

#[test]
fn who_asks_beside_one_that_keeps_a_lane_full_gets_on_it() {
    const REQUESTS: usize = 4_000;
    const AHEAD: usize = 200;
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let login = || Client::login(redwall.address, "app", "app");
    let (mut busy, mut other) = (login(), login());
    // Some 30 KiB that keep a server for about a millisecond: more come than it deals with.
    let members: Vec<_> = (0..2_000).map(|member| format!("m{member:06}")).collect();
    let mut words = vec!["ZADD", "app:z"];
    words.extend(members.iter().flat_map(|member| ["1", member.as_str()]));
    let (slow, large) = (request(&words), "v".repeat(8 << 10));
    let ended = AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            busy.send_raw(&slow.repeat(AHEAD));
            for served in 0..REQUESTS {
                if ended.load(Relaxed) {
                    return served;
                }
                busy.send_raw(&slow);
                assert_eq!(busy.text().as_bytes()[0], b':');
            }
            REQUESTS
        });
        let _ends = EndsWithThis(&ended);
        wait_until("the lane is full", || redwall.metric(RECEIVED) > 3e6);
        for _ in 0..10 {
            assert_eq!(other.ask(&["SET", "app:large", &large]), "+OK\r\n");
        }
        ended.store(true, Relaxed);
        busy.join().unwrap()
    });
    assert!(served < REQUESTS, "it had to wait until nobody else asked");
}

const RECEIVED: &str = "redwall_received_bytes_total{database=\"main\"}";

#[test]
fn of_a_pipeline_that_waits_for_its_answers_little_is_read_ahead() {
    const MOST: f64 = 160.0 * 1024.0;
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let mut client = Client::login(redwall.address, "app", "app");
    let mut other = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:none"]), "$-1\r\n");
    let before = redwall.metric(RECEIVED);
    backend.freeze();
    client.send_raw(&request(&["INCR", "app:n"]).repeat(MANY));
    // In each of these rounds it has a turn.
    for _ in 0..100 {
        assert_eq!(other.ask(&["PING"]), "+PONG\r\n");
    }
    let read = redwall.metric(RECEIVED) - before;
    assert!(read <= MOST, "{read} bytes were read");
    backend.thaw();
    for number in 1..=MANY {
        assert_eq!(client.text(), format!(":{number}\r\n"));
    }
}

#[test]
fn each_answer_has_no_more_of_a_pipeline_read_ahead() {
    const MOST: f64 = 160.0 * 1024.0;
    const ANSWERS: usize = 20;
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let mut client = Client::login(redwall.address, "root", "root");
    // A millisecond or some, so that none of them but those few is answered meanwhile.
    let slow = "for i = 1, 100000 do local x = i end return 1";
    let script = request(&["EVAL", slow, "0", &"a".repeat(2_000)]);
    // Without its own connection all would wait, and nothing be awaited.
    client.send_raw(&script);
    assert_eq!(client.text(), ":1\r\n");
    let before = redwall.metric(RECEIVED) - script.len() as f64;
    client.send_raw(&script.repeat(300));
    for _ in 0..ANSWERS {
        assert_eq!(client.text(), ":1\r\n");
    }
    let read = redwall.metric(RECEIVED) - before;
    let answered = (scripts(&backend) as usize * script.len()) as f64;
    assert!(
        read - answered <= MOST,
        "{read} bytes were read, {answered} answered"
    );
}

#[test]
fn a_request_of_which_the_beginning_is_here_is_read_to_its_end_whatever_is_awaited() {
    const LEN: usize = 200_000;
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let mut client = Client::login(redwall.address, "app", "app");
    let set = request(&["SET", "app:k", &"v".repeat(LEN)]);
    client.send_raw(&set);
    assert_eq!(client.text(), "+OK\r\n");
    let before = redwall.metric(RECEIVED);
    backend.freeze();
    client.send_raw(&set);
    client.send_raw(&set);
    redwall.wait_for_metric(RECEIVED, before + 2.0 * set.len() as f64);
    backend.thaw();
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(client.text(), "+OK\r\n");
}

/// How many INCR have been forwarded.
const INCREMENTS: &str = "redwall_commands_total{command=\"incr\",verdict=\"allowed\"}";

#[test]
fn who_pipelines_thousands_has_no_more_under_way_than_the_others_while_they_ask() {
    const ALONE: f64 = 128.0;
    const BESIDE_OTHERS: f64 = 16.0;
    const PRESENT: Duration = Duration::from_millis(100);
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    let login = || Client::login(redwall.address, "app", "app");
    let (mut mover, mut asker) = (login(), login());
    // How much of it may be under way grows with the answers that it has had.
    let (many, mut answered) = (request(&["INCR", "app:n"]).repeat(1_000), 0);
    let mut take_answers = |mover: &mut Client| {
        for _ in 0..1_000 {
            answered += 1;
            assert_eq!(mover.text(), format!(":{answered}\r\n"));
        }
    };
    mover.send_raw(&many);
    take_answers(&mut mover);

    backend.freeze();
    mover.send_raw(&many);
    redwall.wait_for_metric(INCREMENTS, 1_000.0 + ALONE);
    assert_eq!(redwall.metric(INCREMENTS), 1_000.0 + ALONE);
    backend.thaw();
    take_answers(&mut mover);

    // The asker has fewer under way than whoever pipelines may have always.
    for asked in 1..100 {
        assert_eq!(asker.ask(&["GET", "app:none"]), "$-1\r\n");
        backend.freeze();
        let asked_last = std::time::Instant::now();
        asker.send(&["GET", "app:none"]);
        mover.send_raw(&many);
        let before = f64::from(asked + 1) * 1_000.0;
        redwall.wait_for_metric(INCREMENTS, before + BESIDE_OTHERS);
        let under_way = redwall.metric(INCREMENTS) - before;
        let in_time = asked_last.elapsed() < PRESENT;
        backend.thaw();
        assert_eq!(asker.text(), "$-1\r\n");
        take_answers(&mut mover);
        if in_time {
            assert_eq!(under_way, BESIDE_OTHERS);
            return;
        }
    }
    panic!("this machine was never quick enough to look");
}

/// How often requests have waited for more of them.
const RESTS: &str = "redwall_rests_total";

/// So many clients ask at once, again and again, until `enough`; each has its own answer.
fn ask_all_at_once(redwall: &Redwall, clients: usize, enough: impl Fn(usize) -> bool) {
    let mut clients: Vec<Client> = (0..clients)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for round in 0.. {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&["ECHO", &format!("{round} {number}")]);
            client.send(&["SET", &format!("app:{number}"), &format!("v{round}")]);
            client.send(&["GET", &format!("app:{number}")]);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let echo = format!("{round} {number}");
            assert_eq!(client.text(), format!("${}\r\n{echo}\r\n", echo.len()));
            assert_eq!(client.text(), "+OK\r\n");
            let value = format!("v{round}");
            assert_eq!(client.text(), format!("${}\r\n{value}\r\n", value.len()));
        }
        if enough(round) {
            return;
        }
    }
}

#[test]
fn requests_of_a_crowd_wait_for_more_of_them_and_those_of_few_do_not() {
    let backend = Backend::start();
    let redwall = alone(&backend.url());
    ask_all_at_once(&redwall, 30, |round| round == 100);
    assert_eq!(redwall.metric(RESTS), 0.0, "of thirty");
    let begin = std::time::Instant::now();
    ask_all_at_once(&redwall, 120, |_| {
        assert!(begin.elapsed() < Duration::from_secs(60), "nobody waits");
        redwall.metric(RESTS) > 10.0
    });
}
