//! What needs a connection of its own: that it has it, that it stands ready, and that it ends with what it was lent for.

use redwall::command::{Gate, LaneNeed, classify, lane_need, rows};
use redwall::resp::OwnedRequest;

use crate::bed::{Backend, Client, Gauge, Noted, Pipe, Redwall, Server, wait_until};
use crate::track::{OWN, Seen, lanes, shared};

fn request(words: &[&str]) -> Vec<u8> {
    OwnedRequest::new(words).as_request().bytes().to_vec()
}

/// Text that would be frames of its own if it ever began one.
const FORGED: &str = "x\r\n+FORGED\r\n$6\r\nFORGED\r\n";

/// Commands that may travel on a connection of many, each with arguments that look like replies.
fn forgeries() -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for spec in rows() {
        let words: Vec<&str> = spec.name.split('|').collect();
        for more in 0..5 {
            let mut request = words.clone();
            request.extend(vec![FORGED; more]);
            let owned = OwnedRequest::new(&request);
            let Ok(call) = classify(owned.as_request()) else {
                continue;
            };
            if spec.gate == Gate::Open
                && lane_need(&call) == LaneNeed::Shared
                && !spec.is_container()
            {
                all.push(request);
            }
        }
    }
    assert!(all.len() > 300, "{} forgeries", all.len());
    all
}

/// Commands that change their connection, stop what is behind them, or answer as they like.
const LENT: [&[&str]; 9] = [
    &["FLUSHDB"],
    &["FLUSHALL"],
    &["ASKING"],
    &["READONLY"],
    &["READWRITE"],
    &[
        "EVAL",
        "error('a\\r\\n+FORGED\\r\\n$6\\r\\nFORGED\\r\\n')",
        "0",
    ],
    &["EVAL", "return {err = 'a\\r\\n+FORGED'}", "0"],
    &["SCRIPT", "EXISTS", "a"],
    &["FUNCTION", "LIST"],
];

/// A question whose answer is known by the number of the client alone: so many members, none of which is in the set.
fn question(number: usize) -> (Vec<u8>, String) {
    let mut words = vec!["SMISMEMBER".to_owned(), format!("app:{number}")];
    words.extend(vec!["member".to_owned(); number + 1]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = format!("*{}\r\n{}", number + 1, ":0\r\n".repeat(number + 1));
    (request(&words), answer)
}

/// What others ask meanwhile, some of them in transactions, is answered as ever.
fn assert_undisturbed(others: &mut [Client], by: &[&str]) {
    for (number, other) in others.iter_mut().enumerate() {
        let (question, _) = question(number);
        match number % 2 {
            0 => other.send_raw(&question.repeat(3)),
            _ => {
                let transaction = [request(&["MULTI"]), question, request(&["EXEC"])];
                other.send_raw(&transaction.concat());
            }
        }
    }
    for (number, other) in others.iter_mut().enumerate() {
        let (_, answer) = question(number);
        let wanted = match number % 2 {
            0 => [answer.clone(), answer.clone(), answer],
            _ => [
                "+OK\r\n".into(),
                "+QUEUED\r\n".into(),
                format!("*1\r\n{answer}"),
            ],
        };
        for wanted in wanted {
            assert_eq!(other.text(), wanted, "beside {by:?}");
        }
    }
}

/// What a connection has to do with [`LENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// It carried none of them.
    None,
    /// It carried one, and nothing of others from then on. Before it may have carried others' transactions: from those it comes back
    /// clean.
    Last,
    /// Others were on it, or came to it.
    Beside,
}

fn carried(pipe: &Pipe) -> Carried {
    let is_lent = |request: &Noted| LENT.iter().any(|words| words[0] == request.words[0]);
    let of_others = |request: &Noted| (request.words.iter()).any(|word| word.starts_with("app:"));
    match pipe.requests.iter().position(is_lent) {
        None => Carried::None,
        Some(_) if pipe.name != OWN => Carried::Beside,
        Some(first) if pipe.requests[first..].iter().any(of_others) => Carried::Beside,
        Some(_) => Carried::Last,
    }
}

