//! Who may do what: all users of one database, compiled, immutable, with a generation.

use super::explain::SelectorName;
use super::password::PasswordHash;
use super::rule::RightRule;
use super::selector::Selector;
use super::source::Identity;
use super::user::{Enabled, NoPass, Operator, Proofs, Quota};
use super::verdict::{Denial, DenialReason, Permit, Verdict};
use crate::command::{Call, CommandSpec};
use std::collections::HashMap;
use std::sync::Arc;

/// The users of one database. A new policy takes the place of an old one as a whole.
#[derive(Debug)]
pub struct Policy {
    pub(super) generation: u64,
    pub(super) users: HashMap<Box<str>, Arc<User>>,
    /// The most passwords that any user has: what each log-in is compared with, so that the count doesn't show.
    pub(super) most_passwords: usize,
}

/// A user, compiled.
#[derive(Debug)]
pub struct User {
    pub(super) name: Box<str>,
    pub(super) generation: u64,
    pub(super) identity: Identity,
    pub(super) proofs: Proofs,
    pub(super) operator: Operator,
    pub(super) quota: Quota,
    /// The root first, then those in `( )`, then roles.
    pub(super) selectors: Vec<Arc<Selector>>,
    /// Where each selector comes from, in the same order: read only to explain a verdict.
    pub(super) origins: Vec<Arc<super::explain::Origin>>,
}

impl Policy {
    /// The number of the snapshot that this policy belongs to.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Judges a request for a user of this policy. Pure, allocates nothing.
    ///
    /// The request may be the beginning of one that is streamed, if its row says that nothing later can change the verdict.
    #[inline]
    pub fn evaluate<'r>(&self, user: &User, call: Call<'r>) -> Verdict<'r> {
        match self.judge(user, &call) {
            Ok(()) => Verdict::Allow(Permit::new(call, self.generation)),
            Err(reason) => Verdict::Deny(Denial::new(reason)),
        }
    }

    #[inline]
    fn judge(&self, user: &User, call: &Call<'_>) -> Result<(), DenialReason> {
        if user.generation != self.generation {
            return Err(DenialReason::Stale);
        }
        let mut nearest = DenialReason::Command;
        for selector in &user.selectors {
            match selector.judge(call, user.operator) {
                Ok(()) => return Ok(()),
                Err(reason) if reason.rank() > nearest.rank() => nearest = reason,
                Err(_) => {}
            }
        }
        Err(nearest)
    }
}

impl User {
    /// The name, as in AUTH.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may log in at all.
    pub fn enabled(&self) -> Enabled {
        self.identity.enabled
    }

    /// Whether any password logs in.
    pub fn nopass(&self) -> NoPass {
        self.identity.nopass
    }

    /// Its passwords' hashes.
    pub fn passwords(&self) -> &[PasswordHash] {
        &self.identity.passwords
    }

    /// What it must prove itself with.
    pub fn proofs(&self) -> Proofs {
        self.proofs
    }

    /// Whether operator rows are forwarded for it.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it may send.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// What each of its selectors is called, and the rules that it is made of; passwords aren't among them.
    pub fn rules(&self) -> impl Iterator<Item = (&SelectorName, Vec<&RightRule>)> {
        self.origins.iter().map(|origin| {
            let rules = origin.rules.iter().map(|placed| &placed.rule);
            (&origin.name, rules.collect())
        })
    }

    /// Whether it may read every key: what the whole of INFO tells of is no secret to it.
    pub fn reads_all_keys(&self) -> bool {
        self.selectors.iter().any(|selector| selector.reads_all())
    }

    /// Whether some request of the row could be allowed: what COMMAND tells a user of. Never a permit.
    pub fn may_use(&self, row: &CommandSpec) -> bool {
        let mut selectors = self.selectors.iter();
        selectors.any(|selector| selector.grants_row(row, self.operator))
    }

    /// Whether `other` may do exactly what this user may: the same selectors, compared rule by rule where it counts.
    ///
    /// Generations, passwords and the wording of rules don't count.
    pub fn has_same_rights(&self, other: &Self) -> bool {
        self.operator == other.operator && self.selectors == other.selectors
    }
}

#[cfg(test)]
mod tests;
