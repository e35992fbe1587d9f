//! What a reload can't change: a configuration that wants it changed is refused as a whole, with the reason.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{At, Config, Database, Fault, Placed};
use crate::load::{LoadFault, Loaded};

/// Passes `loaded` on if it differs from the configuration that the process was started with only in what a reload can change. Its
/// databases then stand in the order of those that run.
///
/// # Errors
/// Each difference that needs a restart.
pub(super) fn check(running: &Config, mut loaded: Loaded) -> Result<Loaded, Vec<LoadFault>> {
    let faults = differences(running, &loaded.config);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(LoadFault::Faulty).collect());
    }
    let place = |database: &Arc<crate::snapshot::Database>| {
        let names = running.databases.iter().map(name);
        names.into_iter().position(|name| name == database.name)
    };
    loaded.snapshot.databases.sort_by_key(place);
    Ok(loaded)
}

/// What `wanted` has that only a restart can give.
fn differences(running: &Config, wanted: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut differs = |at: At, what: &str| {
        faults.push(Fault {
            file: wanted.file.clone(),
            at,
            what: format!("{what} changed, which needs a restart"),
            expected: "what the running process was started with".to_owned(),
        });
    };
    if running.server.workers != wanted.server.workers {
        differs(At::START, "`workers` of [server] has");
    }
    if addresses(&running.status.listen) != addresses(&wanted.status.listen) {
        differs(At::START, "the addresses of [status] have");
    }
    if running.log.format != wanted.log.format {
        differs(At::START, "`format` of [log] has");
    }
    for database in &wanted.databases {
        match running
            .databases
            .iter()
            .find(|of| name(of) == name(database))
        {
            None => differs(
                database.at,
                &format!(
                    "database {} is new: the set of databases has",
                    name(database)
                ),
            ),
            Some(before) if listens(before) != listens(database) => {
                differs(
                    database.at,
                    &format!("the addresses of database {} have", name(database)),
                );
            }
            Some(_) => {}
        }
    }
    for gone in &running.databases {
        if !wanted.databases.iter().any(|of| name(of) == name(gone)) {
            differs(
                At::START,
                &format!("database {} is gone: the set of databases has", name(gone)),
            );
        }
    }
    faults
}

fn name(database: &Database) -> &str {
    database.name.value.as_str()
}

/// With TLS, and without.
fn listens(database: &Database) -> (BTreeSet<SocketAddr>, BTreeSet<SocketAddr>) {
    (
        addresses(&database.listen),
        addresses(&database.plaintext_listen),
    )
}

fn addresses(placed: &[Placed<SocketAddr>]) -> BTreeSet<SocketAddr> {
    placed.iter().map(|address| address.value).collect()
}
