//! What is unwise in a configuration that is sound, as far as its own text shows it.

use std::net::IpAddr;

use super::note::{Note, Severity};
use super::position::At;
use super::role::RoleNames;
use super::{BackendAddress, Config, Database, User};
use crate::acl::{Enabled, RoleRules};

/// Built-in roles whose rules name scripts, which nobody but full users may run as long as a script can't be kept to its
/// user's keys.
const ROLES_WITH_SCRIPTS: [&str; 2] = ["read-write", "queue-worker"];

/// A place and what there is to say of it.
type Warning = (At, String);

impl Config {
    /// Warnings, in the order of the file.
    pub fn warnings(&self) -> Vec<Note> {
        let roles = RoleNames::of(&self.roles);
        let mut found: Vec<Warning> = Vec::new();
        for role in &self.roles {
            found.extend(of_rules(role.rules.warnings()));
        }
        for database in &self.databases {
            found.extend(database.plain_backend());
            found.extend(database.overlapping_prefixes(&roles));
            for user in &database.users {
                found.extend(of_rules(user.rules.warnings()));
                found.extend(user.refused_scripts(&roles));
                found.extend(user.without_rights());
            }
        }
        found.sort_by_key(|(at, _)| *at);
        let notes = found.into_iter().map(|(at, text)| Note {
            file: self.file.clone(),
            at,
            severity: Severity::Warning,
            text,
        });
        notes.collect()
    }
}

fn of_rules(warnings: Vec<(At, crate::acl::RuleWarning)>) -> impl Iterator<Item = Warning> {
    let told = |(at, warning): (At, crate::acl::RuleWarning)| (at, warning.to_string());
    warnings.into_iter().map(told)
}

impl Database {
    fn plain_backend(&self) -> Option<Warning> {
        let backend = &self.backend;
        if backend.tls.is_some() || backend.address.value.is_on_this_machine() {
            return None;
        }
        let what = match backend.password {
            Some(_) => "the service password and all data cross",
            None => "all data crosses",
        };
        let text = format!(
            "{what} the network in plain text: the backend is redis:// and not on loopback"
        );
        Some((backend.address.at, text))
    }

    /// Users whose keys another user reaches, because its prefix is the beginning of theirs and its pattern goes on with a
    /// wildcard right after it.
    fn overlapping_prefixes(&self, roles: &RoleNames) -> Vec<Warning> {
        let with_prefix = || {
            let users = self.users.iter();
            users.filter_map(|user| Some((user, user.prefix.as_ref()?)))
        };
        let mut found = Vec::new();
        for (user, prefix) in with_prefix() {
            let mut rules = roles.rules_of(&user.roles).into_iter().flatten();
            if !rules.any(RoleRules::is_open_after_prefix) {
                continue;
            }
            for (other, longer) in with_prefix() {
                let reaches = longer.value.starts_with(&prefix.value);
                if reaches && longer.value != prefix.value {
                    let text = format!(
                        "user {} with the prefix {} reaches the keys of user {}, whose prefix is {}",
                        user.name.value, prefix.value, other.name.value, longer.value
                    );
                    found.push((prefix.at, text));
                }
            }
        }
        found
    }
}

impl User {
    fn refused_scripts(&self, roles: &RoleNames) -> Option<Warning> {
        let names = roles.names_of(&self.roles);
        if names.contains(&"full-access") {
            return None;
        }
        let role = ROLES_WITH_SCRIPTS
            .into_iter()
            .find(|role| names.contains(role))?;
        let name = &self.name.value;
        let text = format!(
            "user {name} has the role {role}, but may not run its scripts and functions: they need +@all ~* &*, as full-access has"
        );
        Some((self.name.at, text))
    }

    fn without_rights(&self) -> Option<Warning> {
        let idle = self.enabled == Enabled::On && self.roles.is_empty() && self.rules.is_empty();
        let text = || {
            format!(
                "user {} may do nothing: no roles and no rules",
                self.name.value
            )
        };
        idle.then(|| (self.name.at, text()))
    }
}

impl BackendAddress {
    /// Whether what is sent there stays on this machine, as far as its text shows it.
    pub fn is_on_this_machine(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, port: _ } => {
                let address = host.parse::<IpAddr>();
                host == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
        }
    }
}
