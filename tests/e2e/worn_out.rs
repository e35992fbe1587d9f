//! Keys that may encrypt only so many records: connections are closed or renewed in a quiet moment before.
//!
//! Real suites allow 2^24 records; here Redwall runs within the test, with suites that allow a thousand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use redwall::load;
use redwall::proxy::acceptor::{self, Acceptor};
use redwall::proxy::worker::{self, Course, Start};
use redwall::proxy::{Door, WorkerHandle};
use redwall::snapshot::{BackendTarget, BackendTls, CaDigest, Database, Published, Snapshot};
use redwall::telemetry::Metrics;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use rustls::{
    CipherSuiteCommon, ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite,
    Tls12CipherSuite,
};

use crate::backend_tls::redis_with_tls;
use crate::bed::{
    Authority, Backend, Client, Config, Identity, Issued, Purpose, TempDir, certificates,
    client_config, wait_until,
};

/// Records that one key may encrypt; the last 1/256 is a reserve.
const LIMIT: u64 = 1024;

/// TLS 1.2 with AES-GCM and [`LIMIT`].
fn provider() -> Arc<CryptoProvider> {
    let SupportedCipherSuite::Tls12(suite) = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 else {
        panic!("a suite of TLS 1.2");
    };
    let limited = Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: LIMIT,
        },
        prf_provider: suite.prf_provider,
        kx: suite.kx,
        sign: suite.sign,
        aead_alg: suite.aead_alg,
    };
    Arc::new(CryptoProvider {
        // A suite lives as long as the process.
        cipher_suites: vec![SupportedCipherSuite::Tls12(Box::leak(Box::new(limited)))],
        ..rustls::crypto::aws_lc_rs::default_provider()
    })
}

/// A Redwall within the test, of one worker.
struct Inside {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    course: tokio::sync::watch::Sender<Course>,
}

impl Inside {
    fn start(config: &Config, change: impl FnOnce(&mut Database)) -> Self {
        let folder = TempDir::new("inside");
        let secret = folder.write("secret", "service");
        let text = config.text().replace(
            "{ env = \"REDWALL_TEST_SERVICE\" }",
            &format!("{{ file = {secret:?} }}"),
        );
        let loaded = load::load(&folder.write("redwall.toml", &text), 1);
        let mut snapshot: Snapshot = loaded.unwrap().snapshot;
        change(Arc::get_mut(&mut snapshot.databases[0]).unwrap());
        let bound = acceptor::bind(&snapshot).unwrap();
        let address = bound[0].address;
        let metrics = Arc::new(Metrics::new(&["main".to_owned()]).unwrap());
        let door = Arc::new(Door::new(&snapshot, Arc::clone(&metrics)));
        let published = Arc::new(Published::new(snapshot));
        let (course, watched) = tokio::sync::watch::channel(Course::Running);
        let worker: WorkerHandle = worker::spawn(
            0,
            Start {
                published: Arc::clone(&published),
                door: Arc::clone(&door),
                metrics: Arc::clone(&metrics),
                course: watched.clone(),
                next_client: Arc::new(AtomicU64::new(1)),
            },
        )
        .unwrap();
        let acceptor = Acceptor {
            published,
            door,
            metrics: Arc::clone(&metrics),
            workers: Arc::new(vec![worker]),
        };
        acceptor.spawn(bound, watched).unwrap();
        Self {
            address,
            metrics,
            course,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.course.send(Course::Draining);
    }
}

fn server_config() -> ServerConfig {
    let folder = certificates();
    let chain = CertificateDer::pem_file_iter(folder.join("server.crt")).unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            chain.map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap(),
        )
        .unwrap()
}

#[test]
fn a_client_whose_keys_are_worn_out_is_closed_between_two_commands() {
    let backend = Backend::start();
    let redwall = Inside::start(&Config::new(&backend.url()), |database| {
        if let Some(tls) = &mut database.tls {
            tls.config = Arc::new(server_config());
        }
    });
    let config = client_config(Identity::None, &[&TLS12]);
    let mut client = Client::with_config(redwall.address, config).unwrap();
    assert_eq!(client.ask(&["AUTH", "app", "app"]), "+OK\r\n");
    assert_eq!(client.ask(&["WATCH", "app:k"]), "+OK\r\n");
    let quiet = LIMIT - LIMIT / 256;
    for _ in 1..quiet {
        assert_eq!(client.ask(&["GET", "app:k"]), "$-1\r\n");
    }
    // What it watches would be lost, so this is no quiet moment; this is one:
    assert_eq!(client.ask(&["UNWATCH"]), "+OK\r\n");
    assert_eq!(client.until_closed(), "");
    wait_until("it is counted", || {
        redwall
            .metrics
            .text()
            .unwrap()
            .contains("redwall_connections_closed_total{database=\"main\",reason=\"worn_out\"} 1")
    });
}

fn limited_backend(target: &BackendTarget, ca: &Authority, shown: &Issued) -> BackendTarget {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca.file()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&shown.cert).unwrap()],
            PrivateKeyDer::from_pem_file(&shown.key).unwrap(),
        )
        .unwrap();
    BackendTarget {
        address: target.address.clone(),
        tls: Some(BackendTls {
            config: Arc::new(config),
            server_name: "localhost".try_into().unwrap(),
            ca: CaDigest::of([]),
        }),
        user: target.user.clone(),
        password: target.password.clone(),
        connect_timeout: target.connect_timeout,
        max_connects_per_second: target.max_connects_per_second,
    }
}

#[test]
fn a_backend_connection_whose_keys_are_worn_out_is_renewed_between_two_commands() {
    let ca = Authority::new("backends");
    let own = ca.issue("localhost", Purpose::Server);
    let shown = ca.issue("redwall", Purpose::Client);
    let (backend, port) = redis_with_tls(&ca, &own, &["tls-protocols TLSv1.2"]);
    let mut config = Config::new(&format!("rediss://localhost:{port}"));
    config.backend_more = format!(
        "ca = {:?}\ncert = {:?}\nkey = {:?}\n",
        ca.file(),
        shown.cert,
        shown.key
    );
    let redwall = Inside::start(&config, |database| {
        database.backend = Arc::new(limited_backend(&database.backend, &ca, &shown));
    });
    let received = || {
        let stats = backend.admin(&["INFO", "stats"]);
        let (_, rest) = stats.split_once("total_connections_received:").unwrap();
        rest.split("\r\n").next().unwrap().parse::<u64>().unwrap()
    };
    let mut client = Client::login(redwall.address, "app", "app");
    assert_eq!(client.ask(&["SELECT", "0"]), "+OK\r\n");
    let before = received();
    for number in 1..=3 * LIMIT {
        assert_eq!(client.ask(&["INCR", "app:n"]), format!(":{number}\r\n"));
    }
    assert!(
        received() - before >= 3,
        "renewed three times, and the questions are counted too"
    );
    assert_eq!(
        client.ask(&["GET", "app:n"]),
        format!("$4\r\n{}\r\n", 3 * LIMIT)
    );
}
