//! Why a client's certificate or handshake was refused, in words that say the cause and the remedy. The TLS library's own
//! texts for several of these name neither (an RSA key of 1024 bits reads as a bad signature).

use std::fmt;

use rustls::{CertificateError, Error, PeerIncompatible};

use super::resolver::{self, Lack};
use crate::admission::escape::escape_for_log;

/// Most intermediate certificates that a client may send. Eight of one name make the path search take 45 ms.
pub const MAX_INTERMEDIATES: usize = 4;
/// Most bytes of a client's whole chain.
pub const MAX_CHAIN_BYTES: usize = 16 * 1024;

/// What the extended key usage of a certificate allows instead of authenticating clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Authenticating servers.
    ServerOnly,
    /// `anyExtendedKeyUsage`, which is no substitute for clientAuth here.
    Any,
    /// Something else.
    Other,
}

/// Why a client's certificate isn't believed. Times are Unix seconds; names are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyFault {
    /// More intermediates than [`MAX_INTERMEDIATES`].
    TooManyIntermediates {
        /// How many were sent.
        found: usize,
    },
    /// A chain of more than [`MAX_CHAIN_BYTES`].
    ChainTooLarge {
        /// Its bytes.
        found: usize,
    },
    /// It can't be read as an X.509 certificate.
    Malformed,
    /// X.509 version 1 or 2.
    OldVersion,
    /// An RSA key of fewer than 2048 bits.
    WeakRsa {
        /// Its bits.
        bits: usize,
    },
    /// A key of a kind that the TLS library can't verify with.
    UnsupportedKey {
        /// The kind, by name or object identifier.
        kind: String,
    },
    /// Past its notAfter, or past that of a certificate between it and the CA.
    Expired {
        /// That notAfter.
        not_after: u64,
    },
    /// Before its notBefore.
    NotYetValid {
        /// That notBefore.
        not_before: u64,
    },
    /// No path leads to a configured client CA.
    UnknownCa,
    /// Not signed by the key of the CA that it names.
    BadSignature,
    /// Signed by an algorithm that isn't supported.
    UnsupportedSignature,
    /// Its extended key usage lacks clientAuth.
    WrongPurpose {
        /// What it has instead.
        purpose: Purpose,
    },
    /// A CA certificate, shown as a client's own.
    CaAsClient,
    /// A certificate of the chain has signed another without being a CA, or deeper than its path length allows.
    NotACa,
    /// A name lies outside the name constraints of its CA.
    NameConstraints,
    /// A critical extension that isn't understood.
    CriticalExtension,
    /// Listed in a CRL of its CA.
    Revoked {
        /// Subject of the CA.
        issuer: String,
    },
    /// Revocation is configured, and no CRL speaks for it.
    NoCrl {
        /// Subject of the CA.
        issuer: String,
    },
    /// Every CRL that speaks for it is past its nextUpdate and the grace after it.
    CrlExpired {
        /// Subject of the CA.
        issuer: String,
        /// The last of their nextUpdates.
        next_update: u64,
    },
    /// The configured CA's own certificate is past its notAfter.
    CaExpired {
        /// The CA's name in the configuration.
        ca: String,
        /// Its notAfter.
        not_after: u64,
    },
    /// A serial number of more than 20 bytes (RFC 5280 section 4.1.2.2), which no CRL could list.
    SerialTooLong,
    /// The path search was given up.
    PathTooComplex,
    /// Something else that the certificate library refuses.
    Other(String),
}

