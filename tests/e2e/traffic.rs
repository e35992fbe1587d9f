//! Requests of every shape: inline, cut, malformed, before login; and what Redwall answers itself.

use crate::bed::{Backend, Client, Config, Identity, Server, Tap, passwords};

#[test]
fn a_request_that_arrives_byte_by_byte_is_answered_like_any_other() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    for byte in b"*3\r\n$3\r\nSET\r\n$5\r\napp:k\r\n$1\r\nv\r\n" {
        client.send_raw(&[*byte]);
    }
    assert_eq!(client.text(), "+OK\r\n");
}

#[test]
fn inline_commands_work_and_reach_the_backend_in_canonical_form_only() {
    let backend = Backend::start();
    let tap = Tap::before(backend.socket());
    let redwall = Config::new(&tap.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    client.send_raw(b"set app:k \"a\\x20b\\r\\nDEL app:k\"\n\r\nGET app:k\r\nGET other\r\n");
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(client.text(), "$14\r\na b\r\nDEL app:k\r\n");
    assert!(client.text().starts_with("-NOPERM"));
    assert_eq!(
        String::from_utf8_lossy(&tap.heard()),
        "*3\r\n$3\r\nset\r\n$5\r\napp:k\r\n$14\r\na b\r\nDEL app:k\r\n*2\r\n$3\r\nGET\r\n$5\r\napp:k\r\n"
    );
}

#[test]
fn malformed_requests_are_told_so_after_the_replies_before_them_and_then_closed() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let cases: [(&[u8], &str); 6] = [
        (
            b"*1\r\n+PING\r\n",
            "-ERR Protocol error: expected '$', got '+'\r\n",
        ),
        (
            b"*x\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            b"*1\r\n$-5\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
        ),
        (
            b"*99999999999\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            b"*1\r\n$9999999999\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
        ),
        (
            b"set \"a\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        ),
    ];
    for (bytes, expected) in cases {
        let mut client = Client::login(redwall.address, "app", "app");
        client.send_raw(&[b"*2\r\n$3\r\nGET\r\n$5\r\napp:k\r\n", bytes].concat());
        assert_eq!(client.until_closed(), format!("$-1\r\n{expected}"));
    }
}

#[test]
fn a_browser_that_is_made_to_post_is_closed_without_a_word() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    for bytes in [
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET app:k v\r\n".as_slice(),
        b"Host: x\r\nSET app:k v\r\n",
    ] {
        let mut client = Client::login(redwall.address, "app", "app");
        client.send_raw(bytes);
        assert_eq!(client.until_closed(), "");
    }
    assert_eq!(backend.admin(&["EXISTS", "app:k"]), ":0\r\n");
}

#[test]
fn before_login_nothing_is_told_but_that_login_is_needed() {
    let backend = Backend::start();
    let tap = Tap::before(backend.socket());
    let redwall = Config::new(&tap.url()).start();
    let mut client = Client::connect(redwall.address, Identity::None);
    for words in [
        ["GET", "app:k"],
        ["NOSUCH", "x"],
        ["PING", "x"],
        ["COMMAND", "COUNT"],
        ["GET", ""],
    ] {
        assert_eq!(
            client.ask(&words),
            "-NOAUTH Authentication required.\r\n",
            "{words:?}"
        );
    }
    assert_eq!(tap.heard(), b"");
    assert_eq!(client.ask(&["RESET"]), "+RESET\r\n");
    assert_eq!(client.ask(&["QUIT"]), "+OK\r\n");
    assert_eq!(client.until_closed(), "");
}

#[test]
fn before_login_requests_are_small_or_refused() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let cases: [(&[u8], &str); 2] = [
        (
            b"*11\r\n",
            "-ERR Protocol error: unauthenticated multibulk length\r\n",
        ),
        (
            b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
            "-ERR Protocol error: unauthenticated bulk length\r\n",
        ),
    ];
    for (bytes, expected) in cases {
        let mut client = Client::connect(redwall.address, Identity::None);
        client.send_raw(bytes);
        assert_eq!(client.until_closed(), expected);
    }
}

#[test]
fn a_login_in_a_pipeline_counts_for_what_comes_behind_it() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::connect(redwall.address, Identity::None);
    client.send(&["AUTH", "app", "app"]);
    client.send(&["SET", "app:k", &"v".repeat(20_000)]);
    client.send(&["STRLEN", "app:k"]);
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(client.text(), "+OK\r\n");
    assert_eq!(client.text(), ":20000\r\n");
}

#[test]
fn what_concerns_only_the_connection_is_answered_for_everybody_who_is_logged_in() {
    let backend = Backend::start();
    let tap = Tap::before(backend.socket());
    let mut config = Config::new(&tap.url());
    config.users += &format!("[database.users.nothing]\n{}\n", passwords("nothing"));
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "nothing", "nothing");
    let cases: [(&[&str], &str); 9] = [
        (&["PING"], "+PONG\r\n"),
        (&["PING", "hi"], "$2\r\nhi\r\n"),
        (&["ECHO", "hi"], "$2\r\nhi\r\n"),
        (&["SELECT", "0"], "+OK\r\n"),
        (&["CLIENT", "GETNAME"], "$-1\r\n"),
        (&["CLIENT", "SETNAME", "me"], "+OK\r\n"),
        (&["CLIENT", "GETNAME"], "$2\r\nme\r\n"),
        (&["CLIENT", "SETINFO", "lib-name", "x"], "+OK\r\n"),
        (
            &["CLIENT", "SETNAME", "a b"],
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(client.ask(words), expected, "{words:?}");
    }
    assert!(client.ask(&["CLIENT", "ID"]).starts_with(':'));
    assert!(client.ask(&["SELECT", "1"]).starts_with("-NOPERM"));
    assert!(client.ask(&["TIME"]).starts_with("-NOPERM"));
    assert_eq!(client.ask(&["COMMAND", "COUNT"]), ":0\r\n");
    assert!(
        client
            .hello(3)
            .starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n")
    );
    assert_eq!(client.ask(&["CLIENT", "SETNAME", ""]), "+OK\r\n");
    assert_eq!(client.ask(&["CLIENT", "GETNAME"]), "_\r\n");
    assert_eq!(tap.heard(), b"");
}

