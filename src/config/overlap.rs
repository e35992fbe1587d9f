//! Listen addresses that can't be bound beside each other, or that would make it chance which database a client meets.

use std::net::{IpAddr, SocketAddr};

use super::database::Database;
use super::document::Table;
use super::position::{At, Placed};
use super::server::Status;

/// An address and whose it is: the number of its database, or `None` for the status listener.
struct Claim {
    address: Placed<SocketAddr>,
    database: Option<usize>,
}

/// Refuses addresses that overlap.
pub(crate) fn check(table: &Table<'_>, status: &Status, databases: &[Database]) -> Option<()> {
    let status = status.listen.iter().map(|address| Claim {
        address: *address,
        database: None,
    });
    let of_databases = databases.iter().enumerate().flat_map(|(index, database)| {
        let both = database.listen.iter().chain(&database.plaintext_listen);
        both.map(move |address| Claim {
            address: *address,
            database: Some(index),
        })
    });
    let mut claims: Vec<Claim> = status.chain(of_databases).collect();
    claims.sort_by_key(|claim| claim.address.at);
    let mut sound = Some(());
    for (index, later) in claims.iter().enumerate() {
        let earlier = claims
            .iter()
            .take(index)
            .find(|earlier| overlap(earlier, later));
        if let Some(earlier) = earlier {
            let At { line, column } = earlier.address.at;
            let what = match earlier.database {
                None if earlier.address.at == At::START => {
                    "the address overlaps with the default of `listen` in [status]".to_owned()
                }
                _ => format!("the address overlaps with the one at {line}:{column}"),
            };
            table.fault(later.address.at, what, "another port or address");
            sound = None;
        }
    }
    sound
}

/// `[::]` takes IPv4 too, unless `0.0.0.0` stands beside it in the same database: then it is for IPv6 alone.
fn overlap(one: &Claim, other: &Claim) -> bool {
    let (a, b) = (one.address.value, other.address.value);
    // Port 0 is whichever port is free.
    if a.port() != b.port() || a.port() == 0 {
        return false;
    }
    match (a.ip(), b.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V6(a), IpAddr::V6(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V4(v4), IpAddr::V6(v6)) | (IpAddr::V6(v6), IpAddr::V4(v4)) => {
            let side_by_side = v4.is_unspecified() && one.database == other.database;
            v6.is_unspecified() && !side_by_side
        }
    }
}
