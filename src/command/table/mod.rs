//! The table: one row for each command and subcommand of Redis 7.0, Redis 8.2, Valkey 8.1 and Valkey 9.1.
//!
//! Each group of commands has a file, each row a line. The rows were first taken from `COMMAND` of these servers and are kept
//! by hand since; a test compares them with the live servers. Everything is put together while compiling.

mod bitmaps;
mod cluster;
mod connection;
mod generic;
mod geo;
mod hashes;
mod hyperloglogs;
mod lists;
mod pubsub;
mod row;
mod scripting;
mod server;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;
mod vectors;

use super::spec::{CommandId, CommandSpec};
use row::Row;

/// The groups, as `COMMAND DOCS` names them, and their rows.
const GROUPS: &[(&str, &[Row])] = &[
    ("bitmap", bitmaps::ROWS),
    ("cluster", cluster::ROWS),
    ("connection", connection::ROWS),
    ("generic", generic::ROWS),
    ("geo", geo::ROWS),
    ("hash", hashes::ROWS),
    ("hyperloglog", hyperloglogs::ROWS),
    ("list", lists::ROWS),
    ("pubsub", pubsub::ROWS),
    ("scripting", scripting::ROWS),
    ("server", server::ROWS),
    ("set", sets::ROWS),
    ("sorted-set", sorted_sets::ROWS),
    ("stream", streams::ROWS),
    ("string", strings::ROWS),
    ("transactions", transactions::ROWS),
    ("module", vectors::ROWS),
];

/// Number of rows; every [`CommandId`] is below it.
pub const ROW_COUNT: usize = count_rows();

pub(super) static TABLE: [CommandSpec; ROW_COUNT] = assemble();

/// All rows, in the order of their numbers; a container is followed by its subcommands.
pub fn rows() -> &'static [CommandSpec] {
    &TABLE
}

/// The row with this number. `None` only for a number that isn't from this table.
pub fn row(id: CommandId) -> Option<&'static CommandSpec> {
    TABLE.get(usize::from(id.0))
}

impl CommandSpec {
    /// The rows of the subcommands; empty for a row that isn't a container.
    pub fn subcommand_rows(&self) -> &'static [CommandSpec] {
        let first = usize::from(self.id.0) + 1;
        TABLE
            .get(first..first + usize::from(self.subcommands))
            .unwrap_or(&[])
    }
}

const fn count_rows() -> usize {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].1.len();
        group += 1;
    }
    count
}

/// Numbers the rows, names their groups, and ties subcommands to the container above them.
const fn assemble() -> [CommandSpec; ROW_COUNT] {
    let mut table = [strings::ROWS[0].spec(); ROW_COUNT];
    let (mut group, mut next, mut container) = (0, 0, 0);
    while group < GROUPS.len() {
        let (name, list) = GROUPS[group];
        let mut at = 0;
        while at < list.len() {
            let mut spec = list[at].spec();
            spec.id = CommandId(next as u16);
            spec.group = name;
            spec.prefix = prefix(spec.name);
            if spec.prefix > 0 {
                spec.parent = Some(CommandId(container as u16));
                table[container].subcommands += 1;
            } else {
                container = next;
            }
            table[next] = spec;
            next += 1;
            at += 1;
        }
        group += 1;
    }
    table
}

/// Length of the container's name and its bar; 0 where there is no container.
const fn prefix(name: &str) -> u8 {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'|' {
            return at as u8 + 1;
        }
        at += 1;
    }
    0
}

#[cfg(test)]
mod tests;
