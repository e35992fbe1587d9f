//! Keys that may encrypt only so many records: connections are closed or renewed in a quiet moment before.
//!
//! Real suites allow 2^24 records; here Redwall runs within the test, with suites that allow a thousand.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;

use crate::bed::{
    Authority, Backend, Client, Config, Identity, Inside, LIMIT, Purpose, certificates,
    client_config, limited_backend, provider, redis_with_tls, wait_until,
};

fn server_config() -> ServerConfig {
    let folder = certificates();
    let chain = CertificateDer::pem_file_iter(folder.join("server.crt")).unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            chain.map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap(),
        )
        .unwrap()
}

#[test]
fn a_client_whose_keys_are_worn_out_is_closed_between_two_commands() {
    let backend = Backend::start();
    let redwall = Inside::start(&Config::new(&backend.url()), |database| {
        if let Some(tls) = &mut database.tls {
            tls.config = Arc::new(server_config());
        }
    });
    let config = client_config(Identity::None, &[&TLS12]);
    let mut client = Client::with_config(redwall.address, config).unwrap();
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    assert_eq!(client.ask(&["WATCH", "app:k"]), "+OK\r\n");
    let quiet = LIMIT - LIMIT / 256;
    for _ in 1..quiet {
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    }
    // What it watches would be lost, so this is no quiet moment; this is one:
    assert_eq!(client.ask(&["UNWATCH"]), "+OK\r\n");
    assert_eq!(client.until_closed(), "");
    wait_until("it is counted", || {
        redwall
            .metrics
            .text()
            .unwrap()
            .contains("redwall_connections_closed_total{database=\"main\",reason=\"worn_out\"} 1")
    });
}

#[test]
fn a_backend_connection_whose_keys_are_worn_out_is_renewed_between_two_commands() {
    let ca = Authority::new("backends");
    let own = ca.issue("localhost", Purpose::Server);
    let shown = ca.issue("redwall", Purpose::Client);
    let (backend, port) = redis_with_tls(&ca, &own, &["tls-protocols TLSv1.2"]);
    let mut config = Config::new(&format!("rediss://localhost:{port}"));
    config.backend_more = format!(
        "ca = {:?}\ncert = {:?}\nkey = {:?}\n",
        ca.file(),
        shown.cert,
        shown.key
    );
    let redwall = Inside::start(&config, |database| {
        database.backend = Arc::new(limited_backend(&database.backend, &ca, &shown));
    });
    let received = || {
        let stats = backend.admin(&["INFO", "stats"]);
        let (_, rest) = stats.split_once("total_connections_received:").unwrap();
        rest.split("\r\n").next().unwrap().parse::<u64>().unwrap()
    };
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SELECT", "0"]), "+OK\r\n");
    let before = received();
    for number in 1..=3 * LIMIT {
        assert_eq!(client.ask(&["INCR", "app:n"]), format!(":{number}\r\n"));
    }
    assert!(
        received() - before >= 3,
        "renewed three times, and the questions are counted too"
    );
    assert_eq!(
        client.ask(&["GET", "app:n"]),
        format!("$4\r\n{}\r\n", 3 * LIMIT)
    );
}
