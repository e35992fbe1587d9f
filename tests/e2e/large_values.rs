//! Values of many megabytes: streamed where that is safe, else held up to a cap.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::bed::{Backend, Client, Config, wait_until};

/// The head of a SET of `len` bytes.
fn set_head(key: &str, len: usize) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${len}\r\n", key.len()).into_bytes()
}

#[test]
fn a_large_set_and_get_stream_through_in_bounded_memory() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let before = redwall.resident();
    let (len, block) = (200 << 20, vec![b'v'; 1 << 20]);
    client.send_raw(&set_head("app:big", len));
    for _ in 0..len / block.len() {
        client.send_raw(&block);
    }
    client.send_raw(b"\r\n");
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(client.ask(&["STRLEN", "app:big"]), format!(":{len}\r\n"));
    assert_eq!(client.ask_bytes(&["GET", "app:big"]).len(), len + 14);
    let grown = redwall.resident().saturating_sub(before);
    assert!(
        grown < 48 << 20,
        "memory grew by {grown} bytes for a value of {len}"
    );
}

#[test]
fn an_announced_length_alone_takes_no_memory() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let before = redwall.resident();
    let mut clients: Vec<_> = (0..20)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        client.send_raw(b"*1000000\r\n$4\r\nMSET\r\n$500000000\r\n");
    }
    let mut other = Client::login(redwall.address, "app", "app");
    assert_eq!(other.ask(&["PING"]), "+PONG\r\n");
    let grown = redwall.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "memory grew by {grown} bytes");
}

#[test]
fn announced_bytes_count_before_they_reach_the_backend() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "max_uploads = \"100MiB\"".to_owned();
    let redwall = config.start();
    let mut first = Client::login(redwall.address, "app", "app");
    first.send_raw(&set_head("app:a", 60 << 20));
    wait_until("the first upload is on its way", || {
        redwall.metric("redwall_commands_total{command=\"set\",verdict=\"allowed\"}") == 1.0
    });
    let mut second = Client::login(redwall.address, "app", "app");
    second.send_raw(&set_head("app:b", 60 << 20));
    assert!(
        second
            .text()
            .starts_with("-ERR too many bytes of large values")
    );
    first.socket().shutdown(Shutdown::Both).unwrap();
    wait_until("the budget is given back", || {
        let mut third = Client::login(redwall.address, "app", "app");
        let len = 60 << 20;
        third.send_raw(&set_head("app:c", len));
        third.send_raw(&vec![b'v'; len]);
        third.send_raw(b"\r\n");
        third.text() == "+OK\r\n"
    });
    assert_eq!(
        backend.admin(&["EXISTS", "app:a"]),
        ":0\r\n",
        "a command that was cut off leaves nothing"
    );
}

#[test]
fn a_request_whose_verdict_could_still_change_is_held_whole_or_refused_in_its_turn() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "max_request = \"4MiB\"".to_owned();
    config.users += "[database.users.writer]\nrules = [\"+set\", \"+mset\", \"%W~*\"]\n";
    config.users += &crate::bed::passwords("writer");
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "writer", "writer");
    let value = "v".repeat(2 << 20);
    assert_eq!(client.ask(&["MSET", "a", &value, "b", "1"]), "+OK\r\n");
    assert!(
        client
            .ask(&["SET", "a", &value, "GET"])
            .starts_with("-NOPERM"),
        "GET comes after the value, and counts"
    );
    let value = "v".repeat(5 << 20);
    client.send(&["SET", "a", "1"]);
    client.send(&["MSET", "a", &value, "b", "1"]);
    client.send(&["SET", "a", "2"]);
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(
        client.text(),
        "-ERR request exceeds the 4194304 bytes that Redwall holds for one command\r\n"
    );
    assert_eq!(client.text(), "+OK\r\n");
}

#[test]
fn a_bound_on_what_is_held_whole_holds_for_small_requests_too() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "max_request = \"64KiB\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    let value = "v".repeat(200 << 10);
    assert_eq!(
        client.ask(&["MSET", "app:a", &value, "app:b", "1"]),
        "-ERR request exceeds the 65536 bytes that Redwall holds for one command\r\n"
    );
    assert_eq!(client.ask(&["SET", "app:a", &value]), "+OK\r\n");
}

