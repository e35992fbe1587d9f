//! From a configuration and its files to the snapshot that connections obey.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;

use super::fault::LoadFault;
use super::files::{Files, read_config};
use super::tls::ServerTls;
use super::tls_check::Expiry;
use crate::acl;
use crate::admission::Admission;
use crate::config::{self, Config, Note};
use crate::snapshot::{
    BackendAddress, BackendTarget, ClientLimits, Database, Listener, ListenerTls, ProcessLimits,
    Snapshot, Transport,
};

/// A configuration that is sound, with everything that it refers to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration itself.
    pub config: Config,
    /// What connections obey.
    pub snapshot: Snapshot,
    /// What there is to say of it, each at its place.
    pub notes: Vec<Note>,
}

/// Loads the configuration `file` and all that it names; `generation` is the snapshot's number.
///
/// # Errors
/// Every fault that can be found. Nothing has changed then.
pub fn load(file: &Path, generation: u64) -> Result<Loaded, Vec<LoadFault>> {
    let config = read_config(file)?;
    let mut files = Files::of(&config);
    let now = UnixTime::now();
    let databases: Vec<_> = config
        .databases
        .iter()
        .map(|database| files.database(&config, database, generation, now))
        .collect();
    let databases: Option<Vec<_>> = databases.into_iter().collect();
    let max_clients = files.max_clients(&config);
    files.compare_with_kernel(&config);
    let (faults, of_files) = files.finish();
    match databases {
        Some(databases) if faults.is_empty() => Ok(Loaded {
            snapshot: Snapshot {
                generation,
                process: ProcessLimits {
                    max_clients,
                    max_memory: usize::try_from(config.server.max_memory.bytes())
                        .unwrap_or(usize::MAX),
                    drain_timeout: config.server.drain_timeout,
                },
                databases,
            },
            notes: in_order([config.warnings(), of_files].concat()),
            config,
        }),
        Some(_) | None => Err(faults),
    }
}

/// Notes in the order of their files, each once.
fn in_order(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    notes.dedup();
    notes
}

impl Files {
    fn database(
        &mut self,
        config: &Config,
        database: &config::Database,
        generation: u64,
        now: UnixTime,
    ) -> Option<Arc<Database>> {
        let networks = self.networks(&database.admission);
        if networks
            .as_ref()
            .is_some_and(|networks| networks.allow.is_empty())
        {
            let name = &database.name.value;
            self.warn(
                database.at,
                format!("nobody may connect to database {name}: `allow` is empty"),
            );
        }
        let tls = self.server_tls(database, now);
        let backend_tls = self.backend_tls(database, now);
        let policy: Option<acl::Policy> = self.policy(config, database, generation);
        let password = match &database.backend.password {
            None => Some(None),
            Some(source) => self.secret(source).map(Some),
        };
        let (networks, tls, policy) = (networks?, tls?, policy?);
        let private_only = database.admission.private_only;
        let (backend_tls, of_backend) = backend_tls?.unzip();
        let of_clients = tls.iter().flat_map(|tls| &tls.expiries);
        let expiries = earliest(of_clients.chain(of_backend.iter().flatten()));
        let backend = BackendTarget {
            address: self.backend_address(&database.backend.address.value),
            tls: backend_tls,
            user: database.backend.user.clone(),
            password: password?,
            connect_timeout: database.backend.connect_timeout,
            max_connects_per_second: database.backend.max_connects_per_second,
        };
        Some(Arc::new(Database {
            name: database.name.value.as_str().to_owned(),
            listeners: listeners(database),
            admission: Admission::new(&networks.allow, &networks.deny, private_only),
            slots: database.connections,
            tls: tls.map(listener_tls),
            certificate_users: database.certificate_mappings(),
            policy: Arc::new(policy),
            backend: Arc::new(backend),
            lanes: database.lanes,
            lost_replies: database.backend.lost_replies,
            limits: limits(database),
            expiries,
        }))
    }

    /// A Unix socket's path begins at the configuration's folder, like every other path.
    fn backend_address(&self, address: &BackendAddress) -> BackendAddress {
        match address {
            BackendAddress::Tcp { .. } => address.clone(),
            BackendAddress::Unix(path) => {
                let folder = self.config_file().parent().unwrap_or(Path::new(""));
                BackendAddress::Unix(folder.join(path))
            }
        }
    }
}

fn listener_tls(tls: ServerTls) -> ListenerTls {
    let verifier = tls.verifier.map(|verifier| {
        let verifier: Arc<dyn ClientCertVerifier> = verifier;
        verifier
    });
    ListenerTls {
        config: tls.config,
        verifier,
        trust: tls.trust,
        min_version: tls.min_version,
    }
}

/// The earliest end of each kind.
fn earliest<'a>(expiries: impl Iterator<Item = &'a Expiry>) -> Vec<(&'static str, u64)> {
    let mut earliest = BTreeMap::new();
    for expiry in expiries {
        let end = earliest
            .entry(expiry.ending.label())
            .or_insert(expiry.not_after);
        *end = expiry.not_after.min(*end);
    }
    earliest.into_iter().collect()
}

fn listeners(database: &config::Database) -> Vec<Listener> {
    let listener = |transport| {
        move |address: &config::Placed<std::net::SocketAddr>| Listener {
            address: address.value,
            transport,
        }
    };
    let tls = database.listen.iter().map(listener(Transport::Tls));
    let plaintext = database.plaintext_listen.iter();
    tls.chain(plaintext.map(listener(Transport::Plaintext)))
        .collect()
}

fn limits(database: &config::Database) -> ClientLimits {
    let config::Limits {
        max_request,
        max_value,
        max_uploads,
        max_in_flight,
        max_subscriptions,
        output_soft_limit,
        output_hard_limit,
        output_timeout,
        upload_timeout,
        send_buffer,
    } = &database.limits;
    ClientLimits {
        login_timeout: database.login_timeout(),
        request_timeout: database.backend.request_timeout,
        output_timeout: *output_timeout,
        upload_timeout: *upload_timeout,
        max_bulk: max_value.bytes(),
        max_held_request: max_request.bytes(),
        max_in_flight: *max_in_flight as usize,
        max_subscriptions: *max_subscriptions as usize,
        soft_output: usize::try_from(output_soft_limit.bytes()).unwrap_or(usize::MAX),
        hard_output: usize::try_from(output_hard_limit.bytes()).unwrap_or(usize::MAX),
        max_uploads: max_uploads.bytes(),
        send_buffer: usize::try_from(send_buffer.value.bytes()).unwrap_or(usize::MAX),
    }
}
