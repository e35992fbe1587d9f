//! A backend that is down, hangs, breaks off or isn't what it should be.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use redwall::resp::{Limits, RequestScanner, Scan};

use crate::bed::{Backend, Client, Config, Identity, Redwall, Server, TempDir, wait_until};

#[test]
fn a_backend_that_is_down_is_an_error_in_order_and_comes_back() {
    let folder = TempDir::new("nobody");
    let mut config = Config::new(&format!(
        "unix://{}",
        folder.path().join("none.sock").display()
    ));
    config.users = config
        .users
        .replace("[database.users.app]", "[database.users.app]\n");
    let redwall = config.start();
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    client.send(&["GET", "app:k"]);
    client.send(&["PING"]);
    client.send(&["GET", "other"]);
    assert_eq!(client.text(), "-ERR backend unavailable\r\n");
    assert_eq!(client.text(), "+PONG\r\n");
    assert!(client.text().starts_with("-NOPERM"));
    assert_eq!(redwall.page("/readyz").0, 200);
    assert_eq!(redwall.page("/readyz/main").0, 503);
    let backend = Backend::start();
    std::os::unix::fs::symlink(backend.socket(), folder.path().join("none.sock")).unwrap();
    wait_until("the backend is found", || {
        client.ask(&["GET", "app:k"]) == "$-1\r\n"
    });
    wait_until("the database is ready", || {
        redwall.page("/readyz/main").0 == 200
    });
}

#[test]
fn a_client_whose_reply_is_lost_is_closed_and_an_idle_one_goes_on() {
    let mut backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut idle = Client::login(redwall.address, "app", "app");
    assert_eq!(idle.ask(&["SET", "app:k", "1"]), "+OK\r\n");
    let mut waiting = Client::login(redwall.address, "app", "app");
    waiting.send(&["BLPOP", "app:l", "0"]);
    let mut watching = Client::login(redwall.address, "app", "app");
    assert_eq!(watching.ask(&["WATCH", "app:k"]), "+OK\r\n");
    wait_until("the client is blocked", || {
        backend
            .admin(&["INFO", "clients"])
            .contains("blocked_clients:1")
    });
    backend.kill();
    assert_eq!(waiting.until_closed(), "");
    assert_eq!(
        watching.until_closed(),
        "",
        "a lost WATCH would make the next EXEC a false success"
    );
    assert_eq!(idle.ask(&["GET", "app:k"]), "-ERR backend unavailable\r\n");
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"backend\"}",
        2.0,
    );
}

/// Redwall before `backend`, where a request may take so long.
fn impatient(backend: &Backend, request_timeout: &str) -> Redwall {
    let mut config = Config::new(&backend.url());
    config.backend_more = format!("request_timeout = \"{request_timeout}\"");
    config.start()
}

#[test]
fn a_backend_that_hangs_is_an_error_in_time_and_nothing_is_sent_twice() {
    let backend = Backend::start();
    let redwall = impatient(&backend, "500ms");
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SET", "app:n", "0"]), "+OK\r\n");
    backend.freeze();
    client.send(&["INCR", "app:n"]);
    client.send(&["PING"]);
    assert_eq!(client.text(), "-ERR backend timeout\r\n");
    assert_eq!(client.text(), "+PONG\r\n");
    // Nothing at all has come for twice as long.
    assert_eq!(client.until_closed(), "");
    backend.thaw();
    let mut client = Client::login(redwall.address, "app", "app");
    let count = client.ask(&["GET", "app:n"]);
    assert!(count == "$1\r\n1\r\n" || count == "$1\r\n0\r\n", "{count}");
    redwall.wait_for_metric("redwall_request_timeouts_total{database=\"main\"}", 1.0);
}

#[test]
fn a_reply_that_comes_too_late_is_nobody_s_and_its_client_goes_on() {
    let backend = Backend::start();
    let redwall = impatient(&backend, "1s");
    let mut client = Client::login(redwall.address, "app", "app");
    let mut other = Client::login(redwall.address, "app", "app");
    let large = "x".repeat(300 * 1024);
    assert_eq!(client.ask(&["SET", "app:large", &large]), "+OK\r\n");
    assert_eq!(other.ask(&["GET", "app:other"]), "$-1\r\n");
    backend.freeze();
    client.send(&["INCR", "app:n"]);
    client.send(&["PING", "between"]);
    client.send(&["GET", "app:large"]);
    assert_eq!(client.text(), "-ERR backend timeout\r\n");
    assert_eq!(client.text(), "$7\r\nbetween\r\n");
    assert_eq!(client.text(), "-ERR backend timeout\r\n");
    client.send(&["INCR", "app:n"]);
    other.send(&["GET", "app:other"]);
    backend.thaw();
    assert_eq!(client.text(), ":2\r\n", "carried out late, and once");
    assert_eq!(other.text(), "$-1\r\n");
    assert_eq!(client.ask(&["SET", "app:other", "1"]), "+OK\r\n");
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.ask(&["GET", "app:n"]), "+QUEUED\r\n");
    assert_eq!(client.ask(&["EXEC"]), "*1\r\n$1\r\n2\r\n");
    redwall.wait_for_metric("redwall_request_timeouts_total{database=\"main\"}", 2.0);
}