impl VerifyFault {
    /// The metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::TooManyIntermediates { .. } | Self::ChainTooLarge { .. } => "chain_too_long",
            Self::Malformed | Self::OldVersion => "malformed_certificate",
            Self::WeakRsa { .. } | Self::UnsupportedKey { .. } => "unsupported_key",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::UnknownCa => "unknown_ca",
            Self::BadSignature => "bad_signature",
            Self::UnsupportedSignature => "unsupported_signature",
            Self::WrongPurpose { .. } | Self::CaAsClient => "wrong_purpose",
            Self::NotACa => "not_a_ca",
            Self::NameConstraints => "name_constraints",
            Self::CriticalExtension => "critical_extension",
            Self::Revoked { .. } => "revoked",
            Self::NoCrl { .. } | Self::SerialTooLong => "unknown_revocation_status",
            Self::CrlExpired { .. } => "crl_expired",
            Self::CaExpired { .. } => "ca_expired",
            Self::PathTooComplex | Self::Other(_) => "other",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooManyIntermediates { .. } | Self::ChainTooLarge { .. } => {
                "let the client send its certificate and the intermediates of its own path only"
            }
            Self::Malformed | Self::OldVersion | Self::CriticalExtension | Self::SerialTooLong => {
                "issue an X.509 version 3 certificate with a current tool (`openssl x509 -req` needs `-extfile` for version 3)"
            }
            Self::WeakRsa { .. } | Self::UnsupportedKey { .. } => {
                "issue the certificate for a P-256, P-384 or Ed25519 key, or RSA (rsaEncryption) of 2048 bits or more"
            }
            Self::Expired { .. } => "renew the client's certificate, or set the clocks",
            Self::NotYetValid { .. } => "wait, or set the clocks",
            Self::UnknownCa => {
                "add the issuing CA to the database's client CAs, or let the client send its intermediates"
            }
            Self::BadSignature => {
                "the CA's certificate may have been replaced under the same name: configure the one that signed this certificate"
            }
            Self::UnsupportedSignature => {
                "let the CA sign with SHA-256 or better (ECDSA, RSA or Ed25519)"
            }
            Self::WrongPurpose { .. } => "issue the certificate with extendedKeyUsage clientAuth",
            Self::CaAsClient => "let the client show a certificate of its own, not a CA's",
            Self::NotACa => {
                "use a chain whose signing certificates have basicConstraints CA:TRUE and a sufficient path length"
            }
            Self::NameConstraints => "let a CA that may give out this name issue the certificate",
            Self::Revoked { .. } => {
                "nothing, if the revocation is meant; else issue a new certificate"
            }
            Self::NoCrl { .. } => {
                "configure a CRL of that CA too: once a database has one, every client CA and intermediate needs one"
            }
            Self::CrlExpired { .. } => "fetch the CA's newest CRL and reload",
            Self::CaExpired { .. } => "configure the CA's renewed certificate",
            Self::PathTooComplex | Self::Other(_) => {
                "look at the certificate with `openssl x509 -text`"
            }
        }
    }

    /// The same as an error of the TLS library, which chooses the alert by it.
    pub fn to_tls(&self) -> Error {
        Error::InvalidCertificate(match self {
            Self::TooManyIntermediates { .. }
            | Self::ChainTooLarge { .. }
            | Self::UnknownCa
            | Self::NotACa
            | Self::CaExpired { .. }
            | Self::PathTooComplex => CertificateError::UnknownIssuer,
            Self::Malformed | Self::OldVersion | Self::SerialTooLong => {
                CertificateError::BadEncoding
            }
            Self::WeakRsa { .. }
            | Self::UnsupportedKey { .. }
            | Self::WrongPurpose { .. }
            | Self::CaAsClient => CertificateError::InvalidPurpose,
            Self::Expired { .. } => CertificateError::Expired,
            Self::NotYetValid { .. } => CertificateError::NotValidYet,
            Self::BadSignature | Self::UnsupportedSignature => CertificateError::BadSignature,
            Self::NameConstraints => CertificateError::NotValidForName,
            Self::CriticalExtension => CertificateError::UnhandledCriticalExtension,
            Self::Revoked { .. } => CertificateError::Revoked,
            Self::NoCrl { .. } => CertificateError::UnknownRevocationStatus,
            Self::CrlExpired { .. } => CertificateError::ExpiredRevocationList,
            Self::Other(_) => CertificateError::ApplicationVerificationFailure,
        })
    }

    /// Reads what the certificate library says.
    pub(super) fn of_webpki(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::BadDer | E::BadDerTime | E::TrailingData(_) | E::MalformedExtensions => {
                Self::Malformed
            }
            E::ExtensionValueInvalid | E::EmptyEkuExtension => Self::Malformed,
            E::InvalidCertValidity | E::SignatureAlgorithmMismatch => Self::Malformed,
            E::UnsupportedCertVersion => Self::OldVersion,
            E::CertExpired { not_after, .. } => Self::Expired {
                not_after: not_after.as_secs(),
            },
            E::CertNotValidYet { not_before, .. } => Self::NotYetValid {
                not_before: not_before.as_secs(),
            },
            E::UnknownIssuer => Self::UnknownCa,
            E::InvalidSignatureForPublicKey => Self::BadSignature,
            E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::UnsupportedSignature,
            E::RequiredEkuNotFoundContext(context) => Self::WrongPurpose {
                purpose: purpose(&context.present),
            },
            E::CaUsedAsEndEntity => Self::CaAsClient,
            E::EndEntityUsedAsCa | E::PathLenConstraintViolated => Self::NotACa,
            E::NameConstraintViolation
            | E::MalformedNameConstraint
            | E::MalformedDnsIdentifier
            | E::InvalidNetworkMaskConstraint
            | E::UnsupportedNameType => Self::NameConstraints,
            E::UnsupportedCriticalExtension => Self::CriticalExtension,
            E::MaximumNameConstraintComparisonsExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumPathDepthExceeded
            | E::MaximumSignatureChecksExceeded => Self::PathTooComplex,
            other => Self::Other(escape_for_log(other.to_string().as_bytes())),
        }
    }
}

