//! WAIT and WAITAOF run on another connection than the writes they ask for, and must ask for those all the same.

use crate::bed::{Backend, Client, Config, Redwall, Server, free_port, request, wait_until};
use crate::track::{everywhere, kill_lane, lane_at, shared, unshared};

/// A server with a replica, both logged in to each other, and Redwall before the first.
struct Pair {
    primary: Backend,
    replica: Backend,
    redwall: Redwall,
}

impl Pair {
    fn start(server: Server) -> Self {
        Self::start_with(server, shared)
    }

    fn start_with(server: Server, config: fn(&str) -> Config) -> Self {
        let port = free_port();
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            // A replica need not wait for others to come.
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        let primary = Backend::start_as(server, &lines.each_ref().map(String::as_str));
        let lines = [
            format!("replicaof 127.0.0.1 {port}"),
            "masteruser admin".to_owned(),
            "masterauth admin".to_owned(),
            "appendonly yes".to_owned(),
            // It need not wait until the disk has what it is sent at first, which is nothing.
            "repl-diskless-load on-empty-db".to_owned(),
        ];
        let replica = Backend::start_as(server, &lines.each_ref().map(String::as_str));
        wait_until("the replica is up to date", || {
            let told = primary.admin(&["INFO", "replication"]);
            told.contains("state=online")
        });
        let redwall = config(&primary.url()).start();
        Self {
            primary,
            replica,
            redwall,
        }
    }

    fn client(&self) -> Client {
        Client::login(self.redwall.address, "app", "app")
    }
}

#[test]
fn wait_never_acknowledges_a_write_that_no_replica_has() {
    everywhere(|server| {
        let pair = Pair::start(server);
        let mut client = pair.client();
        assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
        assert_eq!(client.ask(&["WAIT", "1", "9000"]), ":1\r\n");
        pair.replica.freeze();
        assert_eq!(client.ask(&["SET", "app:k", "2"]), "+OK\r\n");
        assert_eq!(client.ask(&["WAIT", "1", "200"]), ":0\r\n");
        // Nor if it comes with the write, from a client that has no connection of its own yet.
        let mut other = pair.client();
        other.send(&["SET", "app:k", "3"]);
        other.send(&["WAIT", "1", "200"]);
        assert_eq!(other.text(), "+OK\r\n");
        assert_eq!(other.text(), ":0\r\n");
        if server != Server::Redis70 {
            let none = "*2\r\n:0\r\n:0\r\n";
            assert_eq!(other.ask(&["WAITAOF", "0", "1", "200"]), none);
            let mut third = pair.client();
            assert_eq!(third.ask(&["SET", "app:k", "4"]), "+OK\r\n");
            assert_eq!(third.ask(&["WAITAOF", "0", "1", "200"]), none);
        }
        pair.replica.thaw();
        assert_eq!(client.ask(&["WAIT", "1", "9000"]), ":1\r\n");
    });
}

#[test]
fn wait_in_a_transaction_never_acknowledges_what_was_written_before_it() {
    everywhere(|server| {
        let pair = Pair::start(server);
        pair.replica.freeze();
        let mut client = pair.client();
        assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
        assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
        let queued = client.ask(&["WAIT", "1", "0"]);
        let outcome = client.ask(&["EXEC"]);
        match queued.as_str() {
            "+QUEUED\r\n" => assert_eq!(outcome, "*1\r\n:0\r\n"),
            _ => assert!(outcome.starts_with("-EXECABORT"), "{queued}{outcome}"),
        }
    });
}

#[test]
fn wait_fails_where_redwall_may_not_have_the_backend_count_from_now() {
    everywhere(|server| {
        let pair = Pair::start(server);
        pair.primary
            .admin(&["ACL", "SETUSER", "redwall", "-swapdb"]);
        pair.replica.freeze();
        let mut client = pair.client();
        for words in [
            ["WAIT", "1", "200"].as_slice(),
            &["WAITAOF", "0", "1", "200"],
        ] {
            if words[0] == "WAITAOF" && server == Server::Redis70 {
                continue;
            }
            assert_eq!(client.ask(&["SET", "app:k", "2"]), "+OK\r\n");
            let said = client.ask(words);
            assert!(said.starts_with('-'), "{words:?}: {said}");
            assert_eq!(client.ask(&["GET", "app:k"]), "$1\r\n2\r\n");
        }
    });
}

#[test]
fn wait_never_acknowledges_what_a_whole_transaction_before_it_wrote() {
    everywhere(|server| {
        let pair = Pair::start(server);
        let block = |milliseconds| -> Vec<u8> {
            let requests: [&[&str]; 4] = [
                &["MULTI"],
                &["INCR", "app:k"],
                &["EXEC"],
                &["WAIT", "1", milliseconds],
            ];
            requests.into_iter().flat_map(request).collect()
        };
        let mut client = pair.client();
        client.send_raw(&block("9000"));
        let said: Vec<String> = (0..4).map(|_| client.text()).collect();
        assert_eq!(said[3], ":1\r\n", "{said:?}");
        pair.replica.freeze();
        client.send_raw(&block("200"));
        let said: Vec<String> = (0..4).map(|_| client.text()).collect();
        assert_eq!(said[3], ":0\r\n", "{said:?}");
        pair.replica.thaw();
    });
}

#[test]
fn wait_never_acknowledges_a_write_of_a_connection_that_is_gone() {
    everywhere(|server| {
        let pair = Pair::start_with(server, unshared);
        let mut client = pair.client();
        let name = format!("redwall:main:{}", client.ask(&["CLIENT", "ID"])[1..].trim());
        assert_eq!(client.ask(&["SET", "app:k", "1"]), "+OK\r\n");
        assert_eq!(client.ask(&["WAIT", "1", "9000"]), ":1\r\n");
        pair.replica.freeze();
        assert_eq!(client.ask(&["SET", "app:k", "2"]), "+OK\r\n");
        kill_lane(
            &pair.primary,
            &lane_at(&pair.primary, &name, "set").unwrap(),
        );
        // An idle client isn't closed with its connection, but has another one for what comes next.
        assert_eq!(client.ask(&["WAIT", "1", "200"]), ":0\r\n", "{server:?}");
        pair.replica.thaw();
        assert_eq!(client.ask(&["WAIT", "1", "9000"]), ":1\r\n", "{server:?}");
    });
}
