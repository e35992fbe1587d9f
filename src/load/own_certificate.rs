//! A certificate that Redwall shows, to clients or to a backend: the chain and its key are checked against each other, and
//! against what peers will demand of them.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem::PemFile;
use super::tls_check::{self, CheckNote, Ending, Expiry};
use super::tls_fault::{TlsFault, TlsProblem};
use crate::admission::certificate::Name;
use crate::client::authority::Found;
use crate::client::identity::{KeyKind, escape_for_log, key_kind, names};

/// A certificate chain, leaf first, and its key.
#[derive(Clone, Debug)]
pub struct CertificateSource {
    /// The chain.
    pub certificate: PemFile,
    /// The key.
    pub key: PemFile,
}

/// What a certificate of Redwall's own is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Server,
    Client,
}

/// A certificate of Redwall's own with its key, checked.
pub(super) struct OwnCertificate {
    pub(super) certified: CertifiedKey,
    /// DNS names.
    pub(super) names: Vec<String>,
    pub(super) notes: Vec<CheckNote>,
    pub(super) expiry: Expiry,
}

impl OwnCertificate {
    pub(super) fn read(
        source: &CertificateSource,
        purpose: Use,
        provider: &CryptoProvider,
        now: UnixTime,
    ) -> Result<Self, Vec<TlsFault>> {
        let (chain, key) = match (source.certificate.certificates(), source.key.key()) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        let leaf = &chain[0];
        let fault = |problem| vec![TlsFault::new(&leaf.origin, problem)];
        let (_, parsed) =
            X509Certificate::from_der(&leaf.item).map_err(|_| fault(TlsProblem::Malformed))?;
        sound_leaf(&parsed, purpose).map_err(fault)?;
        let signing = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| vec![TlsFault::new(source.key.name(), TlsProblem::KeyUnreadable)])?;
        let ders = chain.iter().map(|found| found.item.clone()).collect();
        let certified = CertifiedKey::new(ders, signing);
        key_matches(&certified, &source.key).map_err(fault)?;
        in_order(&chain)?;
        let mut notes = tls_check::own_certificate(&parsed, &leaf.origin, now);
        notes.extend(tls_check::key_file(&source.key));
        let expiry = Expiry {
            ending: match purpose {
                Use::Server => Ending::ServerCertificate,
                Use::Client => Ending::BackendCertificate,
            },
            origin: leaf.origin.clone(),
            not_after: u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0),
        };
        let names = dns_names(&leaf.item);
        Ok(Self {
            certified,
            names,
            notes,
            expiry,
        })
    }
}

fn sound_leaf(leaf: &X509Certificate<'_>, purpose: Use) -> Result<(), TlsProblem> {
    if leaf.version().0 < 2 {
        return Err(TlsProblem::OldVersion);
    }
    match key_kind(leaf.public_key()) {
        KeyKind::Rsa { bits } if bits < 2048 => {
            return Err(TlsProblem::KeyUnsupported(format!("RSA of {bits} bits")));
        }
        KeyKind::Unsupported { kind } => return Err(TlsProblem::KeyUnsupported(kind)),
        KeyKind::Rsa { .. } | KeyKind::Other => {}
    }
    let usage = leaf
        .extended_key_usage()
        .map_err(|_| TlsProblem::Malformed)?;
    let Some(usage) = usage.map(|usage| usage.value) else {
        return Ok(());
    };
    match purpose {
        Use::Server if !usage.server_auth => Err(TlsProblem::WrongPurpose {
            lacks: "serverAuth",
        }),
        Use::Client if !usage.client_auth => Err(TlsProblem::WrongPurpose {
            lacks: "clientAuth",
        }),
        Use::Server | Use::Client => Ok(()),
    }
}

/// Whether the key is the leaf's, and if not, whether it is that of a later certificate.
fn key_matches(certified: &CertifiedKey, key: &PemFile) -> Result<(), TlsProblem> {
    let matches = |cert: &CertificateDer<'static>| {
        CertifiedKey::new(vec![cert.clone()], Arc::clone(&certified.key))
            .keys_match()
            .is_ok()
    };
    match certified.cert.iter().position(matches) {
        Some(0) => Ok(()),
        Some(later) => Err(TlsProblem::LeafNotFirst { place: later + 1 }),
        None => Err(TlsProblem::KeyMismatch {
            key: key.name().to_owned(),
        }),
    }
}

/// Whether each certificate is followed by that of its issuer.
fn in_order(chain: &[Found<CertificateDer<'static>>]) -> Result<(), Vec<TlsFault>> {
    let mut faults = Vec::new();
    let mut parsed = Vec::new();
    for found in chain {
        match X509Certificate::from_der(&found.item) {
            Ok((_, cert)) => parsed.push((cert, &found.origin)),
            Err(_) => faults.push(TlsFault::new(&found.origin, TlsProblem::Malformed)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    for pair in parsed.windows(2) {
        let [(cert, origin), (next, _)] = pair else {
            continue;
        };
        if cert.issuer().as_raw() != next.subject().as_raw() {
            let issuer = escape_for_log(cert.issuer().to_string().as_bytes());
            let next = escape_for_log(next.subject().to_string().as_bytes());
            faults.push(TlsFault::new(
                origin.as_str(),
                TlsProblem::ChainOrder { issuer, next },
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn dns_names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let names = names(leaf).unwrap_or_default();
    let text = |name| match name {
        Name::Text(text) => Some(text),
        Name::Unreadable(_) => None,
    };
    names.dns.into_iter().filter_map(text).collect()
}
