//! The configuration in words: who may reach which database from where, how he proves who he is, and what he may do.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::role::RoleNames;
use super::{
    Admission, BackendAddress, ClientCa, ClientCertificates, Config, Database, FileRef, RuleText,
    Tls, TlsVersion, User,
};
use crate::acl::{self, BUILT_IN_ROLES, Enabled, NoPass, Operator, Proofs};
use crate::admission::PrivateOnly;
use crate::admission::certificate::CertificateMapping;

impl Config {
    /// A paragraph for each database.
    pub fn in_words(&self) -> String {
        let databases = self.databases.iter().map(Database::in_words);
        databases.collect::<Vec<_>>().join("\n")
    }
}

impl Config {
    /// What the roles are made of that users of the configuration have, a line each.
    pub fn roles_in_words(&self) -> String {
        let known = RoleNames::of(&self.roles);
        let users = self.databases.iter().flat_map(|database| &database.users);
        let used: BTreeSet<&str> = users.flat_map(|user| known.names_of(&user.roles)).collect();
        let own = self.roles.iter().map(|role| {
            let mut parts = Vec::new();
            if !role.rules.is_empty() {
                parts.push(joined(role.rules.texts()));
            }
            if !role.inherits.is_empty() {
                let inherited = listed(role.inherits.iter().map(|role| &role.value));
                parts.push(format!("and all of {inherited}"));
            }
            (role.name.value.as_str(), parts.join("; "))
        });
        let built_in = BUILT_IN_ROLES.map(|(name, rules)| (name, rules.to_owned()));
        let lines = own.chain(built_in).filter(|(name, _)| used.contains(name));
        lines
            .map(|(name, rules)| format!("role {name}: {rules}\n"))
            .collect()
    }
}

impl Database {
    /// What an operator must know of the database, one sentence a line.
    pub fn in_words(&self) -> String {
        let mut lines = vec![format!("database {}", self.name.value)];
        let mut say = |line: String| lines.push(format!("  {line}"));
        if let Some(tls) = &self.tls {
            let listen = listed(self.listen.iter().map(|address| address.value));
            say(format!(
                "listens on {listen} with {}",
                version(tls.min_version)
            ));
            say(client_certificates(tls));
        }
        if !self.plaintext_listen.is_empty() {
            let listen = listed(self.plaintext_listen.iter().map(|address| address.value));
            say(format!("listens on {listen} WITHOUT TLS"));
        }
        say(self.admission.in_words());
        say(format!("backend: {}", self.backend.in_words()));
        for template in &self.certificate_users {
            say(format!(
                "any user may be proved by {}",
                certificate(template)
            ));
        }
        if self.acl.allow_nopass {
            say("users may be `nopass`: then anyone who may connect can log in as them".to_owned());
        }
        for user in &self.users {
            say(user.in_words());
        }
        if let Some(file) = &self.acl.aclfile {
            say(format!("more users are those of {}", file.path.display()));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Admission {
    /// Which addresses may connect.
    pub fn in_words(&self) -> String {
        if self.admits_nobody() {
            return "nobody may connect: `allow` is empty".to_owned();
        }
        let networks = |inline: &[ipnet::IpNet], files: &[FileRef]| {
            let files = files
                .iter()
                .map(|file| format!("those in {}", file.path.display()));
            listed(inline.iter().map(ToString::to_string).chain(files))
        };
        let private = match self.private_only {
            PrivateOnly::On => "private addresses among ",
            PrivateOnly::Off => "",
        };
        let allow = networks(&self.allow, &self.allow_files);
        let denied = match self.deny.is_empty() && self.deny_files.is_empty() {
            true => String::new(),
            false => format!(", but not {}", networks(&self.deny, &self.deny_files)),
        };
        format!("clients may connect from {private}{allow}{denied}")
    }
}

impl super::Backend {
    /// The backend's address as a URL, without its user.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        match &self.address.value {
            BackendAddress::Unix(path) => {
                let path = path.display().to_string();
                let path = path
                    .replace('%', "%25")
                    .replace('?', "%3F")
                    .replace('#', "%23");
                format!("unix://{path}")
            }
            BackendAddress::Tcp { host, port } if host.contains(':') => {
                format!("{scheme}://[{host}]:{port}")
            }
            BackendAddress::Tcp { host, port } => format!("{scheme}://{host}:{port}"),
        }
    }

    /// Where it is, who Redwall is to it, and how it is verified.
    pub fn in_words(&self) -> String {
        let user = match (&self.user, &self.password) {
            (Some(user), _) => format!("as user {user}"),
            (None, Some(_)) => "as its default user".to_owned(),
            (None, None) => "as its default user, without a password".to_owned(),
        };
        let tls = match &self.tls {
            Some(tls) => format!(
                ", verified as {} by {}",
                tls.server_name,
                tls.ca.path.display()
            ),
            None => String::new(),
        };
        format!("{} {user}{tls}", self.url())
    }
}

impl User {
    /// How the user proves who he is, and what he may do.
    pub fn in_words(&self) -> String {
        let name = &self.name.value;
        if self.enabled == Enabled::Off {
            return format!("user {name} is switched off");
        }
        let mut parts = vec![format!("user {name} proves {}", self.proof())];
        if self.roles.is_empty() && self.rules.is_empty() {
            parts.push("may do nothing".to_owned());
        }
        if !self.roles.is_empty() {
            let prefix = self.prefix.as_ref();
            let prefix = prefix.map_or(String::new(), |prefix| {
                format!(" with prefix {}", prefix.value)
            });
            let roles = listed(self.roles.iter().map(|role| &role.value));
            parts.push(format!("has the roles {roles}{prefix}"));
        }
        if !self.rules.is_empty() {
            parts.push(format!("has the rules {}", joined(self.rules.texts())));
        }
        if !self.deny.is_empty() {
            parts.push(format!("never {}", joined(self.deny.texts())));
        }
        if let Some(most) = self.max_value {
            parts.push(format!("sends values up to {most}"));
        }
        if let Some(most) = self.max_uploads {
            parts.push(format!(
                "has {most} of large values under way at once, at most"
            ));
        }
        if self.operator == Operator::Yes {
            parts.push(
                "is an operator: may administer the backend as far as the rules go".to_owned(),
            );
        }
        parts.join("; ")
    }

