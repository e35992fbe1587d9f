//! The configuration from outside: its faults in their exact words, the shipped files, and what must never happen.

use std::path::Path;

use super::*;

mod advice;
mod cuts;
mod faults;
mod limits_page;
mod printed;
mod secrets;
mod shipped;

const MINIMAL: &str = include_str!("../../config/minimal.toml");
const REFERENCE: &str = include_str!("../../config/redwall.toml");

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let faults = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect();
    Config::parse(Path::new("r.toml"), text).map_err(faults)
}

/// The minimal file with `from` replaced by `to`.
fn minimal_but(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    MINIMAL.replacen(from, to, 1)
}

#[test]
fn depth_and_size_of_the_text_are_only_faults() {
    let deep = "[".repeat(100_000);
    let tables = "a = { ".repeat(50_000);
    let dotted = format!("{}x = 1\n", "a.".repeat(50_000));
    let headers = format!("[{}x]\n", "a.".repeat(50_000));
    for text in [
        format!("a = {deep}\n"),
        format!("{tables}\n"),
        dotted,
        headers,
    ] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn ten_thousand_users_are_read() {
    let mut text = MINIMAL.to_owned();
    for number in 0..10_000 {
        text += &format!(
            "[database.users.u{number}]\npasswords = {{ env = \"P\" }}\nrules = \"+get ~u{number}:*\"\n"
        );
    }
    assert_eq!(parse(&text).unwrap().databases[0].users.len(), 10_001);
}
