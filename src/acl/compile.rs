//! From users and roles as they were written to a policy, or to all that is wrong with them.

use super::command_set::CommandSet;
use super::explain::{Origin, SelectorName};
use super::policy::{Policy, User};
use super::role::{BUILT_IN, ExpandFault, RoleRules, ValueFault};
use super::rule::{Placed, RightRule, Rule, RuleFault, RuleList};
use super::selector::Selector;
use super::source::{DenyRule, RoleSource, UserSource};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Why users and roles don't make a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFault {
    /// Two users of one name.
    DuplicateUser(String),
    /// A name that is empty, or holds white space or control characters.
    UserName,
    /// Two roles of one name.
    DuplicateRole(String),
    /// A role of one's own with the name of a built-in one.
    BuiltInRole(String),
    /// A user names a role that there isn't.
    UnknownRole {
        /// Who names it.
        user: String,
        /// The name.
        role: String,
    },
    /// A role inherits one that there isn't.
    UnknownInherited {
        /// Which role inherits it.
        role: String,
        /// The name.
        inherits: String,
    },
    /// A role inherits itself, by whatever way.
    InheritanceCycle(String),
    /// A role's variable can't be filled in for a user.
    Value {
        /// Whose prefix.
        user: String,
        /// Which role uses it.
        role: String,
        /// Why.
        fault: ValueFault,
    },
    /// A role's rules, filled in for a user, have a fault.
    Rule {
        /// Whose prefix.
        user: String,
        /// Which role.
        role: String,
        /// The fault, placed in the role's text.
        fault: RuleFault,
    },
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateUser(name) => write!(f, "user `{name}` is defined twice, expected once"),
            Self::UserName => f.write_str("a user's name is empty or holds white space or control characters, expected neither"),
            Self::DuplicateRole(name) => write!(f, "role `{name}` is defined twice, expected once"),
            Self::BuiltInRole(name) => write!(f, "role `{name}` is built in, expected another name"),
            Self::UnknownRole { user, role } => {
                write!(f, "user `{user}` has the role `{role}`, which doesn't exist; expected {}", BuiltInNames)
            }
            Self::UnknownInherited { role, inherits } => {
                write!(f, "role `{role}` inherits `{inherits}`, which doesn't exist; expected {}", BuiltInNames)
            }
            Self::InheritanceCycle(role) => write!(f, "role `{role}` inherits itself, expected roles that don't come back to it"),
            Self::Value { user, role, fault } => write!(f, "user `{user}`, role `{role}`: {fault}"),
            Self::Rule { user, role, fault } => write!(f, "user `{user}`, role `{role}`: {}", fault.kind),
        }
    }
}

impl std::error::Error for PolicyFault {}

struct BuiltInNames;

