//! SIGHUP: everything but the addresses changes without a restart, all or nothing; what was taken away ends within a second.

use std::time::{Duration, Instant};

use crate::bed::{
    Authority, Backend, Client, Config, Identity, Issued, Purpose, Redwall, Server, certificates,
    client_config, config_of, passwords, wait_until,
};

/// Within this time what was taken away must have ended.
const PROMISED: Duration = Duration::from_secs(1);

/// A client in each state that it may be in when something is taken away.
fn in_all_states(connect: impl Fn() -> Client) -> Vec<(&'static str, Client)> {
    let states: [(&str, &[&str]); 6] = [
        ("idle", &["PING"]),
        ("busy before", &["SET", "app:k", "v"]),
        ("subscribed", &["SUBSCRIBE", "app:c"]),
        ("in MULTI", &["MULTI"]),
        ("watching", &["WATCH", "app:k"]),
        ("blocked", &["BLPOP", "app:none", "0"]),
    ];
    let mut clients = Vec::new();
    for (state, words) in states {
        let mut client = connect();
        client.send(words);
        if state != "blocked" {
            client.frame();
        }
        clients.push((state, client));
    }
    clients
}

/// All of them are closed in the promised time, and told nothing more.
fn all_end(clients: Vec<(&'static str, Client)>, since: Instant) {
    for (state, mut client) in clients {
        assert_eq!(client.until_closed(), "", "{state}");
        assert!(since.elapsed() < PROMISED, "{state}: {:?}", since.elapsed());
    }
}

fn login(redwall: &Redwall) -> Client {
    Client::login(redwall.address, "app", "app")
}

/// Others that must not notice anything.
struct Bystanders {
    idle: Client,
    subscriber: Client,
    in_multi: Client,
    publisher: Client,
}

impl Bystanders {
    fn new(redwall: &Redwall) -> Self {
        let client = || Client::login(redwall.address, "root", "root");
        let mut all = Self {
            idle: client(),
            subscriber: client(),
            in_multi: client(),
            publisher: client(),
        };
        all.subscriber.ask(&["SUBSCRIBE", "news"]);
        assert_eq!(all.in_multi.ask(&["MULTI"]), "+OK\r\n");
        assert_eq!(all.in_multi.ask(&["INCR", "n"]), "+QUEUED\r\n");
        all
    }

    fn have_noticed_nothing(mut self) {
        assert_eq!(self.publisher.ask(&["PUBLISH", "news", "x"]), ":1\r\n");
        assert!(self.subscriber.text().contains("message"));
        assert_eq!(self.in_multi.ask(&["EXEC"]), "*1\r\n:1\r\n");
        assert_eq!(self.idle.ask(&["PING"]), "+PONG\r\n");
    }
}

#[test]
fn sessions_end_within_a_second_when_their_user_is_switched_off_removed_or_loses_its_password() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let of_app = format!(
        "[database.users.app]\nrules = [\"+@all\", \"~app:*\", \"&app:*\"]\n{}\n",
        passwords("app")
    );
    let cases = [
        ("off", of_app.replace("rules", "enabled = false\nrules")),
        ("gone", String::new()),
        (
            "password",
            of_app.replace(&passwords("app"), &passwords("new")),
        ),
    ];
    for (case, instead) in cases {
        let redwall = config.start();
        let clients = in_all_states(|| login(&redwall));
        let bystanders = Bystanders::new(&redwall);
        let text = config.text();
        assert!(text.contains(&of_app));
        let since = Instant::now();
        redwall.reload(&text.replace(&of_app, &instead));
        all_end(clients, since);
        bystanders.have_noticed_nothing();
        let mut again = Client::connect(redwall.address, Identity::None);
        let answer = again.ask(&["AUTH", "app", "app"]);
        assert!(answer.starts_with("-WRONGPASS"), "{case}: {answer}");
        backend.admin(&["DEL", "n"]);
    }
}

