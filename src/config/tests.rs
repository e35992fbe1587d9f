//! The configuration from outside: its faults in their exact words, the shipped files, and what must never happen.

use std::path::Path;

use super::*;

mod cuts;
mod faults;
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