impl fmt::Display for BuiltInNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a defined role or one of ")?;
        let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Policy {
    /// Compiles users and roles. Roles that no user has are checked too.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the sources.
    pub fn compile(
        generation: u64,
        users: &[UserSource],
        roles: &[RoleSource],
    ) -> Result<Self, Vec<PolicyFault>> {
        let mut faults = Vec::new();
        let mut roles = Roles::new(roles, &mut faults);
        let mut compiled = HashMap::with_capacity(users.len());
        for source in users {
            let user = compile_user(generation, source, &mut roles, &mut faults);
            if compiled
                .insert(source.name.as_str().into(), Arc::new(user))
                .is_some()
            {
                faults.push(PolicyFault::DuplicateUser(source.name.clone()));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let most_passwords = users
            .iter()
            .map(|user| user.identity.passwords.len())
            .max()
            .unwrap_or(0)
            .max(1);
        Ok(Self {
            generation,
            users: compiled,
            most_passwords,
        })
    }
}

/// Whether Redis's own replies and ACL files can hold the name.
pub(super) fn is_user_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn compile_user(
    generation: u64,
    source: &UserSource,
    roles: &mut Roles<'_>,
    faults: &mut Vec<PolicyFault>,
) -> User {
    let UserSource {
        name,
        identity,
        proofs,
        roles: named,
        rules,
        deny,
        operator,
        prefix,
        quota,
    } = source;
    if !is_user_name(name) {
        faults.push(PolicyFault::UserName);
    }
    let mut parts = selectors(rules, &SelectorName::Root);
    for role in roles.with_inherited(name, named, faults) {
        parts.extend(roles.selectors(&role, name, prefix.as_deref(), faults));
    }
    let denied = denied(deny);
    let (selectors, origins) = parts
        .into_iter()
        .map(|part| part.without(&denied, deny))
        .map(|Part { selector, origin }| (selector, origin))
        .unzip();
    User {
        name: name.as_str().into(),
        generation,
        identity: identity.clone(),
        proofs: *proofs,
        operator: *operator,
        quota: *quota,
        selectors,
        origins,
    }
}

/// What a `deny` list takes away.
fn denied(deny: &[DenyRule]) -> CommandSet {
    let mut kept = CommandSet::EMPTY;
    kept.apply(&RightRule::AllCommands);
    let mut denied = kept.clone();
    deny.iter().for_each(|rule| kept.apply(rule.rule()));
    denied.subtract(&kept);
    denied
}

/// A compiled selector and where it comes from.
#[derive(Clone)]
struct Part {
    selector: Arc<Selector>,
    origin: Arc<Origin>,
}

impl Part {
    /// The same, less what the `deny` list takes away.
    fn without(self, denied: &CommandSet, deny: &[DenyRule]) -> Self {
        if deny.is_empty() {
            return self;
        }
        let Self { selector, origin } = self;
        let mut selector = Selector::clone(&selector);
        selector.withdraw(denied);
        let mut origin = Origin::clone(&origin);
        origin.denied = deny.iter().map(|rule| rule.rule().clone()).collect();
        Self {
            selector: Arc::new(selector),
            origin: Arc::new(origin),
        }
    }
}

/// Compiles a list of rules: the root selector, then those in `( )` that are left at its end.
fn selectors(rules: &RuleList, name: &SelectorName) -> Vec<Part> {
    let mut root: Vec<Placed<RightRule>> = Vec::new();
    let mut others: Vec<&Vec<Placed<RightRule>>> = Vec::new();
    for Placed { at, rule } in rules.rules() {
        match rule {
            Rule::Right(right) => root.push(Placed {
                at: *at,
                rule: right.clone(),
            }),
            Rule::Selector(rights) => others.push(rights),
            Rule::ClearSelectors => others.clear(),
            Rule::Reset => {
                root.clear();
                others.clear();
            }
            Rule::Identity(_) => {}
        }
    }
    let others = others.into_iter().cloned().enumerate();
    let named = others.map(|(number, rights)| {
        (
            SelectorName::Nested(Box::new(name.clone()), number + 1),
            rights,
        )
    });
    std::iter::once((name.clone(), root))
        .chain(named)
        .map(|(name, rights)| part(name, rights))
        .collect()
}

fn part(name: SelectorName, rules: Vec<Placed<RightRule>>) -> Part {
    let mut selector = Selector::new();
    rules.iter().for_each(|placed| selector.apply(&placed.rule));
    let origin = Origin {
        name,
        rules,
        denied: Vec::new(),
    };
    Part {
        selector: Arc::new(selector),
        origin: Arc::new(origin),
    }
}

/// All roles by name, and those compiled already that are the same for every user.
struct Roles<'a> {
    by_name: HashMap<&'a str, Role<'a>>,
    shared: HashMap<String, Vec<Part>>,
}

struct Role<'a> {
    inherits: &'a [String],
    rules: RoleRules,
}