#[test]
fn a_denied_large_value_is_read_away_and_the_next_command_is_served() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send(&["SET", "other", &"v".repeat(20 << 20)]);
    client.send(&["PING"]);
    assert!(client.text().starts_with("-NOPERM"));
    assert_eq!(client.text(), "+PONG\r\n");
}

#[test]
fn a_client_that_writes_its_whole_pipeline_before_it_reads_does_not_hang() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let value = "v".repeat(16 << 10);
    let mut pipeline = Vec::new();
    let rounds = 1_600;
    for _ in 0..rounds {
        pipeline.extend_from_slice(
            redwall::resp::OwnedRequest::new(&["SET", "app:k", &value])
                .as_request()
                .bytes(),
        );
        pipeline.extend_from_slice(
            redwall::resp::OwnedRequest::new(&["GET", "app:k"])
                .as_request()
                .bytes(),
        );
    }
    client.send_raw(&pipeline);
    for _ in 0..rounds {
        assert_eq!(client.text(), "+OK\r\n");
        assert_eq!(client.frame().len(), value.len() + 10);
    }
}

#[test]
fn a_client_that_never_reads_is_closed_and_others_do_not_notice() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "output_timeout = \"1s\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(
        client.ask(&["SET", "app:k", &"v".repeat(8 << 20)]),
        "+OK\r\n"
    );
    let mut glutton = Client::login(redwall.address, "app", "app");
    for _ in 0..20 {
        glutton.send(&["GET", "app:k"]);
    }
    wait_until("the glutton is closed", || {
        assert_eq!(client.ask(&["STRLEN", "app:k"]), ":8388608\r\n");
        redwall
            .metric("redwall_connections_closed_total{database=\"main\",reason=\"output_timeout\"}")
            == 1.0
    });
    let _ = glutton.socket().write(&[]);
}

#[test]
fn a_large_value_that_stalls_gives_its_share_back_and_one_that_goes_on_does_not() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "upload_timeout = \"1s\"\nmax_uploads = \"8MiB\"".to_owned();
    let redwall = config.start();
    let mut stalls = Client::login(redwall.address, "app", "app");
    stalls.send_raw(&set_head("app:a", 6 << 20));
    stalls.send_raw(b"12345678");
    let mut goes_on = Client::login(redwall.address, "app", "app");
    goes_on.send_raw(&set_head("app:b", 2_000_000));
    // Slowly, for longer than the time-out.
    for _ in 0..20 {
        goes_on.send_raw(&[b'v'; 100_000]);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    goes_on.send_raw(b"\r\n");
    assert_eq!(goes_on.text(), "+OK\r\n");
    assert_eq!(stalls.until_closed(), "");
    assert_eq!(
        redwall.metric(
            "redwall_connections_closed_total{database=\"main\",reason=\"upload_timeout\"}"
        ),
        1.0
    );
    // The whole budget is there again.
    let value = "v".repeat(7 << 20);
    assert_eq!(goes_on.ask(&["SET", "app:c", &value]), "+OK\r\n");
}

#[test]
fn one_user_s_large_values_leave_room_for_those_of_others() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "max_uploads = \"100MiB\"".to_owned();
    config.users = config.users.replace(
        "[database.users.app]",
        "[database.users.app]\nmax_uploads = \"10MiB\"",
    );
    let redwall = config.start();
    let allowed = "redwall_commands_total{command=\"set\",verdict=\"allowed\"}";
    let login = |user| Client::login(redwall.address, user, user);
    let mut first = login("app");
    first.send_raw(&set_head("app:a", 6 << 20));
    wait_until("the first upload is on its way", || {
        redwall.metric(allowed) == 1.0
    });
    let mut second = login("app");
    second.send_raw(&set_head("app:b", 6 << 20));
    assert_eq!(
        second.text(),
        "-ERR too many bytes of this user's large values are on their way to the backend\r\n"
    );
    let mut root = login("root");
    let value = "v".repeat(6 << 20);
    assert_eq!(root.ask(&["SET", "app:c", &value]), "+OK\r\n");
    first.send_raw(value.as_bytes());
    first.send_raw(b"\r\n");
    assert_eq!(first.text(), "+OK\r\n");
    assert_eq!(first.ask(&["SET", "app:d", &value]), "+OK\r\n");
}

