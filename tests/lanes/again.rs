//! Replies that can't be held for a client that reads slowly, in front of others: what may be asked again is asked again on a lane of
//! the client's own, and nothing else ever is.

use std::time::{Duration, Instant};

use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Gauge, Pipe, Redwall, wait_until};
use crate::track::{OWN, SHARED, everywhere, kill_lane, lane_at, shared};

const MIB: usize = 1 << 20;

/// Six times what may be held.
const LEN: usize = 24 * MIB;

const LIMIT: &str = "output_hard_limit = \"4MiB\"";

/// Far longer than it takes, and far less than a lane takes to be given up.
const LINED_UP: Duration = Duration::from_secs(2);

const OVERFLOWS: &str = "redwall_connections_closed_total{database=\"main\",reason=\"overflow\"}";

/// One who asked for the large value and hasn't read yet, and others whose requests were in the same lane behind that.
struct Line {
    slow: Client,
    others: Vec<Client>,
    gauge: Gauge,
    redwall: Redwall,
}

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

fn value(backend: &Backend) {
    backend.admin(&["SET", "app:big", &"v".repeat(LEN)]);
    backend.admin(&["SET", "app:k", "1"]);
}

impl Line {
    /// Has `asked` and then the others' requests arrive at the backend on one connection before it answers any of them.
    fn up(backend: &Backend, asked: &[&[&str]]) -> Self {
        // A lane that stands still for 50 ms takes nobody new: on a busy machine one try isn't enough.
        (0..20)
            .find_map(|_| {
                value(backend);
                Self::try_up(backend, asked)
            })
            .expect("the requests never stood in one line")
    }

    fn try_up(backend: &Backend, asked: &[&[&str]]) -> Option<Self> {
        let gauge = Gauge::before(backend.socket());
        let mut config = shared(&gauge.url());
        config.limits = LIMIT.to_owned();
        let text = config.text().replace("workers = 2\n", "workers = 1\n");
        let redwall = Redwall::start(&text);
        let mut clients: Vec<Client> = (0..4)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        for client in &mut clients {
            assert_eq!(client.ask(&["STRLEN", "app:k"]), ":1\r\n");
        }
        let mut others = clients.split_off(1);
        let mut slow = clients.remove(0);
        backend.freeze();
        slow.send_raw(
            &asked
                .iter()
                .flat_map(|words| request(words))
                .collect::<Vec<_>>(),
        );
        for other in &mut others {
            other.send(&["STRLEN", "app:k"]);
        }
        let deadline = Instant::now() + LINED_UP;
        let stands = || stands_in_line(&gauge.pipes(), asked);
        while !stands() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let stood = stands();
        backend.thaw();
        stood.then_some(Self {
            slow,
            others,
            gauge,
            redwall,
        })
    }

    /// The others are answered, and go on, while nothing is read.
    fn others_go_on(&mut self) {
        for other in &mut self.others {
            assert_eq!(other.text(), ":1\r\n");
        }
        for _ in 0..20 {
            for other in &mut self.others {
                assert_eq!(other.ask(&["STRLEN", "app:k"]), ":1\r\n");
            }
        }
    }
}

/// Whether a shared connection was asked all of `asked`, and the three others' requests behind that.
fn stands_in_line(pipes: &[Pipe], asked: &[&[&str]]) -> bool {
    pipes.iter().any(|pipe| {
        let first = pipe.requests.iter().position(|noted| noted.is(asked[0][0]));
        pipe.name == SHARED
            && first.is_some_and(|first| {
                let names = pipe.requests[first..]
                    .iter()
                    .map(|noted| noted.words[0].as_str());
                let names: Vec<&str> = names.filter(|name| *name != "ECHO").collect();
                let wanted = asked.iter().map(|words| words[0]).chain(["STRLEN"; 3]);
                names == wanted.collect::<Vec<_>>()
            })
    })
}

fn is_whole(frame: &[u8]) -> bool {
    let header = format!("${LEN}\r\n");
    frame.len() == header.len() + LEN + 2
        && frame.starts_with(header.as_bytes())
        && frame[header.len()..header.len() + LEN]
            .iter()
            .all(|byte| *byte == b'v')
}

#[test]
fn one_who_reads_far_too_slowly_gets_a_value_that_can_not_be_held_and_those_behind_it_do_not_wait()
{
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let mut line = Line::up(&backend, &[&["GET", "app:big"]]);
        line.others_go_on();
        wait_until("it is asked again on a lane of its own", || {
            line.gauge.count("GET", |pipe| pipe.name == OWN) == 1
        });
        // It is read at its client's pace: little of it is held.
        let held = line.redwall.metric("redwall_client_memory_bytes");
        assert!(held < (4 * MIB) as f64, "{held} bytes are held");
        assert!(is_whole(&line.slow.frame()), "{server:?}");
        assert_eq!(line.slow.ask(&["STRLEN", "app:k"]), ":1\r\n");

        assert_eq!(line.gauge.count("GET", |_| true), 2);
        assert_eq!(line.redwall.metric(OVERFLOWS), 0.0);
    });
}

