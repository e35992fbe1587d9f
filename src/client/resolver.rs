//! Which certificate Redwall shows: the one for the name that the client asks for, and a default for everybody else.
//!
//! redis-cli sends no name unless told to, and a client that dials an IP address may not send one. The TLS library's own
//! resolver refuses both.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What a client's offer lacks, whatever the TLS library says of it: it looks at groups before it looks at suites, and takes a
/// signature that the client can't verify for a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// A suite that is spoken here.
    Suite,
    /// A way to verify a signature by any of the certificates.
    Signature,
}

thread_local! {
    static LACK: Cell<Option<Lack>> = const { Cell::new(None) };
}

/// Takes what the offer lacked for which a certificate was chosen last on this thread. Of use right after a call into the TLS
/// library that failed for want of something in common: the certificate was chosen in that very call.
pub(super) fn take_lack() -> Option<Lack> {
    LACK.take()
}

/// A database's certificates by name. The first one given is the default.
#[derive(Debug)]
pub struct ServerCertificates {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`; a wildcard stands for exactly one label (RFC 6125 6.4.3).
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    all: Vec<Arc<CertifiedKey>>,
}

impl ServerCertificates {
    /// Certificates with the DNS names for which each is shown. Several may have the same name with keys of different
    /// kinds; the first whose key the client can verify is shown.
    pub fn new(certificates: Vec<(CertifiedKey, Vec<String>)>) -> Self {
        let mut built = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            all: Vec::new(),
        };
        for (certificate, names) in certificates {
            let certificate = Arc::new(certificate);
            for name in names {
                let name = name.to_ascii_lowercase();
                let (map, key) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut built.wildcard, suffix.to_owned()),
                    None => (&mut built.exact, name),
                };
                map.entry(key).or_default().push(Arc::clone(&certificate));
            }
            built.all.push(certificate);
        }
        built
    }

    /// The certificates for `name`: exact, else by wildcard, else all in the order given, so the default first.
    pub fn candidates(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let name = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let found = name.as_deref().and_then(|name| {
            self.exact.get(name).or_else(|| {
                let (_, suffix) = name.split_once('.')?;
                self.wildcard.get(suffix)
            })
        });
        found.unwrap_or(&self.all)
    }
}

impl ResolvesServerCert for ServerCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(hello.server_name());
        let schemes = hello.signature_schemes();
        let suits =
            |certificate: &&Arc<CertifiedKey>| certificate.key.choose_scheme(schemes).is_some();
        let suitable = candidates.iter().find(suits);
        let mut spoken = ALL_CIPHER_SUITES.iter().map(|suite| suite.suite());
        LACK.set(
            if !spoken.any(|suite| hello.cipher_suites().contains(&suite)) {
                Some(Lack::Suite)
            } else if suitable.is_none() {
                Some(Lack::Signature)
            } else {
                None
            },
        );
        suitable.or(candidates.first()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> CertifiedKey {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::default().self_signed(&key).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        CertifiedKey::from_der(vec![cert.der().clone()], key, &provider).unwrap()
    }

    #[test]
    fn a_name_finds_its_certificate_exactly_by_wildcard_or_the_default() {
        let given = [
            &["default.example"][..],
            &["redis.example", "*.redis.example"],
            &["a.redis.example"],
        ];
        let certificates = given
            .iter()
            .map(|names| {
                (
                    certificate(),
                    names.iter().map(|n| (*n).to_owned()).collect(),
                )
            })
            .collect();
        let resolver = ServerCertificates::new(certificates);
        let cases = [
            (None, 0),
            (Some("unknown.example"), 0),
            (Some("default.example"), 0),
            (Some("redis.example"), 1),
            (Some("REDIS.Example."), 1),
            (Some("b.redis.example"), 1),
            (Some("a.redis.example"), 2),
            (Some("deep.b.redis.example"), 0),
            (Some(".redis.example"), 1),
            (Some("example"), 0),
        ];
        for (name, wanted) in cases {
            let found = &resolver.candidates(name)[0];
            assert!(Arc::ptr_eq(found, &resolver.all[wanted]), "{name:?}");
        }
    }

    #[test]
    fn without_certificates_there_is_nothing_to_show() {
        assert!(
            ServerCertificates::new(Vec::new())
                .candidates(None)
                .is_empty()
        );
    }
}
