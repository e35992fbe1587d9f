//! The program's subcommands, as an operator meets them.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::bed::{Backend, Config, TempDir, program};

/// Runs the program with a configuration of this text in a folder of its own.
fn run_with(config: &str, arguments: &[&str]) -> (Output, String) {
    let folder = TempDir::new("cli");
    let path = folder.write("redwall.toml", config);
    let output = program()
        .args(arguments)
        .env("REDWALL_CONFIG", &path)
        .env("REDWALL_TEST_SERVICE", "service")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let said = said.replace(&format!("{}/", folder.path().display()), "");
    (output, said)
}

fn sound() -> String {
    Config::new("unix:///nowhere.sock").text()
}

#[test]
fn check_tells_every_fault_with_its_place_and_ends_with_78() {
    let faulty = sound()
        .replace(
            "allow = [\"127.0.0.0/8\"]",
            "allow = [\"127.0.0.1/8\", \"10.0.0.300\"]",
        )
        .replace(
            "client_certificates = \"optional\"",
            "client_certificates = \"maybe\"\nnosuch = 1",
        );
    let (output, said) = run_with(&faulty, &["check"]);
    assert_eq!(output.status.code(), Some(78), "{said}");
    let places: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("redwall.toml:"))
        .collect();
    assert!(places.len() >= 4, "{said}");
    for part in [
        "127.0.0.0/8",
        "client_certificates",
        "unknown key",
        ": error: ",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn a_missing_file_ends_check_and_run_with_1() {
    for subcommand in ["check", "run"] {
        let missing = sound().replace("server.crt", "nosuch.crt");
        let (output, said) = run_with(&missing, &[subcommand]);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("nosuch.crt") && said.contains("redwall.toml:"),
            "{said}"
        );
        let output = program()
            .args([subcommand, "--config", "/nonexistent/x.toml"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn check_says_in_words_who_may_reach_what_from_where() {
    let (output, said) = run_with(&sound(), &["check"]);
    assert!(output.status.success(), "{said}");
    for part in [
        "database main",
        "127.0.0.0/8",
        "user app",
        "user reader",
        "read-only",
        "~app:*",
        "sound",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(
        said.contains("CRL"),
        "a CA without a revocation list is said plainly: {said}"
    );
}

#[test]
fn check_says_whose_scripts_go_round_what_is_denied() {
    let (_, said) = run_with(&sound(), &["check"]);
    assert!(
        said.contains("  scripts of root may do whatever Redwall's own user may"),
        "{said}"
    );
    let without = sound().replace("\"full-access\"", "\"read-write\"");
    let (output, said) = run_with(&without, &["check"]);
    assert!(
        output.status.success() && !said.contains("scripts of"),
        "{said}"
    );
}

#[test]
fn check_names_the_users_of_an_acl_file_without_their_passwords() {
    let folder = TempDir::new("cli-acl");
    let users = "user zoe on >hunter2 +get ~z:* (+set ~w:*)\nuser default off\n";
    let file = folder.write("users.acl", users);
    let with_file = format!(
        "{}\n[database.acl]\naclfile = \"{}\"\n",
        sound(),
        file.display()
    );
    let (output, said) = run_with(&with_file, &["check"]);
    assert!(output.status.success(), "{said}");
    for line in [
        "  user zoe proves a password; has the rules +get ~z:*, or +set ~w:*\n",
        "  user default is switched off\n",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(!said.contains("hunter2") && !said.contains('#'), "{said}");
}

/// Makes a CA, a server certificate and a client's.
fn certificates(out: &Path) {
    let made = program()
        .args(["certs", "--client", "redwall", "--out"])
        .arg(out)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Everything that the shipped files refer to, in a folder of its own; secrets that are elsewhere are looked for there too.
fn shipped() -> TempDir {
    let folder = TempDir::new("shipped");
    let at = |name: &str| folder.path().join(name);
    for (file, folder) in [
        ("demo.toml", ".demo"),
        ("minimal.toml", "."),
        ("redwall.toml", "config"),
    ] {
        std::fs::create_dir_all(at("config")).unwrap();
        certificates(&at(folder).join("certs"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("config")
            .join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("/run/secrets/", "certs/");
        std::fs::write(at("config").join(file), text).unwrap();
    }
    certificates(&at("partners"));
    for (from, to) in [
        ("config/certs/server.crt", "config/server.crt"),
        ("config/certs/server.key", "config/server.key"),
        ("config/certs/ca.crt", "config/corp-ca.crt"),
        ("config/certs/ca.crl", "config/corp.crl"),
        ("partners/ca.crt", "config/partners-ca.crt"),
        ("config/certs/ca.crt", "config/backend-ca.crt"),
        ("config/certs/client-redwall.crt", "config/redwall.crt"),
        ("config/certs/client-redwall.key", "config/redwall.key"),
    ] {
        std::fs::copy(at(from), at(to)).unwrap();
    }
    for secret in [
        ".demo/service.password",
        ".demo/app.password",
        ".demo/reader.password",
        "certs/app.password",
        "config/certs/redwall-backend",
        "config/certs/alice",
    ] {
        folder.write(secret, "hunter2\n");
    }
    folder.write("config/offices.txt", "192.0.2.0/24\n");
    folder.write("config/orders.acl", "user zoe on >hunter2 +get ~z:*\n");
    folder
}

#[test]
fn the_shipped_configurations_are_sound_with_the_files_that_they_name() {
    let folder = shipped();
    for file in ["demo.toml", "minimal.toml", "redwall.toml"] {
        let output = program()
            .args(["check", "--config"])
            .arg(folder.path().join("config").join(file))
            .env("ALICE_PASSWORD", "hunter2")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {said}");
        assert!(said.contains("the configuration is sound"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_printed_configuration_is_a_configuration_and_hides_secrets() {
    let (output, printed) = run_with(&sound(), &["check", "--print-config"]);
    assert!(output.status.success());
    assert!(
        printed.contains("output_timeout = \"1m\""),
        "defaults are there: {printed}"
    );
    assert!(!printed.contains("sha256 = \""), "{printed}");
    assert!(
        printed
            .lines()
            .any(|line| line.starts_with("# ") && line.contains("has no CRL")),
        "warnings are comments: {printed}"
    );
    let (again, said) = run_with(
        &printed.replace("REDWALL_HIDDEN_HASH", "REDWALL_TEST_SERVICE"),
        &["check"],
    );
    assert!(again.status.success(), "{said}");
}

#[test]
fn no_fault_shows_a_secret_that_stands_in_the_wrong_place() {
    let marker = "hunter2-marker";
    for line in [
        format!("password = \"{marker}\""),
        format!("password = {{ file = \"/nonexistent/{marker}\" }}"),
        format!("password = \"{marker}"),
        format!("password = {marker}"),
    ] {
        let faulty = sound().replace("password = { env = \"REDWALL_TEST_SERVICE\" }", &line);
        let (output, said) = run_with(&faulty, &["check"]);
        assert!(!output.status.success());
        assert!(!said.contains(marker), "{line}: {said}");
    }
}

#[test]
fn explain_gives_the_verdict_and_the_rule_that_decided() {
    let cases: [(&[&str], i32, &[&str]); 5] = [
        (&["app", "GET", "app:k"], 0, &["allowed", "+@all", "~app:*"]),
        (&["app", "GET", "other"], 1, &["denied", "no key pattern"]),
        (
            &["reader", "SET", "k", "v"],
            1,
            &["denied", "role read-only"],
        ),
        (&["nobody", "GET", "k"], 2, &["no user"]),
        (&["app", "NOSUCH"], 1, &["unknown command"]),
    ];
    for (question, code, parts) in cases {
        let (output, said) = run_with(&sound(), &[&["acl", "explain"], question].concat());
        assert_eq!(output.status.code(), Some(code), "{question:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{question:?}: {part} in {said}");
        }
    }
}

#[test]
fn a_password_is_hashed_as_acl_rules_take_it_and_never_shown() {
    let mut child = program()
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"secret\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n"
    );
}

#[test]
fn certificates_are_never_overwritten() {
    let folder = TempDir::new("certs-again");
    let out = folder.path().join("out");
    let make = || {
        program()
            .args(["certs", "--client", "x", "--out"])
            .arg(&out)
            .output()
            .unwrap()
    };
    assert!(make().status.success());
    let before = std::fs::read(out.join("ca.key")).unwrap();
    let again = make();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    assert_eq!(std::fs::read(out.join("ca.key")).unwrap(), before);
}

#[test]
fn usage_version_and_completions_are_there() {
    let run = |arguments: &[&str]| program().args(arguments).output().unwrap();
    assert_eq!(run(&["nosuch"]).status.code(), Some(2));
    let version = String::from_utf8_lossy(&run(&["--version"]).stdout).into_owned();
    assert_eq!(
        version.trim(),
        concat!("redwall ", env!("CARGO_PKG_VERSION"))
    );
    let help = String::from_utf8_lossy(&run(&["--help"]).stdout).into_owned();
    for subcommand in [
        "run",
        "check",
        "certs",
        "hash-password",
        "acl",
        "completions",
    ] {
        assert!(help.contains(subcommand), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(String::from_utf8_lossy(&run(&["completions", shell]).stdout).contains("redwall"));
    }
}

#[test]
fn redwall_runs_without_a_subcommand() {
    let backend = Backend::start();
    let folder = TempDir::new("default");
    let path = folder.write("redwall.toml", &Config::new(&backend.url()).text());
    let mut child = program()
        .arg("--config")
        .arg(path)
        .env("REDWALL_TEST_SERVICE", "service")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("redwall is ready")));
    crate::bed::signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_allocator_is_built_to_keep_a_few_pieces_of_the_sizes_that_requests_have() {
    let asked = program()
        .arg("--version")
        .env("MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    // A version of it that knows no such sizes takes the setting without a word.
    for setting in [
        "opt.tcache_max: 1310720",
        "opt.tcache_nslots_large: 4",
        "opt.dirty_decay_ms: 0 ",
    ] {
        assert!(said.contains(setting), "{setting}: {said}");
    }
}