#[test]
fn sessions_end_within_a_second_when_their_address_is_withdrawn() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    let redwall = config.start();
    let mut clients = in_all_states(|| login(&redwall));
    clients.push((
        "before login",
        Client::connect(redwall.address, Identity::None),
    ));
    config.allow = "[\"10.0.0.0/8\"]".to_owned();
    let since = Instant::now();
    redwall.reload(&config.text());
    all_end(clients, since);
    assert!(Client::try_connect(redwall.address, Identity::None).is_err());
}

/// Redwall with `own` as its CA, a revocation list, and the user alice of that CA.
fn trusting(backend: &Backend, own: &Authority, crl: &std::path::Path) -> String {
    let mut config = Config::new(&backend.url());
    config.users += "[database.users.alice]\nrules = [\"+@all\", \"~app:*\", \"&app:*\"]\nrequire = \"certificate\"\n\
                     certificates = [{ cn = \"alice\" }]\n";
    let dev = certificates().join("ca.crt");
    config.text().replace(
        &format!("file = \"{}\"", dev.display()),
        &format!("file = {:?}, crl = [{crl:?}]", own.file()),
    )
}

fn with_certificate(redwall: &Redwall, issued: &Issued) -> Client {
    let config = config_of(&certificates().join("ca.crt"), Some(issued), &[]);
    Client::with_config(redwall.address, config).unwrap()
}

#[test]
fn sessions_end_within_a_second_when_their_certificate_is_revoked_and_those_of_others_stay() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let lost = own.issue("alice", Purpose::Client);
    let unused = own.issue("unused", Purpose::Client);
    let crl = own.revoke(1, &[&unused]);
    let redwall = Redwall::start(&trusting(&backend, &own, &crl));
    let clients = in_all_states(|| with_certificate(&redwall, &lost));
    let renewed = own.issue("alice", Purpose::Client);
    let mut other = with_certificate(&redwall, &renewed);
    let bystanders = Bystanders::new(&redwall);
    let crl = own.revoke(2, &[&unused, &lost]);
    let since = Instant::now();
    redwall.reload(&trusting(&backend, &own, &crl));
    all_end(clients, since);
    bystanders.have_noticed_nothing();
    assert_eq!(other.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
}

#[test]
fn sessions_end_within_a_second_when_their_ca_or_their_mapping_is_gone() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let alice = own.issue("alice", Purpose::Client);
    let crl = own.revoke(1, &[]);
    let text = trusting(&backend, &own, &crl);
    let another = Authority::new("another");
    let of_another = trusting(&backend, &another, &another.revoke(1, &[]));
    let unmapped = text.replace("{ cn = \"alice\" }", "{ cn = \"alicia\" }");
    let password = text.replace(
        "require = \"certificate\"",
        &format!("require = \"both\"\n{}", passwords("alice")),
    );
    let required = text.replace("\"optional\"", "\"required\"");
    for (case, instead) in [
        ("ca", of_another),
        ("mapping", unmapped),
        ("proof", password),
    ] {
        let redwall = Redwall::start(&text);
        let clients = in_all_states(|| with_certificate(&redwall, &alice));
        let bystanders = Bystanders::new(&redwall);
        let since = Instant::now();
        redwall.reload(&instead);
        all_end(clients, since);
        bystanders.have_noticed_nothing();
        backend.admin(&["DEL", "n"]);
        assert!(!redwall.has_logged("panicked"), "{case}");
    }
    let redwall = Redwall::start(&text);
    let mut certified = with_certificate(&redwall, &alice);
    let clients = in_all_states(|| login(&redwall));
    let since = Instant::now();
    redwall.reload(&required);
    all_end(clients, since);
    assert_eq!(certified.ask(&["PING"]), "+PONG\r\n");
}

