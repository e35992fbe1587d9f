//! PEM files: their bytes, and the certificates, keys and CRLs in them, with texts that say which file and which block.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::tls_fault::{TlsFault, TlsProblem};
use crate::client::authority::Found;

/// A file's bytes, which may hold a key: they are wiped when it is dropped, and never printed.
#[derive(Clone)]
pub struct PemFile {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
    mode: Option<u32>,
}

impl std::fmt::Debug for PemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemFile")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PemFile {
    /// A file that has been read: its name for texts, its bytes, and its permission bits where known.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>, mode: Option<u32>) -> Self {
        Self {
            name: name.into(),
            bytes: Zeroizing::new(bytes),
            mode,
        }
    }

    /// Its name, for texts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes. They may hold a key: nothing but a digest of them may be kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its permission bits, where known.
    pub fn mode(&self) -> Option<u32> {
        self.mode
    }

    /// Its certificates, at least one.
    ///
    /// # Errors
    /// The file is empty, no PEM, broken, or has no certificate.
    pub fn certificates(&self) -> Result<Vec<Found<CertificateDer<'static>>>, TlsFault> {
        self.blocks("certificate", "CERTIFICATE")
    }

    /// Its CRLs, at least one.
    ///
    /// # Errors
    /// The file is empty, no PEM, broken, or has no CRL.
    pub fn crls(&self) -> Result<Vec<Found<CertificateRevocationListDer<'static>>>, TlsFault> {
        self.blocks("CRL", "X509 CRL")
    }

    /// Its private key.
    ///
    /// # Errors
    /// The file is empty, no PEM, broken, encrypted, or has no key or several.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, TlsFault> {
        self.key_or_problem()
            .map_err(|problem| TlsFault::new(&self.name, problem))
    }

    fn key_or_problem(&self) -> Result<PrivateKeyDer<'static>, TlsProblem> {
        let text = &self.bytes[..];
        let encrypted = self
            .labels()
            .iter()
            .any(|label| label == "ENCRYPTED PRIVATE KEY");
        if encrypted
            || text
                .windows(22)
                .any(|line| line == b"Proc-Type: 4,ENCRYPTED")
        {
            return Err(TlsProblem::EncryptedKey);
        }
        let mut keys = self.items::<PrivateKeyDer<'static>>("PRIVATE KEY")?;
        match (keys.len(), keys.pop()) {
            (1, Some(key)) => Ok(key),
            (found, _) => Err(TlsProblem::SeveralKeys(found)),
        }
    }

    fn blocks<T: PemObject>(
        &self,
        kind: &str,
        label: &'static str,
    ) -> Result<Vec<Found<T>>, TlsFault> {
        let items = self
            .items(label)
            .map_err(|problem| TlsFault::new(&self.name, problem))?;
        let origin = |index| match items.len() {
            1 => self.name.clone(),
            _ => format!("{}, {kind} {}", self.name, index + 1),
        };
        let origins: Vec<String> = (0..items.len()).map(origin).collect();
        let found = items
            .into_iter()
            .zip(origins)
            .map(|(item, origin)| Found { item, origin });
        Ok(found.collect())
    }

    fn items<T: PemObject>(&self, wanted: &'static str) -> Result<Vec<T>, TlsProblem> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(TlsProblem::Empty);
        }
        let found = self.labels();
        if found.is_empty() {
            return Err(TlsProblem::NotPem);
        }
        let items: Vec<T> = T::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(broken)?;
        if items.is_empty() {
            return Err(TlsProblem::NoBlock { wanted, found });
        }
        Ok(items)
    }

    /// The labels of all blocks, known or not, as far as they are plain text.
    fn labels(&self) -> Vec<String> {
        let lines = self.bytes.split(|byte| *byte == b'\n' || *byte == b'\r');
        lines
            .filter_map(|line| line.strip_prefix(b"-----BEGIN "))
            .map(|label| label.iter().take(40).take_while(|byte| **byte != b'-'))
            .map(|label| {
                label
                    .filter(|byte| byte.is_ascii_graphic() || **byte == b' ')
                    .copied()
                    .map(char::from)
                    .collect()
            })
            .collect()
    }
}

/// The library's own errors quote lines of the file.
fn broken(error: pem::Error) -> TlsProblem {
    TlsProblem::BrokenPem(match error {
        pem::Error::MissingSectionEnd { .. } => "it ends within a block",
        pem::Error::IllegalSectionStart { .. } => "a `-----BEGIN` line is malformed",
        pem::Error::Base64Decode(_) => "a block isn't base64",
        pem::Error::SectionTooLarge => "a block is too large",
        _ => "it can't be decoded",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of_key(text: &str) -> TlsProblem {
        PemFile::new("server.key", text.as_bytes().to_vec(), None)
            .key()
            .unwrap_err()
            .problem
    }

    #[test]
    fn an_empty_file_is_told_as_such() {
        let empty = PemFile::new("server.crt", b" \n".to_vec(), None);
        assert_eq!(empty.certificates().unwrap_err().problem, TlsProblem::Empty);
    }

    #[test]
    fn every_kind_of_wrong_key_file_is_named() {
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(problem_of_key(encrypted), TlsProblem::EncryptedKey);
        assert_eq!(problem_of_key(traditional), TlsProblem::EncryptedKey);
        assert_eq!(problem_of_key(&key.repeat(2)), TlsProblem::SeveralKeys(2));
        assert_eq!(problem_of_key("\x30\x01"), TlsProblem::NotPem);
        let wanted = TlsProblem::NoBlock {
            wanted: "PRIVATE KEY",
            found: vec!["CERTIFICATE".to_owned()],
        };
        assert_eq!(
            problem_of_key(&key.replace("PRIVATE KEY", "CERTIFICATE")),
            wanted
        );
    }

    #[test]
    fn broken_pem_is_refused_without_quoting_it() {
        let cases = [
            (
                "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n",
                "it ends within a block",
            ),
            (
                "-----BEGIN PRIVATE KEY--\nc2VjcmV0\n",
                "a `-----BEGIN` line is malformed",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\n!secret!\n-----END PRIVATE KEY-----\n",
                "a block isn't base64",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(problem_of_key(text), TlsProblem::BrokenPem(wanted));
        }
    }

    #[test]
    fn a_files_bytes_never_print() {
        let file = PemFile::new("server.key", b"secret".to_vec(), None);
        assert!(!format!("{file:?}").contains("secret"));
    }
}
