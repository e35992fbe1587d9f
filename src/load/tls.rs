//! PEM files -> what rustls obeys: the configuration of a listener, and that of the connections to a backend.
//!
//! Every choice that TLS leaves open is made here, or in `provider` where it concerns cryptography, once:
//! - The server's order of cipher suites counts.
//! - No early data (it can be replayed) and no ALPN (a client that offers only another protocol would fail).
//! - With client certificates neither tickets nor a session cache: rustls doesn't ask the verifier again on resumption, so
//!   an expired or revoked certificate would come back through a session.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use sha2::{Digest, Sha256};

pub use super::backend_tls::{BackendTls, BackendTlsSource, client_config};
pub use super::own_certificate::CertificateSource;
use super::own_certificate::{OwnCertificate, Use};
use super::pem::PemFile;
use super::provider::provider;
use super::tls_check::{self, CheckNote, Ending, Expiry};
use super::tls_fault::{TlsFault, TlsProblem};
use crate::client::authority::ClientCa;
use crate::client::resolver::ServerCertificates;
use crate::client::verifier::{ClientVerifier, Demand};
use crate::config::{ClientCertificates, TlsVersion};

/// A client CA.
#[derive(Clone, Debug)]
pub struct CaSource {
    /// The name by which certificate mappings bind to it.
    pub name: String,
    /// Its certificate or certificates.
    pub pem: PemFile,
    /// Its CRLs.
    pub crls: Vec<PemFile>,
}

/// All that a listener's TLS configuration is made of.
#[derive(Clone, Debug)]
pub struct TlsSource {
    /// Certificates to show; the first is the default.
    pub certificates: Vec<CertificateSource>,
    /// Client CAs.
    pub client_cas: Vec<CaSource>,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// How long after its nextUpdate a CRL still counts for new handshakes.
    pub crl_grace: Duration,
    /// The oldest version of TLS.
    pub min_version: TlsVersion,
}

/// A listener's TLS configuration.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// What rustls obeys.
    pub config: Arc<ServerConfig>,
    /// The verifier in it, where clients are asked for a certificate.
    pub verifier: Option<Arc<ClientVerifier>>,
    /// Digest of all that the verifier was made of.
    pub trust: [u8; 32],
    /// The oldest version of TLS.
    pub min_version: TlsVersion,
    /// What `check` prints.
    pub notes: Vec<CheckNote>,
    /// What ends when.
    pub expiries: Vec<Expiry>,
}

static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
static NEWEST: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// The versions from the lowest that is spoken on.
pub(super) fn versions(min_version: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match min_version {
        TlsVersion::Tls12 => &BOTH,
        TlsVersion::Tls13 => &NEWEST,
    }
}

