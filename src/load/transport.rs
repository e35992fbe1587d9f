//! TLS towards clients and towards the backend: the configuration's words and files, in the terms of `tls` and `backend_tls`.

use rustls::pki_types::UnixTime;

use super::backend_tls::{BackendTlsSource, client_config};
use super::files::Files;
use super::own_certificate::CertificateSource;
use super::pem::PemFile;
use super::tls::{CaSource, ClientCertificates, MinVersion, ServerTls, TlsSource, server_config};
use super::tls_check::{CheckNote, Severity};
use super::tls_fault::TlsFault;
use crate::config::{self, At, CertificatePair, Database, Fault, FileRef};
use crate::snapshot::BackendTls;

impl Files {
    /// TLS for a database's clients. `Some(None)`: it has no TLS listener; `None`: faults have been noted.
    pub(super) fn server_tls(
        &mut self,
        database: &Database,
        now: UnixTime,
    ) -> Option<Option<ServerTls>> {
        let Some(tls) = &database.tls else {
            return Some(None);
        };
        let pairs: Vec<_> = tls
            .certificates
            .iter()
            .map(|pair| self.pair(pair))
            .collect();
        let client_cas: Vec<_> = tls.client_ca.iter().map(|ca| self.client_ca(ca)).collect();
        let source = TlsSource {
            certificates: pairs.into_iter().collect::<Option<_>>()?,
            client_cas: client_cas.into_iter().collect::<Option<_>>()?,
            client_certificates: match tls.client_certificates {
                config::ClientCertificates::Off => ClientCertificates::Off,
                config::ClientCertificates::Optional => ClientCertificates::Optional,
                config::ClientCertificates::Required => ClientCertificates::Required,
            },
            crl_grace: tls.crl_grace,
            min_version: match tls.min_version {
                config::TlsVersion::Tls12 => MinVersion::Tls12,
                config::TlsVersion::Tls13 => MinVersion::Tls13,
            },
        };
        let server = self.sound_tls(database.at, server_config(&source, now))?;
        self.note(&server.notes);
        Some(Some(server))
    }

    /// TLS to a database's backend. `Some(None)`: it is reached without; `None`: faults have been noted.
    pub(super) fn backend_tls(
        &mut self,
        database: &Database,
        now: UnixTime,
    ) -> Option<Option<BackendTls>> {
        let Some(tls) = &database.backend.tls else {
            return Some(None);
        };
        let ca = self.pem(&tls.ca);
        let certificate = match &tls.client {
            None => Some(None),
            Some(pair) => self.pair(pair).map(Some),
        };
        let source = BackendTlsSource {
            ca: ca?,
            certificate: certificate?,
            server_name: tls.server_name.clone(),
            min_version: MinVersion::Tls12,
        };
        let client = self.sound_tls(database.backend.address.at, client_config(&source, now))?;
        self.note(&client.notes);
        Some(Some(BackendTls {
            config: client.config,
            server_name: client.server_name,
        }))
    }

    fn client_ca(&mut self, ca: &config::ClientCa) -> Option<CaSource> {
        let pem = self.pem(&ca.file);
        let crls: Vec<_> = ca.crl.iter().map(|crl| self.pem(crl)).collect();
        Some(CaSource {
            name: ca.name.value.as_str().to_owned(),
            pem: pem?,
            crls: crls.into_iter().collect::<Option<_>>()?,
        })
    }

    fn pair(&mut self, pair: &CertificatePair) -> Option<CertificateSource> {
        let (certificate, key) = (self.pem(&pair.cert), self.pem(&pair.key));
        Some(CertificateSource {
            certificate: certificate?,
            key: key?,
        })
    }

    fn pem(&mut self, file: &FileRef) -> Option<PemFile> {
        match PemFile::read(&self.path(file)) {
            Ok(pem) => Some(pem),
            Err(fault) => {
                self.tls_fault(file.at, &fault);
                None
            }
        }
    }

    fn sound_tls<T>(&mut self, at: At, result: Result<T, Vec<TlsFault>>) -> Option<T> {
        match result {
            Ok(sound) => Some(sound),
            Err(faults) => {
                for fault in faults {
                    self.tls_fault(at, &fault);
                }
                None
            }
        }
    }

    fn tls_fault(&mut self, at: At, fault: &TlsFault) {
        let placed = Fault::of_text(self.config_file(), at, &fault.to_string());
        if fault.is_unreadable() {
            self.unreadable(at, placed.what, placed.expected);
        } else {
            self.faulty::<()>(placed);
        }
    }

    fn note(&mut self, notes: &[CheckNote]) {
        for note in notes {
            let text = format!("{} {}", note.origin, note.text);
            match note.severity {
                Severity::Warning => self.remark(Remark::Warning(text)),
                Severity::Info => self.remark(Remark::Information(text)),
            }
        }
    }
}

/// Something that `redwall check` says of a sound configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It is unwise.
    Warning(String),
    /// It is good to know.
    Information(String),
}
