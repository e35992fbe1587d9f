//! The certificates of the client CAs, as the operator gave them: which are trust anchors, which are intermediates that
//! only help to find a path, and what of each must be known at every handshake.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::identity::{KeyKind, key_kind};
use crate::admission::certificate::NameConstraints;
use crate::admission::escape::escape_for_log;

/// Something out of a file, with the words that say where it was found ("ca.pem, block 2").
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The thing.
    pub item: T,
    /// File and PEM block.
    pub origin: String,
}

/// One client CA: its certificates and the CRLs that they have signed.
#[derive(Clone, Debug)]
pub struct ClientCa {
    /// The name by which mappings bind to it.
    pub name: String,
    /// Its certificates: self-issued ones and such whose issuer isn't among them are anchors, the others intermediates.
    pub certificates: Vec<Found<CertificateDer<'static>>>,
    /// Its CRLs.
    pub crls: Vec<Found<CertificateRevocationListDer<'static>>>,
}

/// Why a client CA's files can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFault {
    /// File and PEM block.
    pub origin: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a CA's certificate or CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A CA without any certificate.
    NoCertificate,
    /// Not an X.509 certificate.
    Malformed,
    /// No CA certificate, so it could sign nothing.
    NotACa,
    /// Its key usage doesn't allow to sign certificates.
    MayNotSign,
    /// Its key is too weak or of an unsupported kind.
    Key(String),
    /// The same key and name stand under another CA's name too, so that no mapping could be bound to one.
    InTwoCas {
        /// The other CA's name.
        other: String,
    },
    /// A CRL that can't be read.
    CrlMalformed(String),
    /// A CRL whose issuer is none of its CA's certificates.
    CrlOfAnother {
        /// Its issuer.
        issuer: String,
    },
    /// A CRL whose signature is not that of its issuer.
    CrlSignature {
        /// Its issuer.
        issuer: String,
    },
    /// A CRL of a CA whose key usage doesn't allow to sign CRLs.
    CrlNotAllowed {
        /// Its issuer.
        issuer: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("holds no certificate, want the client CA's"),
            Self::Malformed => f.write_str("isn't an X.509 certificate, want a CA's"),
            Self::NotACa => f.write_str(
                "isn't a CA certificate (basicConstraints lacks CA:TRUE), want the issuer's",
            ),
            Self::MayNotSign => {
                f.write_str("may not sign certificates, want keyCertSign in its keyUsage")
            }
            Self::Key(kind) => write!(
                f,
                "has a key that signatures can't be verified with ({kind}), want P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more"
            ),
            Self::InTwoCas { other } => {
                write!(
                    f,
                    "is given under the client CA `{other}` too, want each CA under one name"
                )
            }
            Self::CrlMalformed(text) => {
                write!(
                    f,
                    "isn't a CRL that can be relied on: {text}, want a whole one with a nextUpdate"
                )
            }
            Self::CrlOfAnother { issuer } => {
                write!(
                    f,
                    "is a CRL of {issuer}, which isn't among its client CA's certificates, want that certificate too"
                )
            }
            Self::CrlSignature { issuer } => {
                write!(
                    f,
                    "isn't signed by its issuer {issuer}, want that CA's own CRL"
                )
            }
            Self::CrlNotAllowed { issuer } => {
                write!(
                    f,
                    "is signed by {issuer}, want cRLSign in that certificate's keyUsage"
                )
            }
        }
    }
}

impl fmt::Display for AuthorityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.problem)
    }
}

impl std::error::Error for AuthorityFault {}