/// Builds a listener's configuration. `now` only decides what the notes say of dates.
///
/// # Errors
/// Every fault that can be found at once.
pub fn server_config(source: &TlsSource, now: UnixTime) -> Result<ServerTls, Vec<TlsFault>> {
    let provider = Arc::new(provider());
    let mut faults = Vec::new();
    let own = own_certificates(source, &provider, now, &mut faults);
    let verifier = client_verifier(source, &provider, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let Own {
        certificates,
        mut notes,
        mut expiries,
    } = own;
    let config = listener(
        source.min_version,
        &provider,
        certificates,
        verifier.clone(),
    )
    .map_err(|error| vec![TlsFault::new("TLS", TlsProblem::Library(error.to_string()))])?;
    match &verifier {
        Some(verifier) => {
            notes.extend(tls_check::client_cas(verifier));
            expiries.extend(client_expiries(verifier));
        }
        None => notes.extend(source.client_cas.iter().map(|ca| {
            CheckNote::warning(
                ca.pem.name(),
                "is a client CA, but clients aren't asked for certificates",
            )
        })),
    }
    notes.extend(expiries.iter().map(|expiry| expiry.note(now)));
    let config = Arc::new(config);
    Ok(ServerTls {
        config,
        verifier,
        trust: trust(source),
        min_version: source.min_version,
        notes,
        expiries,
    })
}

/// A digest of what clients' certificates are judged by. Every part comes with its length, so that none can pass for another.
fn trust(source: &TlsSource) -> [u8; 32] {
    let TlsSource {
        certificates: _,
        client_cas,
        client_certificates,
        crl_grace,
        min_version: _,
    } = source;
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(&[match client_certificates {
        ClientCertificates::Off => 0,
        ClientCertificates::Optional => 1,
        ClientCertificates::Required => 2,
    }]);
    add(&crl_grace.as_nanos().to_be_bytes());
    for CaSource { name, pem, crls } in client_cas {
        add(name.as_bytes());
        add(pem.bytes());
        add(&(crls.len() as u64).to_be_bytes());
        crls.iter().for_each(|crl| add(crl.bytes()));
    }
    digest.finalize().into()
}

fn listener(
    min_version: TlsVersion,
    provider: &Arc<CryptoProvider>,
    certificates: Vec<(CertifiedKey, Vec<String>)>,
    verifier: Option<Arc<ClientVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let resumes = verifier.is_none();
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(min_version))?
        .with_client_cert_verifier(match verifier {
            Some(verifier) => verifier,
            None => WebPkiClientVerifier::no_client_auth(),
        });
    let mut config = builder.with_cert_resolver(Arc::new(ServerCertificates::new(certificates)));
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.alpn_protocols.clear();
    if !resumes {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// The certificates that Redwall shows.
#[derive(Default)]
struct Own {
    certificates: Vec<(CertifiedKey, Vec<String>)>,
    notes: Vec<CheckNote>,
    expiries: Vec<Expiry>,
}

fn own_certificates(
    source: &TlsSource,
    provider: &CryptoProvider,
    now: UnixTime,
    faults: &mut Vec<TlsFault>,
) -> Own {
    let mut own = Own::default();
    if source.certificates.is_empty() {
        faults.push(TlsFault::new("TLS", TlsProblem::NoCertificate));
    }
    for given in &source.certificates {
        match OwnCertificate::read(given, Use::Server, provider, now) {
            Err(found) => faults.extend(found),
            Ok(identity) => {
                let OwnCertificate {
                    certified,
                    names,
                    mut notes,
                    expiry,
                } = identity;
                if names.is_empty() {
                    let text = "names no DNS name (subjectAltName), so clients that connect by a host name will refuse it";
                    notes.push(CheckNote::warning(given.certificate.name(), text));
                }
                own.notes.append(&mut notes);
                own.certificates.push((certified, names));
                own.expiries.push(expiry);
            }
        }
    }
    own
}

fn client_verifier(
    source: &TlsSource,
    provider: &CryptoProvider,
    faults: &mut Vec<TlsFault>,
) -> Option<Arc<ClientVerifier>> {
    let demand = match source.client_certificates {
        ClientCertificates::Off => return None,
        ClientCertificates::Optional => Demand::Optional,
        ClientCertificates::Required => Demand::Required,
    };
    if source.client_cas.is_empty() {
        faults.push(TlsFault::new("TLS", TlsProblem::NoClientCa));
        return None;
    }
    let before = faults.len();
    let mut cas: Vec<ClientCa> = Vec::new();
    for given in &source.client_cas {
        if cas.iter().any(|ca| ca.name == given.name) {
            faults.push(TlsFault::new(&given.name, TlsProblem::CaNameTwice));
        }
        let mut ca = ClientCa {
            name: given.name.clone(),
            certificates: Vec::new(),
            crls: Vec::new(),
        };
        match given.pem.certificates() {
            Ok(certificates) => ca.certificates = certificates,
            Err(fault) => faults.push(fault),
        }
        for crl in &given.crls {
            match crl.crls() {
                Ok(crls) => ca.crls.extend(crls),
                Err(fault) => faults.push(fault),
            }
        }
        cas.push(ca);
    }
    if faults.len() > before {
        return None;
    }
    match ClientVerifier::new(&cas, demand, source.crl_grace, provider) {
        Ok(verifier) => Some(Arc::new(verifier)),
        Err(found) => {
            faults.extend(found.into_iter().map(TlsFault::from));
            None
        }
    }
}

fn client_expiries(verifier: &ClientVerifier) -> Vec<Expiry> {
    let cas = verifier.expiries().iter().map(|ca| Expiry {
        ending: Ending::ClientCa,
        origin: ca.origin.clone(),
        not_after: ca.not_after,
    });
    let crls = verifier.revocations().expiries().map(|crl| Expiry {
        ending: Ending::Crl,
        origin: crl.origin,
        not_after: crl.next_update,
    });
    cas.chain(crls).collect()
}

#[cfg(test)]
mod tests;