#[test]
fn hello_does_all_that_it_is_asked_or_nothing() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::connect(redwall.address, Identity::None);
    assert!(
        client
            .ask(&["HELLO"])
            .starts_with("-NOAUTH HELLO must be called")
    );
    assert!(client.ask(&["HELLO", "4"]).starts_with("-NOPROTO"));
    assert!(
        client
            .ask(&["HELLO", "3", "AUTH", "app", "wrong"])
            .starts_with("-WRONGPASS")
    );
    assert!(
        client
            .ask(&["HELLO", "3", "AUTH", "app", "app", "SETNAME", "a b"])
            .starts_with("-ERR Client names")
    );
    assert_eq!(
        client.ask(&["GET", "app:k"]),
        "-NOAUTH Authentication required.\r\n"
    );
    let hello = client.ask(&["HELLO", "3", "AUTH", "app", "app", "SETNAME", "me"]);
    assert!(hello.starts_with("%7\r\n"), "{hello:?}");
    assert!(
        hello.contains("$7\r\nversion\r\n$6\r\n7.0.15\r\n"),
        "{hello:?}"
    );
    assert_eq!(client.ask(&["CLIENT", "GETNAME"]), "$2\r\nme\r\n");
    assert_eq!(client.ask(&["GET", "app:k"]), "_\r\n");
    assert!(client.hello(2).starts_with("*14\r\n"));
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
}

#[test]
fn the_protocol_changes_in_the_middle_of_a_pipeline_at_the_right_reply() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "app", "app");
    for words in [
        ["GET", "app:k"],
        ["HELLO", "3"],
        ["GET", "app:k"],
        ["HELLO", "2"],
        ["GET", "app:k"],
    ] {
        client.send(&words);
    }
    assert_eq!(client.text(), "$-1\r\n");
    assert!(client.text().starts_with("%7"));
    assert_eq!(client.text(), "_\r\n");
    assert!(client.text().starts_with("*14"));
    assert_eq!(client.text(), "$-1\r\n");
}

#[test]
fn lines_of_blanks_before_a_request_never_reach_the_backend() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let redwall = Config::new(&backend.url()).start();
        let mut client = Client::login(redwall.address, "root", "root");
        assert_eq!(client.ask(&["SET", "k", "v"]), "+OK\r\n");
        for blanks in [" \r\n", "\x0b\n", "\r\r\n", "\t \x0c\r\n\r\n \n"] {
            // A server that took the array for lines would carry out the last one.
            client.send_raw(format!("{blanks}*2\r\n$4\r\nECHO\r\n$7\r\nFLUSHDB\r\n").as_bytes());
            assert_eq!(client.text(), "$7\r\nFLUSHDB\r\n", "{server:?}");
            assert_eq!(client.ask(&["GET", "k"]), "$1\r\nv\r\n", "{server:?}");
        }
    }
}

#[test]
fn quit_and_reset_wait_for_the_replies_before_them() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut client = Client::login(redwall.address, "root", "root");
    client.send(&["SELECT", "3"]);
    client.send(&["SET", "k", "three"]);
    client.send(&["RESET"]);
    client.send(&["GET", "k"]);
    client.send(&["AUTH", "root", "root"]);
    client.send(&["GET", "k"]);
    client.send(&["QUIT"]);
    assert_eq!(
        client.until_closed(),
        "+OK\r\n+OK\r\n+RESET\r\n-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n+OK\r\n"
    );
}

#[test]
fn info_tells_of_other_databases_keys_only_to_those_who_may_read_all() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users += &format!(
        "[database.users.info]\nrules = [\"+info\", \"~app:*\"]\n{}\n",
        passwords("info")
    );
    let redwall = config.start();
    backend.admin(&["SET", "secret", "1"]);
    let mut reader = Client::login(redwall.address, "reader", "reader");
    assert!(reader.ask(&["INFO", "keyspace"]).contains("db0:keys=1"));
    let mut limited = Client::login(redwall.address, "info", "info");
    for words in [
        ["INFO"].as_slice(),
        &["INFO", "keyspace"],
        &["INFO", "everything"],
    ] {
        let info = limited.ask(words);
        assert!(
            info.contains("redis_version:") && info.contains("used_memory:"),
            "{info}"
        );
        assert!(!info.contains("db0:"), "{info}");
    }
}

#[test]
fn command_lists_only_ones_own_rows() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users += &format!(
        "[database.users.few]\nrules = [\"+get\", \"+set\", \"~*\"]\n{}\n",
        passwords("few")
    );
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "few", "few");
    assert_eq!(client.ask(&["COMMAND", "COUNT"]), ":2\r\n");
    assert_eq!(
        client.ask(&["COMMAND", "LIST"]),
        "*2\r\n$3\r\nget\r\n$3\r\nset\r\n"
    );
    assert!(
        client
            .ask(&["COMMAND", "INFO", "get", "del"])
            .starts_with("*2\r\n*10\r\n$3\r\nget\r\n:2\r\n")
    );
    assert_eq!(
        client.ask(&["COMMAND", "GETKEYS", "SET", "a", "b"]),
        "*1\r\n$1\r\na\r\n"
    );
}