#[test]
fn what_one_sends_while_its_reply_is_asked_for_again_is_answered_behind_it() {
    let backend = Backend::start();
    let mut line = Line::up(&backend, &[&["GET", "app:big"]]);
    // Half a request and its end, one that is refused, and one that changes the value.
    line.slow.send_raw(b"*1\r\n$4\r\nPI");
    line.others_go_on();
    line.slow.send_raw(b"NG\r\n");
    line.slow.send(&["GET", "other:k"]);
    line.slow.send(&["SET", "app:big", "new"]);
    assert!(is_whole(&line.slow.frame()));
    assert_eq!(line.slow.text(), "+PONG\r\n");
    assert!(line.slow.text().starts_with("-NOPERM"));
    assert_eq!(line.slow.text(), "+OK\r\n");
    assert_eq!(line.redwall.metric(OVERFLOWS), 0.0);
}

/// What the slow one got before it was cut off, which is what comes to it where its reply can't be asked for again.
fn cut_off(line: &mut Line) -> String {
    line.others_go_on();
    line.redwall.wait_for_metric(OVERFLOWS, 1.0);
    line.slow.until_closed()
}

#[test]
fn one_who_writes_behind_its_large_read_never_reads_what_it_wrote_afterwards() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let asked: &[&[&str]] = &[&["GET", "app:big"], &["SET", "app:big", "new"]];
        let mut line = Line::up(&backend, asked);
        let got = cut_off(&mut line);
        assert!(got.starts_with(&format!("${LEN}\r\nvvv")), "{server:?}");
        assert_eq!(line.gauge.count("GET", |_| true), 1);
        assert_eq!(line.gauge.count("SET", |_| true), 1);
    });
}

#[test]
fn a_command_that_takes_a_large_value_away_is_never_run_twice() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let mut line = Line::up(&backend, &[&["GETDEL", "app:big"]]);
        let got = cut_off(&mut line);
        assert!(got.starts_with(&format!("${LEN}\r\nvvv")), "{server:?}");
        assert_eq!(line.gauge.count("GETDEL", |_| true), 1);
    });
}

/// A line whose slow one has its value coming on a lane of its own, and hasn't read of it.
fn asked_again(backend: &Backend) -> Line {
    let mut line = Line::up(backend, &[&["GET", "app:big"]]);
    line.others_go_on();
    wait_until("it is asked again on a lane of its own", || {
        line.gauge.count("GET", |pipe| pipe.name == OWN) == 1
    });
    line
}

#[test]
fn what_was_asked_for_again_is_read_to_its_end_while_redwall_drains() {
    let backend = Backend::start();
    let mut line = asked_again(&backend);
    line.redwall.signal("TERM");
    line.redwall.wait_for_log("drain");
    assert!(is_whole(&line.slow.frame()));
    assert_eq!(line.slow.until_closed(), "");
    for other in &mut line.others {
        assert_eq!(other.until_closed(), "");
    }
    assert!(line.redwall.wait().success());
}

#[test]
fn what_was_asked_for_again_and_lost_is_not_asked_for_once_more() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let mut line = asked_again(&backend);
        let lane = lane_at(&backend, OWN, "get").expect("the lane on which it was asked");
        kill_lane(&backend, &lane);
        let got = line.slow.until_closed();
        assert!(got.len() < LEN, "{server:?}: {}", got.len());
        for other in &mut line.others {
            assert_eq!(other.ask(&["STRLEN", "app:k"]), ":1\r\n");
        }
        assert_eq!(line.gauge.count("GET", |_| true), 2, "{server:?}");
    });
}

#[test]
fn who_may_not_be_here_any_more_does_not_get_what_was_asked_for_again() {
    let backend = Backend::start();
    let mut line = asked_again(&backend);
    let mut config = shared(&line.gauge.url());
    config.limits = LIMIT.to_owned();
    config.users = config.users.replace(
        "[database.users.app]",
        "[database.users.app]\nenabled = false",
    );
    let text = config.text().replace("workers = 2\n", "workers = 1\n");
    line.redwall.reload(&text);
    let got = line.slow.until_closed();
    assert!(got.len() < LEN, "{}", got.len());
    assert_eq!(line.gauge.count("GET", |_| true), 2);
}
