//! The parts of a CRL that the certificate library keeps to itself: what was signed and by whom, nextUpdate, and for which
//! certificates it speaks. Reads only lists that the library has accepted.

use rustls::pki_types::TrustAnchor;
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::authority::{CaCertificate, Problem};
use super::revocation::{Algorithms, Link, Serial, readable};
use crate::admission::escape::escape_for_log;

/// Whether a certificate is a client's or a CA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Authority,
}

/// Which certificates of its issuer a CRL speaks for (issuingDistributionPoint, RFC 5280 5.2.5).
#[derive(Debug)]
pub(super) enum Scope {
    Everything,
    Part {
        kind: Option<Kind>,
        uris: Vec<String>,
    },
}

/// A CRL whose signature is its CA's.
pub(super) struct SoundCrl<'a> {
    pub(super) signer: &'a CaCertificate,
    pub(super) serials: Vec<Serial>,
    pub(super) next_update: u64,
    pub(super) scope: Scope,
}

impl<'a> SoundCrl<'a> {
    /// Reads a CRL that one of `own` must have signed. A list without nextUpdate, a delta, an indirect one, one by
    /// reasons, and one with an unknown critical extension are refused.
    pub(super) fn read(
        der: &[u8],
        own: &[&'a CaCertificate],
        algorithms: Algorithms,
    ) -> Result<Self, Problem> {
        let list = BorrowedCertRevocationList::from_der(der)
            .map_err(|error| malformed(&error.to_string()))?;
        let mut serials = Vec::new();
        for revoked in &list {
            let revoked = revoked.map_err(|error| malformed(&error.to_string()))?;
            let serial = Serial::of(revoked.serial_number);
            serials.push(serial.ok_or_else(|| malformed("a serial number above 20 bytes"))?);
        }
        let list = CertRevocationList::from(list);
        let signed = Signed::of(der).ok_or_else(|| malformed("unexpected structure"))?;
        Ok(Self {
            signer: signer(&signed, list.issuer(), own, algorithms)?,
            serials,
            next_update: signed
                .next_update()
                .ok_or_else(|| malformed("no nextUpdate"))?,
            scope: Scope::of(list.issuing_distribution_point())
                .ok_or_else(|| malformed("an unsupported scope"))?,
        })
    }
}

fn malformed(what: &str) -> Problem {
    Problem::CrlMalformed(escape_for_log(what.as_bytes()))
}

/// Which of its CA's certificates has signed a CRL.
fn signer<'a>(
    signed: &Signed<'_>,
    issuer: &[u8],
    own: &[&'a CaCertificate],
    algorithms: Algorithms,
) -> Result<&'a CaCertificate, Problem> {
    let named: Vec<_> = own
        .iter()
        .filter(|ca| ca.key.subject.as_ref() == issuer)
        .collect();
    if named.is_empty() {
        return Err(Problem::CrlOfAnother {
            issuer: readable(issuer),
        });
    }
    match named
        .into_iter()
        .find(|ca| signed.is_signed_by(&ca.key, algorithms))
    {
        None => Err(Problem::CrlSignature {
            issuer: readable(issuer),
        }),
        Some(signer) if !signer.may_sign_crls => Err(Problem::CrlNotAllowed {
            issuer: readable(issuer),
        }),
        Some(signer) => Ok(signer),
    }
}

/// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }`.
struct Signed<'a> {
    tbs: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn of(der: &'a [u8]) -> Option<Self> {
        let list = Element::first(der)?;
        let tbs = Element::first(list.content)?;
        let algorithm = Element::first(tbs.after)?;
        let signature = Element::first(algorithm.after)?.bits()?;
        let algorithm = algorithm.content;
        Some(Self {
            tbs,
            algorithm,
            signature,
        })
    }

    /// `TBSCertList ::= SEQUENCE { version, signature, issuer, thisUpdate, nextUpdate, ... }`.
    fn next_update(&self) -> Option<u64> {
        let version = Element::first(self.tbs.content)?;
        let signature = Element::first(version.after)?;
        let issuer = Element::first(signature.after)?;
        let this_update = Element::first(issuer.after)?;
        let next_update = Element::first(this_update.after)?;
        let (_, time) = ASN1Time::from_der(next_update.whole).ok()?;
        u64::try_from(time.timestamp()).ok()
    }

    fn is_signed_by(&self, key: &TrustAnchor<'_>, algorithms: Algorithms) -> bool {
        let Some(key_algorithm) = Element::first(&key.subject_public_key_info) else {
            return false;
        };
        let Some(public) = Element::first(key_algorithm.after).and_then(|bits| bits.bits()) else {
            return false;
        };
        algorithms
            .iter()
            .filter(|known| known.signature_alg_id().as_ref() == self.algorithm)
            .filter(|known| known.public_key_alg_id().as_ref() == key_algorithm.content)
            .any(|known| {
                known
                    .verify_signature(public, self.tbs.whole, self.signature)
                    .is_ok()
            })
    }
}