#[test]
fn a_new_snapshot_governs_the_next_command_of_every_connection() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let redwall = config.start();
    let mut app = login(&redwall);
    let mut in_multi = login(&redwall);
    assert_eq!(in_multi.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(in_multi.ask(&["SET", "app:k", "v"]), "+QUEUED\r\n");
    assert!(app.ask(&["GET", "more:k"]).starts_with("-NOPERM"));
    let old = "\"+@all\", \"~app:*\", \"&app:*\"";
    redwall.reload(&config.text().replace(
        old,
        "\"+@all\", \"-set\", \"~app:*\", \"~more:*\", \"&app:*\"",
    ));
    assert_eq!(app.ask(&["GET", "more:k"]), "$-1\r\n");
    assert!(app.ask(&["SET", "app:k", "v"]).starts_with("-NOPERM"));
    // What was queued by rights that are gone isn't carried out.
    assert!(in_multi.ask(&["EXEC"]).starts_with("-EXECABORT"));
    assert_eq!(app.ask(&["EXISTS", "app:k"]), ":0\r\n");
    redwall.reload(&config.text());
    assert_eq!(app.ask(&["SET", "app:k", "v"]), "+OK\r\n");
    assert_eq!(redwall.metric("redwall_config_last_reload_successful"), 1.0);
}

#[test]
fn a_subscriber_is_closed_when_it_may_no_longer_hear_its_channel_and_stays_while_it_may() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let redwall = config.start();
    let mut listener = login(&redwall);
    listener.ask(&["SUBSCRIBE", "app:c"]);
    redwall.reload(&config.text().replace("\"&app:*\"", "\"&app:*\", \"&more\""));
    let mut root = Client::login(redwall.address, "root", "root");
    assert_eq!(root.ask(&["PUBLISH", "app:c", "x"]), ":1\r\n");
    assert!(listener.text().contains("message"));
    redwall.reload(&config.text().replace("\"&app:*\"", "\"&else\""));
    assert_eq!(listener.until_closed(), "");
}

#[test]
fn a_fault_anywhere_refuses_the_whole_reload_and_the_old_configuration_stays() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let redwall = config.start();
    let mut app = login(&redwall);
    let text = config.text();
    let widened = text.replace("\"~app:*\"", "\"~*\"");
    assert_ne!(widened, text);
    let certs = certificates().display();
    let faulty = [
        ("syntax", format!("{widened}\n[oops")),
        ("unknown key", format!("{widened}\n[server2]\nx = 1\n")),
        ("missing file", widened.replace("server.key", "absent.key")),
        (
            "wrong key",
            widened.replace(
                &format!("{certs}/server.key"),
                &format!("{certs}/client-bob.key"),
            ),
        ),
        ("wrong rule", widened.replace("\"&app:*\"", "\"+nosuch\"")),
        (
            "missing secret",
            widened.replace("REDWALL_TEST_SERVICE", "REDWALL_TEST_ABSENT"),
        ),
        ("empty", String::new()),
    ];
    for (case, text) in faulty {
        let said = redwall.reload_refused(&text);
        assert!(
            said.contains("redwall.toml"),
            "{case}: the file is named: {said}"
        );
        assert!(
            app.ask(&["GET", "other:k"]).starts_with("-NOPERM"),
            "{case}"
        );
        assert_eq!(
            redwall.metric("redwall_config_last_reload_successful"),
            0.0,
            "{case}"
        );
    }
    let loaded_at = "redwall_config_last_reload_success_timestamp_seconds";
    let first = redwall.metric(loaded_at);
    assert!(first > 1.7e9, "{first}");
    redwall.reload(&widened);
    assert_eq!(app.ask(&["GET", "other:k"]), "$-1\r\n");
    assert_eq!(redwall.metric("redwall_config_last_reload_successful"), 1.0);
    assert!(redwall.metric(loaded_at) >= first);
}

