//! Who a client is: by password, by certificate, by both.

use crate::bed::{Backend, Client, Config, Identity, passwords};

/// Users of every kind of proof.
fn config(backend: &Backend) -> Config {
    let mut config = Config::new(&backend.url());
    config.users = format!(
        "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{{ cn = \"alice\" }}]\n\
         [database.users.bob]\nrules = [\"+@all\", \"~b:*\"]\nrequire = \"both\"\ncertificates = [{{ cn = \"bob\" }}]\n{}\n\
         [database.users.app]\nrules = [\"+@all\", \"~app:*\"]\n{}\n\
         [database.users.gone]\nenabled = false\n{}\n",
        passwords("bob"),
        passwords("app"),
        passwords("gone"),
    );
    config
}

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

#[test]
fn a_certificate_logs_its_user_in_without_a_word() {
    let backend = Backend::start();
    let redwall = config(&backend).start();
    let mut client = Client::connect(redwall.address, Identity::Certificate("alice"));
    assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
    assert_eq!(client.ask(&["SET", "a:k", "1"]), "+OK\r\n");
    assert!(client.ask(&["SET", "b:k", "1"]).starts_with("-NOPERM"));
}

#[test]
fn a_user_that_needs_both_gets_in_with_both_only() {
    let backend = Backend::start();
    let redwall = config(&backend).start();
    let mut without = Client::connect(redwall.address, Identity::None);
    assert_eq!(without.ask(&["AUTH", "bob", "bob"]), WRONG);
    let mut foreign = Client::connect(redwall.address, Identity::Certificate("alice"));
    assert_eq!(foreign.ask(&["AUTH", "bob", "bob"]), WRONG);
    let mut both = Client::connect(redwall.address, Identity::Certificate("bob"));
    assert_eq!(
        both.ask(&["GET", "b:k"]),
        "-NOAUTH Authentication required.\r\n"
    );
    assert_eq!(both.ask(&["AUTH", "bob", "wrong"]), WRONG);
    assert_eq!(both.ask(&["AUTH", "bob", "bob"]), "+OK\r\n");
    assert_eq!(both.ask(&["GET", "b:k"]), "$-1\r\n");
}

#[test]
fn a_failed_login_changes_nothing_and_reset_returns_to_the_certificates_user() {
    let backend = Backend::start();
    let redwall = config(&backend).start();
    let mut client = Client::connect(redwall.address, Identity::Certificate("alice"));
    for (user, password) in [
        ("bob", "bob"),
        ("app", "wrong"),
        ("gone", "gone"),
        ("nosuch", "x"),
        ("alice", ""),
    ] {
        assert_eq!(client.ask(&["AUTH", user, password]), WRONG, "{user}");
        assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
    }
    assert_eq!(
        client.ask(&["AUTH", "app", "app"]),
        "+OK\r\n",
        "a user that takes a password alone"
    );
    assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    assert_eq!(client.ask(&["RESET"]), "+RESET\r\n");
    assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
}

#[test]
fn a_certificate_that_maps_to_nobody_proves_nobody() {
    let backend = Backend::start();
    let redwall = config(&backend).start();
    let mut client = Client::connect(redwall.address, Identity::Certificate("carol"));
    assert_eq!(
        client.ask(&["GET", "a:k"]),
        "-NOAUTH Authentication required.\r\n"
    );
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
}

#[test]
fn users_are_found_by_a_template_over_the_uri_in_their_certificate() {
    let backend = Backend::start();
    let mut config = config(&backend);
    config.users = "[[database.certificate_users]]\nsan_uri = \"spiffe://redwall.local/{user}\"\nca = \"dev\"\n\
         [database.users.carol]\nrules = [\"+@all\", \"~c:*\"]\nrequire = \"certificate\"\n"
        .to_owned();
    let redwall = config.start();
    let mut client = Client::connect(redwall.address, Identity::Certificate("carol"));
    assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\ncarol\r\n");
    let mut nobody = Client::connect(redwall.address, Identity::Certificate("alice"));
    assert_eq!(
        nobody.ask(&["ACL", "WHOAMI"]),
        "-NOAUTH Authentication required.\r\n"
    );
}

#[test]
fn the_default_user_is_off_unless_it_is_written() {
    let backend = Backend::start();
    let redwall = config(&backend).start();
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(client.ask(&["AUTH", "anything"]), WRONG);
    assert_eq!(client.ask(&["AUTH", "default", "anything"]), WRONG);
    let mut written = config(&backend);
    written.users += &format!(
        "[database.users.default]\nrules = [\"+@all\", \"~d:*\"]\n{}\n",
        passwords("secret")
    );
    let redwall = written.start();
    let mut client = Client::connect(redwall.address, Identity::None);
    assert_eq!(
        client.ask(&["GET", "d:k"]),
        "-NOAUTH Authentication required.\r\n"
    );
    assert_eq!(client.ask(&["AUTH", "wrong"]), WRONG);
    assert_eq!(client.ask(&["AUTH", "secret"]), "+OK\r\n");
    assert_eq!(client.ask(&["GET", "d:k"]), "$-1\r\n");
}

#[test]
fn users_of_a_redis_acl_file_log_in_with_the_rights_that_it_gives() {
    let backend = Backend::start();
    let mut config = config(&backend);
    let folder = crate::bed::TempDir::new("acl");
    let path = folder.write(
        "users.acl",
        "user filed on >filed +get +set ~f:* (+hget %R~g:*)\nuser off off >off +@all ~*\n",
    );
    config.users += &format!("[database.acl]\naclfile = \"{}\"\n", path.display());
    let redwall = config.start();
    let mut client = Client::login(redwall.address, "filed", "filed");
    assert_eq!(client.ask(&["SET", "f:k", "1"]), "+OK\r\n");
    assert_eq!(client.ask(&["HGET", "g:k", "f"]), "$-1\r\n");
    assert!(client.ask(&["HGET", "f:k", "f"]).starts_with("-NOPERM"));
    assert!(client.ask(&["GET", "g:k"]).starts_with("-NOPERM"));
    let mut off = Client::connect(redwall.address, Identity::None);
    assert_eq!(off.ask(&["AUTH", "off", "off"]), WRONG);
    assert!(
        !redwall.log().contains("filed\""),
        "no name that a client tried is repeated in the log"
    );
}
