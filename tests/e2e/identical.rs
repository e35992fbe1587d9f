//! What is permitted answers byte for byte as the server itself does.

use crate::bed::{Backend, Client, Config, Server};

/// The corpus, without comments.
fn corpus() -> Vec<Vec<&'static str>> {
    let lines = include_str!("data/commands.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let commands: Vec<Vec<_>> = lines.map(|line| line.split(' ').collect()).collect();
    assert!(
        commands.len() > 300,
        "the corpus has {} commands",
        commands.len()
    );
    commands
}

/// Runs the corpus on the server itself and through Redwall, from an empty keyspace each time.
fn compare(server: Server, protocol: u8) {
    let backend = Backend::start_as(server, &[]);
    let redwall = Config::new(&backend.url()).start();
    let mut direct = backend.direct("redwall", protocol);
    let expected: Vec<Vec<u8>> = corpus().iter().map(|words| direct.ask(words)).collect();
    backend.admin(&["FLUSHALL"]);
    let mut client = Client::login(redwall.address, "root", "root");
    client.hello(protocol);
    let mut differing = Vec::new();
    for (words, expected) in corpus().iter().zip(&expected) {
        let found = client.ask_bytes(words);
        if found != *expected {
            differing.push(format!(
                "{}\n  direct  {:?}\n  Redwall {:?}",
                words.join(" "),
                String::from_utf8_lossy(expected),
                String::from_utf8_lossy(&found)
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{server:?} RESP{protocol}:\n{}",
        differing.join("\n")
    );
}

#[test]
fn permitted_commands_answer_as_redis_7_0_does_in_resp2_and_resp3() {
    compare(Server::Redis70, 2);
    compare(Server::Redis70, 3);
}

#[test]
fn permitted_commands_answer_as_redis_8_2_does_in_resp2_and_resp3() {
    compare(Server::Redis82, 2);
    compare(Server::Redis82, 3);
}

#[test]
fn permitted_commands_answer_as_valkey_8_1_does_in_resp2_and_resp3() {
    compare(Server::Valkey81, 2);
    compare(Server::Valkey81, 3);
}

#[test]
fn permitted_commands_answer_as_valkey_9_1_does_in_resp2_and_resp3() {
    compare(Server::Valkey91, 2);
    compare(Server::Valkey91, 3);
}

#[test]
fn a_pipeline_of_the_whole_corpus_answers_in_order() {
    let backend = Backend::start();
    let redwall = Config::new(&backend.url()).start();
    let mut one_by_one = Client::login(redwall.address, "root", "root");
    let expected: Vec<Vec<u8>> = corpus()
        .iter()
        .map(|words| one_by_one.ask_bytes(words))
        .collect();
    backend.admin(&["FLUSHALL"]);
    let mut pipelined = Client::login(redwall.address, "root", "root");
    let mut bytes = Vec::new();
    for words in corpus() {
        bytes.extend_from_slice(
            redwall::resp::OwnedRequest::new(&words)
                .as_request()
                .bytes(),
        );
    }
    pipelined.send_raw(&bytes);
    for (words, expected) in corpus().iter().zip(&expected) {
        let found = pipelined.frame();
        assert_eq!(
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(expected),
            "{}",
            words.join(" ")
        );
    }
}