#[test]
fn what_only_a_restart_changes_refuses_the_reload_and_says_so() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let redwall = config.start();
    let mut app = login(&redwall);
    let text = config.text().replace("\"~app:*\"", "\"~*\"");
    let database = text.split_once("[[database]]").unwrap().1;
    let second = database
        .replace("name = \"main\"", "name = \"second\"")
        .replace("127.0.0.1:0", "127.0.0.2:0");
    let cases = [
        ("workers", text.replace("workers = 2", "workers = 3")),
        (
            "addresses of database main",
            text.replace("listen = [\"127.0.0.1:0\"]", "listen = [\"127.0.0.3:0\"]"),
        ),
        (
            "addresses of [status]",
            text.replace("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.3:0\""),
        ),
        ("`format` of [log]", text.replace("\"json\"", "\"text\"")),
        (
            "database second is new",
            format!("{text}\n[[database]]{second}"),
        ),
        (
            "database main is gone",
            text.replace("name = \"main\"", "name = \"other\""),
        ),
    ];
    for (what, changed) in cases {
        assert_ne!(changed, text, "{what}");
        let said = redwall.reload_refused(&changed);
        assert!(
            said.contains(what) && said.contains("restart"),
            "{what}: {said}"
        );
        assert!(
            app.ask(&["GET", "other:k"]).starts_with("-NOPERM"),
            "{what}"
        );
    }
    redwall.reload(&text);
}

#[test]
fn a_changed_backend_closes_its_sessions_and_serves_the_next_from_the_new_one() {
    let (old, new) = (Backend::start(), Backend::start_as(Server::Valkey91, &[]));
    old.admin(&["SET", "app:k", "old"]);
    new.admin(&["SET", "app:k", "new"]);
    let config = Config::new(&old.url());
    let redwall = config.start();
    let mut before = login(&redwall);
    assert_eq!(before.ask(&["GET", "app:k"]), "$3\r\nold\r\n");
    let clients = in_all_states(|| login(&redwall));
    old.admin(&["SET", "app:k", "old"]);
    // A new password of the service user is no other server.
    old.admin(&["ACL", "SETUSER", "redwall", ">another"]);
    let rotated = config.text().replace(
        "password = { env = \"REDWALL_TEST_SERVICE\" }",
        &format!(
            "password = {{ file = {:?} }}",
            redwall.write("secret", "another")
        ),
    );
    redwall.reload(&rotated);
    assert_eq!(before.ask(&["GET", "app:k"]), "$3\r\nold\r\n");
    old.admin(&["ACL", "SETUSER", "redwall", "<service"]);
    assert_eq!(login(&redwall).ask(&["GET", "app:k"]), "$3\r\nold\r\n");
    let since = Instant::now();
    redwall.reload(&Config::new(&new.url()).text());
    all_end(clients, since);
    assert_eq!(before.until_closed(), "");
    assert_eq!(login(&redwall).ask(&["GET", "app:k"]), "$3\r\nnew\r\n");
    wait_until("the probe has moved", || {
        redwall.page("/readyz/main").0 == 200
    });
    drop(old);
    wait_until("the old backend is of no concern", || {
        redwall.page("/readyz/main").0 == 200
    });
}

#[test]
fn a_new_server_certificate_and_new_limits_are_in_force_for_the_next_client() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    let redwall = config.start();
    let mut before = login(&redwall);
    let own = Authority::new("own");
    let issued = own.issue("localhost", Purpose::Server);
    config.database = "max_clients = 2".to_owned();
    config.limits = "max_subscriptions = 1".to_owned();
    let certs = certificates().display();
    let text = config.text().replace(
        &format!("cert = \"{certs}/server.crt\", key = \"{certs}/server.key\""),
        &format!("cert = {:?}, key = {:?}", issued.cert, issued.key),
    );
    redwall.reload(&text);
    assert_eq!(before.ask(&["PING"]), "+PONG\r\n");
    assert!(Client::with_config(redwall.address, client_config(Identity::None, &[])).is_err());
    // The one that didn't trust it leaves its place.
    wait_until("there is room for one", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 1.0
    });
    let trusted = config_of(&own.file(), None, &[]);
    let mut second = Client::with_config(redwall.address, trusted.clone()).unwrap();
    assert_eq!(second.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    assert!(
        Client::with_config(redwall.address, trusted).is_err(),
        "two are enough"
    );
    assert!(second.ask(&["SUBSCRIBE", "app:a"]).contains("subscribe"));
    assert!(second.ask(&["SUBSCRIBE", "app:b"]).starts_with("-ERR"));
}

