//! Which certificates are believed, and which are shown.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::version::{TLS12, TLS13};

use crate::bed::{
    Authority, Backend, Client, Config, Purpose, Redwall, certificates, config_of, wait_until,
};

/// Redwall with `own` as the CA that clients' certificates come from, and a user of that CA.
fn trusting(backend: &Backend, own: &Authority, demand: &str) -> Redwall {
    let dev = certificates().join("ca.crt");
    let mut config = Config::new(&backend.url());
    config.tls = format!("client_certificates = \"{demand}\"");
    config.users += "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{ cn = \"alice\" }]\n";
    let text = config.text().replace(
        &format!("file = \"{}\"", dev.display()),
        &format!("file = \"{}\"", own.file().display()),
    );
    Redwall::start(&text)
}

#[test]
fn an_expired_certificate_is_refused_and_said_to_be_expired() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let expired = own.issue_with("alice", Purpose::Client, |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
    });
    for demand in ["optional", "required"] {
        let redwall = trusting(&backend, &own, demand);
        for version in [&TLS12, &TLS13] {
            let config = config_of(&certificates().join("ca.crt"), Some(&expired), &[version]);
            if let Ok(mut client) = Client::with_config(redwall.address, config) {
                assert_eq!(client.until_closed(), "");
            }
        }
        redwall.wait_for_metric(
            "redwall_handshakes_total{database=\"main\",outcome=\"bad_certificate\"}",
            2.0,
        );
        redwall.wait_for_log("expired");
    }
}

#[test]
fn a_certificate_that_expires_between_two_connections_is_not_carried_over_by_a_session() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let redwall = trusting(&backend, &own, "optional");
    let end = SystemTime::now() + Duration::from_secs(3);
    let alice = own.issue_with("alice", Purpose::Client, |parameters| {
        parameters.not_after = end.into();
    });
    let ca = certificates().join("ca.crt");
    // Each configuration keeps what it may resume by.
    let configs = [&TLS12, &TLS13].map(|version| config_of(&ca, Some(&alice), &[version]));
    for config in &configs {
        let mut client = Client::with_config(redwall.address, Arc::clone(config)).unwrap();
        assert_eq!(client.ask(&["ACL", "WHOAMI"]), "$5\r\nalice\r\n");
    }
    wait_until("the certificate has expired", || {
        SystemTime::now() > end + Duration::from_secs(1)
    });
    for config in configs {
        if let Ok(mut client) = Client::with_config(redwall.address, config) {
            assert_eq!(client.until_closed(), "");
        }
    }
    redwall.wait_for_metric(
        "redwall_handshakes_total{database=\"main\",outcome=\"bad_certificate\"}",
        2.0,
    );
}

#[test]
fn the_certificate_is_chosen_by_name_and_the_first_for_every_other() {
    let backend = Backend::start();
    let own = Authority::new("own");
    let first = own.issue_with("a.example", Purpose::Server, |parameters| {
        let address = std::net::IpAddr::from([127, 0, 0, 1]);
        parameters
            .subject_alt_names
            .push(rcgen::SanType::IpAddress(address));
    });
    let second = own.issue("b.example", Purpose::Server);
    let certs = certificates().display();
    let text = Config::new(&backend.url()).text().replace(
        &format!("{{ cert = \"{certs}/server.crt\", key = \"{certs}/server.key\" }}"),
        &format!(
            "{{ cert = {:?}, key = {:?} }}, {{ cert = {:?}, key = {:?} }}",
            first.cert, first.key, second.cert, second.key
        ),
    );
    let redwall = Redwall::start(&text);
    for version in [&TLS12, &TLS13] {
        // The client verifies the name; for an address it sends none.
        for name in ["a.example", "b.example", "127.0.0.1"] {
            let config = config_of(&own.file(), None, &[version]);
            let mut client = Client::with_name(redwall.address, config, name).unwrap();
            assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n", "{name}");
        }
        let config = config_of(&own.file(), None, &[version]);
        let error = Client::with_name(redwall.address, config, "c.example")
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("a.example"), "{error}");
    }
}
