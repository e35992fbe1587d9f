//! `[database.users.NAME]`: who a user is, how he proves it, and the rules and roles that he has.

use super::certificate_name::{Trust, exact};
use super::database::Acl;
use super::document::{Section, Table, Value, each};
use super::limits::{LEAST, MAX_VALUE, MOST};
use super::name::{Name, UserName, user_name};
use super::position::Placed;
use super::reference::{PasswordSource, passwords};
use super::role::{RoleNames, role_list};
use super::rule_text::Rules;
use super::tls::ClientCertificates;
use super::units::{ByteSize, size};
use crate::acl::aclfile::NoPassRule;
use crate::acl::{DenyRule, Enabled, NoPass, Operator, Proofs, RoleRules, RuleList};
use crate::admission::certificate::CertificateMapping;

pub(crate) const USER: Section = Section {
    path: "[database.users.NAME]",
    keys: &[
        "enabled",
        "deny",
        "require",
        "passwords",
        "nopass",
        "certificates",
        "roles",
        "rules",
        "prefix",
        "operator",
        "max_value",
        "max_uploads",
    ],
};

pub(crate) const REQUIRES: [(&str, Proofs); 4] = [
    ("password", Proofs::Password),
    ("certificate", Proofs::Certificate),
    ("both", Proofs::Both),
    ("either", Proofs::Either),
];

/// `[database.users.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as AUTH takes it.
    pub name: Placed<UserName>,
    /// Whether he may log in at all.
    pub enabled: Enabled,
    /// Roles; each grants by itself.
    pub roles: Vec<Placed<Name>>,
    /// Rules of his own.
    pub rules: Rules<RuleList>,
    /// What is taken from everything that he has.
    pub deny: Rules<Vec<DenyRule>>,
    /// The passwords that he may prove, each of them.
    pub passwords: Vec<PasswordSource>,
    /// Whether any password is taken for his.
    pub nopass: NoPass,
    /// What he must prove.
    pub require: Proofs,
    /// The certificates that prove him, beside those of the database's templates.
    pub certificates: Vec<CertificateMapping>,
    /// What stands for `{prefix}` in the rules of his roles.
    pub prefix: Option<Placed<String>>,
    /// Whether commands that administer the server may be forwarded for him, if his rules allow them too.
    pub operator: Operator,
    /// Largest argument of his requests, where that is less than the database's.
    pub max_value: Option<ByteSize>,
    /// Bytes of his large values that may be on their way to the backend, where that is less than the database's.
    pub max_uploads: Option<ByteSize>,
}

/// What of its database a user depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) roles: &'a RoleNames,
    pub(crate) trust: Trust<'a>,
    pub(crate) templates: Templates,
    pub(crate) nopass: NoPassRule,
}

/// Whether the database maps certificates to users by template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Templates {
    None,
    Some,
}

impl User {
    pub(crate) fn parse(
        key: Placed<&str>,
        value: &Value<'_>,
        around: Surroundings<'_>,
    ) -> Option<Self> {
        let name = user_name(key, value);
        let table = value.table(&USER)?;
        let enabled = table.or("enabled", Enabled::On, |value| {
            value.switch(Enabled::On, Enabled::Off)
        });
        let roles = role_list(&table, "roles");
        let rules = Rules::of_user(&table, "rules");
        let deny = Rules::denied(&table, "deny");
        let proofs = Proving::parse(&table, key.value, around);
        let prefix = table.option("prefix", prefix);
        let operator = table.or("operator", Operator::No, |value| {
            value.switch(Operator::Yes, Operator::No)
        });
        let bytes = |key, most| table.option(key, |value| size(value, LEAST..=most));
        let max_value = bytes("max_value", MAX_VALUE);
        let max_uploads = bytes("max_uploads", MOST);
        let (roles, prefix) = (roles?, prefix?);
        let known = around.roles.refuse_unknown(&table, &roles);
        let prefixed = prefix_agrees(&table, around.roles, &roles, prefix.as_ref());
        let proofs = proofs?;
        known.and(prefixed)?;
        Some(Self {
            name: name?,
            enabled: enabled?,
            roles,
            rules: rules?,
            deny: deny?,
            passwords: proofs.passwords,
            nopass: proofs.nopass,
            require: proofs.require,
            certificates: proofs.certificates,
            prefix,
            operator: operator?,
            max_value: max_value?,
            max_uploads: max_uploads?,
        })
    }
}

fn prefix(value: &Value<'_>) -> Option<Placed<String>> {
    let prefix = value.text("what stands for {prefix} in the user's roles")?;
    Some(Placed::new(prefix.to_owned(), value.at()))
}

/// Whether the roles' `{prefix}` and the user's prefix suit each other; a faulty role may have the variable or not.
fn prefix_agrees(
    table: &Table<'_>,
    names: &RoleNames,
    roles: &[Placed<Name>],
    prefix: Option<&Placed<String>>,
) -> Option<()> {
    let rules = names.rules_of(roles);
    let may_need = rules
        .iter()
        .any(|role| role.is_none_or(RoleRules::has_variable));
    if let Some(prefix) = prefix.filter(|_| !may_need) {
        let what = "`prefix` is given, but no role of the user uses it";
        table.fault(prefix.at, what, "a role with `{prefix}` in its rules");
        return None;
    }
    let value = prefix.map(|prefix| prefix.value.as_str());
    for role in rules.into_iter().flatten() {
        if let Err(fault) = role.check_prefix(value) {
            let at = prefix.map(|prefix| prefix.at);
            let at = at.or(table.key_at("roles")).unwrap_or(table.at);
            table.fault_of_text(at, &fault.to_string());
            return None;
        }
    }
    Some(())
}

