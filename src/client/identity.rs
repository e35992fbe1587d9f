//! What stands in a certificate: its names, for the rules that map them to a user, and its facts, for the log.
//!
//! Everything here was written by whoever made the certificate. Names are read only after the chain has been verified;
//! facts may come from any certificate and are therefore escaped and cut.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::{Oid, Tag, oid};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

use super::verifier::Seen;
use crate::admission::certificate::{
    self, CertificateMapping, CertificateNames, MapFault, Name, NameFault,
};
pub use crate::admission::escape::escape_for_log;

/// What a log line says of a certificate. All texts are escaped and at most 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Serial number in hexadecimal digits.
    pub serial: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
}

impl CertificateFacts {
    /// Reads them from any certificate; `None` where it can't be read.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let serial: String = cert
            .raw_serial()
            .iter()
            .take(32)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Self {
            subject: escaped_name(cert.subject()),
            issuer: escaped_name(cert.issuer()),
            serial,
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
        })
    }
}

fn escaped_name(name: &X509Name<'_>) -> String {
    escape_for_log(name.to_string().as_bytes())
}

/// Why a certificate proves nobody, though its chain may be sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// The verifier refused the certificate, so nothing in it counts.
    NotVerified,
    /// The verifier saw another certificate than the one that the connection holds.
    OtherCertificate,
    /// Its names can't be read.
    Unreadable,
    /// The rules refuse it.
    Map(MapFault),
}

impl IdentityFault {
    /// The metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotVerified | Self::OtherCertificate => "not_verified",
            Self::Unreadable => "unreadable_certificate",
            Self::Map(fault) => fault.label(),
        }
    }
}

impl fmt::Display for IdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVerified => f.write_str("the certificate wasn't verified"),
            Self::OtherCertificate => {
                f.write_str("the certificate isn't the one that was verified")
            }
            Self::Unreadable => f.write_str("the certificate's names can't be read"),
            Self::Map(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for IdentityFault {}

/// The user that a connection's certificate proves, or `None` where no rule matches.
///
/// `seen` is what the verifier saw in this connection, `leaf` the certificate that the TLS library holds for it; they must
/// be the same, whatever the caller did between.
///
/// # Errors
/// [`IdentityFault`]: the certificate must not count as proof of anybody.
pub fn prove(
    mappings: &[CertificateMapping],
    seen: &Seen,
    leaf: &CertificateDer<'_>,
) -> Result<Option<String>, IdentityFault> {
    let trusted = seen.trusted().ok_or(IdentityFault::NotVerified)?;
    if seen.leaf() != leaf {
        return Err(IdentityFault::OtherCertificate);
    }
    let names = names(leaf).ok_or(IdentityFault::Unreadable)?;
    certificate::map(mappings, &names, &trusted.anchor()).map_err(IdentityFault::Map)
}

/// The names of a certificate whose chain has been verified; `None` where they can't be read.
pub fn names(der: &[u8]) -> Option<CertificateNames> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let mut names = CertificateNames {
        common: cert.subject().iter_common_name().map(common_name).collect(),
        ..CertificateNames::default()
    };
    // An extension that is there twice or can't be parsed is an error, not an absence.
    let Some(extension) = cert.subject_alternative_name().ok()? else {
        return Some(names);
    };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(text) => names.dns.push(ia5(text)),
            GeneralName::URI(text) => names.uris.push(ia5(text)),
            GeneralName::RFC822Name(text) => names.emails.push(ia5(text)),
            GeneralName::Invalid(tag, _) => match tag.0 {
                1 => names.emails.push(Name::Unreadable(NameFault::Encoding)),
                2 => names.dns.push(Name::Unreadable(NameFault::Encoding)),
                6 => names.uris.push(Name::Unreadable(NameFault::Encoding)),
                _ => {}
            },
            _ => {}
        }
    }
    Some(names)
}

fn common_name(attribute: &AttributeTypeAndValue<'_>) -> Name {
    match attribute.attr_value().tag() {
        Tag::Utf8String => match attribute.as_str() {
            Ok(text) => Name::of_text(text),
            Err(_) => Name::Unreadable(NameFault::Encoding),
        },
        Tag::PrintableString | Tag::Ia5String => match attribute.as_str() {
            Ok(text) => ia5(text),
            Err(_) => Name::Unreadable(NameFault::Encoding),
        },
        _ => Name::Unreadable(NameFault::StringType),
    }
}

/// A name of a type that is ASCII by definition; the parser lets other bytes through.
fn ia5(text: &str) -> Name {
    if text.is_ascii() {
        Name::of_text(text)
    } else {
        Name::Unreadable(NameFault::Encoding)
    }
}

/// What kind of key a certificate holds, as far as it decides whether signatures can be verified with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA (rsaEncryption).
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// A kind that the TLS library knows by name and can't use, or a curve that it doesn't have.
    Unsupported {
        /// The kind.
        kind: String,
    },
    /// Any other; the TLS library decides.
    Other,
}

const RSA: Oid<'_> = oid!(1.2.840.113549.1.1.1);
const RSA_PSS: Oid<'_> = oid!(1.2.840.113549.1.1.10);
const ED448: Oid<'_> = oid!(1.3.101.113);
const DSA: Oid<'_> = oid!(1.2.840.10040.4.1);
const EC: Oid<'_> = oid!(1.2.840.10045.2.1);
const CURVES: [Oid<'_>; 3] = [
    oid!(1.2.840.10045.3.1.7),
    oid!(1.3.132.0.34),
    oid!(1.3.132.0.35),
];

/// Longest RSA key that signatures are verified with.
const MAX_RSA_BITS: usize = 8192;

/// Reads the kind of `key`.
pub fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> KeyKind {
    let unsupported = |kind: &str| KeyKind::Unsupported {
        kind: kind.to_owned(),
    };
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == RSA {
        match key.parsed() {
            Ok(public) if public.key_size() <= MAX_RSA_BITS => KeyKind::Rsa {
                bits: public.key_size(),
            },
            Ok(public) => unsupported(&format!("RSA of {} bits", public.key_size())),
            Err(_) => unsupported("unreadable RSA"),
        }
    } else if *algorithm == RSA_PSS {
        unsupported("RSASSA-PSS; want rsaEncryption")
    } else if *algorithm == ED448 {
        unsupported("Ed448")
    } else if *algorithm == DSA {
        unsupported("DSA")
    } else if *algorithm == EC {
        let curve = key
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.as_oid().ok());
        match curve {
            Some(curve) if CURVES.contains(&curve) => KeyKind::Other,
            Some(curve) => unsupported(&format!("elliptic curve {curve}")),
            None => unsupported("elliptic curve without a name"),
        }
    } else {
        KeyKind::Other
    }
}

#[cfg(test)]
mod tests;
