//! The configuration: the text of one TOML file becomes domain types, or a list of all its faults with their places.
//!
//! Pure: it opens no file and resolves no name; what the file refers to stays a path and a place. It never prints a secret,
//! and its faults hold no value of the file, because a secret may stand in any of its strings by mistake.

mod acl_source;
mod admission;
mod advice;
mod backend;
mod backend_url;
mod certificate_name;
mod cidr_list;
mod database;
mod document;
mod fault;
mod limits;
mod name;
mod network;
mod note;
mod overlap;
mod position;
mod print;
mod reference;
mod role;
mod rule_text;
mod server;
mod suggest;
mod tls;
mod units;
mod user;
mod words;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use admission::Admission;
pub use backend::{Backend, BackendTls, LostReplies};
pub use backend_url::BackendAddress;
pub use cidr_list::cidr_list;
pub use database::{Acl, Database, Lanes};
pub use fault::Fault;
pub use limits::{CONNECTIONS, Limits};
pub use name::{Name, UserName};
pub use network::is_loopback;
pub use note::{Note, Severity};
pub use position::{At, Placed};
pub use reference::{FileRef, PasswordSource, Secret, SecretSource};
pub use role::Role;
pub use rule_text::{RuleText, Rules};
pub use server::{Log, LogFormat, LogLevel, Server, Status, Workers};
pub use tls::{CertificatePair, ClientCa, ClientCertificates, Tls, TlsVersion};
pub use units::ByteSize;
pub use user::User;
pub use words::file_user_in_words;

use document::{Document, Section, Table, Value};
use role::RoleNames;

const ROOT: Section = Section {
    path: "the file",
    keys: &["server", "status", "log", "roles", "database"],
};

/// One configuration file, sound in itself: what it refers to may still be missing or faulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file, as it was named.
    pub file: PathBuf,
    /// `[server]`.
    pub server: Server,
    /// `[status]`.
    pub status: Status,
    /// `[log]`.
    pub log: Log,
    /// The roles of the file; the built-in ones come besides.
    pub roles: Vec<Role>,
    /// The databases in the order of the file. Never empty; no two have the same name or overlapping addresses.
    pub databases: Vec<Database>,
}

impl Config {
    /// Reads the text of `file`, whose name is only for faults.
    ///
    /// # Errors
    /// Every fault that can be found, in the order of the file. Where the text is not TOML, only that.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<Fault>> {
        let document = Document::new(file, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        note_syntax(&document, &errors);
        note_cut_end(&document, text);
        if !document.is_sound() {
            return Err(document.into_faults());
        }
        let table = Table::root(&document, root.get_ref(), &ROOT);
        let config = Self::read(file, &table);
        match config {
            Some(config) if document.is_sound() => Ok(config),
            Some(_) | None => Err(document.into_faults()),
        }
    }

    fn read(file: &Path, table: &Table<'_>) -> Option<Self> {
        let server = table.or("server", Server::default(), Server::parse);
        let status = table.or("status", Status::default(), Status::parse);
        let log = table.or("log", Log::default(), Log::parse);
        let (roles, names) = roles(table)?;
        let databases = database::databases(table, &names);
        let (status, databases) = (status?, databases?);
        let apart = overlap::check(table, &status, &databases);
        apart?;
        Some(Self {
            file: file.to_owned(),
            server: server?,
            status,
            log: log?,
            roles: roles?,
            databases,
        })
    }

    /// The database of this name.
    pub fn database(&self, name: &str) -> Option<&Database> {
        let mut databases = self.databases.iter();
        databases.find(|database| database.name.value.as_str() == name)
    }
}

/// The roles of the file, `None` where one is faulty, and the names of all.
fn roles(table: &Table<'_>) -> Option<(Option<Vec<Role>>, RoleNames)> {
    let named = match table.get("roles") {
        Some(value) => value.named("[roles.NAME]")?,
        None => Vec::new(),
    };
    let declared: Vec<&str> = named.iter().map(|(key, _)| key.value).collect();
    let parsed: Vec<Option<Role>> = named
        .iter()
        .map(|(key, value): &(_, Value<'_>)| Role::parse(*key, value))
        .collect();
    let sound: Vec<Role> = parsed.iter().flatten().cloned().collect();
    let names = RoleNames::new(&declared, &sound);
    let mut all: Option<Vec<Role>> = parsed.into_iter().collect();
    for role in &sound {
        if names.refuse_unknown(table, &role.inherits).is_none() {
            all = None;
        }
        if names.is_in_cycle(&role.name.value) {
            let what = format!("role `{}` inherits itself in the end", role.name.value);
            table.fault(role.name.at, what, "roles that inherit in one direction");
            all = None;
        }
    }
    Some((all, names))
}

/// The parser's own messages are fixed texts; its full error would quote the line, and with it a secret.
fn note_syntax(document: &Document<'_>, errors: &[toml::de::Error]) {
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message();
        let (what, expected) = message
            .split_once(", expected ")
            .unwrap_or((message, "TOML"));
        document.fault(document.source().at(offset), what, expected);
    }
}

/// A last line without its line break may be half a line: `0.0.0.0/1` of a longer prefix, or a list's first entries.
fn note_cut_end(document: &Document<'_>, text: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        let what = "the last line has no line break: the file may have been cut";
        document.fault(document.source().at(text.len()), what, "a line break");
    }
}

#[cfg(test)]
mod tests;