fn purpose(present: &[Vec<usize>]) -> Purpose {
    const SERVER_AUTH: &[usize] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
    const ANY: &[usize] = &[2, 5, 29, 37, 0];
    if present.iter().any(|id| id == ANY) {
        Purpose::Any
    } else if present.iter().all(|id| id == SERVER_AUTH) {
        Purpose::ServerOnly
    } else {
        Purpose::Other
    }
}

impl fmt::Display for VerifyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyIntermediates { found } => {
                write!(f, "the client sent {found} intermediate certificates, at most {MAX_INTERMEDIATES} are read")
            }
            Self::ChainTooLarge { found } => {
                write!(f, "the client's chain has {found} bytes, at most {MAX_CHAIN_BYTES} are read")
            }
            Self::Malformed => f.write_str("a certificate of the client's chain is malformed"),
            Self::OldVersion => f.write_str("a certificate of the client's chain is X.509 version 1 or 2, want version 3"),
            Self::WeakRsa { bits } => write!(f, "the client's RSA key has {bits} bits, want 2048 or more"),
            Self::UnsupportedKey { kind } => write!(f, "the client's key is of an unsupported kind ({kind})"),
            Self::Expired { not_after } => write!(f, "a certificate of the client's chain expired at {}", utc(*not_after)),
            Self::NotYetValid { not_before } => {
                write!(f, "a certificate of the client's chain is valid only from {}", utc(*not_before))
            }
            Self::UnknownCa => f.write_str("the client's certificate leads to none of the configured client CAs"),
            Self::BadSignature => f.write_str("a certificate of the client's chain isn't signed by the CA that it names"),
            Self::UnsupportedSignature => {
                f.write_str("a certificate of the client's chain is signed by an unsupported algorithm")
            }
            Self::WrongPurpose { purpose } => f.write_str(match purpose {
                Purpose::ServerOnly => "the client's certificate is for servers only (extendedKeyUsage serverAuth)",
                Purpose::Any => "the client's certificate says anyExtendedKeyUsage, want clientAuth by name",
                Purpose::Other => "the client's certificate has an extendedKeyUsage without clientAuth",
            }),
            Self::CaAsClient => f.write_str("the client shows a CA certificate as its own"),
            Self::NotACa => f.write_str("a certificate of the client's chain was signed by one that may not sign it"),
            Self::NameConstraints => f.write_str("a name in the client's certificate violates its CA's name constraints"),
            Self::CriticalExtension => {
                f.write_str("a certificate of the client's chain has a critical extension that isn't understood")
            }
            Self::Revoked { issuer } => write!(f, "a certificate of the client's chain was revoked by {issuer}"),
            Self::NoCrl { issuer } => write!(f, "there is no CRL of {issuer}, so its certificates' status is unknown"),
            Self::CrlExpired { issuer, next_update } => {
                write!(f, "the CRL of {issuer} expired at {}", utc(*next_update))
            }
            Self::CaExpired { ca, not_after } => {
                write!(f, "the certificate of the client CA {ca} itself expired at {}", utc(*not_after))
            }
            Self::SerialTooLong => f.write_str("a certificate of the client's chain has a serial number above 20 bytes"),
            Self::PathTooComplex => f.write_str("the client's chain allows too many paths to search"),
            Self::Other(text) => write!(f, "the client's certificate is refused: {text}"),
        }
    }
}

