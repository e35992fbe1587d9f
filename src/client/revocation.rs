//! Which certificates have been revoked: the CRLs of all client CAs as one sorted array.
//!
//! The certificate library checks a CRL's signature again at every handshake and walks its entries; with 100,000 of them
//! that is 1.7 ms. Here each signature is checked once, at load, and a handshake is one binary search.
//!
//! Fail closed: once there is any CRL, every certificate of a path, intermediates included, must be spoken for by an
//! unexpired CRL of its issuer. A serial that any CRL of the issuer lists is revoked, be that CRL expired or not.

use std::time::Duration;

use rustls::pki_types::{SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use webpki::spki_for_anchor;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::authority::{AuthorityFault, CaCertificate, ClientCa};
use super::crl::{Kind, Scope, SoundCrl};
use super::fault::VerifyFault;
use crate::admission::escape::escape_for_log;

/// Algorithms by which signatures are verified, as the TLS library's provider has them.
pub type Algorithms = &'static [&'static dyn rustls::pki_types::SignatureVerificationAlgorithm];

/// A serial number, right-aligned: its sign byte and leading zeros don't count. At most 20 bytes (RFC 5280 4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial([u8; 20]);

impl Serial {
    pub(super) fn of(content: &[u8]) -> Option<Self> {
        let zeros = content.iter().take_while(|byte| **byte == 0).count();
        let digits = &content[zeros..];
        let start = 20usize.checked_sub(digits.len())?;
        let mut serial = [0; 20];
        serial[start..].copy_from_slice(digits);
        Some(Self(serial))
    }
}

/// One revoked certificate: which issuer, by its place in [`Revocations::issuers`], and which serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    issuer: u32,
    serial: Serial,
}

/// A key that has signed CRLs, under the name that it signs for.
#[derive(Debug)]
struct Issuer {
    /// Name without its outer tag, as the path search compares it.
    name: Vec<u8>,
    spki: SubjectPublicKeyInfoDer<'static>,
    crls: Vec<Crl>,
}

/// What is kept of one CRL beside its entries.
#[derive(Debug)]
struct Crl {
    next_update: u64,
    scope: Scope,
    origin: String,
}

/// One certificate of a verified path, as it is looked up.
pub(super) struct Link<'a> {
    pub(super) cert: &'a webpki::Cert<'a>,
    pub(super) kind: Kind,
}

/// When a CRL must have been replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlExpiry {
    /// File and PEM block.
    pub origin: String,
    /// Its nextUpdate in Unix seconds.
    pub next_update: u64,
}

/// All CRLs of a database's client CAs.
#[derive(Debug, Default)]
pub struct Revocations {
    issuers: Vec<Issuer>,
    /// Sorted; no duplicates.
    entries: Box<[Entry]>,
    grace: Duration,
}

impl Revocations {
    /// Reads and verifies the CRLs of `cas`, whose certificates `known` holds; what can't be relied on goes to `faults`.
    pub(super) fn read(
        cas: &[ClientCa],
        known: &[CaCertificate],
        grace: Duration,
        algorithms: Algorithms,
        faults: &mut Vec<AuthorityFault>,
    ) -> Self {
        let mut read = Self {
            grace,
            ..Self::default()
        };
        let mut entries = Vec::new();
        for ca in cas {
            let own: Vec<&CaCertificate> =
                known.iter().filter(|cert| *cert.ca == *ca.name).collect();
            for found in &ca.crls {
                match SoundCrl::read(&found.item, &own, algorithms) {
                    Ok(crl) => read.add(crl, &found.origin, &mut entries),
                    Err(problem) => faults.push(AuthorityFault {
                        origin: found.origin.clone(),
                        problem,
                    }),
                }
            }
        }
        entries.sort_unstable();
        entries.dedup();
        read.entries = entries.into_boxed_slice();
        read
    }

