//! Users and roles as they were written, before they are compiled: plain data that the configuration and ACL files build.

use super::password::PasswordHash;
use super::role::RoleRules;
use super::rule::{
    Change, IdentityRule, Placed, RightRule, Rule, RuleFault, RuleFaultKind, RuleList, Vocabulary,
};
use super::user::{Enabled, NoPass, Operator, Proofs, Quota};

/// A user as it was written.
#[derive(Clone, Debug)]
pub struct UserSource {
    /// Its name: UTF-8 without white space and control characters.
    pub name: String,
    /// Whether it may log in, and how.
    pub identity: Identity,
    /// What it must prove itself with.
    pub proofs: Proofs,
    /// Names of its roles, each a selector of its own.
    pub roles: Vec<String>,
    /// Its own rules: the root selector, and those in `( )`.
    pub rules: RuleList,
    /// Commands and categories taken away from everything that it has.
    pub deny: Vec<DenyRule>,
    /// Whether operator rows are forwarded for it.
    pub operator: Operator,
    /// What `{prefix}` stands for in its roles.
    pub prefix: Option<String>,
    /// What it may send.
    pub quota: Quota,
}

impl UserSource {
    /// A user that can't log in and may do nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            identity: Identity::default(),
            proofs: Proofs::Password,
            roles: Vec::new(),
            rules: RuleList::default(),
            deny: Vec::new(),
            operator: Operator::No,
            prefix: None,
            quota: Quota::NONE,
        }
    }
}

/// A role as it was written.
#[derive(Clone, Debug)]
pub struct RoleSource {
    /// Its name.
    pub name: String,
    /// Names of roles that come with it, each a selector of its own.
    pub inherits: Vec<String>,
    /// Its rules.
    pub rules: RoleRules,
}

/// Whether a user may log in, and by which passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `on` or `off`.
    pub enabled: Enabled,
    /// Whether any password logs in.
    pub nopass: NoPass,
    /// The passwords, any of which logs in.
    pub passwords: Vec<PasswordHash>,
}

impl Default for Identity {
    /// A user just made, as in Redis: off, and no password.
    fn default() -> Self {
        Self {
            enabled: Enabled::Off,
            nopass: NoPass::No,
            passwords: Vec::new(),
        }
    }
}

impl Identity {
    /// What the rules of an ACL file say of a user, in their order.
    ///
    /// # Errors
    /// [`RuleFaultKind::NoSuchPassword`], as in Redis.
    pub fn of(rules: &RuleList) -> Result<Self, Vec<RuleFault>> {
        let mut identity = Self::default();
        let mut faults = Vec::new();
        for Placed { at, rule } in rules.rules() {
            let applied = match rule {
                Rule::Identity(rule) => identity.apply(rule),
                Rule::Reset => {
                    identity = Self::default();
                    Ok(())
                }
                Rule::Right(_) | Rule::Selector(_) | Rule::ClearSelectors => Ok(()),
            };
            if let Err(kind) = applied {
                faults.push(RuleFault { at: *at, kind });
            }
        }
        if faults.is_empty() {
            Ok(identity)
        } else {
            Err(faults)
        }
    }

    fn apply(&mut self, rule: &IdentityRule) -> Result<(), RuleFaultKind> {
        match rule {
            IdentityRule::On => self.enabled = Enabled::On,
            IdentityRule::Off => self.enabled = Enabled::Off,
            IdentityRule::NoPass => {
                self.nopass = NoPass::Yes;
                self.passwords.clear();
            }
            IdentityRule::ResetPass => {
                self.nopass = NoPass::No;
                self.passwords.clear();
            }
            IdentityRule::AddPassword(hash) => {
                self.nopass = NoPass::No;
                if !self.passwords.contains(hash) {
                    self.passwords.push(hash.clone());
                }
            }
            IdentityRule::RemovePassword(hash) => {
                let at = self.passwords.iter().position(|own| own == hash);
                self.passwords
                    .remove(at.ok_or(RuleFaultKind::NoSuchPassword)?);
            }
            IdentityRule::SanitizePayload | IdentityRule::SkipSanitizePayload => {}
        }
        Ok(())
    }
}

/// One entry of a `deny` list: a command, a subcommand or a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyRule(RightRule);

impl DenyRule {
    /// Parses `flushall`, `config|set` or `@dangerous`; a `-` before it is taken too.
    ///
    /// # Errors
    /// The fault that the same rule with a `-` would have in a list of rules.
    pub fn parse(word: &str) -> Result<Self, RuleFaultKind> {
        let name = word.strip_prefix('-').unwrap_or(word);
        let list = RuleList::parse(format!("-{name}").as_bytes(), Vocabulary::Rights).map_err(
            |faults| {
                faults
                    .first()
                    .map_or(RuleFaultKind::UnknownCommand, |fault| fault.kind)
            },
        )?;
        match list.rules() {
            [
                Placed {
                    rule:
                        Rule::Right(
                            right @ (RightRule::NoCommands
                            | RightRule::Category(Change::Withdraw, _)
                            | RightRule::Command(Change::Withdraw, _)),
                        ),
                    ..
                },
            ] => Ok(Self(right.clone())),
            _ => Err(RuleFaultKind::UnknownCommand),
        }
    }

    /// The rule that it amounts to.
    pub(super) fn rule(&self) -> &RightRule {
        &self.0
    }
}
