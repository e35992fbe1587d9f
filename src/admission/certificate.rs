//! From the names in a verified certificate to the user that it proves, by the rules that the operator wrote.
//!
//! Works on names that have been read already; knows nothing of DER. Whatever is ambiguous is refused, never guessed:
//! several common names, two rules or two names that give different users, a name with control characters.

use std::fmt;

/// Which of a certificate's names a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameField {
    /// The subject's common name.
    Cn,
    /// DNS names of the subject alternative name extension. Compared in lower case.
    SanDns,
    /// URIs of that extension (SPIFFE ids).
    SanUri,
    /// E-mail addresses of that extension.
    SanEmail,
}

impl fmt::Display for NameField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cn => "CN",
            Self::SanDns => "SAN DNS name",
            Self::SanUri => "SAN URI",
            Self::SanEmail => "SAN e-mail address",
        })
    }
}

/// How a name gives a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This very name proves this user.
    Exact {
        /// The certificate's name.
        value: String,
        /// The user.
        user: String,
    },
    /// Names that begin with `prefix` and end with `suffix` prove the user between them.
    Template {
        /// What stands before `{user}`.
        prefix: String,
        /// What stands after it.
        suffix: String,
    },
}

/// What stands in a template for the user's name.
const USER_VARIABLE: &str = "{user}";

impl Pattern {
    /// Reads a template such as `spiffe://corp/{user}`; `None` unless `{user}` occurs exactly once, without other braces.
    pub fn template(text: &str) -> Option<Self> {
        let (prefix, suffix) = text.split_once(USER_VARIABLE)?;
        let braces = |part: &str| part.contains(['{', '}']);
        (!braces(prefix) && !braces(suffix)).then(|| Self::Template {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        })
    }
}

/// The certificate's name, or the template as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact { value, user: _ } => f.write_str(value),
            Self::Template { prefix, suffix } => write!(f, "{prefix}{USER_VARIABLE}{suffix}"),
        }
    }
}

/// One rule from certificate to user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateMapping {
    /// Which names it reads.
    pub field: NameField,
    /// How a name gives a user.
    pub pattern: Pattern,
    /// The client CA that it trusts, by its name in the configuration; `None`: any.
    pub ca: Option<String>,
}

impl CertificateMapping {
    /// Whether some certificate could prove `user` by this rule.
    pub fn may_prove(&self, user: &str) -> bool {
        match &self.pattern {
            Pattern::Exact {
                value: _,
                user: own,
            } => own == user,
            Pattern::Template { prefix: _, suffix } => fits(self.field, suffix, user),
        }
    }
}

/// One name as it stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A readable one.
    Text(String),
    /// One that can't be compared safely, and why.
    Unreadable(NameFault),
}

/// Why a name can't be compared safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It holds a control character, NUL among them: what reads to one program as a name ends early for another.
    Control,
    /// Its bytes aren't text of the type that the certificate says.
    Encoding,
    /// Its string type has several encodings (BMPString, TeletexString, UniversalString).
    StringType,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "holds a control character",
            Self::Encoding => "isn't text in its own encoding",
            Self::StringType => {
                "is a string type other than UTF8String, PrintableString or IA5String"
            }
        })
    }
}

impl Name {
    /// A name of `text`, unless it holds control characters.
    pub fn of_text(text: &str) -> Self {
        if text.chars().any(char::is_control) {
            Self::Unreadable(NameFault::Control)
        } else {
            Self::Text(text.to_owned())
        }
    }
}

/// The names of one certificate, in their order, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// Common names of the subject.
    pub common: Vec<Name>,
    /// DNS names.
    pub dns: Vec<Name>,
    /// URIs.
    pub uris: Vec<Name>,
    /// E-mail addresses.
    pub emails: Vec<Name>,
}

impl CertificateNames {
    fn of(&self, field: NameField) -> &[Name] {
        match field {
            NameField::Cn => &self.common,
            NameField::SanDns => &self.dns,
            NameField::SanUri => &self.uris,
            NameField::SanEmail => &self.emails,
        }
    }
}

/// Where in a verified path there are name constraints of another kind than directoryName. Such a path's CA was told which
/// names it may give out, and a common name escapes every one of those constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameConstraints {
    /// Nowhere.
    Absent,
    /// In the trusted CA's own certificate only.
    InAnchor,
    /// In an intermediate's.
    InIntermediate,
}

/// What the verifier found out of the path to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor<'a> {
    /// The client CA that matched, by its name in the configuration.
    pub ca: &'a str,
    /// How many client CAs the database trusts in all.
    pub client_cas: usize,
    /// Name constraints on the path.
    pub constraints: NameConstraints,
}

/// Why a verified certificate proves no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapFault {
    /// A field that a rule reads has a name that can't be compared safely.
    Unreadable(NameField, NameFault),
    /// The subject has several common names.
    SeveralCommonNames(usize),
    /// Names or rules give different users.
    Ambiguous,
    /// A common name matched a rule that names no CA, and the database trusts several.
    UnboundCommonName,
    /// A common name matched under a CA whose name constraints can't bind common names.
    UnconstrainedCommonName,
}

