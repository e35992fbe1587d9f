//! TLS towards clients and towards the backend: the configuration's words and files, in the terms of `tls` and `backend_tls`.

use rustls::pki_types::UnixTime;

use super::backend_tls::{BackendTlsSource, client_config};
use super::files::{Content, Files};
use super::own_certificate::{CertificateSource, OwnCertificate, Use};
use super::pem::PemFile;
use super::provider::provider;
use super::tls::{CaSource, ServerTls, TlsSource, server_config};
use super::tls_check::{CheckNote, Expiry};
use super::tls_fault::{TlsFault, TlsProblem};
use crate::admission::certificate::{CertificateMapping, NameField};
use crate::client::verifier::ClientVerifier;
use crate::config::{self, At, CertificatePair, Database, Fault, FileRef, Note, TlsVersion};
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
        // What can't be read has been faulted; the rest is looked at all the same, so that its faults are told too.
        let pairs = tls.certificates.iter();
        let pairs: Vec<_> = pairs.filter_map(|pair| self.pair(pair)).collect();
        let cas = tls.client_ca.iter();
        let cas: Vec<_> = cas.filter_map(|ca| self.client_ca(ca)).collect();
        let source = TlsSource {
            certificates: pairs,
            client_cas: cas,
            client_certificates: tls.client_certificates,
            crl_grace: tls.crl_grace,
            min_version: tls.min_version,
        };
        let mut server = self.sound_tls(database.at, server_config(&source, now))?;
        if let Some(verifier) = &server.verifier {
            self.common_names_are_bound(database, verifier)?;
        }
        self.tell(database.at, std::mem::take(&mut server.notes));
        Some(Some(server))
    }

    /// Refuses mappings by common name that name no CA where the CA's file leaves open who could have issued that name.
    fn common_names_are_bound(
        &mut self,
        database: &Database,
        verifier: &ClientVerifier,
    ) -> Option<()> {
        let (what, expected) = if verifier.client_cas() > 1 {
            let what = "a certificate proves a user by its common name, and the client CA's file holds several CAs, each of which could issue it";
            (
                what,
                "`ca` with that client CA's name to trust them all, or a name of its own for each CA",
            )
        } else if verifier.has_constrained_ca() {
            let what = "a certificate proves a user by its common name, which the name constraints of its CA don't bind";
            (
                what,
                "`ca` with that CA's name to trust it all the same, or `san_dns`, `san_uri` or `san_email`",
            )
        } else {
            return Some(());
        };
        let unbound =
            |mapping: &CertificateMapping| mapping.field == NameField::Cn && mapping.ca.is_none();
        let users = database.users.iter();
        let users = users.filter(|user| user.certificates.iter().any(unbound));
        let mut places: Vec<At> = users.map(|user| user.name.at).collect();
        if database.certificate_users.iter().any(unbound) {
            let cas = database.tls.iter().flat_map(|tls| &tls.client_ca);
            places.extend(cas.map(|ca| ca.name.at));
        }
        for at in &places {
            self.faulty_at::<()>(*at, what, expected);
        }
        places.is_empty().then_some(())
    }

    /// TLS to a database's backend, and when its parts end. `Some(None)`: it is reached without; `None`: faults have been noted.
    pub(super) fn backend_tls(
        &mut self,
        database: &Database,
        now: UnixTime,
    ) -> Option<Option<(BackendTls, Vec<Expiry>)>> {
        let Some(tls) = &database.backend.tls else {
            return Some(None);
        };
        let ca = self.pem(&tls.ca);
        let certificate = match &tls.client {
            None => Some(None),
            Some(pair) => self.pair(pair).map(Some),
        };
        if ca.is_none()
            && let Some(Some(pair)) = &certificate
        {
            let read = OwnCertificate::read(pair, Use::Client, &provider(), now);
            self.sound_tls(database.backend.address.at, read);
        }
        let source = BackendTlsSource {
            ca: ca?,
            certificate: certificate?,
            server_name: tls.server_name.clone(),
            min_version: TlsVersion::Tls12,
        };
        let client = self.sound_tls(database.backend.address.at, client_config(&source, now))?;
        self.tell(database.backend.address.at, client.notes);
        let tls = BackendTls {
            config: client.config,
            server_name: client.server_name,
            ca: client.ca,
        };
        Some(Some((tls, client.expiries)))
    }

    fn client_ca(&mut self, ca: &config::ClientCa) -> Option<CaSource> {
        let pem = self.pem(&ca.file);
        let crls = ca.crl.iter();
        let crls: Vec<_> = crls.filter_map(|crl| self.pem(crl)).collect();
        if pem.is_none() {
            for crl in &crls {
                self.sound_pem(ca.file.at, crl.crls());
            }
        }
        Some(CaSource {
            name: ca.name.value.as_str().to_owned(),
            pem: pem?,
            crls,
        })
    }

    fn pair(&mut self, pair: &CertificatePair) -> Option<CertificateSource> {
        match (self.pem(&pair.cert), self.pem(&pair.key)) {
            (Some(certificate), Some(key)) => Some(CertificateSource { certificate, key }),
            (certificate, key) => {
                if let Some(certificate) = certificate {
                    self.sound_pem(pair.cert.at, certificate.certificates());
                }
                if let Some(key) = key {
                    self.sound_pem(pair.key.at, key.key());
                }
                None
            }
        }
    }

    /// Notes the fault of a file that is looked at alone, because its companion can't be read.
    fn sound_pem<T>(&mut self, at: At, result: Result<T, TlsFault>) {
        if let Err(fault) = result {
            self.tls_fault(at, &fault);
        }
    }

    fn pem(&mut self, file: &FileRef) -> Option<PemFile> {
        let name = self.path(file).display().to_string();
        self.place_pem(&name, file.at);
        let Content { bytes, mode } = self.content(file)?;
        Some(PemFile::new(name, bytes, Some(mode)))
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

    /// Notes a fault at the place that names its file, else at `at`.
    fn tls_fault(&mut self, at: At, fault: &TlsFault) {
        // The configuration has at least one of each: where none is left, their files can't be read, which has been told.
        if let TlsProblem::NoCertificate | TlsProblem::NoClientCa = fault.problem {
            return;
        }
        let at = self.pem_place(&fault.origin).unwrap_or(at);
        let placed = Fault::of_text(self.config_file(), at, &fault.to_string());
        self.faulty::<()>(placed);
    }

    /// Passes on what there is to say, each at the place that names its file, else at `at`.
    fn tell(&mut self, at: At, notes: Vec<CheckNote>) {
        for CheckNote {
            severity,
            origin,
            text,
        } in notes
        {
            self.note(Note {
                file: self.config_file().to_owned(),
                at: self.pem_place(&origin).unwrap_or(at),
                severity,
                text: format!("{origin} {text}"),
            });
        }
    }
}
