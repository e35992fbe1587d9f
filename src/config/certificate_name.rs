//! Which certificate proves which user: by a name that it holds, and by the CA that issued it.

use super::document::{Section, Table, Value};
use super::name::{Name, name};
use super::suggest::one_of;
use super::tls::{ClientCa, ClientCertificates, Tls};
use crate::admission::certificate::{CertificateMapping, NameField, Pattern};

pub(crate) const USER_CERTIFICATE: Section = Section {
    path: "[[database.users.NAME.certificates]]",
    keys: &["cn", "san_dns", "san_uri", "san_email", "ca"],
};

pub(crate) const CERTIFICATE_USERS: Section = Section {
    path: "[[database.certificate_users]]",
    keys: &["cn", "san_dns", "san_uri", "san_email", "ca"],
};

pub(crate) const FIELDS: [(&str, NameField); 4] = [
    ("cn", NameField::Cn),
    ("san_dns", NameField::SanDns),
    ("san_uri", NameField::SanUri),
    ("san_email", NameField::SanEmail),
];

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

/// An exact name that proves `user`.
pub(crate) fn exact(value: &Value<'_>, trust: Trust<'_>, user: &str) -> Option<CertificateMapping> {
    let table = value.table(&USER_CERTIFICATE)?;
    mapping(&table, trust, |value| {
        let name = value.text("the name as it stands in the certificate")?;
        Some(Pattern::Exact {
            value: name.to_owned(),
            user: user.to_owned(),
        })
    })
}

/// A template that proves whichever user it yields.
pub(crate) fn by_template(value: &Value<'_>, trust: Trust<'_>) -> Option<CertificateMapping> {
    let table = value.table(&CERTIFICATE_USERS)?;
    mapping(&table, trust, |value| {
        let expected = "a text with `{user}` in it once, and no other braces";
        match Pattern::template(value.text(expected)?) {
            Some(template) => Some(template),
            None => value.refuse("is not a template", expected),
        }
    })
}

fn mapping<'d>(
    table: &Table<'d>,
    trust: Trust<'_>,
    parse: impl Fn(&Value<'d>) -> Option<Pattern>,
) -> Option<CertificateMapping> {
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
    let pattern = parse(value)?;
    let ca = match (field, ca?) {
        // The one CA's file may hold several, or one that is under constraints: what is to be said of common names then must
        // be said in so many words.
        (NameField::Cn, (_, Binding::Implied)) => None,
        (_, (ca, _)) => Some(ca.as_str().to_owned()),
    };
    Some(CertificateMapping {
        field: *field,
        pattern,
        ca,
    })
}

// The names aren't listed: they are strings of the file, and a fault holds none of these.
const CA_NAME: &str = "the `name` of one of the `client_ca` in [database.tls]";

/// Whether a mapping says itself which CA it trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    Written,
    Implied,
}

/// The CA that is named; where there is only one, it needn't be.
fn issuer(table: &Table<'_>, trust: Trust<'_>) -> Option<(Name, Binding)> {
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
        (None, [only]) => Some((only.name.value.clone(), Binding::Implied)),
        (None, _) => {
            let what = "`ca` is missing, and there are several client CAs";
            table.fault(table.at, what, CA_NAME);
            None
        }
        (Some(written), _) if known(&written.value) => Some((written.value, Binding::Written)),
        (Some(written), _) => {
            table.fault(written.at, "unknown client CA", CA_NAME);
            None
        }
    }
}
