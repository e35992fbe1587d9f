//! `[[database]]`: a named endpoint with its own listeners, admission, TLS, users and backend.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::admission::Admission;
use super::backend::Backend;
use super::certificate_name::{Trust, by_template};
use super::document::{Section, Table, Value, each};
use super::limits::{Limits, connections};
use super::name::{Name, name};
use super::network::{listen_list, said_twice};
use super::position::{At, Placed};
use super::reference::{FileRef, file};
use super::role::RoleNames;
use super::tls::Tls;
use super::user::{Surroundings, Templates, User, nopass_rule};
use crate::acl::aclfile::NoPassRule;
use crate::admission::certificate::{CertificateMapping, NameField};
use crate::admission::slots::SlotLimits;

pub(crate) const DATABASE: Section = Section {
    path: "[[database]]",
    keys: &[
        "name",
        "listen",
        "plaintext_listen",
        "plaintext_off_loopback",
        "allow",
        "allow_files",
        "deny",
        "deny_files",
        "private_only",
        "max_clients",
        "max_clients_per_address",
        "max_half_open",
        "max_half_open_per_address",
        "ipv6_prefix",
        "lanes",
        "tls",
        "certificate_users",
        "limits",
        "backend",
        "acl",
        "users",
    ],
};

pub(crate) const ACL: Section = Section {
    path: "[database.acl]",
    keys: &["aclfile", "allow_nopass"],
};

/// Over which connections the commands of a database's clients travel to its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Those of many clients over few connections; what holds on to a connection, such as a transaction, over one of its own.
    Shared,
    /// Those of each client over a connection of its own.
    Own,
}

pub(crate) const LANES: [(&str, Lanes); 2] = [("shared", Lanes::Shared), ("own", Lanes::Own)];

/// `[[database]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name, in logs and metrics.
    pub name: Placed<Name>,
    /// Where its table begins.
    pub at: At,
    /// Where it listens with TLS.
    pub listen: Vec<Placed<SocketAddr>>,
    /// Where it listens without.
    pub plaintext_listen: Vec<Placed<SocketAddr>>,
    /// Who may connect, by address.
    pub admission: Admission,
    /// How many may connect.
    pub connections: SlotLimits,
    /// Over which connections its clients' commands travel to the backend.
    pub lanes: Lanes,
    /// TLS; there is one exactly where [`Self::listen`] has an address.
    pub tls: Option<Tls>,
    /// The certificates that prove whichever user a template yields.
    pub certificate_users: Vec<CertificateMapping>,
    /// What one client may take.
    pub limits: Limits,
    /// The server behind it.
    pub backend: Backend,
    /// What concerns all of its users.
    pub acl: Acl,
    /// Its users, by name.
    pub users: Vec<User>,
}

/// `[database.acl]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Acl {
    /// A file with users in Redis's own ACL format, beside those of the configuration.
    pub aclfile: Option<FileRef>,
    /// Whether a user, of either, may be `nopass` though no certificate is required of him.
    pub allow_nopass: bool,
}

impl Acl {
    fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&ACL)?;
        let aclfile = table.option("aclfile", file);
        let allow_nopass = table.or("allow_nopass", false, Value::flag);
        Some(Self {
            aclfile: aclfile?,
            allow_nopass: allow_nopass?,
        })
    }
}

impl Database {
    pub(crate) fn parse(value: &Value<'_>, roles: &RoleNames) -> Option<Self> {
        let table = value.table(&DATABASE)?;
        let name = table
            .need("name", "a name for the database")
            .and_then(|value| name(&value));
        let listeners = Listeners::parse(&table);
        let admission = Admission::parse(&table);
        let connections = connections(&table);
        let lanes = table.or("lanes", Lanes::Shared, |value| value.word(&LANES));
        let tls = table.option("tls", Tls::parse);
        let limits = table.or("limits", Limits::default(), Limits::parse);
        let backend = table.need("backend", "[database.backend] with a `url`");
        let backend = backend.and_then(|value| Backend::parse(&value));
        let users = Users::parse(&table, roles, tls.as_ref(), listeners.as_ref());
        let agreed = listeners
            .as_ref()
            .and_then(|listeners| listeners.agree(&table, &tls));
        let (listeners, users) = (listeners?, users?);
        agreed?;
        Some(Self {
            name: name?,
            at: table.at,
            listen: listeners.listen,
            plaintext_listen: listeners.plaintext,
            admission: admission?,
            connections: connections?,
            lanes: lanes?,
            tls: tls?,
            certificate_users: users.templates,
            limits: limits?,
            backend: backend?,
            acl: users.acl,
            users: users.users,
        })
    }
}

impl Database {
    /// Whether a user of its ACL file may be `nopass`: where it says so, or lets nobody in without a certificate.
    pub fn nopass_rule(&self) -> NoPassRule {
        let tls = Some(&self.tls);
        nopass_rule(
            Some(&self.acl),
            Trust::new(tls),
            self.plaintext_listen.len(),
        )
    }

    /// The rules by which a certificate proves a user: exact names of each user, then the templates.
    pub fn certificate_mappings(&self) -> Vec<CertificateMapping> {
        let exact = self.users.iter().flat_map(|user| &user.certificates);
        exact.chain(&self.certificate_users).cloned().collect()
    }

    /// One deadline for accept, handshake and login together.
    pub fn login_timeout(&self) -> Duration {
        let tls = self.tls.as_ref();
        tls.map_or(Duration::from_secs(10), |tls| tls.handshake_timeout)
    }

    /// The user of this name, if the configuration has it.
    pub fn user(&self, name: &str) -> Option<&User> {
        let mut users = self.users.iter();
        users.find(|user| user.name.value.as_str() == name)
    }
}

