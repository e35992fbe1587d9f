//! A certificate authority of a test's own, for certificates that `redwall certs` doesn't make.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use super::TempDir;

/// What a certificate is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Server,
    Client,
}

/// A certificate authority with a folder for what it issues.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// The files of a certificate and its key.
pub struct Issued {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        let issuer = issuer.unwrap();
        let folder = TempDir::new("authority");
        folder.write("ca.crt", &issuer.pem());
        Self { issuer, folder }
    }

    /// The file of its own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Issues a certificate for `name`, as common name and, for servers, as the host's name.
    pub fn issue(&self, name: &str, purpose: Purpose) -> Issued {
        self.issue_with(name, purpose, |_| {})
    }

    pub fn issue_with(
        &self,
        name: &str,
        purpose: Purpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let (names, usage) = match purpose {
            Purpose::Server => (vec![name.to_owned()], ExtendedKeyUsagePurpose::ServerAuth),
            Purpose::Client => (Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
        };
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![usage];
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let cert = parameters.signed_by(&key, &self.issuer).unwrap();
        let file = |ending| format!("{name}-{purpose:?}.{ending}");
        Issued {
            cert: self.folder.write(&file("crt"), &cert.pem()),
            key: self.folder.write(&file("key"), &key.serialize_pem()),
        }
    }
}