    fn add(&mut self, crl: SoundCrl<'_>, origin: &str, entries: &mut Vec<Entry>) {
        let SoundCrl {
            signer,
            serials,
            next_update,
            scope,
        } = crl;
        let issuer = self.issuer(&signer.key);
        entries.extend(serials.into_iter().map(|serial| Entry { issuer, serial }));
        let origin = origin.to_owned();
        self.issuers[issuer as usize].crls.push(Crl {
            next_update,
            scope,
            origin,
        });
    }

    /// The place of a signing key, new where it isn't there yet.
    fn issuer(&mut self, key: &TrustAnchor<'_>) -> u32 {
        let spki = spki_for_anchor(key);
        let place = self
            .issuers
            .iter()
            .position(|known| known.name == key.subject.as_ref() && known.spki == spki);
        let place = place.unwrap_or_else(|| {
            let name = key.subject.to_vec();
            self.issuers.push(Issuer {
                name,
                spki,
                crls: Vec::new(),
            });
            self.issuers.len() - 1
        });
        place as u32
    }

    /// Whether there is no CRL at all, so that nothing is asked of anybody.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Revoked certificates in all.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// When each CRL must have been replaced.
    pub fn expiries(&self) -> impl Iterator<Item = CrlExpiry> + '_ {
        self.issuers
            .iter()
            .flat_map(|issuer| &issuer.crls)
            .map(|crl| CrlExpiry {
                origin: crl.origin.clone(),
                next_update: crl.next_update,
            })
    }

    /// Whether a CRL of this CA key is configured.
    pub(super) fn speaks_for(&self, key: &TrustAnchor<'_>) -> bool {
        let spki = spki_for_anchor(key);
        self.issuers
            .iter()
            .any(|known| known.name == key.subject.as_ref() && known.spki == spki)
    }

    /// Judges one certificate of a path that was signed by `spki`.
    pub(super) fn check(
        &self,
        link: &Link<'_>,
        spki: &SubjectPublicKeyInfoDer<'_>,
        now: UnixTime,
    ) -> Result<(), VerifyFault> {
        if self.is_empty() {
            return Ok(());
        }
        let name = link.cert.issuer();
        let place = self
            .issuers
            .iter()
            .position(|issuer| issuer.name == name && issuer.spki.as_ref() == spki.as_ref());
        let Some(place) = place else {
            return Err(VerifyFault::NoCrl {
                issuer: readable(name),
            });
        };
        let serial = Serial::of(link.cert.serial()).ok_or(VerifyFault::SerialTooLong)?;
        if self.lists(Entry {
            issuer: place as u32,
            serial,
        }) {
            return Err(VerifyFault::Revoked {
                issuer: readable(name),
            });
        }
        self.issuers[place].status_is_known(link, now, self.grace)
    }

    fn lists(&self, entry: Entry) -> bool {
        self.entries.binary_search(&entry).is_ok()
    }
}

impl Issuer {
    fn status_is_known(
        &self,
        link: &Link<'_>,
        now: UnixTime,
        grace: Duration,
    ) -> Result<(), VerifyFault> {
        let newest = self
            .crls
            .iter()
            .filter(|crl| crl.scope.covers(link))
            .map(|crl| crl.next_update)
            .max();
        match newest {
            None => Err(VerifyFault::NoCrl {
                issuer: readable(&self.name),
            }),
            Some(next_update) if now.as_secs() >= next_update.saturating_add(grace.as_secs()) => {
                Err(VerifyFault::CrlExpired {
                    issuer: readable(&self.name),
                    next_update,
                })
            }
            Some(_) => Ok(()),
        }
    }
}

/// A name without its outer tag, as text.
pub(super) fn readable(name: &[u8]) -> String {
    let sequence = rustls::DistinguishedName::in_sequence(name);
    match X509Name::from_der(sequence.as_ref()) {
        Ok((_, name)) => escape_for_log(name.to_string().as_bytes()),
        Err(_) => "an unreadable name".to_owned(),
    }
}

#[cfg(test)]
mod tests;
