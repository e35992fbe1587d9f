//! `[roles.NAME]`: named lists of rules, shared by all databases. What the rules mean is the `acl` room's to say.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Section, Table, Value};
use super::name::{Name, key_name, name};
use super::position::Placed;
use super::rule_text::{RuleText, rule_list};
use super::suggest::{nearest, one_of};

pub(crate) const ROLE: Section = Section {
    path: "[roles.NAME]",
    keys: &["rules", "inherits"],
};

/// The roles that every configuration has.
pub const BUILT_IN_ROLES: [&str; 4] = ["full-access", "read-write", "read-only", "queue-worker"];

/// What stands in a role's rules for the `prefix` of the user that has it.
pub const PREFIX_VARIABLE: &str = "{prefix}";

/// One of the roles that every configuration has, and that needs its user's prefix.
const BUILT_IN_WITH_PREFIX: &str = "queue-worker";

/// `[roles.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, not one of [`BUILT_IN_ROLES`].
    pub name: Placed<Name>,
    /// Its own rules.
    pub rules: Vec<RuleText>,
    /// Roles whose rules it has besides: each of them grants by itself.
    pub inherits: Vec<Placed<Name>>,
}

impl Role {
    pub(crate) fn parse(key: Placed<&str>, value: &Value<'_>) -> Option<Self> {
        let name = key_name(key, value);
        let table = value.table(&ROLE)?;
        let rules = rule_list(&table, "rules");
        let inherits = role_list(&table, "inherits");
        let (name, rules, inherits) = (name?, rules?, inherits?);
        if BUILT_IN_ROLES.contains(&name.value.as_str()) {
            let what = format!("role `{}` is built in", name.value);
            table.fault(name.at, what, "another name");
            return None;
        }
        if rules.is_empty() && inherits.is_empty() {
            let what = format!("role `{}` has no rules", name.value);
            table.fault(name.at, what, "`rules`, `inherits` or both");
            return None;
        }
        Some(Self {
            name,
            rules,
            inherits,
        })
    }
}

/// `{{` is a literal brace.
fn has_prefix(rule: &RuleText) -> bool {
    rule.as_str().replace("{{", "").contains(PREFIX_VARIABLE)
}

/// A list of the names of roles.
pub(crate) fn role_list(table: &Table<'_>, key: &'static str) -> Option<Vec<Placed<Name>>> {
    table.list(key, "the names of roles", name)
}

/// What is known of all roles, built-in ones included.
#[derive(Debug, Default)]
pub(crate) struct RoleNames {
    inherits: BTreeMap<String, Vec<Placed<Name>>>,
    with_prefix: BTreeSet<String>,
}

impl RoleNames {
    /// `declared` are the names of all roles of the file, faulty ones too, so that one fault doesn't bring others.
    pub(crate) fn new(declared: &[&str], roles: &[Role]) -> Self {
        let known = BUILT_IN_ROLES.iter().chain(declared);
        let mut inherits: BTreeMap<String, Vec<Placed<Name>>> =
            known.map(|name| ((*name).to_owned(), Vec::new())).collect();
        let mut with_prefix = BTreeSet::from([BUILT_IN_WITH_PREFIX.to_owned()]);
        for role in roles {
            let name = role.name.value.as_str().to_owned();
            if role.rules.iter().any(has_prefix) {
                with_prefix.insert(name.clone());
            }
            inherits.insert(name, role.inherits.clone());
        }
        Self {
            inherits,
            with_prefix,
        }
    }

    /// Refuses names that no role has.
    pub(crate) fn refuse_unknown(&self, table: &Table<'_>, names: &[Placed<Name>]) -> Option<()> {
        let known: Vec<&str> = self.inherits.keys().map(String::as_str).collect();
        let mut sound = Some(());
        for name in names {
            let written = name.value.as_str();
            if known.contains(&written) {
                continue;
            }
            let what = match nearest(written, &known) {
                Some(role) => format!("unknown role (near `{role}`)"),
                None => "unknown role".to_owned(),
            };
            table.fault(name.at, what, one_of(&known));
            sound = None;
        }
        sound
    }

    /// Whether one of `roles`, or a role that it inherits, asks for its user's prefix.
    pub(crate) fn need_prefix(&self, roles: &[Placed<Name>]) -> bool {
        let reached = self.reached_from(roles);
        reached.iter().any(|role| self.with_prefix.contains(*role))
    }

    /// Whether a role inherits itself in the end.
    pub(crate) fn is_in_cycle(&self, name: &Name) -> bool {
        let direct = self.inherits.get(name.as_str());
        direct.is_some_and(|direct| self.reached_from(direct).contains(name.as_str()))
    }

    fn reached_from<'a>(&'a self, roles: &'a [Placed<Name>]) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = roles.iter().map(|role| role.value.as_str()).collect();
        while let Some(role) = open.pop() {
            if reached.insert(role) {
                let next = self.inherits.get(role).map_or(&[][..], Vec::as_slice);
                open.extend(next.iter().map(|role| role.value.as_str()));
            }
        }
        reached
    }
}
