//! A lane that is lost takes with it whatever of a client's was there: the client is closed, as a server's end would close it.

use crate::bed::{Backend, Client, Redwall, wait_until};
use crate::relay::{Moment, Relay};
use crate::track::{Seen, everywhere, kill_lane, own_lane_at, own_lanes, shared, shared_lanes};

fn app(redwall: &Redwall) -> Client {
    Client::login(redwall.address, "app", "app")
}

#[test]
fn a_transaction_never_succeeds_whose_watch_was_lost_with_its_connection() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut client = app(&redwall);
        assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
        assert_eq!(client.ask(&["WATCH", "app:k"]), "+OK\r\n");
        assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
        // Not by reading what follows is its lane given back.
        let lane = own_lane_at(&backend, "get");
        kill_lane(&backend, &lane);
        assert_eq!(app(&redwall).ask(&["SET", "app:k", "theirs"]), "+OK\r\n");
        for words in [["MULTI"].as_slice(), &["SET", "app:k", "mine"], &["EXEC"]] {
            // It may be closed already.
            let _ = client.try_send(words);
        }
        assert_eq!(client.until_closed(), "");
        assert_eq!(app(&redwall).ask(&["GET", "app:k"]), "$6\r\ntheirs\r\n");
    });
}

#[test]
fn a_lost_connection_that_holds_a_client_s_state_closes_it_though_it_waits_for_nothing() {
    let states: [(&str, &[&str]); 3] = [
        ("watch", &["WATCH", "app:k"]),
        ("multi", &["MULTI"]),
        ("subscribe", &["SUBSCRIBE", "app:news"]),
    ];
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        for (command, words) in states {
            let mut client = app(&redwall);
            let mut bystander = app(&redwall);
            assert_eq!(bystander.ask(&["WATCH", "app:other"]), "+OK\r\n");
            assert_eq!(bystander.ask(&["GET", "app:k"]), "$-1\r\n");
            assert!(!client.ask(words).starts_with('-'), "{words:?}");
            kill_lane(&backend, &own_lane_at(&backend, command));
            assert_eq!(client.until_closed(), "", "{words:?}");
            assert_eq!(bystander.ask(&["UNWATCH"]), "+OK\r\n", "{words:?}");
        }
    });
}

#[test]
fn a_lost_shared_connection_closes_those_who_wait_for_its_replies_and_nobody_else() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut idle: Vec<Client> = (0..4).map(|_| app(&redwall)).collect();
        // One for each worker.
        let mut waiting: Vec<Client> = (0..2).map(|_| app(&redwall)).collect();
        for client in idle.iter_mut().chain(&mut waiting) {
            assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
        }
        assert_eq!(
            backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]),
            "+OK\r\n"
        );
        for client in &mut waiting {
            client.send(&["INCR", "app:k"]);
        }
        let is_held = |lane: &Seen| lane.field("flags").contains('b');
        wait_until("the writes are held by the backend", || {
            shared_lanes(&backend)
                .iter()
                .filter(|lane| is_held(lane))
                .count()
                == waiting.len()
        });
        for lane in shared_lanes(&backend) {
            kill_lane(&backend, &lane);
        }
        for client in &mut waiting {
            assert_eq!(client.until_closed(), "");
        }
        assert_eq!(backend.admin(&["CLIENT", "UNPAUSE"]), "+OK\r\n");
        // What was lost was not sent again.
        for client in &mut idle {
            assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
        }
    });
}

const LOST: &str = "-ERR backend connection was lost\r\n";

#[test]
fn where_it_is_wanted_an_error_stands_for_each_reply_that_is_lost_and_the_client_goes_on() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        let mut config = shared(&backend.url());
        config.backend_more = "lost_replies = \"error\"\n".to_owned();
        let redwall = config.start();
        let mut waiting = app(&redwall);
        let mut blocked = app(&redwall);
        let mut watching = app(&redwall);
        assert_eq!(waiting.ask(&["SET", "app:k", "1"]), "+OK\r\n");
        assert_eq!(watching.ask(&["WATCH", "app:k"]), "+OK\r\n");
        blocked.send(&["BLPOP", "app:list", "0"]);
        let blocked_lane = own_lane_at(&backend, "blpop");
        assert_eq!(
            backend.admin(&["CLIENT", "PAUSE", "60000", "WRITE"]),
            "+OK\r\n"
        );
        for words in [["INCR", "app:k"], ["PING", "x"], ["INCR", "app:k"]] {
            waiting.send(&words);
        }
        watching.send(&["INCR", "app:k"]);
        wait_until("the writes are held by the backend", || {
            let held = |lane: &&Seen| lane.field("flags").contains('b');
            let lanes = [shared_lanes(&backend), own_lanes(&backend)].concat();
            lanes
                .iter()
                .filter(|lane| lane.id() != blocked_lane.id())
                .filter(held)
                .count()
                == 2
        });
        for lane in [shared_lanes(&backend), own_lanes(&backend)].concat() {
            kill_lane(&backend, &lane);
        }
        assert_eq!(waiting.text(), LOST);
        assert_eq!(waiting.text(), "$1\r\nx\r\n");
        assert_eq!(waiting.text(), LOST);
        assert_eq!(blocked.text(), LOST);
        assert_eq!(watching.until_closed(), "");
        assert_eq!(backend.admin(&["CLIENT", "UNPAUSE"]), "+OK\r\n");
        // What was lost was not sent again, and what comes next is answered.
        assert_eq!(waiting.ask(&["INCR", "app:k"]), ":2\r\n");
        assert_eq!(blocked.ask(&["RPUSH", "app:list", "a"]), ":1\r\n");
        assert_eq!(
            blocked.ask(&["BLPOP", "app:list", "0"]),
            "*2\r\n$8\r\napp:list\r\n$1\r\na\r\n"
        );
    });
}

#[test]
fn a_small_reply_of_which_the_end_is_lost_is_lost_as_a_whole() {
    let backend = Backend::start();
    let (moment, half) = (Moment::InsteadOf(b"app:trigger"), b"$10\r\nhalf");
    let relay = Relay::before(backend.socket(), moment, half);
    let mut config = shared(&relay.url());
    config.backend_more = "lost_replies = \"error\"\n".to_owned();
    let redwall = config.start();
    let mut client = app(&redwall);
    assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
    client.send(&["GET", "app:trigger"]);
    wait_until("the half has been sent", || relay.slips() == 1);
    for lane in shared_lanes(&backend) {
        kill_lane(&backend, &lane);
    }
    assert_eq!(client.text(), LOST);
    assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n1\r\n");
}
