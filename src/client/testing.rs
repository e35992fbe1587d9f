//! Certificate authorities in memory, and handshakes between a client and a server without sockets.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
    UnixTime,
};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};
use time::OffsetDateTime;

use super::authority::{ClientCa, Found};

/// The moment at which every test plays: 2026-01-01.
pub(crate) const NOW: u64 = 1_767_225_600;
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn date(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
}

/// A clock that tests set.
#[derive(Debug)]
pub(crate) struct Clock(pub(crate) std::sync::atomic::AtomicU64);

impl Clock {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(seconds.into()))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.0.load(std::sync::atomic::Ordering::SeqCst)))
    }
}

/// Parameters of a certificate that is valid for 30 days on either side of [`NOW`].
pub(crate) fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date(NOW - 30 * DAY);
    params.not_after = date(NOW + 30 * DAY);
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

pub(crate) fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Parameters of a client's certificate, with a serial number to revoke it by.
pub(crate) fn client_params(common_name: &str, serial: u64) -> CertificateParams {
    let mut params = params(common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

/// A certificate authority.
pub(crate) struct Ca(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) cert: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Ca {
    pub(crate) fn new(common_name: &str) -> Self {
        Self::with(ca_params(common_name))
    }

    pub(crate) fn with(params: CertificateParams) -> Self {
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn sub(&self, params: CertificateParams) -> Self {
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().der().clone();
        Pair { cert, key }
    }

    pub(crate) fn crl_params(
        &self,
        serials: impl IntoIterator<Item = u64>,
    ) -> CertificateRevocationListParams {
        CertificateRevocationListParams {
            this_update: date(NOW - DAY),
            next_update: date(NOW + DAY),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: serials
                .into_iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(serial),
                    revocation_time: date(NOW - 2 * DAY),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
    }

    /// A CRL that revokes `serials`, valid for a day.
    pub(crate) fn crl(
        &self,
        serials: impl IntoIterator<Item = u64>,
    ) -> CertificateRevocationListDer<'static> {
        self.sign_crl(&self.crl_params(serials))
    }

    pub(crate) fn sign_crl(
        &self,
        params: &CertificateRevocationListParams,
    ) -> CertificateRevocationListDer<'static> {
        params.signed_by(&self.0).unwrap().der().clone()
    }
}

impl Pair {
    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// A client CA as configured, out of certificates and CRLs.
pub(crate) fn client_ca(
    name: &str,
    certificates: &[CertificateDer<'static>],
    crls: &[CertificateRevocationListDer<'static>],
) -> ClientCa {
    ClientCa {
        name: name.to_owned(),
        certificates: found(name, "pem", certificates),
        crls: found(name, "crl", crls),
    }
}

fn found<T: Clone>(name: &str, ending: &str, items: &[T]) -> Vec<Found<T>> {
    let origin = |index| format!("{name}.{ending}, block {}", index + 1);
    items
        .iter()
        .enumerate()
        .map(|(index, item)| Found {
            item: item.clone(),
            origin: origin(index),
        })
        .collect()
}

/// Believes every server: these tests look at the other side.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A client that shows `chain`, or no certificate.
pub(crate) fn client_config(
    chain: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    client_config_with((*provider()).clone(), chain, versions)
}

/// The same, with another crypto provider.
pub(crate) fn client_config_with(
    provider: CryptoProvider,
    chain: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)));
    match chain {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// Plays one handshake, a message of application data each way included.
///
/// # Errors
/// The server's error where it refuses; the client's where the server doesn't.
pub(crate) fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut fault = None;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        feed(&mut wire.as_slice(), |bytes| {
            server.read_tls(bytes).unwrap();
            server.process_new_packets().map(drop)
        })?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let read = feed(&mut wire.as_slice(), |bytes| {
            client.read_tls(bytes).unwrap();
            client.process_new_packets().map(drop)
        });
        fault = fault.or(read.err());
        if !client.wants_write() && !server.wants_write() {
            break;
        }
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok((server, client)),
    }
}

fn feed(
    wire: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    while !wire.is_empty() {
        read(wire)?;
    }
    Ok(())
}
