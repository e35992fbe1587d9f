//! Whether a client's certificate is to be believed, and under which CA.
//!
//! Wraps the certificate library's path search: bounds what a stranger may make it search, reports which anchor matched,
//! and looks revocation up in [`Revocations`]. What it saw of the certificate, believed or not, is left for the caller in a
//! cell of the thread, because the TLS library hands out no certificate of a failed handshake.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authority::{self, AuthorityFault, CaCertificate, CaStanding, ClientCa};
use super::crl::Kind;
use super::fault::{MAX_CHAIN_BYTES, MAX_INTERMEDIATES, VerifyFault};
use super::identity::{CertificateFacts, KeyKind, key_kind};
use super::once::{Checked, Once};
use super::revocation::{Link, Revocations};
use crate::admission::certificate::{Anchor, NameConstraints};

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It may; one that it shows must be believed.
    Optional,
    /// It must.
    Required,
}

/// What is known of a believed certificate's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The client CA that matched, by its name in the configuration.
    pub ca: Arc<str>,
    /// How many client CAs, by their subjects, the database trusts.
    pub client_cas: usize,
    /// Name constraints on the path.
    pub constraints: NameConstraints,
    /// The earliest notAfter of the path, the CA's own included, in Unix seconds.
    pub valid_until: u64,
}

impl Trusted {
    /// The same, as the mapping rules want it.
    pub fn anchor(&self) -> Anchor<'_> {
        Anchor {
            ca: &self.ca,
            client_cas: self.client_cas,
            constraints: self.constraints,
        }
    }
}

/// What the verifier saw of one client's certificate.
#[derive(Clone, Debug)]
pub struct Seen {
    leaf: CertificateDer<'static>,
    outcome: Result<Trusted, VerifyFault>,
}

impl Seen {
    /// The certificate; empty where it was too large to keep.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    /// What a log line says of it.
    pub fn facts(&self) -> Option<CertificateFacts> {
        CertificateFacts::of(&self.leaf)
    }

    /// Its path, where it is believed. Proves nothing before the handshake is complete: only then has the client shown
    /// that it holds the key.
    pub fn trusted(&self) -> Option<&Trusted> {
        self.outcome.as_ref().ok()
    }

    /// Why it isn't believed.
    pub fn fault(&self) -> Option<&VerifyFault> {
        self.outcome.as_ref().err()
    }
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Takes what the verifier saw last on this thread.
///
/// Call it right after every call into the TLS library that may read handshake bytes, on the same thread and without
/// another connection between, and keep the result with the connection: the certificate may come in one call and the
/// handshake's end in a later one. [`super::identity::prove`] refuses a mix-up all the same.
pub fn take_seen() -> Option<Seen> {
    SEEN.take()
}

/// The verifier of one database's client certificates.
#[derive(Debug)]
pub struct ClientVerifier {
    /// In the order of `anchors`.
    authorities: Vec<CaCertificate>,
    anchors: Vec<TrustAnchor<'static>>,
    /// Intermediates of the operator's own files: they help clients that send none.
    intermediates: Vec<CertificateDer<'static>>,
    /// What of all CA certificates must be reported: `authorities` and the intermediates.
    revocations: Revocations,
    client_cas: usize,
    without_crl: Vec<String>,
    expiries: Vec<CaExpiry>,
    hints: Vec<DistinguishedName>,
    demand: Demand,
    algorithms: WebPkiSupportedAlgorithms,
}

/// When a client CA's certificate ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaExpiry {
    /// The CA's name in the configuration.
    pub ca: String,
    /// Its escaped subject.
    pub subject: String,
    /// File and PEM block.
    pub origin: String,
    /// Unix seconds.
    pub not_after: u64,
}

/// Above this many bytes no list of CAs is sent to clients: it only helps those with several certificates to choose.
const MAX_HINT_BYTES: usize = 8 * 1024;

