//! What `redwall check` says of a TLS configuration that is sound: how long it stays so, and what is unwise in it.

use rustls::pki_types::UnixTime;
use x509_parser::prelude::X509Certificate;

use super::pem::PemFile;
use crate::client::fault::utc;
use crate::client::identity::{KeyKind, key_kind};
use crate::client::verifier::ClientVerifier;
use crate::config::Severity;

/// One thing to say of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckNote {
    /// How serious it is.
    pub severity: Severity,
    /// File, and which certificate or CRL in it.
    pub origin: String,
    /// What there is to say.
    pub text: String,
}

impl CheckNote {
    /// Something that somebody should act on.
    pub fn warning(origin: &str, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            origin: origin.to_owned(),
            text: text.into(),
        }
    }

    /// Something good to know.
    pub fn info(origin: &str, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Info,
            ..Self::warning(origin, text)
        }
    }
}

/// What ends, for metrics and notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A certificate that Redwall shows to clients.
    ServerCertificate,
    /// A client CA's certificate.
    ClientCa,
    /// A CRL.
    Crl,
    /// The CA's certificate by which a backend is verified.
    BackendCa,
    /// The certificate that Redwall shows to a backend.
    BackendCertificate,
}

impl Ending {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::ServerCertificate => "server_certificate",
            Self::ClientCa => "client_ca",
            Self::Crl => "crl",
            Self::BackendCa => "backend_ca",
            Self::BackendCertificate => "backend_certificate",
        }
    }
}

/// When something ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// What ends.
    pub ending: Ending,
    /// File, and which certificate or CRL in it.
    pub origin: String,
    /// Its last moment, in Unix seconds.
    pub not_after: u64,
}

/// Below this many days of remaining life a certificate is warned of.
const SOON_DAYS: u64 = 14;
const DAY: u64 = 86_400;

impl Expiry {
    /// How long it lasts. To be expired is a warning and no fault: a reload that takes rights away must not fail because a
    /// certificate has meanwhile ended.
    pub fn note(&self, now: UnixTime) -> CheckNote {
        let until = utc(self.not_after);
        // CRLs are made for days: only their end is news.
        let soon = match self.ending {
            Ending::Crl => 0,
            Ending::ServerCertificate
            | Ending::ClientCa
            | Ending::BackendCa
            | Ending::BackendCertificate => SOON_DAYS,
        };
        match self.not_after.checked_sub(now.as_secs()) {
            None => CheckNote::warning(&self.origin, format!("expired at {until}")),
            Some(left) if left / DAY < soon => CheckNote::warning(
                &self.origin,
                format!("expires in {} days, at {until}", left / DAY),
            ),
            Some(left) => CheckNote::info(
                &self.origin,
                format!("valid for {} days, until {until}", left / DAY),
            ),
        }
    }
}

/// What is unwise in a certificate that Redwall shows.
pub(super) fn own_certificate(
    cert: &X509Certificate<'_>,
    origin: &str,
    now: UnixTime,
) -> Vec<CheckNote> {
    let mut notes = Vec::new();
    if let KeyKind::Rsa { bits } = key_kind(cert.public_key())
        && bits > 2048
    {
        let text = format!(
            "RSA of {bits} bits costs up to nine times the processor time of P-256 at every handshake"
        );
        notes.push(CheckNote::warning(origin, text));
    }
    let not_before = cert.validity().not_before.timestamp();
    if let Ok(not_before) = u64::try_from(not_before)
        && not_before > now.as_secs()
    {
        notes.push(CheckNote::warning(
            origin,
            format!("isn't valid before {}", utc(not_before)),
        ));
    }
    notes
}

/// A key that more people than its group may read.
pub(super) fn key_file(key: &PemFile) -> Option<CheckNote> {
    let mode = key.mode().filter(|mode| mode & 0o037 != 0)?;
    let text = format!("the private key's file mode is {mode:04o}, want 0640 or narrower");
    Some(CheckNote::warning(key.name(), text))
}

/// What to say of the client CAs.
pub(super) fn client_cas(verifier: &ClientVerifier) -> Vec<CheckNote> {
    let revocations = verifier.revocations();
    let missing = verifier.without_crl().iter();
    if revocations.is_empty() {
        let text = "has no CRL: its certificates can't be revoked before they expire";
        return missing.map(|ca| CheckNote::warning(ca, text)).collect();
    }
    let text = "has no CRL, but others have: every certificate that it has signed is refused (unknown status)";
    missing.map(|ca| CheckNote::warning(ca, text)).collect()
}
