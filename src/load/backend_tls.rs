//! PEM files -> the TLS of the connections to one backend, which is always verified.

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::own_certificate::{CertificateSource, OwnCertificate, Use};
use super::pem::PemFile;
use super::provider::provider;
use super::tls::versions;
use super::tls_check::{CheckNote, Ending, Expiry};
use super::tls_fault::{TlsFault, TlsProblem};
use crate::admission::escape::escape_for_log;
use crate::client::authority;
use crate::config::TlsVersion;
use crate::snapshot::CaDigest;

/// All that the TLS of connections to one backend is made of.
#[derive(Clone, Debug)]
pub struct BackendTlsSource {
    /// The CA or CAs by which the backend is verified. There is no way not to verify it, and no system store: whoever can
    /// get a certificate from any public CA is not the database.
    pub ca: PemFile,
    /// The certificate to show, where the backend asks for one.
    pub certificate: Option<CertificateSource>,
    /// The name or IP address that the backend's certificate must bear; a DNS name is also sent as SNI.
    pub server_name: String,
    /// The oldest version of TLS.
    pub min_version: TlsVersion,
}

/// The TLS of connections to one backend.
#[derive(Clone, Debug)]
pub struct BackendTls {
    /// What rustls obeys.
    pub config: Arc<ClientConfig>,
    /// Whom the backend's certificate must name.
    pub server_name: ServerName<'static>,
    /// The CAs by which it is verified.
    pub ca: CaDigest,
    /// What `check` prints.
    pub notes: Vec<CheckNote>,
    /// What ends when.
    pub expiries: Vec<Expiry>,
}

/// Builds the configuration of connections to a backend. `now` only decides what the notes say of dates.
///
/// # Errors
/// Every fault that can be found at once.
pub fn client_config(
    source: &BackendTlsSource,
    now: UnixTime,
) -> Result<BackendTls, Vec<TlsFault>> {
    let provider = Arc::new(provider());
    let (mut faults, mut notes, mut expiries) = (Vec::new(), Vec::new(), Vec::new());
    let (roots, ca) = backend_roots(&source.ca, &mut expiries, &mut faults);
    let server_name = ServerName::try_from(source.server_name.clone());
    if server_name.is_err() {
        faults.push(TlsFault::new(
            escape_for_log(source.server_name.as_bytes()),
            TlsProblem::ServerName,
        ));
    }
    let shown = source
        .certificate
        .as_ref()
        .map(|given| OwnCertificate::read(given, Use::Client, &provider, now));
    let certified = match shown {
        None => None,
        Some(Err(found)) => {
            faults.extend(found);
            None
        }
        Some(Ok(identity)) => {
            notes.extend(identity.notes);
            expiries.push(identity.expiry);
            Some(identity.certified)
        }
    };
    let (Ok(server_name), true) = (server_name, faults.is_empty()) else {
        return Err(faults);
    };
    let config = dialler(source.min_version, &provider, roots, certified)
        .map_err(|text| vec![TlsFault::new(source.ca.name(), TlsProblem::Library(text))])?;
    notes.extend(expiries.iter().map(|expiry: &Expiry| expiry.note(now)));
    let config = Arc::new(config);
    Ok(BackendTls {
        config,
        server_name,
        ca,
        notes,
        expiries,
    })
}

fn backend_roots(
    ca: &PemFile,
    expiries: &mut Vec<Expiry>,
    faults: &mut Vec<TlsFault>,
) -> (RootCertStore, CaDigest) {
    let mut roots = RootCertStore::empty();
    let certificates = ca.certificates().unwrap_or_else(|fault| {
        faults.push(fault);
        Vec::new()
    });
    let digest = CaDigest::of(certificates.iter().map(|found| found.item.as_ref()));
    for found in certificates {
        match authority::root(&found) {
            Ok((root, not_after)) => {
                roots.roots.push(root);
                let origin = found.origin;
                expiries.push(Expiry {
                    ending: Ending::BackendCa,
                    origin,
                    not_after,
                });
            }
            Err(problem) => {
                faults.push(TlsFault::new(found.origin, TlsProblem::Authority(problem)))
            }
        }
    }
    (roots, digest)
}

fn dialler(
    min_version: TlsVersion,
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
    certified: Option<CertifiedKey>,
) -> Result<ClientConfig, String> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(min_version))
        .map_err(|error| error.to_string())?
        .with_webpki_verifier(verifier);
    let mut config = match certified {
        Some(certified) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    // Connections to a backend are few and long; a resumed one would not be verified.
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}
