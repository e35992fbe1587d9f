//! What a command costs on its way, in instructions: they are the same on every run, where times are not.
//!
//! Each test runs one of the works of `work.rs` under callgrind, in this very program, and compares with the table in `counts.txt`. Without
//! valgrind, on another machine than x86-64 or with another compiler than the table was made with, it says so and compares nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that can't go on has failed"
)]

mod table;
mod work;

use std::process::Command;

use table::Table;

/// How many instructions a work takes for each of its commands; `None` where they can't be counted.
fn count(work: &str) -> Option<f64> {
    if !valgrind_is_here() {
        eprintln!("skipped: valgrind isn't here; scripts/need.sh valgrind installs it");
        return None;
    }
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*work::counted*"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("work::{work}"), "--ignored"])
        .arg("--test-threads=1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let (_, collected) = said.split_once("Collected : ").expect("callgrind's sum");
    let instructions: u64 = collected.lines().next().unwrap().trim().parse().unwrap();
    assert!(instructions > 0, "{work} was not found: {said}");
    Some(instructions as f64 / f64::from(work::COMMANDS))
}

fn valgrind_is_here() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

/// Compares with the table.
fn compare(work: &str) {
    let table = Table::read();
    if let Some(reason) = table.does_not_hold_here() {
        eprintln!("skipped: {reason}");
        return;
    }
    let Some(counted) = count(work) else {
        return;
    };
    let written = table.count(work);
    assert!(
        counted <= written * table::TOLERANCE,
        "{work} takes {counted:.0} instructions a command; the table says {written:.0}. If that is worth it, write it there"
    );
    eprintln!("{work}: {counted:.1} instructions a command, {written:.0} in the table");
}

#[test]
fn scanning_a_get_takes_no_more_than_it_did() {
    compare("scan_get");
}

#[test]
fn scanning_a_set_takes_no_more_than_it_did() {
    compare("scan_set");
}

#[test]
fn finding_the_end_of_a_reply_takes_no_more_than_it_did() {
    compare("scan_reply");
}

#[test]
fn judging_a_get_takes_no_more_than_it_did() {
    compare("judge_get");
}

#[test]
fn judging_ten_keys_takes_no_more_than_it_did() {
    compare("judge_mget");
}

#[test]
fn judging_takes_the_same_however_many_users_there_are() {
    let (Some(few), Some(many)) = (count("judge_get"), count("judge_get_among_10_000_users"))
    else {
        return;
    };
    assert!(
        (few - many).abs() < 1.0,
        "{few} instructions with one user, {many} with 10,000"
    );
}

#[test]
fn a_get_s_way_through_its_session_takes_no_more_than_it_did() {
    compare("pass_get");
}

#[test]
fn encoding_a_command_takes_no_more_than_it_did() {
    compare("encode_command");
}

#[test]
fn encoding_an_error_takes_no_more_than_it_did() {
    compare("encode_error");
}
