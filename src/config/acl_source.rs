//! Users and roles as the `acl` room takes them.

use super::role::Role;
use super::user::{Require, User};
use crate::acl::{
    Enabled, Identity, NoPass, Operator, PasswordHash, Proofs, RoleSource, UserSource,
};

impl Role {
    /// The role as it is compiled.
    pub fn source(&self) -> RoleSource {
        let inherits = self.inherits.iter().map(|role| role.value.to_string());
        RoleSource {
            name: self.name.value.to_string(),
            inherits: inherits.collect(),
            rules: self.rules.meaning().clone(),
        }
    }
}

impl User {
    /// The user as it is compiled, with the hashes of its passwords.
    pub fn source(&self, passwords: Vec<PasswordHash>) -> UserSource {
        let roles = self.roles.iter().map(|role| role.value.to_string());
        UserSource {
            name: self.name.value.to_string(),
            identity: self.identity(passwords),
            proofs: proofs(self.require),
            roles: roles.collect(),
            rules: self.rules.meaning().clone(),
            deny: self.deny.meaning().clone(),
            operator: if self.operator {
                Operator::Yes
            } else {
                Operator::No
            },
            prefix: self.prefix.as_ref().map(|prefix| prefix.value.clone()),
        }
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
}

fn proofs(require: Require) -> Proofs {
    match require {
        Require::Password => Proofs::Password,
        Require::Certificate => Proofs::Certificate,
        Require::Both => Proofs::Both,
        Require::Either => Proofs::Either,
    }
}
