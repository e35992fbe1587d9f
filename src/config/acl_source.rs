//! Users and roles as the `acl` room takes them.

use super::role::Role;
use super::units::ByteSize;
use super::user::User;
use crate::acl::{Identity, PasswordHash, Quota, RoleSource, UserSource};

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
    fn quota(&self) -> Quota {
        let bytes = |size: Option<ByteSize>| size.map_or(u64::MAX, ByteSize::bytes);
        Quota {
            max_value: bytes(self.max_value),
            max_uploads: bytes(self.max_uploads),
        }
    }

    /// The user as it is compiled, with the hashes of its passwords.
    pub fn source(&self, passwords: Vec<PasswordHash>) -> UserSource {
        let roles = self.roles.iter().map(|role| role.value.to_string());
        UserSource {
            name: self.name.value.to_string(),
            identity: Identity {
                enabled: self.enabled,
                nopass: self.nopass,
                passwords,
            },
            proofs: self.require,
            roles: roles.collect(),
            rules: self.rules.meaning().clone(),
            deny: self.deny.meaning().clone(),
            operator: self.operator,
            prefix: self.prefix.as_ref().map(|prefix| prefix.value.clone()),
            quota: self.quota(),
        }
    }
}
