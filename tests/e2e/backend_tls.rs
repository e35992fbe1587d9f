//! TLS to the backend: verified in both directions.

use crate::bed::{Authority, Client, Config, Purpose, Redwall, redis_with_tls};

fn redwall(port: u16, more: &str) -> Redwall {
    let mut config = Config::new(&format!("rediss://localhost:{port}"));
    config.backend_more = more.to_owned();
    config.start()
}

fn get(redwall: &Redwall) -> String {
    Client::login(redwall.address, "app", "app").ask(&["GET", "app:k"])
}

#[test]
fn both_sides_verify_each_other() {
    let ca = Authority::new("backends");
    let own = ca.issue("localhost", Purpose::Server);
    let shown = ca.issue("redwall", Purpose::Client);
    let (_backend, port) = redis_with_tls(&ca, &own, &[]);
    let trust = format!("ca = {:?}\n", ca.file());
    let show = format!("cert = {:?}\nkey = {:?}\n", shown.cert, shown.key);
    assert_eq!(get(&redwall(port, &(trust.clone() + &show))), "$-1\r\n");
    // Without its certificate Redwall is refused by the backend.
    let without = redwall(port, &trust);
    assert_eq!(get(&without), "-ERR backend unavailable\r\n");
    // A backend of a foreign CA is refused by Redwall.
    let foreign = Authority::new("foreign");
    let distrust = format!("ca = {:?}\n", foreign.file());
    let stranger = redwall(port, &(distrust + &show));
    assert_eq!(get(&stranger), "-ERR backend unavailable\r\n");
    stranger.wait_for_log("TLS with the backend failed");
}

#[test]
fn a_backend_whose_certificate_is_for_another_name_is_refused_unless_that_name_is_expected() {
    let ca = Authority::new("backends");
    let own = ca.issue("elsewhere.example", Purpose::Server);
    let shown = ca.issue("redwall", Purpose::Client);
    let (backend, port) = redis_with_tls(&ca, &own, &[]);
    let tls = format!(
        "ca = {:?}\ncert = {:?}\nkey = {:?}\n",
        ca.file(),
        shown.cert,
        shown.key
    );
    let refused = redwall(port, &tls);
    assert_eq!(get(&refused), "-ERR backend unavailable\r\n");
    refused.wait_for_log("elsewhere.example");
    assert!(!backend.admin(&["CLIENT", "LIST"]).contains("redwall:main"));
    let expected = redwall(port, &(tls + "server_name = \"elsewhere.example\"\n"));
    assert_eq!(get(&expected), "$-1\r\n");
}
