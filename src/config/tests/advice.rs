//! What is said of configurations that are sound, but unwise.

use super::*;

/// Warnings of the minimal file with `from` replaced by `to`, without file name and severity.
fn warnings(from: &str, to: &str) -> Vec<String> {
    let config = parse(&minimal_but(from, to)).unwrap();
    let notes = config.warnings();
    let told = notes.iter().map(|note| {
        let told = note.to_string();
        let told = told.strip_prefix("r.toml:").unwrap();
        told.replacen(" warning: ", " ", 1)
    });
    told.collect()
}

const ROLES: &str = r#"roles = ["read-write"]"#;
const URL: &str = r#"url = "unix:///run/redis/redis.sock""#;
const NO_SCRIPTS: &str = "14:17: user app has the role read-write, but may not run its scripts and functions: \
                          they need +@all ~* &*, as full-access has";

#[test]
fn scripts_of_a_built_in_role_are_said_to_be_refused() {
    assert_eq!(warnings(ROLES, ROLES), [NO_SCRIPTS]);
    for roles in ["[\"read-write\", \"full-access\"]", "\"read-only\""] {
        assert_eq!(warnings(ROLES, &format!("roles = {roles}")), [""; 0]);
    }
    let inherited = "roles = \"r\"\n[roles.r]\ninherits = \"queue-worker\"";
    let inherited = inherited.replace("roles = \"r\"", "roles = \"r\"\nprefix = \"a\"");
    assert!(warnings(ROLES, &inherited)[0].contains("role queue-worker"));
}

#[test]
fn a_backend_without_tls_is_warned_of_unless_it_is_on_this_machine() {
    let crossing = "12:7: the service password and all data cross the network in plain text: \
                    the backend is redis:// and not on loopback";
    let cases = [
        ("redis://10.0.0.1", Some(crossing)),
        ("redis://redis.internal", Some(crossing)),
        ("redis://localhost", None),
        ("redis://[::1]", None),
        ("unix:///a", None),
    ];
    for (url, expected) in cases {
        let to = format!("url = \"{url}\"\npassword = {{ env = \"A\" }}");
        let told = warnings(URL, &to);
        let expected: Vec<&str> = expected.into_iter().collect();
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        assert_eq!(told[..told.len() - 1], expected, "{url}");
    }
}

#[test]
fn a_prefix_that_is_the_beginning_of_anothers_is_warned_of() {
    let two = |role: &str, other: &str| {
        let to = format!(
            "roles = \"{role}\"\nprefix = \"app\"\n\
             [database.users.b]\npasswords = {{ env = \"B\" }}\nroles = \"{role}\"\nprefix = \"{other}\"\n\
             [roles.open]\nrules = \"+get ~{{prefix}}*\"\n[roles.closed]\nrules = \"+get ~{{prefix}}:*\""
        );
        warnings(ROLES, &to)
    };
    let expected =
        "17:10: user app with the prefix app reaches the keys of user b, whose prefix is app2";
    assert_eq!(two("open", "app2"), [expected]);
    assert_eq!(two("closed", "app2"), [""; 0]);
    assert_eq!(two("open", "app"), [""; 0]);
    assert_eq!(two("open", "bpp"), [""; 0]);
    assert!(two("queue-worker", "app2").contains(&expected.to_owned()));
}

#[test]
fn rules_that_are_surely_not_meant_are_warned_of_where_they_stand() {
    let to = "rules = [\"+get\", \"~ok ~[!a]*\"]\nroles = \"r\"\nprefix = \"a\"\n[roles.r]\nrules = \"+get ~{prefix}[!b]\"";
    let told = warnings(ROLES, to);
    let places: Vec<&str> = told
        .iter()
        .map(|told| told.split(' ').next().unwrap())
        .collect();
    assert_eq!(places, ["16:23:", "20:15:"], "{told:?}");
    assert!(told.iter().all(|told| told.contains("[^")), "{told:?}");
}

#[test]
fn a_user_without_rights_is_warned_of() {
    assert_eq!(
        warnings(ROLES, "roles = []"),
        ["14:17: user app may do nothing: no roles and no rules"]
    );
}