#[test]
fn a_client_whose_state_hangs_on_a_reply_that_comes_too_late_is_told_and_closed() {
    let backend = Backend::start();
    let redwall = impatient(&backend, "500ms");
    let mut queueing = Client::login(redwall.address, "app", "app");
    let mut executing = Client::login(redwall.address, "app", "app");
    for client in [&mut queueing, &mut executing] {
        assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
        assert_eq!(client.ask(&["INCR", "app:n"]), "+QUEUED\r\n");
    }
    backend.freeze();
    queueing.send(&["INCR", "app:n"]);
    queueing.send(&["PING"]);
    executing.send(&["EXEC"]);
    assert_eq!(queueing.until_closed(), "-ERR backend timeout\r\n");
    assert_eq!(executing.until_closed(), "-ERR backend timeout\r\n");
    backend.thaw();
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"backend_timeout\"}",
        2.0,
    );
    redwall.wait_for_metric("redwall_request_timeouts_total{database=\"main\"}", 2.0);
}

#[test]
fn a_command_that_is_queued_late_is_not_said_to_have_failed_when_exec_succeeds() {
    let backend = Backend::start();
    let redwall = impatient(&backend, "1s");
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    backend.freeze();
    client.send(&["SET", "app:k", "v"]);
    // That so much time lies between them is what this is about: EXEC isn't overdue yet when the command before it is.
    std::thread::park_timeout(Duration::from_millis(700));
    client.send(&["EXEC"]);
    assert_eq!(client.text(), "-ERR backend timeout\r\n");
    backend.thaw();
    assert_eq!(client.until_closed(), "");
}

#[test]
fn each_request_that_a_client_is_told_of_as_timed_out_is_counted() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.database = "lanes = \"own\"".to_owned();
    config.backend_more = "request_timeout = \"500ms\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    backend.freeze();
    client.send(&["GET", "app:k"]);
    // Nobody knows which number is selected after this one.
    client.send(&["SELECT", "1"]);
    let told = "-ERR backend timeout\r\n".repeat(2);
    assert_eq!(client.until_closed(), told);
    backend.thaw();
    redwall.wait_for_metric("redwall_request_timeouts_total{database=\"main\"}", 2.0);
}

#[test]
fn a_client_that_was_told_of_a_late_reply_may_leave_without_it() {
    let backend = Backend::start();
    let redwall = impatient(&backend, "1s");
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["GET", "app:n"]), "$-1\r\n");
    backend.freeze();
    client.send(&["INCR", "app:n"]);
    assert_eq!(client.text(), "-ERR backend timeout\r\n");
    client.send(&["QUIT"]);
    assert_eq!(client.until_closed(), "+OK\r\n");
    redwall.wait_for_metric(
        "redwall_connections_closed_total{database=\"main\",reason=\"client\"}",
        1.0,
    );
    backend.thaw();
}

#[test]
fn a_reply_of_which_the_end_is_missing_is_not_ended_by_an_error() {
    with_half_a_reply(b"$40000\r\nhalf", "", |client| {
        assert_eq!(client.until_closed(), "$40000\r\nhalf");
    });
}

#[test]
fn nothing_is_told_of_a_small_reply_on_a_shared_lane_of_which_the_end_is_missing() {
    with_half_a_reply(b"$30\r\nhalf", "lanes = \"shared\"", |client| {
        assert_eq!(client.text(), "-ERR backend timeout\r\n");
        assert_eq!(client.text(), "+PONG\r\n");
    });
}

/// A client asks for a value, of which the backend sends only `half`, and for a PING.
fn with_half_a_reply(half: &'static [u8], database: &str, then: impl FnOnce(&mut Client)) {
    let folder = TempDir::new("half");
    let mut config = Config::new(&mock(&folder, half));
    if !database.is_empty() {
        config.database = database.to_owned();
    }
    config.backend_more = "request_timeout = \"300ms\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send(&["GET", "app:k"]);
    client.send(&["PING"]);
    then(&mut client);
}

