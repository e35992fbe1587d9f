//! Users without a password, as servers come with them.

use super::{check, make_user, with_acl_file, words};
use crate::bed::{Backend, Client, Config, Identity, Server, TempDir};

/// SHA-256 of nothing: how servers list the password that `>` alone gives.
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

#[test]
fn a_servers_own_acl_file_lets_nobody_in_without_a_password() {
    for server in Server::ALL {
        let backend = Backend::start_as(server, &[]);
        let stock = "ACL SETUSER default reset on nopass ~* &* +@all";
        assert_eq!(backend.admin(&words(stock)), "+OK\r\n");
        let open = users_of(&backend);
        assert!(open.contains("user default on nopass"), "{open}");
        the_default_user_is_read_as_off(&backend, &open);
        // The server takes an empty password, lists it as any other, and lets it log in.
        make_user(&backend, "void", "resetpass > ~* &* +@all");
        let with_void = users_of(&backend);
        assert!(with_void.contains(OF_NOTHING), "{with_void}");
        assert_fault(with_void.as_bytes(), "an empty password");
    }
    for line in [
        "on nopass ~* +@all",
        "on >p nopass +get",
        "on resetpass nopass",
    ] {
        assert_fault(
            format!("user eve {line}\n").as_bytes(),
            "`nopass` lets anybody in",
        );
    }
    for line in ["on > ~* +@all", "on >p > +get", "off >"] {
        assert_fault(format!("user eve {line}\n").as_bytes(), "an empty password");
    }
    the_configuration_takes_none_either();
}

/// The users of a server, as its ACL file would have them.
fn users_of(backend: &Backend) -> String {
    let listed = backend.admin(&["ACL", "LIST"]);
    let lines = listed
        .split("\r\n")
        .filter(|line| line.starts_with("user "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn assert_fault(file: &[u8], expected: &str) {
    let folder = TempDir::new("passwords");
    let (sound, said) = check(&with_acl_file(&folder, "unix:///nowhere.sock", file));
    assert!(
        !sound && said.contains(expected),
        "{}: {said}",
        file.escape_ascii()
    );
    assert!(said.contains("users.acl:"), "{said}");
}

/// Alone, where other users may be `nopass`, and where nobody comes in without a certificate.
fn the_default_user_is_read_as_off(backend: &Backend, file: &str) {
    for more in ["", "allow_nopass = true\n", "required"] {
        let folder = TempDir::new("passwords");
        let mut config = with_acl_file(&folder, &backend.url(), file.as_bytes());
        let identity = match more {
            "required" => {
                config.tls = "client_certificates = \"required\"".to_owned();
                Identity::Certificate("alice")
            }
            more => {
                config.users += more;
                Identity::None
            }
        };
        let (sound, said) = check(&config);
        assert!(sound && said.contains("is read as `off`"), "{more}: {said}");
        let redwall = config.start();
        let mut client = Client::connect(redwall.address, identity);
        assert!(client.ask(&["GET", "k"]).starts_with("-NOAUTH"), "{more}");
        for password in ["anything", "", "default"] {
            assert_eq!(client.ask(&["AUTH", "default", password]), WRONG, "{more}");
            assert_eq!(client.ask(&["AUTH", password]), WRONG, "{more}");
            let hello = client.ask(&["HELLO", "2", "AUTH", "default", password]);
            assert_eq!(hello, WRONG, "{more}");
        }
        assert!(client.ask(&["GET", "k"]).starts_with("-NOAUTH"), "{more}");
    }
}

fn the_configuration_takes_none_either() {
    let hashed = format!("passwords = [\"#{OF_NOTHING}\"]");
    let digits = format!("passwords = [{{ sha256 = \"{OF_NOTHING}\" }}]");
    for (lines, expected) in [
        (hashed.as_str(), "an empty password"),
        (&digits, "an empty password"),
        ("nopass = true", "`nopass` lets anyone in"),
    ] {
        let mut config = Config::new("unix:///nowhere.sock");
        config.users += &format!("[database.users.default]\nrules = \"+get ~*\"\n{lines}\n");
        let (sound, said) = check(&config);
        assert!(!sound && said.contains(expected), "{lines}: {said}");
    }
}
