//! Which certificate proves which user: by a name that it holds, and by the CA that issued it.

use super::document::{Section, Table, Value};
use super::name::{Name, UserName, name};
use super::position::Placed;
use super::suggest::one_of;
use super::tls::{ClientCa, ClientCertificates, Tls};
use crate::admission::certificate::Pattern;

pub(crate) const USER_CERTIFICATE: Section = Section {
    path: "[[database.users.NAME.certificates]]",
    keys: &["cn", "san_dns", "san_uri", "san_email", "ca"],
};

pub(crate) const CERTIFICATE_USERS: Section = Section {
    path: "[[database.certificate_users]]",
    keys: &["cn", "san_dns", "san_uri", "san_email", "ca"],
};

/// What stands in a template for the user's name.
const USER_VARIABLE: &str = "{user}";

/// Where in a certificate a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateField {
    /// The subject's common name.
    Cn,
    /// A DNS name among the subject's alternative names.
    SanDns,
    /// A URI among them, such as a SPIFFE id.
    SanUri,
    /// An e-mail address among them.
    SanEmail,
}

pub(crate) const FIELDS: [(&str, CertificateField); 4] = [
    ("cn", CertificateField::Cn),
    ("san_dns", CertificateField::SanDns),
    ("san_uri", CertificateField::SanUri),
    ("san_email", CertificateField::SanEmail),
];

/// One name in a certificate of one CA. `N` is an exact name, or a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName<N> {
    /// Where it stands.
    pub field: CertificateField,
    /// The name.
    pub name: Placed<N>,
    /// The CA that must have issued the certificate.
    pub ca: Name,
}

/// Text with `{user}` in it exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

