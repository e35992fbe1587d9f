//! What clients that come and go, or come all at once, may not cost the backend.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::bed::{
    Backend, Client, Config, OPENED, Redwall, assert_that_no_port_waits, in_state, ports_that_wait,
    redis_on_tcp, wait_until,
};

#[test]
fn clients_that_come_and_go_use_up_no_local_port_and_a_crowd_comes_no_faster_than_it_may() {
    no_port_is_used_up();
    a_crowd_comes_in_order();
}

fn no_port_is_used_up() {
    let (backend, port) = redis_on_tcp("127.0.0.1");
    let redwall = Config::new(&format!("redis://127.0.0.1:{port}")).start();
    assert_that_no_port_waits(&redwall, port, 400);
    // Nor do connections that the backend doesn't let in. Those that it has let in before are over.
    backend.admin(&["ACL", "SETUSER", "redwall", "resetpass", ">other"]);
    backend.admin(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for _ in 0..20 {
        let mut client = Client::login(redwall.address, "app", "app");
        assert_eq!(
            client.ask(&["GET", "app:k"]),
            "-ERR backend unavailable\r\n"
        );
    }
    assert_eq!(ports_that_wait(port), 0);
}

fn connections_received(stats: Vec<u8>) -> u32 {
    let stats = String::from_utf8(stats).unwrap();
    let (_, rest) = stats.split_once("total_connections_received:").unwrap();
    rest.split('\r').next().unwrap().parse().unwrap()
}

fn a_crowd_comes_in_order() {
    const LIMIT: u32 = 5;
    const CROWD: u32 = 15;
    let (backend, port) = redis_on_tcp("127.0.0.1");
    let mut config = Config::new(&format!("redis://127.0.0.1:{port}"));
    // One that they shared would serve them all at once.
    config.database = "lanes = \"own\"".to_owned();
    config.backend_more = format!("max_connects_per_second = {LIMIT}\nconnect_timeout = \"20s\"\n");
    let redwall = config.start();
    let mut direct = backend.direct("admin", 2);
    let mut received = || connections_received(direct.ask(&["INFO", "stats"]));
    let (start, first) = (Instant::now(), received());
    let mut clients: Vec<Client> = (0..CROWD)
        .map(|_| Client::login(redwall.address, "app", "app"))
        .collect();
    for client in &mut clients {
        client.send(&["GET", "app:k"]);
    }
    assert!(redwall.metric(&in_state("connecting")) > 0.0);
    wait_until("all have been served", || {
        let taken = received() - first;
        let most = 1.0 + f64::from(LIMIT) * start.elapsed().as_secs_f64();
        assert!(f64::from(taken) <= most, "{taken} at {most}");
        taken == CROWD
    });
    for client in &mut clients {
        assert_eq!(client.text(), "$-1\r\n");
    }
    assert_eq!(redwall.metric(OPENED), f64::from(CROWD));
    assert_eq!(received(), first + CROWD);
    let list = String::from_utf8(direct.ask(&["CLIENT", "LIST"])).unwrap();
    let word = |line: &str, key: &str| {
        let mut words = line.split(' ');
        words.find_map(|word| word.strip_prefix(key)?.parse::<u32>().ok())
    };
    // By the backend's numbers, which it gives in the order in which it takes connections.
    let taken = list.lines().filter_map(|line| {
        let client = word(line, "name=redwall:main:")?;
        Some((word(line, "id=")?, client))
    });
    let taken: BTreeMap<u32, u32> = taken.collect();
    assert_eq!(taken.len(), CROWD as usize, "{list}");
    assert!(taken.values().is_sorted(), "{taken:?}");
}
