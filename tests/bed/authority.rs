//! A certificate authority of a test's own, for certificates that `redwall certs` doesn't make.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

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

impl Issued {
    fn serial(&self) -> SerialNumber {
        let der = CertificateDer::from_pem_file(&self.cert).unwrap();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        SerialNumber::from_slice(certificate.raw_serial())
    }
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

    /// A revocation list, number `number`, of the certificates in `revoked`; returns its file.
    pub fn revoke(&self, number: u64, revoked: &[&Issued]) -> PathBuf {
        self.revoke_many(number, revoked, 0)
    }

    /// The same with `others` serial numbers more, which nobody has.
    pub fn revoke_many(&self, number: u64, revoked: &[&Issued], others: u64) -> PathBuf {
        let now = time::OffsetDateTime::now_utc();
        let serials = revoked.iter().map(|issued| issued.serial());
        let others = (0..others).map(|other| SerialNumber::from((1 << 48) + other));
        let revoked = serials
            .chain(others)
            .map(|serial_number| RevokedCertParams {
                serial_number,
                revocation_time: now,
                reason_code: None,
                invalidity_date: None,
            });
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + time::Duration::days(30),
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap().pem().unwrap();
        self.folder.write(&format!("{number}.crl"), &list)
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
        static ISSUED: AtomicU32 = AtomicU32::new(0);
        let number = ISSUED.fetch_add(1, Ordering::Relaxed);
        let file = |ending| format!("{name}-{purpose:?}-{number}.{ending}");
        Issued {
            cert: self.folder.write(&file("crt"), &cert.pem()),
            key: self.folder.write(&file("key"), &key.serialize_pem()),
        }
    }
}
