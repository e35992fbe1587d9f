//! `[database.tls]`: the files and switches of a TLS listener. What the files hold is not known here.

use std::time::Duration;

use super::document::{Section, Table, Value, each};
use super::name::{Name, name};
use super::position::Placed;
use super::reference::{FileRef, file};
use super::units::duration;

pub(crate) const TLS: Section = Section {
    path: "[database.tls]",
    keys: &[
        "certificates",
        "client_certificates",
        "client_ca",
        "min_version",
        "handshake_timeout",
        "crl_grace",
    ],
};

pub(crate) const CERTIFICATE: Section = Section {
    path: "[[database.tls.certificates]]",
    keys: &["cert", "key"],
};

pub(crate) const CLIENT_CA: Section = Section {
    path: "[[database.tls.client_ca]]",
    keys: &["name", "file", "crl"],
};

/// A certificate with its chain, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePair {
    /// PEM file with the certificate first, then its intermediates.
    pub cert: FileRef,
    /// PEM file with the private key.
    pub key: FileRef,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for.
    Off,
    /// One is asked for, and checked if it is shown.
    Optional,
    /// Without a sound one there is no connection.
    Required,
}

/// The lowest TLS version that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}

/// A CA whose certificates clients may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// The name by which certificates of users refer to it.
    pub name: Placed<Name>,
    /// PEM file with its certificates.
    pub file: FileRef,
    /// PEM files with its revocation lists; none: nothing that it issued is ever revoked.
    pub crl: Vec<FileRef>,
}

/// `[database.tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Chosen by the name that the client asks for (SNI); the first where it asks for none or for another. Never empty.
    pub certificates: Vec<CertificatePair>,
    /// Whether clients show a certificate.
    pub client_certificates: ClientCertificates,
    /// The CAs that may have issued it; empty exactly where none is asked for.
    pub client_ca: Vec<ClientCa>,
    /// The lowest version that is spoken.
    pub min_version: TlsVersion,
    /// One deadline for handshake and login together, from accept on.
    pub handshake_timeout: Duration,
    /// How long after its `nextUpdate` a revocation list is still good for new handshakes.
    pub crl_grace: Duration,
}

pub(crate) const CLIENT_CERTIFICATES: [(&str, ClientCertificates); 3] = [
    ("off", ClientCertificates::Off),
    ("optional", ClientCertificates::Optional),
    ("required", ClientCertificates::Required),
];

pub(crate) const VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];

impl Tls {
    /// One deadline for handshake and login, where none is written.
    pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&TLS)?;
        let certificates = certificates(&table);
        let client_certificates =
            table.or("client_certificates", ClientCertificates::Off, |value| {
                value.word(&CLIENT_CERTIFICATES)
            });
        let client_ca = table.list("client_ca", CA_SHAPE, client_ca);
        let min_version = table.or("min_version", TlsVersion::Tls12, |value| {
            value.word(&VERSIONS)
        });
        let handshake = Duration::from_millis(100)..=Duration::from_secs(600);
        let handshake_timeout = table.or("handshake_timeout", Self::HANDSHAKE_TIMEOUT, |value| {
            duration(value, handshake)
        });
        let grace = Duration::ZERO..=Duration::from_secs(30 * 86_400);
        let crl_grace = table.or("crl_grace", Duration::ZERO, |value| duration(value, grace));
        let (client_certificates, client_ca) = (client_certificates?, client_ca?);
        check_cas(&table, client_certificates, &client_ca)?;
        Some(Self {
            certificates: certificates?,
            client_certificates,
            client_ca,
            min_version: min_version?,
            handshake_timeout: handshake_timeout?,
            crl_grace: crl_grace?,
        })
    }
}

const CERTIFICATE_SHAPE: &str = "[{ cert = \"server.crt\", key = \"server.key\" }]";
const CA_SHAPE: &str = "[{ name = \"corp\", file = \"ca.crt\", crl = [\"ca.crl\"] }]";

fn certificates(table: &Table<'_>) -> Option<Vec<CertificatePair>> {
    let value = table.need("certificates", CERTIFICATE_SHAPE)?;
    let items = value.items(CERTIFICATE_SHAPE)?;
    if items.is_empty() {
        return value.refuse("is empty", CERTIFICATE_SHAPE);
    }
    each(items, |item| {
        let table = item.table(&CERTIFICATE)?;
        let cert = table
            .need("cert", "the path of a PEM file")
            .and_then(|value| file(&value));
        let key = table
            .need("key", "the path of a PEM file")
            .and_then(|value| file(&value));
        Some(CertificatePair {
            cert: cert?,
            key: key?,
        })
    })
}

fn client_ca(value: &Value<'_>) -> Option<ClientCa> {
    let table = value.table(&CLIENT_CA)?;
    let name = table
        .need("name", "a name for the CA")
        .and_then(|value| name(&value));
    let certificates = table
        .need("file", "the path of a PEM file")
        .and_then(|value| file(&value));
    let crl = table.list("crl", "the paths of PEM files", file);
    Some(ClientCa {
        name: name?,
        file: certificates?,
        crl: crl?,
    })
}

fn check_cas(table: &Table<'_>, asked: ClientCertificates, cas: &[ClientCa]) -> Option<()> {
    let mut sound = Some(());
    for (index, ca) in cas.iter().enumerate() {
        if cas
            .iter()
            .take(index)
            .any(|before| before.name.value == ca.name.value)
        {
            table.fault(
                ca.name.at,
                "two client CAs have this name",
                "a name of its own for each",
            );
            sound = None;
        }
    }
    match asked {
        ClientCertificates::Off if !cas.is_empty() => {
            let at = table.key_at("client_ca").unwrap_or(table.at);
            let what = "`client_ca` is given, but client certificates are off";
            table.fault(
                at,
                what,
                "`client_certificates = \"optional\"` or `\"required\"`",
            );
            None
        }
        ClientCertificates::Optional | ClientCertificates::Required if cas.is_empty() => {
            let at = table.key_at("client_certificates").unwrap_or(table.at);
            let what = "client certificates are asked for, but no `client_ca` is given";
            table.fault(at, what, CA_SHAPE);
            None
        }
        ClientCertificates::Off | ClientCertificates::Optional | ClientCertificates::Required => {
            sound
        }
    }
}