impl MapFault {
    /// The metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_, _) => "unreadable_name",
            Self::SeveralCommonNames(_) => "several_common_names",
            Self::Ambiguous => "ambiguous",
            Self::UnboundCommonName => "unbound_common_name",
            Self::UnconstrainedCommonName => "unconstrained_common_name",
        }
    }
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(field, fault) => write!(f, "a {field} of the certificate {fault}"),
            Self::SeveralCommonNames(found) => {
                write!(f, "the certificate's subject has {found} common names, want one")
            }
            Self::Ambiguous => f.write_str("the certificate's names prove more than one user"),
            Self::UnboundCommonName => f.write_str(
                "the certificate is mapped by CN, several client CAs are trusted, and the mapping names none: \
                 any of them could issue that name; write `ca` into the mapping",
            ),
            Self::UnconstrainedCommonName => f.write_str(
                "the certificate is mapped by CN, but its CA is under name constraints, which don't bind common names: \
                 map by a constrained name (SAN) instead",
            ),
        }
    }
}

impl std::error::Error for MapFault {}

/// The user that a verified certificate proves, or `None` where no rule matches.
///
/// # Errors
/// [`MapFault`]: the certificate must not count as proof of anybody.
pub fn map(
    mappings: &[CertificateMapping],
    names: &CertificateNames,
    anchor: &Anchor<'_>,
) -> Result<Option<String>, MapFault> {
    let mut proven: Option<&str> = None;
    for mapping in mappings {
        if mapping.ca.as_deref().is_some_and(|ca| ca != anchor.ca) {
            continue;
        }
        for user in users(mapping, names)? {
            if mapping.field == NameField::Cn {
                common_name_may_count(mapping, anchor)?;
            }
            match proven {
                Some(other) if other != user => return Err(MapFault::Ambiguous),
                Some(_) | None => proven = Some(user),
            }
        }
    }
    Ok(proven.map(str::to_owned))
}

fn users<'a>(
    mapping: &'a CertificateMapping,
    names: &'a CertificateNames,
) -> Result<Vec<&'a str>, MapFault> {
    let names = names.of(mapping.field);
    if mapping.field == NameField::Cn && names.len() > 1 {
        return Err(MapFault::SeveralCommonNames(names.len()));
    }
    let mut users = Vec::new();
    for name in names {
        match name {
            Name::Unreadable(fault) => return Err(MapFault::Unreadable(mapping.field, *fault)),
            Name::Text(text) => users.extend(user(mapping, text)),
        }
    }
    Ok(users)
}

fn user<'a>(mapping: &'a CertificateMapping, name: &'a str) -> Option<&'a str> {
    match &mapping.pattern {
        Pattern::Exact { value, user } => same(mapping.field, value, name).then_some(user.as_str()),
        Pattern::Template { prefix, suffix } => {
            let middle = name.len().checked_sub(prefix.len() + suffix.len())?;
            let (head, rest) = name.split_at_checked(prefix.len())?;
            let (user, tail) = rest.split_at_checked(middle)?;
            let framed = same(mapping.field, prefix, head) && same(mapping.field, suffix, tail);
            (framed && fits(mapping.field, suffix, user)).then_some(user)
        }
    }
}

/// DNS names are the same in any case (RFC 4343); everything else is compared byte by byte.
fn same(field: NameField, a: &str, b: &str) -> bool {
    match field {
        NameField::SanDns => a.eq_ignore_ascii_case(b),
        NameField::Cn | NameField::SanUri | NameField::SanEmail => a == b,
    }
}

/// Whether `user` may be what a template's `{user}` stands for: made of `A-Za-z0-9._@-`, without the character that follows
/// it, and without what ends a segment of that kind of name, so that `{user}.corp` takes no subdomain and `{user}@corp` no
/// second `@`.
fn fits(field: NameField, suffix: &str, user: &str) -> bool {
    let end = match field {
        NameField::Cn => None,
        NameField::SanDns => Some('.'),
        NameField::SanUri | NameField::SanEmail => Some('@'),
    };
    let next = suffix.chars().next();
    let taken = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    let allowed = |c: char| taken(c) && Some(c) != end && Some(c) != next;
    !user.is_empty() && user.chars().all(allowed)
}

fn common_name_may_count(
    mapping: &CertificateMapping,
    anchor: &Anchor<'_>,
) -> Result<(), MapFault> {
    match (anchor.constraints, &mapping.ca) {
        (NameConstraints::InIntermediate, _) | (NameConstraints::InAnchor, None) => {
            Err(MapFault::UnconstrainedCommonName)
        }
        (NameConstraints::Absent, None) if anchor.client_cas > 1 => {
            Err(MapFault::UnboundCommonName)
        }
        // Who names a constrained CA in a CN mapping trusts that very CA with common names.
        (NameConstraints::Absent | NameConstraints::InAnchor, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
