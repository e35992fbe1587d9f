//! Holds the wall between the pure half and the I/O half, and the order of the rooms.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that can't go on has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in layers, from the outside in: a room may use those of later layers only, and never its neighbours.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["proxy", "status", "load"],
    &["lane"],
    &["client", "backend"],
    &["snapshot"],
    &["session", "config"],
    &["pairing", "answer"],
    &["acl", "admission"],
    &["command"],
    &["resp"],
];

/// What one room may use against the order, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "status",
        "proxy",
        "the status pages show what the door knows",
    ),
    (
        "cli",
        "load",
        "check and explain load a configuration as run does",
    ),
];

const PURE: &[&str] = &[
    "resp",
    "command",
    "acl",
    "admission",
    "answer",
    "pairing",
    "session",
    "config",
];

/// Names that betray I/O or a clock.
const FORBIDDEN: &[&str] = &[
    "tokio",
    "rustls::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "tracing::",
];

fn source_of(room: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room),
        &mut files,
    );
    assert!(!files.is_empty(), "there is no room `{room}`");
    files
}

/// The code before a file's tests, without comments.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap();
    let lines = before_tests
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_str().unwrap();
    name == "tests"
        || name == "testing"
        || path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn the_pure_half_does_no_io_and_reads_no_clock() {
    for room in PURE {
        for (path, text) in source_of(room) {
            if is_test_file(&path) {
                continue;
            }
            for name in FORBIDDEN {
                assert!(
                    !code(&text).contains(name),
                    "{} names `{name}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn a_room_uses_only_rooms_behind_it() {
    for (layer, rooms) in LAYERS.iter().enumerate() {
        for room in *rooms {
            for (path, text) in source_of(room) {
                // A test may build its room from the outside.
                if is_test_file(&path) {
                    continue;
                }
                let code = code(&text);
                for other in LAYERS[..=layer]
                    .iter()
                    .copied()
                    .flatten()
                    .filter(|other| *other != room)
                {
                    let uses = code.contains(&format!("crate::{other}::"))
                        || code.contains(&format!("crate::{other};"));
                    let excepted = EXCEPTIONS
                        .iter()
                        .any(|(from, to, _)| from == room && to == other);
                    assert!(!uses || excepted, "{} uses `{other}`", path.display());
                }
            }
        }
    }
}

#[test]
fn telemetry_is_used_by_the_io_half_only() {
    for room in PURE {
        for (path, text) in source_of(room) {
            assert!(
                !code(&text).contains("crate::telemetry"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn every_folder_is_a_room_of_the_plan() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known: Vec<&str> = LAYERS
        .iter()
        .copied()
        .flatten()
        .copied()
        .chain(["telemetry"])
        .collect();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(known.contains(&name), "`{name}` is not in the plan");
        }
    }
}

#[test]
fn a_file_is_one_room_not_a_house() {
    for room in LAYERS.iter().copied().flatten().chain(&["telemetry"]) {
        for (path, text) in source_of(room) {
            let lines = code(&text).lines().count();
            assert!(
                is_test_file(&path) || lines <= 500,
                "{} has {lines} lines of code",
                path.display()
            );
        }
    }
}

#[test]
fn a_thread_that_clients_depend_on_is_started_where_its_panic_ends_the_process() {
    let starts = |text: &str| ["thread::Builder", "thread::spawn"].map(|name| text.contains(name));
    let starting = source_of("proxy").into_iter().filter(|(path, text)| {
        let starts = starts(&code(text)).contains(&true);
        starts && !is_test_file(path)
    });
    let files: Vec<_> = starting.map(|(path, _)| path).collect();
    assert!(
        matches!(&files[..], [only] if only.ends_with("proxy/vital.rs")),
        "{files:?}"
    );
}

/// Which of the tests that start Redwall say themselves over which lanes commands travel.
const OF_BOTH_LANES: [&str; 2] = ["crowd", "lanes"];

#[test]
fn what_starts_redwall_is_tested_once_with_shared_and_once_with_own_lanes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let again = makefile
        .lines()
        .find(|line| line.contains("REDWALL_TEST_LANES=own cargo test"));
    let again: Vec<&str> = again.unwrap().split("--test ").map(str::trim).collect();
    let mut found = 0;
    for entry in fs::read_dir(root.join("tests")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let starts = fs::read_to_string(folder.join("main.rs"))
            .is_ok_and(|main| main.contains("bed/mod.rs"));
        if starts && !OF_BOTH_LANES.contains(&name) {
            found += 1;
            assert!(again.contains(&name), "`make test` runs {name} once only");
        }
    }
    assert!(found >= 3, "{found} targets start Redwall");
}
