//! MULTI, WATCH and EXEC are the backend's own; what Redwall refuses in between makes EXEC fail as Redis would.

use crate::bed::{Backend, Client, Config, Tap};

#[test]
fn a_transaction_runs_whole_and_alone() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    for words in [
        ["MULTI"].as_slice(),
        &["SET", "app:a", "1"],
        &["INCR", "app:a"],
        &["PING"],
        &["EXEC"],
    ] {
        client.send(words);
    }
    assert_eq!(client.text(), "+OK\r\n");
    for _ in 0..3 {
        assert_eq!(client.text(), "+QUEUED\r\n");
    }
    assert_eq!(client.text(), "*3\r\n+OK\r\n:2\r\n+PONG\r\n");
}

#[test]
fn a_denied_command_in_a_transaction_makes_exec_fail_and_nothing_is_written() {
    let backend = Backend::start();
    let tap = Tap::before(backend.socket());
    let redwall = Config::new(&tap.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let refused: [&[&str]; 7] = [
        &["GET", "other"],
        &["NOSUCH"],
        &["GET"],
        &["SUBSCRIBE", "app:c"],
        &["AUTH", "root", "root"],
        &["HELLO", "3"],
        &["CONFIG", "SET", "maxmemory", "1"],
    ];
    for words in refused {
        assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
        assert_eq!(client.ask(&["SET", "app:a", "1"]), "+QUEUED\r\n");
        assert!(client.ask(words).starts_with('-'), "{words:?}");
        assert_eq!(client.ask(&["SET", "app:a", "2"]), "+QUEUED\r\n");
        assert_eq!(
            client.ask(&["EXEC"]),
            "-EXECABORT Transaction discarded because of previous errors.\r\n",
            "{words:?}"
        );
        assert_eq!(client.ask(&["GET", "app:a"]), "$-1\r\n", "{words:?}");
    }
    let heard = String::from_utf8_lossy(&tap.heard()).into_owned();
    assert!(
        !heard.contains("EXEC") && heard.contains("DISCARD"),
        "{heard}"
    );
}

#[test]
fn a_watched_key_that_changes_makes_exec_null() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    let mut other = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["WATCH", "app:a"]), "+OK\r\n");
    assert_eq!(other.ask(&["SET", "app:a", "theirs"]), "+OK\r\n");
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.ask(&["SET", "app:a", "mine"]), "+QUEUED\r\n");
    assert_eq!(client.ask(&["EXEC"]), "*-1\r\n");
    assert_eq!(client.ask(&["GET", "app:a"]), "$6\r\ntheirs\r\n");
}

#[test]
fn an_exec_that_is_refused_ends_the_transaction() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.ask(&["SET", "app:a", "1"]), "+QUEUED\r\n");
    assert_eq!(
        client.ask(&["EXEC", "x"]),
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
    );
    assert_eq!(client.ask(&["GET", "app:a"]), "$-1\r\n");
    assert_eq!(client.ask(&["EXEC"]), "-ERR EXEC without MULTI\r\n");
}

#[test]
fn a_select_behind_a_transaction_that_selects_is_the_backend_s_to_answer() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "root", "root");
    for words in [
        ["MULTI"].as_slice(),
        &["SELECT", "4"],
        &["EXEC"],
        &["SELECT", "0"],
        &["SET", "k", "zero"],
        &["MULTI"],
        &["SELECT", "99"],
        &["EXEC"],
        &["SELECT", "99"],
        &["GET", "k"],
    ] {
        client.send(words);
    }
    for expected in [
        "+OK\r\n",
        "+QUEUED\r\n",
        "*1\r\n+OK\r\n",
        "+OK\r\n",
        "+OK\r\n",
        "+OK\r\n",
        "+QUEUED\r\n",
        "*1\r\n-ERR DB index is out of range\r\n",
        "-ERR DB index is out of range\r\n",
        "$4\r\nzero\r\n",
    ] {
        assert_eq!(client.text(), expected);
    }
    assert!(client.ask(&["CLIENT", "INFO"]).contains(" db=0 "));
}

#[test]
fn a_select_in_a_transaction_counts_when_it_has_run() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "root", "root");
    let steps: [(&[&str], &str); 9] = [
        (&["MULTI"], "+OK\r\n"),
        (&["SELECT", "4"], "+QUEUED\r\n"),
        (&["SET", "k", "four"], "+QUEUED\r\n"),
        (&["EXEC"], "*2\r\n+OK\r\n+OK\r\n"),
        (&["GET", "k"], "$4\r\nfour\r\n"),
        (&["SELECT", "4"], "+OK\r\n"),
        (&["SELECT", "0"], "+OK\r\n"),
        (&["GET", "k"], "$-1\r\n"),
        (&["SELECT", "99"], "-ERR DB index is out of range\r\n"),
    ];
    for (words, expected) in steps {
        assert_eq!(client.ask(words), expected, "{words:?}");
    }
    assert!(client.ask(&["CLIENT", "INFO"]).contains(" db=0 "));
}