/// Where a database listens.
struct Listeners {
    listen: Vec<Placed<SocketAddr>>,
    plaintext: Vec<Placed<SocketAddr>>,
}

impl Listeners {
    fn parse(table: &Table<'_>) -> Option<Self> {
        let listen = listen_list(table, "listen");
        let plaintext = listen_list(table, "plaintext_listen");
        let again = listen_list(table, "plaintext_off_loopback");
        let (listen, plaintext, again) = (listen?, plaintext?, again?);
        let keys = ["plaintext_listen", "plaintext_off_loopback"];
        said_twice(table, &plaintext, &again, keys)?;
        Some(Self { listen, plaintext })
    }

    /// Refuses a database that listens nowhere, and TLS without a listener or the other way round.
    fn agree(&self, table: &Table<'_>, tls: &Option<Option<Tls>>) -> Option<()> {
        if self.listen.is_empty() && self.plaintext.is_empty() {
            let expected = "`listen = [\"0.0.0.0:6379\", \"[::]:6379\"]` or another address";
            table.fault(table.at, "the database listens nowhere", expected);
            return None;
        }
        match (self.listen.is_empty(), tls.as_ref()?) {
            (false, None) => {
                let at = table.key_at("listen").unwrap_or(table.at);
                let what = "`listen` is with TLS, but there is no [database.tls]";
                table.fault(
                    at,
                    what,
                    "[database.tls] with `certificates`, or `plaintext_listen`",
                );
                None
            }
            (true, Some(_)) => {
                let at = table.key_at("tls").unwrap_or(table.at);
                let what = "[database.tls] is given, but there is no `listen`";
                table.fault(at, what, "`listen` with an address");
                None
            }
            (false, Some(_)) | (true, None) => Some(()),
        }
    }
}

/// The users of a database, and the certificates that prove them by template.
struct Users {
    templates: Vec<CertificateMapping>,
    acl: Acl,
    users: Vec<User>,
}

impl Users {
    fn parse(
        table: &Table<'_>,
        roles: &RoleNames,
        tls: Option<&Option<Tls>>,
        listeners: Option<&Listeners>,
    ) -> Option<Self> {
        let trust = Trust::new(tls);
        let shape = "[[database.certificate_users]] with `cn`, `san_dns`, `san_uri` or `san_email`";
        let templates = table.list("certificate_users", shape, |value| {
            by_template(value, trust)
        });
        let acl = table.or("acl", Acl::default(), Acl::parse);
        let plaintext = listeners.map_or(0, |listeners| listeners.plaintext.len());
        let around = Surroundings {
            roles,
            trust,
            templates: match table.get("certificate_users") {
                Some(_) => Templates::Some,
                None => Templates::None,
            },
            nopass: nopass_rule(acl.as_ref(), trust, plaintext),
        };
        let users = match table.get("users") {
            Some(value) => value.named("[database.users.NAME]").and_then(|named| {
                let users = named
                    .into_iter()
                    .map(|(key, value)| User::parse(key, &value, around));
                users.collect::<Vec<_>>().into_iter().collect()
            }),
            None => Some(Vec::new()),
        };
        let (users, templates): (Vec<User>, _) = (users?, templates?);
        let acl = acl?;
        provable(table, &users, &templates)?;
        if users.is_empty() && acl.aclfile.is_none() {
            let what = "the database has no users, so nobody can log in";
            table.fault(
                table.at,
                what,
                "[database.users.NAME] or `aclfile` in [database.acl]",
            );
            return None;
        }
        Some(Self {
            templates,
            acl,
            users,
        })
    }
}

/// Refuses users whom no certificate can prove though one must: no template takes such a name, or another user has the very
/// same certificate.
fn provable(table: &Table<'_>, users: &[User], templates: &[CertificateMapping]) -> Option<()> {
    let mut sound = Some(());
    let mut owners: HashMap<(NameField, String, Option<&str>), &str> = HashMap::new();
    // A mapping that names no CA is there only where there is one CA, which is then that of all.
    let written = users.iter().flat_map(|user| &user.certificates);
    let one_ca = written.chain(templates).any(|mapping| mapping.ca.is_none());
    for user in users {
        let name = user.name.value.as_str();
        let mut rules = user.certificates.iter().chain(templates);
        if user.require.need_certificate() && !rules.any(|rule| rule.may_prove(name)) {
            let what = "a certificate is required, but no template can yield this user's name";
            let expected = "`certificates`, or a name of the characters that a template takes";
            table.fault(user.name.at, what, expected);
            sound = None;
        }
        for CertificateMapping { field, pattern, ca } in &user.certificates {
            let ca = ca.as_deref().filter(|_| !one_ca);
            let key = (*field, pattern.to_string(), ca);
            if owners.insert(key, name).is_some_and(|owner| owner != name) {
                let what = "a certificate of this user proves an earlier user too, so that it would prove neither";
                table.fault(user.name.at, what, "a certificate for one user only");
                sound = None;
            }
        }
    }
    sound
}

/// The databases of the file, with names of their own.
pub(crate) fn databases(table: &Table<'_>, roles: &RoleNames) -> Option<Vec<Database>> {
    let value = table.need("database", "one [[database]] or more")?;
    let items = value.items("[[database]]")?;
    if items.is_empty() {
        return value.refuse("is empty", "one [[database]] or more");
    }
    let databases = each(items, |item| Database::parse(item, roles))?;
    let mut sound = Some(());
    for (index, database) in databases.iter().enumerate() {
        let mut before = databases.iter().take(index);
        if before.any(|before| before.name.value == database.name.value) {
            let what = "two databases have this name";
            table.fault(database.name.at, what, "a name of its own for each");
            sound = None;
        }
    }
    sound.map(|()| databases)
}