    fn proof(&self) -> String {
        let password = match self.nopass {
            NoPass::Yes => "nothing (any password is taken)".to_owned(),
            NoPass::No => "a password".to_owned(),
        };
        let certificate = match self.certificates.is_empty() {
            true => TEMPLATE.to_owned(),
            false => {
                let all = self.certificates.iter().map(certificate);
                all.collect::<Vec<_>>().join(" or ")
            }
        };
        match self.require {
            Proofs::Password => password,
            Proofs::Certificate => certificate,
            Proofs::Both => format!("{password}, and {certificate}"),
            Proofs::Either => format!("{password}, or {certificate}"),
        }
    }
}

/// How a user of an ACL file proves who it is, and its rules.
pub fn file_user_in_words(user: &acl::User) -> String {
    let name = user.name();
    if user.enabled() == Enabled::Off {
        return format!("user {name} is switched off");
    }
    let password = match (user.nopass(), user.passwords()) {
        (NoPass::Yes, _) => "nothing (any password is taken)",
        (NoPass::No, []) => "a password, but has none",
        (NoPass::No, _) => "a password",
    };
    let proof = match user.proofs() {
        Proofs::Password => password.to_owned(),
        Proofs::Certificate => TEMPLATE.to_owned(),
        Proofs::Both => format!("{password}, and {TEMPLATE}"),
        Proofs::Either => format!("{password}, or {TEMPLATE}"),
    };
    let selectors = user.rules().filter(|(_, rules)| !rules.is_empty());
    let selectors: Vec<String> = selectors
        .map(|(_, rules)| {
            let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
            rules.join(" ")
        })
        .collect();
    let rights = match selectors.as_slice() {
        [] => "may do nothing".to_owned(),
        selectors => format!("has the rules {}", selectors.join(", or ")),
    };
    format!("user {name} proves {proof}; {rights}")
}

const TEMPLATE: &str = "a certificate that a template maps to the user";

fn version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "TLS 1.2 or newer",
        TlsVersion::Tls13 => "TLS 1.3",
    }
}

fn client_certificates(tls: &Tls) -> String {
    let issued = || listed(tls.client_ca.iter().map(client_ca));
    match tls.client_certificates {
        ClientCertificates::Off => "asks for no client certificate".to_owned(),
        ClientCertificates::Optional => format!("takes client certificates of {}", issued()),
        ClientCertificates::Required => format!("requires client certificates of {}", issued()),
    }
}

fn client_ca(ca: &ClientCa) -> String {
    match ca.crl.is_empty() {
        true => format!(
            "{} (no revocation list: nothing that it issued is ever revoked)",
            ca.name.value
        ),
        false => ca.name.value.to_string(),
    }
}

fn certificate(mapping: &CertificateMapping) -> String {
    let CertificateMapping { field, pattern, ca } = mapping;
    let ca = ca.as_deref().unwrap_or("the client CA");
    format!("a certificate of {ca} with the {field} {pattern}")
}

fn joined(rules: &[RuleText]) -> String {
    let rules: Vec<&str> = rules.iter().map(RuleText::as_str).collect();
    rules.join(" ")
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    match items.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}