#[test]
fn commands_that_act_on_their_connection_or_answer_as_they_like_touch_nobody_elses_replies() {
    let forgeries = forgeries();
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        let redwall = shared(&gauge.url()).start();
        let mut others: Vec<Client> = (0..8)
            .map(|_| Client::login(redwall.address, "app", "app"))
            .collect();
        for words in LENT {
            let mut client = Client::login(redwall.address, "root", "root");
            client.send_raw(&[request(words), request(&["GET", "mine"])].concat());
            assert_undisturbed(&mut others, words);
            client.until_closed_or_frame();
        }
        let pipes = gauge.pipes().clone();
        assert!(pipes.iter().any(|pipe| carried(pipe) == Carried::Last));
        for pipe in pipes {
            assert_ne!(carried(&pipe), Carried::Beside, "{server:?}: {pipe:?}");
        }

        let mut client = Client::login(redwall.address, "root", "root");
        let (question, answer) = question(3);
        for words in &forgeries {
            client.send_raw(&[&request(words), &question].map(Vec::as_slice).concat());
            client.frame();
            assert_eq!(client.text(), answer, "{server:?}: behind {words:?}");
        }
    }
}

fn wait_for_blocked(backend: &Backend, count: usize) {
    wait_until("the client is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains(&format!("blocked_clients:{count}\r\n"))
    });
}

#[test]
fn an_element_stays_when_the_client_that_waits_for_it_dies_with_more_on_its_way() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let redwall = shared(&backend.url()).start();
        let mut other = Client::login(redwall.address, "app", "app");
        let behind = request(&["SET", "app:k", &"x".repeat(10_000)]).repeat(300);
        for rest in [&b""[..], &behind] {
            let mut client = Client::login(redwall.address, "app", "app");
            assert_eq!(client.ask(&["SET", "app:m", "1"]), "+OK\r\n");
            client.send(&["BLPOP", "app:l", "0"]);
            wait_for_blocked(&backend, 1);
            client.send_raw(rest);
            drop(client);
            wait_for_blocked(&backend, 0);
            assert_eq!(other.ask(&["RPUSH", "app:l", "x"]), ":1\r\n");
            assert_eq!(other.ask(&["LLEN", "app:l"]), ":1\r\n", "{server:?}");
            assert_eq!(other.ask(&["DEL", "app:l"]), ":1\r\n");
            assert_eq!(
                other.ask(&["EXISTS", "app:k"]),
                ":0\r\n",
                "nothing behind it is carried out"
            );
        }
    }
}

/// One waits for a new entry in the database `number`, on a connection that stood ready before it did.
fn wait_for_entry(clients: &mut [Client; 2], number: &str, backend: &Backend, gauge: &Gauge) {
    let [client, other] = clients;
    wait_until("a connection stands ready", || {
        let lanes = lanes(backend, OWN);
        // One that was only asked who is there isn't set up yet.
        let is_ready =
            |lane: &Seen| lane.field("db") == number && !lane.field("cmd").starts_with("hello");
        lanes.iter().any(is_ready) && gauge.pipes().iter().all(Pipe::is_answered)
    });
    // What the backend has answered before this, Redwall has heard.
    assert!(client.ask(&["XLEN", "app:s"]).starts_with(':'));
    let made = gauge.pipes().len();
    client.send(&["XREAD", "BLOCK", "0", "STREAMS", "app:s", "$"]);
    wait_for_blocked(backend, 1);
    let waits = |pipe: &Pipe| pipe.count("XREAD") > 0;
    let late = gauge.pipes().iter().skip(made).any(waits);
    assert!(!late, "a connection was made for that");
    let added = other.ask(&["XADD", "app:s", "*", "f", "v"]);
    assert!(added.starts_with('$'), "{added}");
    assert!(client.text().contains("app:s"));
}

#[test]
fn one_who_waits_for_new_entries_misses_none_because_a_connection_had_to_be_made_first() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let gauge = Gauge::before(backend.socket());
        // Each worker has its own that stand ready.
        let text = shared(&gauge.url()).text();
        let redwall = Redwall::start(&text.replace("workers = 2\n", "workers = 1\n"));
        for number in ["0", "1"] {
            let mut clients = [(); 2].map(|()| Client::login(redwall.address, "app", "app"));
            for client in &mut clients {
                assert_eq!(client.ask(&["SELECT", number]), "+OK\r\n");
            }
            for _ in 0..3 {
                wait_for_entry(&mut clients, number, &backend, &gauge);
            }
        }
        assert_eq!(gauge.count("XREAD", |_| true), 6, "{server:?}");
    }
}