impl Template {
    /// Reads text with `{user}` in it exactly once and without other braces.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(USER_VARIABLE)?;
        let braces = |part: &str| part.contains(['{', '}']);
        (!braces(before) && !braces(after)).then(|| Self {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    /// The user whom a certificate's name means: what stands in the place of `{user}`.
    ///
    /// It must be made of `[A-Za-z0-9._@-]` and not hold the character that follows `{user}`, so that no name can be read in
    /// two ways.
    pub fn user_of(&self, name: &str) -> Option<UserName> {
        let user = name.strip_prefix(self.before.as_str())?;
        let user = user.strip_suffix(self.after.as_str())?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
        let next = self.after.chars().next();
        let sound = user.chars().all(|c| allowed(c) && Some(c) != next);
        if sound { UserName::parse(user) } else { None }
    }

    /// The same, as the mapping rules want it.
    pub fn pattern(&self) -> Pattern {
        Pattern::Template {
            prefix: self.before.clone(),
            suffix: self.after.clone(),
        }
    }

    /// The template as it was written.
    pub fn text(&self) -> String {
        format!("{}{USER_VARIABLE}{}", self.before, self.after)
    }
}

/// What is known of the database's TLS when users are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// Its table has faults of its own, so nothing can be said.
    Unknown,
    /// No certificate is asked for.
    NoCertificates,
    /// Certificates of these CAs; never empty.
    Cas(&'a [ClientCa], ClientCertificates),
}

impl<'a> Trust<'a> {
    /// `tls` is `None` where its table is faulty, `Some(None)` where there is none.
    pub(crate) fn new(tls: Option<&'a Option<Tls>>) -> Self {
        match tls {
            None => Self::Unknown,
            Some(None) => Self::NoCertificates,
            Some(Some(tls)) if tls.client_ca.is_empty() => Self::NoCertificates,
            Some(Some(tls)) => Self::Cas(&tls.client_ca, tls.client_certificates),
        }
    }
}

/// An exact name that proves a user.
pub(crate) fn exact(value: &Value<'_>, trust: Trust<'_>) -> Option<CertificateName<String>> {
    let table = value.table(&USER_CERTIFICATE)?;
    certificate_name(&table, trust, |value| {
        value
            .text("the name as it stands in the certificate")
            .map(str::to_owned)
    })
}

/// A template that proves whichever user it yields.
pub(crate) fn by_template(
    value: &Value<'_>,
    trust: Trust<'_>,
) -> Option<CertificateName<Template>> {
    let table = value.table(&CERTIFICATE_USERS)?;
    certificate_name(&table, trust, |value| {
        let expected = "a text with `{user}` in it once, and no other braces";
        match Template::parse(value.text(expected)?) {
            Some(template) => Some(template),
            None => value.refuse("is not a template", expected),
        }
    })
}

fn certificate_name<'d, N>(
    table: &Table<'d>,
    trust: Trust<'_>,
    parse: impl Fn(&Value<'d>) -> Option<N>,
) -> Option<CertificateName<N>> {
    let ca = issuer(table, trust);
    let written: Vec<_> = FIELDS
        .iter()
        .filter_map(|(key, field)| Some((*field, table.get(key)?)))
        .collect();
    let names = FIELDS.map(|(key, _)| key);
    let [(field, value)] = written.as_slice() else {
        let what = match written.len() {
            0 => "no name of the certificate is given",
            _ => "more than one name of the certificate is given",
        };
        table.fault(table.at, what, format!("exactly {}", one_of(&names)));
        return None;
    };
    let name = parse(value)?;
    Some(CertificateName {
        field: *field,
        name: Placed::new(name, value.at()),
        ca: ca?,
    })
}

// The names aren't listed: they are strings of the file, and a fault holds none of these.
const CA_NAME: &str = "the `name` of one of the `client_ca` in [database.tls]";

/// The CA that is named; where there is only one, it needn't be.
fn issuer(table: &Table<'_>, trust: Trust<'_>) -> Option<Name> {
    let written = table.option("ca", name)?;
    let (cas, _) = match trust {
        Trust::Unknown => return None,
        Trust::NoCertificates => {
            let what = "a certificate proves a user, but client certificates are off";
            let expected = "`client_certificates` and `client_ca` in [database.tls]";
            table.fault(table.at, what, expected);
            return None;
        }
        Trust::Cas(cas, asked) => (cas, asked),
    };
    let known = |name: &Name| cas.iter().any(|ca| ca.name.value == *name);
    match (written, cas) {
        (None, [only]) => Some(only.name.value.clone()),
        (None, _) => {
            let what = "`ca` is missing, and there are several client CAs";
            table.fault(table.at, what, CA_NAME);
            None
        }
        (Some(written), _) if known(&written.value) => Some(written.value),
        (Some(written), _) => {
            table.fault(written.at, "unknown client CA", CA_NAME);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_yields_a_user_only_where_no_other_reading_exists() {
        let cases = [
            ("spiffe://corp/{user}", "spiffe://corp/alice", Some("alice")),
            ("spiffe://corp/{user}", "spiffe://corp/a/b", None),
            ("spiffe://corp/{user}", "spiffe://corp/", None),
            ("spiffe://corp/{user}", "spiffe://corpse/alice", None),
            ("{user}@corp.example", "bob@corp.example", Some("bob")),
            ("{user}@corp.example", "a@b@corp.example", None),
            ("{user}", "a b", None),
            ("{user}", "b\u{f6}b", None),
            ("{user}", "a\n", None),
            ("{user}.svc", "a.b.svc", None),
            ("x-{user}-x", "x-x", None),
        ];
        for (template, name, user) in cases {
            let template = Template::parse(template).unwrap();
            let found = template.user_of(name);
            assert_eq!(found.as_ref().map(UserName::as_str), user, "{name}");
        }
    }

    #[test]
    fn a_template_has_its_variable_exactly_once() {
        for text in [
            "",
            "alice",
            "{user}{user}",
            "{name}",
            "{{user}}",
            "a{user}b}",
        ] {
            assert_eq!(Template::parse(text), None, "{text}");
        }
    }
}
