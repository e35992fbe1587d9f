//! Users and roles as the `acl` room takes them, and its faults at their places in the file.

use std::path::Path;

use super::fault::Fault;
use super::position::At;
use super::role::Role;
use super::rule_text::JoinedRules;
use super::user::{Require, User};
use crate::acl::{
    DenyRule, Enabled, Identity, NoPass, Operator, PasswordHash, Proofs, RoleRules, RoleSource,
    RuleList, UserSource, Vocabulary,
};

impl Fault {
    /// A fault whose one text says what is wrong and what was expected, as the `acl` room's do.
    pub fn of_text(file: &Path, at: At, text: &str) -> Self {
        let split = [", expected ", "; expected "];
        let parts = split.into_iter().find_map(|split| text.split_once(split));
        let (what, expected) = parts.unwrap_or((text, "otherwise"));
        Self {
            file: file.to_owned(),
            at,
            what: what.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

impl Role {
    /// The role with its rules parsed; `file` is for faults.
    ///
    /// # Errors
    /// Every fault of its rules.
    pub fn source(&self, file: &Path) -> Result<RoleSource, Vec<Fault>> {
        let joined = JoinedRules::new(&self.rules);
        let place = |offset| joined.at_offset(offset).unwrap_or(self.name.at);
        let rules = RoleRules::parse(joined.as_str()).map_err(|faults| {
            let faults = faults.iter();
            let placed =
                faults.map(|fault| Fault::of_text(file, place(fault.at()), &fault.to_string()));
            placed.collect::<Vec<_>>()
        })?;
        let inherits = self.inherits.iter().map(|role| role.value.to_string());
        Ok(RoleSource {
            name: self.name.value.to_string(),
            inherits: inherits.collect(),
            rules,
        })
    }
}

impl User {
    /// The user with his rules parsed and the hashes of his passwords; `file` is for faults.
    ///
    /// # Errors
    /// Every fault of his rules and of what is denied to him.
    pub fn source(
        &self,
        file: &Path,
        passwords: Vec<PasswordHash>,
    ) -> Result<UserSource, Vec<Fault>> {
        let (rules, deny) = match (self.rule_list(file), self.deny_list(file)) {
            (Ok(rules), Ok(deny)) => (rules, deny),
            (rules, deny) => {
                let faults = [rules.err(), deny.err()];
                return Err(faults.into_iter().flatten().flatten().collect());
            }
        };
        Ok(UserSource {
            name: self.name.value.to_string(),
            identity: self.identity(passwords),
            proofs: proofs(self.require),
            roles: self
                .roles
                .iter()
                .map(|role| role.value.to_string())
                .collect(),
            rules,
            deny,
            operator: if self.operator {
                Operator::Yes
            } else {
                Operator::No
            },
            prefix: self.prefix.as_ref().map(|prefix| prefix.value.clone()),
        })
    }

    fn identity(&self, passwords: Vec<PasswordHash>) -> Identity {
        Identity {
            enabled: if self.enabled {
                Enabled::On
            } else {
                Enabled::Off
            },
            nopass: if self.nopass { NoPass::Yes } else { NoPass::No },
            passwords,
        }
    }

    fn rule_list(&self, file: &Path) -> Result<RuleList, Vec<Fault>> {
        let joined = JoinedRules::new(&self.rules);
        let place = |offset| joined.at_offset(offset).unwrap_or(self.name.at);
        RuleList::parse(joined.as_str().as_bytes(), Vocabulary::Rights).map_err(|faults| {
            let faults = faults.iter();
            let placed =
                faults.map(|fault| Fault::of_text(file, place(fault.at), &fault.kind.to_string()));
            placed.collect()
        })
    }

    fn deny_list(&self, file: &Path) -> Result<Vec<DenyRule>, Vec<Fault>> {
        let mut rules = Vec::new();
        let mut faults = Vec::new();
        for text in &self.deny {
            let whole = text.as_str();
            for word in whole.split_whitespace() {
                // Both are parts of one text, so that their distance is the word's offset.
                let offset = word.as_ptr().addr() - whole.as_ptr().addr();
                match DenyRule::parse(word) {
                    Ok(rule) => rules.push(rule),
                    Err(kind) => {
                        let at = text.at_offset(offset);
                        faults.push(Fault::of_text(file, at, &kind.to_string()));
                    }
                }
            }
        }
        if faults.is_empty() {
            Ok(rules)
        } else {
            Err(faults)
        }
    }
}

fn proofs(require: Require) -> Proofs {
    match require {
        Require::Password => Proofs::Password,
        Require::Certificate => Proofs::Certificate,
        Require::Both => Proofs::Both,
        Require::Either => Proofs::Either,
    }
}