impl Scope {
    /// Reads an issuingDistributionPoint, which the certificate library has found to be of a supported kind.
    fn of(extension: Option<&[u8]>) -> Option<Self> {
        let Some(extension) = extension else {
            return Some(Self::Everything);
        };
        let (mut kind, mut uris) = (None, Vec::new());
        for part in Element::all(Element::first(extension)?.content) {
            let part = part?;
            match (part.tag, part.content) {
                (0xa0, point) => uris = point_uris(point)?,
                (0x81 | 0x82, [0]) => {}
                (0x81, _) => kind = Some(Kind::User),
                (0x82, _) => kind = Some(Kind::Authority),
                (_, _) => return None,
            }
        }
        Some(Self::Part { kind, uris })
    }

    /// RFC 5280 6.3.3 (b): a CRL with a distribution point speaks for certificates that name the same one, or none.
    pub(super) fn covers(&self, link: &Link<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Part { kind, uris } => {
                kind.is_none_or(|kind| kind == link.kind)
                    && match distribution_points(link.cert) {
                        Points::Unnamed => true,
                        Points::Named(points) => points.iter().any(|uri| uris.contains(uri)),
                    }
            }
        }
    }
}

/// `fullName [0] { uniformResourceIdentifier [6], ... }`.
fn point_uris(point: &[u8]) -> Option<Vec<String>> {
    let full_name = Element::first(point).filter(|name| name.tag == 0xa0)?;
    let mut uris = Vec::new();
    for name in Element::all(full_name.content) {
        let name = name?;
        if name.tag == 0x86 {
            uris.push(String::from_utf8(name.content.to_vec()).ok()?);
        }
    }
    Some(uris)
}

/// The CRL distribution points that a certificate names.
enum Points {
    /// It has no such extension.
    Unnamed,
    /// URIs of those that are of use here; a certificate that can't be read names none that any CRL could match.
    Named(Vec<String>),
}

fn distribution_points(cert: &webpki::Cert<'_>) -> Points {
    let der = cert.der();
    let Ok((_, parsed)) = X509Certificate::from_der(&der) else {
        return Points::Named(Vec::new());
    };
    let mut found = Points::Unnamed;
    for extension in parsed.extensions() {
        if let ParsedExtension::CRLDistributionPoints(points) = extension.parsed_extension() {
            let whole = points
                .iter()
                .filter(|point| point.reasons.is_none() && point.crl_issuer.is_none());
            found = Points::Named(
                whole
                    .flat_map(|point| uris(point.distribution_point.as_ref()))
                    .collect(),
            );
        }
    }
    found
}

fn uris(name: Option<&DistributionPointName<'_>>) -> Vec<String> {
    let Some(DistributionPointName::FullName(names)) = name else {
        return Vec::new();
    };
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    names.iter().filter_map(uri).collect()
}

/// One DER element: its tag byte, its content, the whole of it, and what follows. Lengths up to 4 bytes.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    after: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(der: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (
                    digits
                        .iter()
                        .fold(0, |len, digit| (len << 8) | usize::from(*digit)),
                    rest,
                )
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(len)?;
        let whole = &der[..der.len() - after.len()];
        Some(Self {
            tag,
            content,
            whole,
            after,
        })
    }

    /// The elements that follow each other in `der`; ends with `None` where one can't be read.
    fn all(der: &'a [u8]) -> impl Iterator<Item = Option<Self>> {
        let mut rest = der;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let element = Self::first(rest);
            rest = element.map_or(&[], |element| element.after);
            Some(element)
        })
    }

    /// The content of a bit string of whole bytes.
    fn bits(&self) -> Option<&'a [u8]> {
        self.content.strip_prefix(&[0])
    }
}
