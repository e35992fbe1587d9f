//! A new snapshot has come: whether a connection would be let in today, by its address, its certificate and its login.
//!
//! What was taken away ends the connection here; what remains is not disturbed.

use std::time::Instant;

use rustls::ProtocolVersion;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::connection::{Connection, End, Phase};
use crate::admission::certificate::CertificateMapping;
use crate::client::{Tls, identity, verifier};
use crate::config::TlsVersion;
use crate::session::Standing;
use crate::snapshot::{Database, ListenerTls, Snapshot};
use crate::telemetry::CloseReason;

/// Why a connection would not be let in by the newer snapshot; the log's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withdrawn {
    Address,
    TlsVersion,
    Certificate,
    User,
}

impl Withdrawn {
    fn text(self) -> &'static str {
        match self {
            Self::Address => "its address is no longer allowed",
            Self::TlsVersion => "its version of TLS is no longer spoken",
            Self::Certificate => "its certificate is no longer accepted",
            Self::User => "its login or a right that it was using is gone",
        }
    }
}

impl Connection {
    /// A new snapshot governs the next command.
    pub(super) fn on_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), End> {
        // The order of databases never changes while the process runs.
        let Some(database) = snapshot.databases.get(self.database_index) else {
            return Err(self.withdraw(CloseReason::Revoked, "its database is gone"));
        };
        if database.backend.is_same_server(&self.database.backend) {
            self.way.lane.retarget(&database.backend);
        } else {
            return Err(self.withdraw(CloseReason::BackendChanged, "its backend has changed"));
        }
        if let Err(why) = self.judge_again(database) {
            return Err(self.withdraw(CloseReason::Revoked, why.text()));
        }
        self.database = database.clone();
        self.generation = snapshot.generation;
        Ok(())
    }

    fn judge_again(&mut self, database: &Database) -> Result<(), Withdrawn> {
        database
            .admission
            .admit(self.peer)
            .map_err(|_| Withdrawn::Address)?;
        let certificate_user = match self.client.tls() {
            Some(tls) => self.certificate_user(tls, database)?,
            None => None,
        };
        let standing = self.session.on_policy(&database.policy, certificate_user);
        match (standing, &self.phase) {
            // Part of a request has been forwarded by the rights that there were, and the rest would follow.
            (Standing::Revoked, _) | (Standing::Changed, Phase::Streaming(_)) => {
                Err(Withdrawn::User)
            }
            // Nobody gains a right while Redwall is on its way out.
            (Standing::Changed, _) if self.worker.is_draining() => Err(Withdrawn::User),
            (Standing::Changed | Standing::Unchanged, _) => Ok(()),
        }
    }

    /// Whom the certificate of this connection proves, by the newer snapshot.
    fn certificate_user(
        &self,
        tls: &Tls,
        database: &Database,
    ) -> Result<Option<String>, Withdrawn> {
        // A database whose listeners change from TLS to none can't be reloaded; were it there, nobody would stay.
        let (before, after) = match (&self.database.tls, &database.tls) {
            (Some(before), Some(after)) => (before, after),
            _ => return Err(Withdrawn::TlsVersion),
        };
        if !speaks(tls, after.min_version) {
            return Err(Withdrawn::TlsVersion);
        }
        let mappings = &database.certificate_users;
        if before.trust == after.trust && *mappings == self.database.certificate_users {
            return Ok(self.session.certificate_user().map(str::to_owned));
        }
        prove_again(tls.peer_certificates(), after, mappings)
    }

    /// What waits for the backend was allowed by rights that are gone.
    fn withdraw(&mut self, reason: CloseReason, why: &str) -> End {
        self.way.lane.close();
        if self
            .worker
            .may_log(&self.database, self.peer, Instant::now())
        {
            tracing::info!(database = %self.database.name, peer = %self.peer, why, "connection closed after a reload");
        }
        End(reason)
    }
}

fn speaks(tls: &Tls, oldest: TlsVersion) -> bool {
    match oldest {
        TlsVersion::Tls12 => true,
        TlsVersion::Tls13 => tls.version() == Some(ProtocolVersion::TLSv1_3),
    }
}

/// Judges a certificate that was proven in a handshake by another verifier, as if the handshake were now.
fn prove_again(
    chain: &[CertificateDer<'static>],
    tls: &ListenerTls,
    mappings: &[CertificateMapping],
) -> Result<Option<String>, Withdrawn> {
    let refused = Withdrawn::Certificate;
    match (chain.split_first(), &tls.verifier) {
        (_, None) => Ok(None),
        (None, Some(verifier)) if verifier.client_auth_mandatory() => Err(refused),
        (None, Some(_)) => Ok(None),
        (Some((leaf, intermediates)), Some(verifier)) => {
            let verified = verifier.verify_client_cert(leaf, intermediates, UnixTime::now());
            let seen = verifier::take_seen();
            verified.map_err(|_| refused)?;
            let seen = seen.ok_or(refused)?;
            identity::prove(mappings, &seen, leaf).map_err(|_| refused)
        }
    }
}