/// How a user proves who he is.
struct Proving {
    passwords: Vec<PasswordSource>,
    nopass: NoPass,
    certificates: Vec<CertificateMapping>,
    require: Proofs,
}

impl Proving {
    fn parse(table: &Table<'_>, user: &str, around: Surroundings<'_>) -> Option<Self> {
        let passwords = table.or("passwords", Vec::new(), passwords);
        let nopass = table.or("nopass", NoPass::No, |value| {
            value.switch(NoPass::Yes, NoPass::No)
        });
        let shape = "[{ cn = \"alice\", ca = \"corp\" }]";
        let certificates = table.or("certificates", Vec::new(), |value| {
            each(value.items(shape)?, |item| exact(item, around.trust, user))
        });
        let require = table.option("require", |value| value.word(&REQUIRES));
        let (passwords, nopass, certificates, require) =
            (passwords?, nopass?, certificates?, require?);
        let has = Has {
            password: nopass == NoPass::Yes || !passwords.is_empty(),
            certificate: !certificates.is_empty(),
        };
        let require = match require {
            Some(require) => has.enough(table, require, around).map(|()| require),
            None => has.only_proof(table),
        };
        let sound = match nopass {
            NoPass::Yes => check_nopass(table, &passwords, require, around.nopass),
            NoPass::No => Some(()),
        };
        let require = require?;
        sound?;
        Some(Self {
            passwords,
            nopass,
            certificates,
            require,
        })
    }
}

/// The proofs that are written for a user.
#[derive(Clone, Copy)]
struct Has {
    password: bool,
    certificate: bool,
}

impl Has {
    /// What is required where `require` isn't written. Nothing is guessed: what a template proves must be asked for, so that
    /// a user whose `passwords` are missing isn't taken for one who needs none.
    fn only_proof(self, table: &Table<'_>) -> Option<Proofs> {
        let what = match (self.password, self.certificate) {
            (true, false) => return Some(Proofs::Password),
            (false, true) => return Some(Proofs::Certificate),
            (true, true) => "has passwords and certificates, but doesn't say what is required",
            (false, false) => "has nothing by which to log in",
        };
        let expected = match self.password {
            true => "`require = \"both\"` or `\"either\"`",
            false => {
                "`passwords`, `certificates`, or `require = \"certificate\"` for the templates"
            }
        };
        table.fault(table.at, format!("the user {what}"), expected);
        None
    }

    fn enough(self, table: &Table<'_>, require: Proofs, around: Surroundings<'_>) -> Option<()> {
        let at = table.key_at("require").unwrap_or(table.at);
        let by_certificate = self.certificate || around.templates == Templates::Some;
        let (password, certificate) = match require {
            Proofs::Password => (true, false),
            Proofs::Certificate => (false, true),
            Proofs::Both | Proofs::Either => (true, true),
        };
        let mut sound = Some(());
        let mut refuse = |what: &str, expected: &str| {
            table.fault(at, what, expected);
            sound = None;
        };
        if password && !self.password {
            refuse(
                "a password is required, but the user has none",
                "`passwords`",
            );
        }
        if !password && self.password {
            let what = "the user has a password that is never asked for";
            refuse(
                what,
                "`require = \"both\"` or `\"either\"`, or no `passwords` and no `nopass`",
            );
        }
        if certificate && !by_certificate {
            let what = "a certificate is required, but none proves the user";
            refuse(what, "`certificates`, or [[database.certificate_users]]");
        }
        if !certificate && self.certificate {
            let what = "the user has a certificate that is never asked for";
            refuse(
                what,
                "`require = \"both\"` or `\"either\"`, or no `certificates`",
            );
        }
        sound
    }
}

fn check_nopass(
    table: &Table<'_>,
    passwords: &[PasswordSource],
    require: Option<Proofs>,
    allowed: NoPassRule,
) -> Option<()> {
    let at = table.key_at("nopass").unwrap_or(table.at);
    if !passwords.is_empty() {
        let what = "the user has passwords and `nopass`";
        table.fault(at, what, "one of them");
        return None;
    }
    match (allowed, require?) {
        (NoPassRule::Taken, _) | (NoPassRule::Refused, Proofs::Both) => Some(()),
        (NoPassRule::Refused, Proofs::Password | Proofs::Certificate | Proofs::Either) => {
            let what = "`nopass` lets anyone in under this name";
            let expected = "`passwords`, a certificate that is required, or `allow_nopass = true` in [database.acl]";
            table.fault(at, what, expected);
            None
        }
    }
}

/// Whether a user of the database may have no password at all. `acl` is `None` where its table is faulty.
pub(crate) fn nopass_rule(
    acl: Option<&Acl>,
    trust: Trust<'_>,
    plaintext_listeners: usize,
) -> NoPassRule {
    let certificate_always = match trust {
        Trust::Unknown => true,
        Trust::NoCertificates => false,
        Trust::Cas(_, ClientCertificates::Required) => plaintext_listeners == 0,
        Trust::Cas(_, ClientCertificates::Off | ClientCertificates::Optional) => false,
    };
    if certificate_always || acl.is_none_or(|acl| acl.allow_nopass) {
        NoPassRule::Taken
    } else {
        NoPassRule::Refused
    }
}