#[test]
fn a_user_s_values_are_as_large_as_that_user_may_send_them() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = config.users.replace(
        "[database.users.app]",
        "[database.users.app]\nmax_value = \"64KiB\"",
    );
    let redwall = config.start();
    let (fits, too_large) = ("v".repeat(64 << 10), "v".repeat((64 << 10) + 1));
    let mut app = Client::login(redwall.address, "app", "app");
    assert_eq!(app.ask(&["SET", "app:a", &fits]), "+OK\r\n");
    let mut root = Client::login(redwall.address, "root", "root");
    assert_eq!(root.ask(&["SET", "app:b", &too_large]), "+OK\r\n");
    app.send(&["SET", "app:c", &too_large]);
    assert_eq!(
        app.until_closed(),
        "-ERR Protocol error: invalid bulk length\r\n"
    );
    assert_eq!(root.ask(&["EXISTS", "app:c"]), ":0\r\n");
}

#[test]
fn a_large_value_that_the_budget_refuses_is_refused_once_however_it_arrives() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.limits = "max_uploads = \"1MiB\"\nmax_request = \"2MiB\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send_raw(&set_head("app:a", 4 << 20));
    assert!(
        client
            .text()
            .starts_with("-ERR too many bytes of large values")
    );
    for _ in 0..4 {
        client.send_raw(&vec![b'v'; 1 << 20]);
        assert!(client.is_silent(Duration::from_millis(50)));
    }
    client.send_raw(b"\r\n");
    assert_eq!(client.ask(&["EXISTS", "app:a"]), ":0\r\n");
}

#[test]
fn a_client_that_uploads_slowly_is_not_taken_for_a_slow_backend() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.backend_more = "request_timeout = \"300ms\"".to_owned();
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send_raw(&set_head("app:a", 2 << 20));
    for _ in 0..4 {
        client.send_raw(&vec![b'v'; 512 << 10]);
        assert!(client.is_silent(Duration::from_millis(200)));
    }
    client.send_raw(b"\r\n");
    assert_eq!(client.text(), "+OK\r\n");
}

#[test]
fn a_client_that_reads_slowly_is_not_taken_for_a_slow_backend() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.backend_more = "request_timeout = \"300ms\"".to_owned();
    let redwall = config.start();
    let len = 32 << 20;
    backend.admin(&["SET", "app:k", &"v".repeat(len)]);
    let mut client = Client::login(redwall.address, "app", "app");
    // At first where replies of others may come too, then where large ones do.
    for _ in 0..2 {
        client.send(&["GET", "app:k"]);
        std::thread::sleep(Duration::from_millis(900));
        assert_eq!(client.frame().len(), len + 13);
    }
    assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
}

#[test]
fn bytes_that_are_no_resp_inside_a_large_value_are_told_at_once() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send(&["PING"]);
    client.send_raw(&set_head("app:a", 2 << 20));
    client.send_raw(&vec![b'v'; 2 << 20]);
    client.send_raw(b"xx");
    let heard = client.until_closed();
    assert!(heard.starts_with("+PONG\r\n-ERR Protocol error"), "{heard}");
    assert_eq!(backend.admin(&["EXISTS", "app:a"]), ":0\r\n");
}

/// Its kernel keeps the end of a request until the beginning is acknowledged, and Redwall's would do that after 40 ms.
#[test]
fn a_client_with_nagle_s_algorithm_on_is_not_kept_waiting_for_an_acknowledgement() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.socket().set_nodelay(false).unwrap();
    // One that is held whole, and one that is streamed.
    for len in [20_000, (1 << 20) + 5_000] {
        let request = [set_head("app:k", len), vec![b'v'; len], b"\r\n".to_vec()].concat();
        let begun = Instant::now();
        for _ in 0..100 {
            let (beginning, end) = request.split_at(len - 3_000);
            client.send_raw(beginning);
            client.send_raw(end);
            assert_eq!(client.text(), "+OK\r\n");
        }
        let taken = begun.elapsed();
        assert!(taken < Duration::from_secs(2), "{len}: {taken:?}");
    }
}