impl ClientVerifier {
    /// A verifier that trusts `cas`. For `crl_grace` after its nextUpdate a CRL still counts for new handshakes.
    ///
    /// Expired CAs and CRLs are no faults here, since a reload must never fail for the passing of time: they refuse the
    /// handshakes that need them.
    ///
    /// # Errors
    /// Every certificate and CRL that can't be used.
    pub fn new(
        cas: &[ClientCa],
        demand: Demand,
        crl_grace: Duration,
        provider: &CryptoProvider,
    ) -> Result<Self, Vec<AuthorityFault>> {
        let algorithms = provider.signature_verification_algorithms;
        let mut faults = Vec::new();
        let known = authority::read(cas, &mut faults);
        let revocations = Revocations::read(cas, &known, crl_grace, algorithms.all, &mut faults);
        if faults.is_empty() {
            Ok(Self::of(known, revocations, demand, algorithms))
        } else {
            Err(faults)
        }
    }

    fn of(
        known: Vec<CaCertificate>,
        revocations: Revocations,
        demand: Demand,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let without_crl = known
            .iter()
            .filter(|ca| !revocations.speaks_for(&ca.key))
            .map(|ca| format!("{} ({})", ca.subject, ca.origin))
            .collect();
        let expiries = known
            .iter()
            .map(|ca| CaExpiry {
                ca: ca.ca.to_string(),
                subject: ca.subject.clone(),
                origin: ca.origin.clone(),
                not_after: ca.not_after,
            })
            .collect();
        let (authorities, others): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|ca| ca.standing == CaStanding::Anchor);
        let anchors: Vec<_> = authorities.iter().map(|ca| ca.key.clone()).collect();
        let mut subjects: Vec<&[u8]> = anchors
            .iter()
            .map(|anchor| anchor.subject.as_ref())
            .collect();
        subjects.sort_unstable();
        subjects.dedup();
        Self {
            client_cas: subjects.len(),
            hints: hints(&subjects),
            intermediates: others.into_iter().map(|ca| ca.der).collect(),
            authorities,
            anchors,
            revocations,
            without_crl,
            expiries,
            demand,
            algorithms,
        }
    }

    /// How many client CAs, by their subjects, are trusted.
    pub fn client_cas(&self) -> usize {
        self.client_cas
    }

    /// Whether a CA that is trusted is itself under name constraints which don't bind common names.
    pub fn has_constrained_ca(&self) -> bool {
        self.authorities.iter().any(|ca| ca.constrained)
    }

    /// The CRLs.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The CA certificates that no CRL speaks for, escaped subject and file. As soon as there is any CRL, the certificates
    /// that they have signed are refused.
    pub fn without_crl(&self) -> &[String] {
        &self.without_crl
    }

    /// When each CA certificate ends.
    pub fn expiries(&self) -> &[CaExpiry] {
        &self.expiries
    }

    /// Judges a chain, also of a live connection after a reload: takes no notice of what was judged before.
    ///
    /// # Errors
    /// Why it isn't believed.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Trusted, VerifyFault> {
        within_bounds(leaf, intermediates)?;
        let cert = EndEntityCert::try_from(leaf).map_err(VerifyFault::of_webpki)?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| VerifyFault::Malformed)?;
        usable_key(&parsed)?;
        let candidates = self.candidates(intermediates);
        let found = RefCell::new(Err(VerifyFault::UnknownCa));
        let judge = |path: &VerifiedPath<'_>| {
            let judged = self.judge(path, &parsed, now);
            let verdict = match &judged {
                Ok(_) => Ok(()),
                Err(_) => Err(webpki::Error::UnknownIssuer),
            };
            *found.borrow_mut() = judged;
            verdict
        };
        let checked = Checked::default();
        let once = checked.with(self.algorithms.all);
        let once: Vec<_> = once.iter().map(as_algorithm).collect();
        let searched = cert.verify_for_usage(
            &once,
            &self.anchors,
            &candidates,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&judge),
        );
        match (searched, found.into_inner()) {
            (Ok(_), judged) => judged,
            // A path was sound but for revocation or the CA's own end: that tells more than what the search ended with.
            (Err(_), Err(fault)) if fault != VerifyFault::UnknownCa => Err(fault),
            (Err(error), _) => Err(VerifyFault::of_webpki(error)),
        }
    }

    /// The intermediates that the search may use: the client's, and the operator's that the client didn't send.
    fn candidates<'a>(&'a self, sent: &'a [CertificateDer<'a>]) -> Vec<CertificateDer<'a>> {
        let borrow = |der: &'a CertificateDer<'a>| CertificateDer::from(der.as_ref());
        let own = self
            .intermediates
            .iter()
            .filter(|own| !sent.iter().any(|der| der == *own));
        sent.iter().map(borrow).chain(own.map(borrow)).collect()
    }

    /// Judges a path whose signatures, dates, purposes and name constraints are sound.
    fn judge(
        &self,
        path: &VerifiedPath<'_>,
        leaf: &X509Certificate<'_>,
        now: UnixTime,
    ) -> Result<Trusted, VerifyFault> {
        let place = self
            .anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let authority = place
            .and_then(|place| self.authorities.get(place))
            .ok_or(VerifyFault::UnknownCa)?;
        if now.as_secs() > authority.not_after {
            return Err(VerifyFault::CaExpired {
                ca: authority.ca.to_string(),
                not_after: authority.not_after,
            });
        }
        self.not_revoked(path, now)?;
        let mut valid_until = authority.not_after.min(not_after(leaf));
        let mut constrained = false;
        for intermediate in path.intermediate_certificates() {
            let der = intermediate.der();
            let (_, parsed) =
                X509Certificate::from_der(&der).map_err(|_| VerifyFault::Malformed)?;
            valid_until = valid_until.min(not_after(&parsed));
            constrained |= authority::is_constrained(&parsed);
        }
        Ok(Trusted {
            ca: Arc::clone(&authority.ca),
            client_cas: self.client_cas,
            constraints: authority::constraints_of(authority, constrained),
            valid_until,
        })
    }

    /// Asks for every certificate of the path, from the client's up to the one that the anchor has signed.
    fn not_revoked(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), VerifyFault> {
        if self.revocations.is_empty() {
            return Ok(());
        }
        let mut link = Link {
            cert: path.end_entity(),
            kind: Kind::User,
        };
        for issuer in path.intermediate_certificates() {
            self.revocations
                .check(&link, &issuer.subject_public_key_info(), now)?;
            link = Link {
                cert: issuer,
                kind: Kind::Authority,
            };
        }
        self.revocations
            .check(&link, &webpki::spki_for_anchor(path.anchor()), now)
    }
}

