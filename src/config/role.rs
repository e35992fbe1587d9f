//! `[roles.NAME]`: named lists of rules, shared by all databases. What the rules mean is the `acl` room's to say.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Section, Table, Value};
use super::name::{Name, key_name, name};
use super::position::Placed;
use super::rule_text::Rules;
use super::suggest::{nearest, one_of};
use crate::acl::{BUILT_IN_ROLES, RoleRules};

pub(crate) const ROLE: Section = Section {
    path: "[roles.NAME]",
    keys: &["rules", "inherits"],
};

/// `[roles.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, not that of a built-in role.
    pub name: Placed<Name>,
    /// Its own rules.
    pub rules: Rules<RoleRules>,
    /// Roles whose rules it has besides: each of them grants by itself.
    pub inherits: Vec<Placed<Name>>,
}

impl Role {
    pub(crate) fn parse(key: Placed<&str>, value: &Value<'_>) -> Option<Self> {
        let name = key_name(key, value);
        let table = value.table(&ROLE)?;
        let rules = Rules::of_role(&table, "rules");
        let inherits = role_list(&table, "inherits");
        let (name, rules, inherits) = (name?, rules?, inherits?);
        let built_in = |(built_in, _): &(&str, &str)| *built_in == name.value.as_str();
        if BUILT_IN_ROLES.iter().any(built_in) {
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

/// A list of the names of roles.
pub(crate) fn role_list(table: &Table<'_>, key: &'static str) -> Option<Vec<Placed<Name>>> {
    table.list(key, "the names of roles", name)
}

/// What is known of all roles, built-in ones included.
#[derive(Debug, Default)]
pub(crate) struct RoleNames(BTreeMap<String, Known>);

/// What is known of one role.
#[derive(Debug, Default)]
struct Known {
    inherits: Vec<Placed<Name>>,
    /// `None` where the role is faulty.
    rules: Option<RoleRules>,
}

impl RoleNames {
    /// `declared` are the names of all roles of the file, faulty ones too, so that one fault doesn't bring others.
    pub(crate) fn new(declared: &[&str], roles: &[Role]) -> Self {
        let declared = declared.iter().copied();
        let mut known: BTreeMap<String, Known> = declared
            .map(|name| (name.to_owned(), Known::default()))
            .collect();
        for role in roles {
            let of_role = Known {
                inherits: role.inherits.clone(),
                rules: Some(role.rules.meaning().clone()),
            };
            known.insert(role.name.value.as_str().to_owned(), of_role);
        }
        for (name, rules) in BUILT_IN_ROLES {
            let built_in = Known {
                inherits: Vec::new(),
                rules: RoleRules::parse(rules).ok(),
            };
            known.insert(name.to_owned(), built_in);
        }
        Self(known)
    }

    /// The roles of a file that is sound.
    pub(crate) fn of(roles: &[Role]) -> Self {
        Self::new(&[], roles)
    }

    /// Refuses names that no role has.
    pub(crate) fn refuse_unknown(&self, table: &Table<'_>, names: &[Placed<Name>]) -> Option<()> {
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
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

    /// The rules of `roles` and of those that they inherit; `None` for those of a faulty role.
    pub(crate) fn rules_of(&self, roles: &[Placed<Name>]) -> Vec<Option<&RoleRules>> {
        let reached = self.names_of(roles).into_iter();
        let known = reached.filter_map(|role| self.0.get(role));
        known.map(|known| known.rules.as_ref()).collect()
    }

    /// Whether a role inherits itself in the end.
    pub(crate) fn is_in_cycle(&self, name: &Name) -> bool {
        let known = self.0.get(name.as_str());
        known.is_some_and(|known| self.names_of(&known.inherits).contains(name.as_str()))
    }

    /// The names of `roles` and of those that they inherit.
    pub(crate) fn names_of<'a>(&'a self, roles: &'a [Placed<Name>]) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = roles.iter().map(|role| role.value.as_str()).collect();
        while let Some(role) = open.pop() {
            if reached.insert(role) {
                let next = self.0.get(role).map(|known| known.inherits.iter());
                open.extend(next.into_iter().flatten().map(|role| role.value.as_str()));
            }
        }
        reached
    }
}