impl std::error::Error for VerifyFault {}

/// Unix seconds as RFC 3339 text.
pub fn utc(seconds: u64) -> String {
    use time::format_description::well_known::Rfc3339;
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}

/// Why a handshake failed, of whatever kind: for the log line and the metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFault {
    /// The metric's label.
    pub label: &'static str,
    /// What happened.
    pub cause: String,
    /// What to do about it; empty where there is nothing to say.
    pub remedy: &'static str,
}

impl HandshakeFault {
    /// Explains an error of the TLS library. `certificate` is what the verifier saw in the same connection, if anything.
    pub fn explain(error: &Error, certificate: Option<&VerifyFault>) -> Self {
        if let Some(fault) = certificate {
            return Self {
                label: fault.label(),
                cause: fault.to_string(),
                remedy: fault.remedy(),
            };
        }
        let (label, cause, remedy) = match error {
            Error::NoCertificatesPresented => (
                "no_certificate",
                Some("the client showed no certificate"),
                "give the client a certificate and key, or make client certificates optional for this database; one whose key can't be verified here (Ed448, RSA-PSS, or another curve than P-256, P-384 and P-521) is not even shown",
            ),
            Error::InvalidCertificate(_) => (
                "bad_certificate_signature",
                None,
                "the client doesn't hold the key of the certificate that it shows, or signs in an unsupported way",
            ),
            Error::PeerIncompatible(fault) => incompatible(fault, resolver::take_lack()),
            Error::AlertReceived(_) => (
                "alert_from_client",
                None,
                "the client refused Redwall's certificate or offer: look at the client's own log and the CA that it trusts",
            ),
            Error::InvalidMessage(_) => (
                "not_tls",
                None,
                "the client must speak TLS (rediss://) on this port",
            ),
            Error::PeerMisbehaved(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. } => (
                "protocol",
                None,
                "the client's TLS library broke the protocol: update it",
            ),
            Error::DecryptError | Error::PeerSentOversizedRecord => ("protocol", None, ""),
            Error::General(_) => (
                "no_server_certificate",
                None,
                "none of the configured certificates suits this client",
            ),
            _ => ("other", None, ""),
        };
        Self {
            label,
            cause: cause.map_or_else(|| error.to_string(), str::to_owned),
            remedy,
        }
    }
}

/// Label, cause and remedy of a client that has nothing in common with Redwall, and what its offer lacks.
fn incompatible(
    fault: &PeerIncompatible,
    lack: Option<Lack>,
) -> (&'static str, Option<&'static str>, &'static str) {
    match (fault, lack) {
        (PeerIncompatible::NoKxGroupsInCommon, Some(Lack::Suite))
        | (PeerIncompatible::NoCipherSuitesInCommon, None | Some(Lack::Suite)) => (
            "no_common_cipher",
            Some("the client offers no cipher suite that is spoken here"),
            "it offers no suite with forward secrecy (only static RSA, DHE or CBC ones): enable an ECDHE suite with GCM or ChaCha20, or TLS 1.3",
        ),
        (PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired, _) => (
            "no_common_group",
            Some("the client offers no key exchange group that is spoken here"),
            "let the client offer X25519, P-256 or P-384",
        ),
        (PeerIncompatible::NoSignatureSchemesInCommon, _)
        | (PeerIncompatible::NoCipherSuitesInCommon, Some(Lack::Signature)) => (
            "no_common_signature",
            Some("the client can't verify a signature by Redwall's certificate"),
            "it can't verify the kind of key that Redwall's certificate has: add a certificate with an RSA or P-256 key",
        ),
        (
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            // TLS 1.1 and older have no such extension, and the library asks for it before it looks at the version.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            _,
        ) => (
            "protocol_version",
            Some("the client speaks no version of TLS that is spoken here"),
            "let the client speak TLS 1.2 or 1.3, at least the minimum that is configured",
        ),
        (PeerIncompatible::ExtendedMasterSecretExtensionRequired, _) => (
            "no_extended_master_secret",
            None,
            "update the client's TLS library, or let it speak TLS 1.3",
        ),
        _ => ("incompatible", None, "update the client's TLS library"),
    }
}