impl<'a> Roles<'a> {
    fn new(sources: &'a [RoleSource], faults: &mut Vec<PolicyFault>) -> Self {
        let mut by_name = HashMap::new();
        for (name, rules) in BUILT_IN {
            match RoleRules::parse(rules) {
                Ok(rules) => {
                    by_name.insert(
                        name,
                        Role {
                            inherits: &[],
                            rules,
                        },
                    );
                }
                // Can't be: a test parses each. If it could, a role that is missing grants nothing.
                Err(_) => faults.push(PolicyFault::BuiltInRole(name.to_owned())),
            }
        }
        for RoleSource {
            name,
            inherits,
            rules,
        } in sources
        {
            let role = Role {
                inherits,
                rules: rules.clone(),
            };
            if BUILT_IN.iter().any(|(built_in, _)| built_in == name) {
                faults.push(PolicyFault::BuiltInRole(name.clone()));
            } else if by_name.insert(name, role).is_some() {
                faults.push(PolicyFault::DuplicateRole(name.clone()));
            }
        }
        let roles = Self {
            by_name,
            shared: HashMap::new(),
        };
        for RoleSource { name, .. } in sources {
            roles.check_inheritance(name, faults);
        }
        roles
    }

    /// Finds unknown and circular inheritance of one role.
    fn check_inheritance(&self, role: &str, faults: &mut Vec<PolicyFault>) {
        let Some(own) = self.by_name.get(role) else {
            return;
        };
        for inherits in own.inherits {
            if !self.by_name.contains_key(inherits.as_str()) {
                faults.push(PolicyFault::UnknownInherited {
                    role: role.to_owned(),
                    inherits: inherits.clone(),
                });
            }
        }
        let mut seen = HashSet::new();
        let mut waiting: Vec<&str> = own.inherits.iter().map(String::as_str).collect();
        while let Some(name) = waiting.pop() {
            if name == role {
                faults.push(PolicyFault::InheritanceCycle(role.to_owned()));
                return;
            }
            if seen.insert(name)
                && let Some(inherited) = self.by_name.get(name)
            {
                waiting.extend(inherited.inherits.iter().map(String::as_str));
            }
        }
    }

    /// The roles that `named` bring along, each once, in order, a role before those that it inherits.
    fn with_inherited(
        &self,
        user: &str,
        named: &[String],
        faults: &mut Vec<PolicyFault>,
    ) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for role in named {
            if !self.by_name.contains_key(role.as_str()) {
                faults.push(PolicyFault::UnknownRole {
                    user: user.to_owned(),
                    role: role.clone(),
                });
                continue;
            }
            let mut waiting = vec![role.clone()];
            while let Some(name) = waiting.pop() {
                if all.contains(&name) {
                    continue;
                }
                if let Some(inherited) = self.by_name.get(name.as_str()) {
                    waiting.extend(inherited.inherits.iter().rev().cloned());
                }
                all.push(name);
            }
        }
        all
    }

    /// A role's selectors for a user.
    fn selectors(
        &mut self,
        role: &str,
        user: &str,
        prefix: Option<&str>,
        faults: &mut Vec<PolicyFault>,
    ) -> Vec<Part> {
        if let Some(parts) = self.shared.get(role) {
            return parts.clone();
        }
        let Some(Role { rules, .. }) = self.by_name.get(role) else {
            return Vec::new(); // Told of as unknown already.
        };
        match rules.for_prefix(prefix) {
            Ok(list) => {
                let parts = selectors(&list, &SelectorName::Role(role.to_owned()));
                if !rules.has_variable() {
                    self.shared.insert(role.to_owned(), parts.clone());
                }
                parts
            }
            Err(fault) => {
                let (user, role) = (user.to_owned(), role.to_owned());
                match fault {
                    ExpandFault::Value(fault) => {
                        faults.push(PolicyFault::Value { user, role, fault })
                    }
                    ExpandFault::Rules(list) => {
                        faults.extend(list.into_iter().map(|fault| PolicyFault::Rule {
                            user: user.clone(),
                            role: role.clone(),
                            fault,
                        }))
                    }
                }
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
