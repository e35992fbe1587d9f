//! Files as they are found: missing, cut, readable by others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

mod words;

use super::*;
use crate::config::{At, Config, PasswordSource, Placed, SecretSource};

/// A folder of its own for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("redwall-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn config(&self, allow: &str) -> PathBuf {
        let text = include_str!("../../config/minimal.toml");
        let text = text.replace("../certs/app.password", "app.password");
        self.write("r.toml", text.replacen("allow = ", allow, 1).as_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn app_password(config: &Config) -> &PasswordSource {
    &config.databases[0].users[0].passwords[0]
}

/// Faults without the path of their folder.
fn told(folder: &Folder, faults: &[LoadFault]) -> Vec<String> {
    let prefix = format!("{}/", folder.0.display());
    faults
        .iter()
        .map(|fault| fault.to_string().replace(&prefix, ""))
        .collect()
}

#[test]
fn a_missing_configuration_ends_with_1_and_a_faulty_one_with_78() {
    let folder = Folder::new("codes");
    let faults = read_config(&folder.0.join("r.toml")).unwrap_err();
    let expected = "r.toml:1:1: error: can't be read: No such file or directory (os error 2), expected a file that can be read";
    assert_eq!(told(&folder, &faults), [expected]);
    assert_eq!(exit_code(&faults), 1);
    for text in [&b"a"[..], b"name = \"\xff\"\n", b""] {
        let faults = read_config(&folder.write("r.toml", text)).unwrap_err();
        assert_eq!(exit_code(&faults), 78);
    }
    assert_eq!(exit_code(&[]), 0);
}

#[test]
fn a_missing_file_is_told_at_the_place_that_names_it() {
    let folder = Folder::new("missing");
    let file = folder.config("allow_files = [\"offices.txt\"]\nallow = ");
    let config = read_config(&file).unwrap();
    let mut files = Files::of(&config);
    assert_eq!(files.networks(&config.databases[0].admission), None);
    assert_eq!(files.password(app_password(&config)), None);
    let (faults, _) = files.finish();
    let expected = [
        "r.toml:6:16: error: the file offices.txt can't be read: No such file or directory (os error 2), \
         expected a file that can be read",
        "r.toml:16:23: error: the secret's file can't be read: No such file or directory (os error 2), \
         expected a file that can be read",
    ];
    assert_eq!(told(&folder, &faults), expected);
    assert_eq!(exit_code(&faults), 1);
}

#[test]
fn a_secret_is_its_file_without_the_last_line_break() {
    let folder = Folder::new("secret");
    let config = read_config(&folder.config("allow = ")).unwrap();
    let PasswordSource::Secret(source @ SecretSource::File(_)) = app_password(&config) else {
        panic!("the minimal file's user has a password in a file");
    };
    let cases = [
        (&b"hunter2\n"[..], Some(&b"hunter2"[..])),
        (b"hunter2", Some(b"hunter2")),
        (b"hunter2\r\n", Some(b"hunter2")),
        (b"hunter2\n\n", Some(b"hunter2\n")),
        (b" \xff", Some(b" \xff")),
        (b"\n", None),
        (b"", None),
    ];
    for (content, secret) in cases {
        folder.write("app.password", content);
        let mut files = Files::of(&config);
        let found = files.secret(source);
        assert_eq!(found.as_ref().map(|secret| secret.expose()), secret);
        let (faults, warnings) = files.finish();
        assert_eq!(exit_code(&faults), if secret.is_some() { 0 } else { 78 });
        assert_eq!(warnings, []);
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}

#[test]
fn a_secret_of_the_environment_is_found_by_its_name() {
    let folder = Folder::new("env");
    let config = read_config(&folder.config("allow = ")).unwrap();
    let env = |name: &str| SecretSource::Env(Placed::new(name.to_owned(), At::START));
    let mut files = Files::of(&config);
    assert!(files.secret(&env("PATH")).is_some());
    assert_eq!(files.secret(&env("REDWALL_TEST_UNSET")), None);
    let (faults, _) = files.finish();
    let expected = "r.toml:1:1: error: the secret's environment variable isn't set, expected a variable that is set";
    assert_eq!(told(&folder, &faults), [expected]);
    assert_eq!(exit_code(&faults), 1);
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    let folder = Folder::new("mode");
    let config = read_config(&folder.config("allow = ")).unwrap();
    let path = folder.write("app.password", b"x");
    for (mode, warned) in [
        (0o600, 0),
        (0o640, 0),
        (0o400, 0),
        (0o644, 1),
        (0o660, 1),
        (0o604, 1),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut files = Files::of(&config);
        assert!(files.password(app_password(&config)).is_some());
        assert_eq!(files.finish().1.len(), warned, "{mode:o}");
    }
}

#[test]
fn a_list_of_networks_is_added_to_those_of_the_configuration() {
    let folder = Folder::new("networks");
    let file =
        folder.config("deny_files = \"bad.txt\"\nallow_files = [\"a.txt\", \"b.txt\"]\nallow = ");
    let config = read_config(&file).unwrap();
    let admission = &config.databases[0].admission;
    folder.write("a.txt", b"192.0.2.0/24 # a\n");
    folder.write("b.txt", b"# none\n");
    folder.write("bad.txt", b"192.0.2.7\n");
    let networks = Files::of(&config).networks(admission).unwrap();
    assert_eq!((networks.allow.len(), networks.deny.len()), (5, 1));

    folder.write("a.txt", b"192.0.2.0/24\n192.0.2.1/3");
    let mut files = Files::of(&config);
    assert_eq!(files.networks(admission), None);
    let (faults, _) = files.finish();
    let expected = [
        "a.txt:2:1: error: the line has bits set beyond its prefix, expected `192.0.0.0/3`",
        "a.txt:2:12: error: the last line has no line break: the file may have been cut, expected a line break",
    ];
    assert_eq!(told(&folder, &faults), expected);
    assert_eq!(exit_code(&faults), 78);
}

#[test]
fn a_user_stands_in_the_configuration_or_in_the_acl_file() {
    let folder = Folder::new("twice");
    let file = folder.config("allow = ");
    let text = fs::read_to_string(&file).unwrap();
    let acl = "[database.acl]\naclfile = \"users.acl\"\n\n[database.users.app]";
    let text = text.replace("[database.users.app]", acl);
    let config = read_config(&folder.write("r.toml", text.as_bytes())).unwrap();
    folder.write("app.password", b"x\n");
    folder.write("users.acl", b"user b on >p ~x\nuser c off\n");
    let users = Files::of(&config).users(&config.databases[0]).unwrap();
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["app", "b", "c"]);

    folder.write("users.acl", b"user b on >p ~x\nuser app off\n");
    let mut files = Files::of(&config);
    assert!(files.users(&config.databases[0]).is_none());
    let (faults, _) = files.finish();
    let expected =
        "users.acl:2:1: error: a user that the configuration has too, expected each user once";
    assert_eq!(told(&folder, &faults), [expected]);
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let folder = Folder::new("regular");
    for path in [folder.0.as_path(), Path::new("/dev/zero")] {
        assert_eq!(exit_code(&read_config(path).unwrap_err()), 1);
    }
}

const TWO_DATABASES: &str = r#"[[database]]
name = "a"
listen = "127.0.0.1:7001"
allow_files = "nets.txt"
backend.url = "rediss://h"
backend.ca = "nosuch-ca.crt"
backend.cert = "server.crt"
backend.key = "nosuch.key"
[database.tls]
certificates = { cert = "server.crt", key = "nosuch.key" }
client_certificates = "required"
client_ca = [
    { name = "x", file = "nosuch.crt", crl = "bad.crl" },
    { name = "y", file = "empty.crt" },
]
[database.users.u]
passwords = { file = "nosuch.password" }
[[database]]
name = "b"
listen = "127.0.0.1:7002"
backend.url = "redis://h"
backend.password = { env = "REDWALL_TEST_UNSET" }
acl.aclfile = "users.acl"
[database.tls]
certificates = { cert = "empty.crt", key = "bad.crl" }
"#;

#[test]
fn faults_of_all_files_of_all_databases_are_told_at_once() {
    let folder = Folder::new("all");
    folder.write("nets.txt", b"10.0.0.1/8\n");
    folder.write("server.crt", b"no PEM\n");
    folder.write("bad.crl", b"no PEM\n");
    folder.write("empty.crt", b"");
    folder.write("users.acl", b"user b on >p +nosuch\nuser c on ~y");
    let faults = load(&folder.write("r.toml", TWO_DATABASES.as_bytes()), 1).unwrap_err();
    let mut told: Vec<String> = told(&folder, &faults)
        .iter()
        .map(|fault| fault.split(": error").next().unwrap().to_owned())
        .collect();
    told.sort();
    let expected = [
        "nets.txt:1:1",
        "r.toml:10:25", // server.crt isn't PEM
        "r.toml:10:45", // nosuch.key
        "r.toml:13:26", // nosuch.crt
        "r.toml:13:46", // bad.crl isn't PEM
        "r.toml:14:26", // empty.crt
        "r.toml:17:22", // nosuch.password
        "r.toml:22:28", // REDWALL_TEST_UNSET
        "r.toml:25:25", // empty.crt
        "r.toml:25:44", // bad.crl isn't PEM
        "r.toml:6:14",  // nosuch-ca.crt
        "r.toml:7:16",  // server.crt isn't PEM
        "r.toml:8:15",  // nosuch.key
        "users.acl:1:14",
        "users.acl:2:13",
    ];
    assert_eq!(told, expected, "{faults:#?}");
    assert_eq!(exit_code(&faults), 78);
}

const SOUND: &str = r#"[[database]]
name = "a"
plaintext_listen = "127.0.0.1:7001"
backend.url = "redis://127.0.0.1:1"
acl.aclfile = "users.acl"
"#;

#[test]
fn what_is_unwise_in_files_is_told_once_a_user_and_needs_no_backend() {
    let folder = Folder::new("unwise");
    let users = "user a on >p skip-sanitize-payload +get skip-sanitize-payload ~x\n\
                 user b on sanitize-payload +get ~x\nuser default on nopass ~* &* +@all\n";
    folder.write("users.acl", users.as_bytes());
    let loaded = load(&folder.write("r.toml", SOUND.as_bytes()), 1).unwrap();
    let prefix = format!("{}/", folder.0.display());
    let told: Vec<String> = loaded
        .notes
        .iter()
        // What depends on the machine that runs the test.
        .filter(|note| !note.text.contains("RLIMIT_NOFILE") && !note.text.contains("net.core."))
        .map(|note| note.to_string().replace(&prefix, ""))
        .collect();
    let expected = [
        "r.toml:1:1: warning: nobody may connect to database a: `allow` is empty",
        "users.acl:1:14: warning: has no effect: the backend sees Redwall's own user, not this one",
        "users.acl:2:1: warning: user b is on, but has no password: it can't log in",
        "users.acl:3:17: warning: `default` with `nopass`, as servers come, is read as `off`",
    ];
    assert_eq!(told, expected);
}