/// One certificate of a client CA, and what is asked of it at handshakes.
#[derive(Debug)]
pub(super) struct CaCertificate {
    pub(super) ca: Arc<str>,
    pub(super) der: CertificateDer<'static>,
    /// Subject and key, as the path search compares them.
    pub(super) key: TrustAnchor<'static>,
    /// Escaped, for texts.
    pub(super) subject: String,
    pub(super) not_after: u64,
    pub(super) constrained: bool,
    pub(super) may_sign_crls: bool,
    pub(super) standing: CaStanding,
    pub(super) origin: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaStanding {
    Anchor,
    Intermediate,
}

/// Reads every CA's certificates; what can't be used goes to `faults`.
pub(super) fn read(cas: &[ClientCa], faults: &mut Vec<AuthorityFault>) -> Vec<CaCertificate> {
    let mut all: Vec<CaCertificate> = Vec::new();
    for ca in cas {
        let name: Arc<str> = ca.name.as_str().into();
        let mut own: Vec<CaCertificate> = Vec::new();
        for found in &ca.certificates {
            let fault = |problem| AuthorityFault {
                origin: found.origin.clone(),
                problem,
            };
            match CaCertificate::read(&name, found) {
                Err(problem) => faults.push(fault(problem)),
                Ok(read) if own.iter().any(|other| other.der == read.der) => {}
                Ok(read) => match all.iter().find(|other| same_key(&other.key, &read.key)) {
                    Some(other) => faults.push(fault(Problem::InTwoCas {
                        other: other.ca.to_string(),
                    })),
                    None => own.push(read),
                },
            }
        }
        if ca.certificates.is_empty() {
            let origin = format!("client CA `{}`", ca.name);
            faults.push(AuthorityFault {
                origin,
                problem: Problem::NoCertificate,
            });
        }
        find_anchors(&mut own);
        all.append(&mut own);
    }
    all
}

/// An intermediate is one whose issuer stands beside it: trusting it as an anchor would spare it the look into its
/// issuer's CRL.
fn find_anchors(own: &mut [CaCertificate]) {
    let subjects: Vec<Vec<u8>> = own.iter().map(|ca| ca.key.subject.to_vec()).collect();
    for (index, ca) in own.iter_mut().enumerate() {
        let issuer = issuer_of(&ca.der);
        let issuer_beside = subjects
            .iter()
            .enumerate()
            .any(|(other, subject)| other != index && Some(subject) == issuer.as_ref());
        let self_issued = issuer.as_deref() == Some(subjects[index].as_slice());
        if issuer_beside && !self_issued {
            ca.standing = CaStanding::Intermediate;
        }
    }
}

/// Issuer as the path search compares it: the name's content without its outer tag.
fn issuer_of(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let cert = webpki::EndEntityCert::try_from(der).ok()?;
    Some(cert.issuer().to_vec())
}

pub(super) fn same_key(a: &TrustAnchor<'_>, b: &TrustAnchor<'_>) -> bool {
    a.subject == b.subject && a.subject_public_key_info == b.subject_public_key_info
}

impl CaCertificate {
    fn read(ca: &Arc<str>, found: &Found<CertificateDer<'static>>) -> Result<Self, Problem> {
        let key = webpki::anchor_from_trusted_cert(&found.item)
            .map_err(|_| Problem::Malformed)?
            .to_owned();
        let (_, cert) = X509Certificate::from_der(&found.item).map_err(|_| Problem::Malformed)?;
        let key_usage = cert.key_usage().map_err(|_| Problem::Malformed)?;
        // A version 1 certificate has no extension to say that it is a CA's; the operator says so.
        if cert.version().0 >= 2 && !cert.is_ca() {
            return Err(Problem::NotACa);
        }
        if key_usage
            .as_ref()
            .is_some_and(|usage| !usage.value.key_cert_sign())
        {
            return Err(Problem::MayNotSign);
        }
        match key_kind(cert.public_key()) {
            KeyKind::Rsa { bits } if bits < 2048 => {
                return Err(Problem::Key(format!("RSA of {bits} bits")));
            }
            KeyKind::Unsupported { kind } => return Err(Problem::Key(kind)),
            KeyKind::Rsa { .. } | KeyKind::Other => {}
        }
        Ok(Self {
            ca: Arc::clone(ca),
            der: found.item.clone(),
            key,
            subject: escape_for_log(cert.subject().to_string().as_bytes()),
            not_after: u64::try_from(cert.validity().not_after.timestamp()).unwrap_or(0),
            constrained: is_constrained(&cert),
            may_sign_crls: key_usage.is_none_or(|usage| usage.value.crl_sign()),
            standing: CaStanding::Anchor,
            origin: found.origin.clone(),
        })
    }
}

/// Reads a CA's certificate as a root by which servers are verified, with its notAfter in Unix seconds.
///
/// # Errors
/// It can't sign certificates.
pub fn root(
    found: &Found<CertificateDer<'static>>,
) -> Result<(TrustAnchor<'static>, u64), Problem> {
    let read = CaCertificate::read(&Arc::from(""), found)?;
    Ok((read.key, read.not_after))
}

/// Whether `cert` has name constraints of another kind than directoryName. An extension that can't be read counts.
pub(super) fn is_constrained(cert: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::GeneralName;
    match cert.name_constraints() {
        Ok(None) => false,
        Err(_) => true,
        Ok(Some(constraints)) => {
            let permitted = constraints.value.permitted_subtrees.iter().flatten();
            let excluded = constraints.value.excluded_subtrees.iter().flatten();
            permitted
                .chain(excluded)
                .any(|subtree| !matches!(subtree.base, GeneralName::DirectoryName(_)))
        }
    }
}

/// Where the constraints of a path are.
pub(super) fn constraints_of(
    anchor: &CaCertificate,
    intermediates_constrained: bool,
) -> NameConstraints {
    match (intermediates_constrained, anchor.constrained) {
        (true, _) => NameConstraints::InIntermediate,
        (false, true) => NameConstraints::InAnchor,
        (false, false) => NameConstraints::Absent,
    }
}