/// Has Redwall reload after each way to cut `text` short, put in place by `put`; returns how many cuts it refused. Where one is
/// refused, what was in force before stays in force; where one is sound in itself, the whole comes back.
fn every_cut(redwall: &Redwall, text: &str, put: impl Fn(&str)) -> usize {
    let mut app = login(redwall);
    let mut refused = 0;
    for cut in 0..text.len() {
        put(&text[..cut]);
        let (good, bad) = ("configuration reloaded", "reload refused");
        let before = (redwall.times_logged(good), redwall.times_logged(bad));
        redwall.signal("HUP");
        wait_until("the reload is over", || {
            (redwall.times_logged(good), redwall.times_logged(bad)) != before
        });
        if redwall.times_logged(bad) > before.1 {
            refused += 1;
            assert_eq!(app.ask(&["GET", "app:k"]), "$-1\r\n", "cut at {cut}");
            assert!(
                app.ask(&["GET", "k"]).starts_with("-NOPERM"),
                "cut at {cut}"
            );
        } else {
            put(text);
            redwall.hang_up(good);
            app = login(redwall);
        }
    }
    put(text);
    redwall.hang_up("configuration reloaded");
    refused
}

#[test]
fn a_file_cut_at_any_byte_is_refused_or_sound_and_never_changes_half_of_what_is_in_force() {
    let backend = Backend::start();
    let mut config = Config::new(&backend.url());
    config.users = format!("[database.acl]\naclfile = \"users.acl\"\n{}", config.users);
    config.allow = "\"127.0.0.1\"\nallow_files = \"allow.txt\"".to_owned();
    let (users, allow) = (
        "user bob on >b +@all ~b:*\nuser carol on >c +get %R~c:* (+set ~d:*)\n",
        "10.0.0.0/8\n192.0.2.0/24 # an office\n2001:db8::/32\n",
    );
    let mut redwall = Redwall::spawn_with(
        &config.text(),
        &[("users.acl", users), ("allow.txt", allow)],
    );
    redwall.wait_until_ready();
    let text = config.text();
    let refused = every_cut(&redwall, &text, |cut| redwall.rewrite(cut));
    assert!(refused > text.len() / 2, "{refused} of {}", text.len());
    // Between two lines a file is sound: that is why it is replaced by renaming. An empty list of networks is one, too.
    for (name, whole, sound) in [("users.acl", users, 1), ("allow.txt", allow, 3)] {
        let refused = every_cut(&redwall, whole, |cut| redwall.replace(name, cut));
        assert_eq!(refused, whole.len() - sound, "{name}");
    }
}

#[test]
fn a_handshake_that_outlives_many_reloads_must_begin_again_so_that_old_snapshots_are_freed() {
    let backend = Backend::start();
    let config = Config::new(&backend.url());
    let redwall = config.start();
    let mut silent = std::net::TcpStream::connect(redwall.address).unwrap();
    redwall.wait_for_metric("redwall_half_open_connections{database=\"main\"}", 1.0);
    for _ in 0..9 {
        redwall.hang_up("configuration reloaded");
    }
    silent.set_read_timeout(Some(PROMISED)).unwrap();
    assert_eq!(std::io::Read::read(&mut silent, &mut [0]).unwrap(), 0);
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"withdrawn\"}",
        1.0,
    );
}