fn as_algorithm<'a>(once: &'a Once<'a>) -> &'a dyn SignatureVerificationAlgorithm {
    once
}

fn within_bounds(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), VerifyFault> {
    if intermediates.len() > MAX_INTERMEDIATES {
        return Err(VerifyFault::TooManyIntermediates {
            found: intermediates.len(),
        });
    }
    let bytes = leaf.len() + intermediates.iter().map(|der| der.len()).sum::<usize>();
    if bytes > MAX_CHAIN_BYTES {
        return Err(VerifyFault::ChainTooLarge { found: bytes });
    }
    Ok(())
}

/// Refuses keys that would fail later, at the handshake's own signature, with a text that misleads.
fn usable_key(leaf: &X509Certificate<'_>) -> Result<(), VerifyFault> {
    match key_kind(leaf.public_key()) {
        KeyKind::Rsa { bits } if bits < 2048 => Err(VerifyFault::WeakRsa { bits }),
        KeyKind::Unsupported { kind } => Err(VerifyFault::UnsupportedKey { kind }),
        KeyKind::Rsa { .. } | KeyKind::Other => Ok(()),
    }
}

fn not_after(cert: &X509Certificate<'_>) -> u64 {
    u64::try_from(cert.validity().not_after.timestamp()).unwrap_or(0)
}

fn hints(subjects: &[&[u8]]) -> Vec<DistinguishedName> {
    if subjects.iter().map(|subject| subject.len()).sum::<usize>() > MAX_HINT_BYTES {
        return Vec::new();
    }
    subjects
        .iter()
        .map(|subject| DistinguishedName::in_sequence(subject))
        .collect()
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.demand == Demand::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let outcome = self.verify(end_entity, intermediates, now);
        let answer = match &outcome {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(fault) => Err(fault.to_tls()),
        };
        let leaf = if end_entity.len() > MAX_CHAIN_BYTES {
            CertificateDer::from(Vec::new())
        } else {
            end_entity.clone().into_owned()
        };
        SEEN.replace(Some(Seen { leaf, outcome }));
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
