//! What takes away stands above what makes a table whole.
//!
//! A file may be read while it is being written, and then it ends too early. Every cut but one at the end of a line is a
//! fault of syntax; a cut at the end of a line may leave a sound file that lacks its last settings. So a setting that takes
//! something away must not be the last: below it must stand one without which the file is refused. Then no cut of the
//! file opens more than the whole file does, and a test cuts at every byte.

use super::document::{Table, Value};
use super::position::At;

use super::user::Templates;

/// Tables of the file that take away, or without which a wider default holds.
const NARROWS_FILE: [&str; 2] = ["server", "status"];

/// Keys of `[[database]]` of the same kind.
const NARROWS_DATABASE: [&str; 9] = [
    "deny",
    "deny_files",
    "private_only",
    "max_clients",
    "max_clients_per_address",
    "max_half_open",
    "max_half_open_per_address",
    "tls",
    "limits",
];

/// Keys of `[database.backend]`: without them it would be used as its default user, or without proof of who asks.
const NARROWS_BACKEND: [&str; 5] = ["user", "password", "cert", "key", "server_name"];

/// Keys of a user that take away, beside `require`.
const NARROWS_USER: [&str; 2] = ["enabled", "deny"];

/// Refuses tables of the whole process that stand below the first database.
pub(crate) fn file(root: &Table<'_>) -> Option<()> {
    let whole = Whole {
        at: root.key_at("database")?,
        what: "the first [[database]]",
    };
    whole.all_above(root, &NARROWS_FILE)
}

/// Refuses settings of a database that stand below the last one that it can't do without.
pub(crate) fn database(table: &Table<'_>) -> Option<()> {
    let inside = |key, inner| {
        table
            .get(key)
            .and_then(|value: Value<'_>| value.inner_at(inner))
    };
    let users = [table.key_at("users"), inside("acl", "aclfile")];
    // Where it also listens without TLS, a file that is cut above `listen` needs none.
    let certificates = match table.key_at("plaintext_listen") {
        None => inside("tls", "certificates"),
        Some(_) => None,
    };
    let needed = [
        users.into_iter().flatten().min(),
        inside("backend", "url"),
        certificates,
    ];
    let whole = Whole {
        at: needed.into_iter().flatten().max()?,
        what: "the last setting that the database needs",
    };
    let own = whole.all_above(table, &NARROWS_DATABASE);
    let mut sound = Some(());
    for key in NARROWS_BACKEND {
        if let Some(at) = inside("backend", key) {
            sound = sound.and(whole.above(table, key, at));
        }
    }
    own.and(sound)
}

/// Refuses settings of a user that stand below the last one without which he can't log in or may do nothing.
///
/// `proofs` are the keys that hold a proof; an empty list, or `nopass = false`, is none.
pub(crate) fn user(table: &Table<'_>, proofs: &[&'static str], templates: Templates) -> Option<()> {
    let rights = [table.key_at("roles"), table.key_at("rules")];
    let Some(rights) = rights.into_iter().flatten().min() else {
        return Some(());
    };
    // Without `require` one proof is enough, whichever comes first.
    let first = proofs.iter().filter_map(|key| table.key_at(key)).min();
    let one_proof = Whole {
        at: first.map_or(rights, |proof| proof.max(rights)),
        what: "the first proof of the user",
    };
    let required = one_proof.all_above(table, &["require"]);
    // Where a template may prove the user instead, a file that is cut above `certificates` is sound.
    let may_lack = match (templates, table.key_at("require")) {
        (Templates::Some, Some(_)) => "certificates",
        (Templates::None, _) | (Templates::Some, None) => "",
    };
    let needed = proofs.iter().filter(|key| **key != may_lack);
    let last = needed.filter_map(|key| table.key_at(key)).max();
    let whole = Whole {
        at: last.map_or(rights, |proof| proof.max(rights)),
        what: "the last setting that the user needs",
    };
    required.and(whole.all_above(table, &NARROWS_USER))
}

/// Where a table is whole: above it, every cut is a fault.
struct Whole {
    at: At,
    what: &'static str,
}

impl Whole {
    fn all_above(&self, table: &Table<'_>, keys: &[&'static str]) -> Option<()> {
        let mut sound = Some(());
        for key in keys {
            if let Some(value) = table.get(key) {
                sound = sound.and(self.above(table, key, value.last_at()));
            }
        }
        sound
    }

    fn above(&self, table: &Table<'_>, key: &str, at: At) -> Option<()> {
        if at.line <= self.at.line {
            return Some(());
        }
        let what = format!("`{key}` stands below {}", self.what);
        let expected = format!(
            "it above line {}: a file that is cut off here would allow more than the whole one",
            self.at.line
        );
        table.fault(at, what, expected);
        None
    }
}