#[test]
fn a_server_that_is_set_up_as_the_readme_says_still_has_its_transactions_after_a_restart() {
    for server in Server::ALL {
        let lines = ["appendonly yes", "appendfsync no"];
        let mut backend = Backend::start_as(server, &lines);
        let mut admin = backend.direct("admin", 2);
        for words in [&["MULTI"][..], &["SET", "a", "1"], &["SET", "b", "2"]] {
            admin.ask(words);
        }
        assert_eq!(admin.ask(&["EXEC"]), b"*2\r\n+OK\r\n+OK\r\n");
        backend.restart();
        wait_until("it has loaded its data", || {
            backend.admin(&["PING"]) == "+PONG\r\n"
        });
        let value = backend.admin(&["GET", "b"]);
        assert_eq!(value, "$1\r\n2\r\n", "{server:?}");
    }
}

#[test]
fn a_backend_in_cluster_mode_is_refused_with_a_text_that_says_so() {
    let backend = Backend::start_as(
        crate::bed::Server::Redis70,
        &["cluster-enabled yes", "port 0"],
    );
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    assert!(client.ask(&["GET", "app:k"]).contains("cluster"));
    redwall.wait_for_log("cluster mode");
}

#[test]
fn a_wrong_service_password_is_told_to_the_operator_and_not_to_clients() {
    let backend = Backend::start();
    let config = Config::new(&backend.url())
        .text()
        .replace("user = \"redwall\"", "user = \"nosuch\"");
    let redwall = crate::bed::Redwall::start(&config);
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    assert_eq!(
        client.ask(&["GET", "app:k"]),
        "-ERR backend unavailable\r\n"
    );
    redwall.wait_for_log("the backend refused HELLO: WRONGPASS");
    assert!(!redwall.log().contains("service"), "{}", redwall.log());
}

/// A server that lets Redwall in and answers a client's first request with the given bytes, and nothing after it: no real one can be
/// asked for that.
fn mock(folder: &TempDir, answer: &'static [u8]) -> String {
    let path = folder.path().join("mock.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || answer_once(stream, answer));
        }
    });
    format!("unix://{}", path.display())
}

fn answer_once(mut stream: UnixStream, answer: &[u8]) {
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let mut scanner = RequestScanner::default();
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            return;
        }
        heard.extend_from_slice(&buffer[..count]);
        while let Ok(Scan::Complete { len }) = scanner.scan(&heard, &Limits::DEFAULT) {
            let request: Vec<u8> = heard.drain(..len).collect();
            let words: Vec<&[u8]> = scanner.request(&request).iter().collect();
            let (reply, is_last) = match to_redwall(&words) {
                Some(reply) => (reply, false),
                None => (answer.to_vec(), true),
            };
            if stream.write_all(&reply).is_err() {
                return;
            }
            if is_last {
                // Silent, but there.
                let _ = stream.read_to_end(&mut Vec::new());
                return;
            }
        }
    }
}

/// What a server answers to what Redwall asks for its own sake.
fn to_redwall(words: &[&[u8]]) -> Option<Vec<u8>> {
    let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    Some(match words {
        [b"HELLO", ..] => b"*8\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n".to_vec(),
        [b"INFO", ..] => bulk(b"# Server\r\nrun_id:0123456789012345678901234567890123456789\r\n"),
        [b"ROLE"] => b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n".to_vec(),
        [b"CLIENT", ..] => b"+OK\r\n".to_vec(),
        [b"ECHO", text] => bulk(text),
        [b"PING"] => b"+PONG\r\n".to_vec(),
        _ => return None,
    })
}

#[test]
fn a_surplus_or_undecodable_reply_closes_the_connection_before_anybody_gets_a_foreign_one() {
    for (answer, expected) in [
        (b"+OK\r\n+SURPLUS\r\n".as_slice(), "+OK\r\n"),
        (b"?nonsense\r\n", ""),
        (b"$3\r\nabcde", ""),
        (b"$-9\r\n", ""),
    ] {
        let folder = TempDir::new("mock");
        let redwall = Config::new(&mock(&folder, answer)).start();
        let mut client = Client::login(redwall.address, "app", "app");
        client.send(&["GET", "app:k"]);
        let said = client.until_closed();
        assert!(!said.contains("SURPLUS\r\n+"), "{said:?}");
        assert!(said.starts_with(expected), "{said:?}");
        redwall.wait_for_log("replies could not be paired");
    }
}

#[test]
fn a_backend_that_stands_still_is_waited_for_as_long_as_a_request_may_take_though_no_connection_can_be_made()
 {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.backend_more = "connect_timeout = \"300ms\"".to_owned();
    let redwall = config.start();
    let mut clients: Vec<Client> = (0..8)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    }
    backend.freeze();
    // They come one after the other, some when others have waited for a while.
    for client in &mut clients {
        client.send(&["GET", "app:k"]);
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    backend.thaw();
    for client in &mut clients {
        assert_eq!(client.text(), "$-1\r\n");
    }
}
