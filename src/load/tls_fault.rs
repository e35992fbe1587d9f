//! What can be wrong with the files of a TLS configuration, each with its remedy.

use std::fmt;

use crate::client::authority::{AuthorityFault, Problem};

/// One fault: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFault {
    /// File, and which certificate or CRL in it.
    pub origin: String,
    /// What is wrong.
    pub problem: TlsProblem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// The file is empty.
    Empty,
    /// The file has no PEM block at all.
    NotPem,
    /// The file has PEM blocks, but none that was wanted.
    NoBlock {
        /// The wanted kind.
        wanted: &'static str,
        /// The labels that are there.
        found: Vec<String>,
    },
    /// A PEM block is broken.
    BrokenPem(&'static str),
    /// The key is encrypted.
    EncryptedKey,
    /// The file has several keys.
    SeveralKeys(usize),
    /// The key's text is that of no key, or of another kind than the certificate's.
    KeyUnreadable,
    /// The certificate's key is too weak, or of a kind that can't sign here.
    KeyUnsupported(String),
    /// The key is another one than the certificate's.
    KeyMismatch {
        /// The file of the key.
        key: String,
    },
    /// The key is that of a later certificate in the file.
    LeafNotFirst {
        /// Which one, counted from 1.
        place: usize,
    },
    /// A certificate isn't followed by that of its issuer.
    ChainOrder {
        /// Escaped issuer of the certificate.
        issuer: String,
        /// Escaped subject of the next one.
        next: String,
    },
    /// Not an X.509 certificate.
    Malformed,
    /// X.509 version 1 or 2.
    OldVersion,
    /// The certificate may not be used for what it is configured for.
    WrongPurpose {
        /// The extended key usage that it lacks.
        lacks: &'static str,
    },
    /// A listener without any certificate.
    NoCertificate,
    /// Client certificates are asked for and no CA is named that could have issued them.
    NoClientCa,
    /// Two client CAs have one name.
    CaNameTwice,
    /// A client CA's file or CRL.
    Authority(Problem),
    /// Neither a DNS name nor an IP address.
    ServerName,
    /// The TLS library refuses the whole.
    Library(String),
}

impl TlsFault {
    /// A fault of `origin`.
    pub fn new(origin: impl Into<String>, problem: TlsProblem) -> Self {
        Self {
            origin: origin.into(),
            problem,
        }
    }
}

impl From<AuthorityFault> for TlsFault {
    fn from(fault: AuthorityFault) -> Self {
        Self::new(fault.origin, TlsProblem::Authority(fault.problem))
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.problem)
    }
}

impl std::error::Error for TlsFault {}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty, want PEM text"),
            Self::NotPem => f.write_str(
                "isn't PEM text (no line begins with `-----BEGIN `), want PEM: convert DER with `openssl x509`, `pkey` or `crl -inform DER`",
            ),
            Self::NoBlock { wanted, found } => {
                write!(f, "has only the PEM blocks `{}`, want `{wanted}`", found.join("`, `"))
            }
            Self::BrokenPem(what) => {
                write!(f, "is broken PEM text: {what}, want base64 between whole `-----BEGIN` and `-----END` lines")
            }
            Self::EncryptedKey => f.write_str(
                "the key is encrypted, which isn't supported, want it decrypted (`openssl pkey -in FILE -out NEWFILE`) and protected by file permissions",
            ),
            Self::SeveralKeys(found) => write!(f, "has {found} private keys, want one"),
            Self::KeyUnreadable => {
                f.write_str("isn't a usable private key: want PKCS#8, PKCS#1 or SEC1, of the certificate's kind")
            }
            Self::KeyUnsupported(kind) => write!(
                f,
                "the certificate's key can't be used for TLS here ({kind}): want P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more"
            ),
            Self::KeyMismatch { key } => {
                write!(f, "the key in {key} isn't this certificate's, want the one that it was issued for")
            }
            Self::LeafNotFirst { place } => write!(
                f,
                "the key's certificate is number {place} in the file, want it first, then its issuer's, and so on"
            ),
            Self::ChainOrder { issuer, next } => {
                write!(f, "was issued by {issuer}, but is followed by the certificate of {next}, want each followed by its issuer's")
            }
            Self::Malformed => f.write_str("isn't an X.509 certificate, want one that `openssl x509` can read"),
            Self::OldVersion => f.write_str(
                "is an X.509 version 1 or 2 certificate, want version 3 (`openssl x509 -req` writes it with `-extfile`)",
            ),
            Self::WrongPurpose { lacks } => {
                write!(f, "peers will refuse its extendedKeyUsage, want {lacks} in it")
            }
            Self::NoCertificate => f.write_str("no server certificate is configured, want one or more"),
            Self::NoClientCa => {
                f.write_str("client certificates are asked for, but no client CA is configured, want one or more")
            },
            Self::CaNameTwice => f.write_str("two client CAs have this name, want a name of its own for each"),
            Self::Authority(problem) => problem.fmt(f),
            Self::ServerName => f.write_str("can't be looked for in a certificate, want a DNS name or an IP address"),
            Self::Library(text) => {
                write!(f, "is refused by the TLS library: {text}, want what it can use")
            }
        }
    }
}
