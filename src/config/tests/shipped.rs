//! The annotated file is the reference: it has every key, and its defaults are the program's.

use super::*;

const DEMO: &str = include_str!("../../../config/demo.toml");

/// Every table of the file with its keys.
const SECTIONS: [&Section; 17] = [
    &ROOT,
    &server::SERVER,
    &server::STATUS,
    &server::LOG,
    &role::ROLE,
    &database::DATABASE,
    &database::ACL,
    &limits::LIMITS,
    &tls::TLS,
    &tls::CERTIFICATE,
    &tls::CLIENT_CA,
    &backend::BACKEND,
    &certificate_name::USER_CERTIFICATE,
    &certificate_name::CERTIFICATE_USERS,
    &user::USER,
    &reference::SECRET,
    &reference::PASSWORD,
];

/// Which keys the tables of the reference file have, by the path of their section.
fn written() -> std::collections::BTreeSet<(String, String)> {
    let table: toml::Table = REFERENCE.parse().unwrap();
    let mut found = std::collections::BTreeSet::new();
    walk("the file", &toml::Value::Table(table), &mut found);
    found
}

fn walk(path: &str, value: &toml::Value, found: &mut std::collections::BTreeSet<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                found.insert((path.to_owned(), key.clone()));
                let named = ["[roles]", "[database.users]"].contains(&path);
                let key = if named { "NAME" } else { key.as_str() };
                let inner = match path {
                    "the file" => key.to_owned(),
                    _ => format!("{}.{key}", path.trim_matches(['[', ']'])),
                };
                walk(&format!("[{inner}]"), value, found);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| walk(path, item, found)),
        _ => {}
    }
}

#[test]
fn the_shipped_files_are_sound() {
    for (name, text) in [("minimal", MINIMAL), ("redwall", REFERENCE), ("demo", DEMO)] {
        assert_eq!(parse(text).err(), None, "{name}");
    }
}

#[test]
fn the_reference_file_has_every_key() {
    let written = written();
    assert!(written.len() > 60, "{written:?}");
    for section in SECTIONS {
        let path = match section.path {
            "a secret" => "[database.backend.password]".to_owned(),
            "a password" => "[database.users.NAME.passwords]".to_owned(),
            path => path.replace("[[", "[").replace("]]", "]"),
        };
        for key in section.keys {
            // The backend's password stands in one place only; its other form is shown with the users.
            let shown = [path.as_str(), "[database.users.NAME.passwords]"];
            let has = |path: &&str| written.contains(&((*path).to_owned(), (*key).to_owned()));
            let paths = if section.path == "a secret" {
                &shown[..]
            } else {
                &shown[..1]
            };
            assert!(
                paths.iter().any(has),
                "{key} of {} is missing",
                section.path
            );
        }
    }
}

#[test]
fn the_reference_file_shows_the_defaults() {
    let mut config = parse(REFERENCE).unwrap();
    // Where they stand is no part of what they are.
    config.server.max_clients.at = At::START;
    config.databases[0].limits.send_buffer.at = At::START;
    assert_eq!(config.server, Server::default());
    let addresses = |status: &Status| -> Vec<_> { status.listen.iter().map(|a| a.value).collect() };
    assert_eq!(addresses(&config.status), addresses(&Status::default()));
    assert_eq!(config.log, Log::default());
    let database = &config.databases[0];
    assert_eq!(database.connections, CONNECTIONS);
    assert_eq!(database.limits, Limits::default());
    assert_eq!(database.lanes, Lanes::Shared);
    assert!(!database.acl.allow_nopass);
    assert_eq!(
        database.admission.private_only,
        crate::admission::PrivateOnly::Off
    );

    let minimal = &parse(MINIMAL).unwrap().databases[0];
    let (shown, default) = (
        database.tls.as_ref().unwrap(),
        minimal.tls.as_ref().unwrap(),
    );
    assert_eq!(database.lanes, minimal.lanes);
    assert_eq!(shown.min_version, default.min_version);
    assert_eq!(shown.handshake_timeout, default.handshake_timeout);
    assert_eq!(shown.crl_grace, default.crl_grace);
    assert_eq!(
        database.backend.connect_timeout,
        minimal.backend.connect_timeout
    );
    assert_eq!(
        database.backend.max_connects_per_second,
        minimal.backend.max_connects_per_second
    );
    assert_eq!(
        database.backend.request_timeout,
        minimal.backend.request_timeout
    );
    let (alice, app) = (&database.users[0], &minimal.users[0]);
    assert_eq!(
        (alice.enabled, alice.nopass, alice.operator),
        (app.enabled, app.nopass, app.operator)
    );
}

#[test]
fn what_is_read_is_what_was_written() {
    let config = parse(REFERENCE).unwrap();
    let orders = config.database("orders").unwrap();
    assert_eq!(orders.listen.len() + orders.plaintext_listen.len(), 4);
    assert_eq!(orders.admission.allow[2].to_string(), "192.0.2.7/32");
    assert_eq!(orders.users.len(), 2);
    let alice = &orders.users[0];
    assert_eq!(alice.require, crate::acl::Proofs::Either);
    assert_eq!(alice.passwords.len(), 4);
    assert_eq!(alice.certificates[1].ca.as_deref(), Some("partners"));
    assert_eq!(
        orders.backend.tls.as_ref().unwrap().server_name,
        "redis.internal"
    );
    let crl = &orders.tls.as_ref().unwrap().client_ca[0].crl[0];
    assert_eq!(crl.path, Path::new("corp.crl"));
    let line = REFERENCE.lines().nth(crl.at.line as usize - 1).unwrap();
    assert_eq!(line.find("\"corp.crl\""), Some(crl.at.column as usize - 1));
}

#[test]
fn a_rule_knows_the_place_of_each_of_its_characters() {
    let rules = "rules = [\"+get ~a\", '+set', \"\\u002bdel +del\", \"\"\"+ttl\"\"\"]";
    let config = parse(&minimal_but("roles = [\"read-write\"]", rules)).unwrap();
    let places: Vec<_> = config.databases[0].users[0]
        .rules
        .texts()
        .iter()
        .map(|rule| {
            (
                rule.as_str(),
                rule.at_offset(0).column,
                rule.at_offset(3).column,
            )
        })
        .collect();
    let expected = [
        ("+get ~a", 11, 14),
        ("+set", 22, 25),
        ("+del +del", 29, 29),
        ("+ttl", 47, 47),
    ];
    assert_eq!(places, expected);
}
