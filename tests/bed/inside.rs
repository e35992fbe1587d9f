//! A Redwall within the test, for what can't be told it from outside: suites of TLS whose keys wear out soon.

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
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS12;
use rustls::{
    CipherSuiteCommon, ClientConfig, RootCertStore, SupportedCipherSuite, Tls12CipherSuite,
};

use super::{Authority, Config, Issued, TempDir};

/// Records that one key may encrypt; the last 1/256 is a reserve.
pub const LIMIT: u64 = 1024;

/// TLS 1.2 with AES-GCM and [`LIMIT`].
pub fn provider() -> Arc<CryptoProvider> {
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
pub struct Inside {
    pub address: SocketAddr,
    pub metrics: Arc<Metrics>,
    course: tokio::sync::watch::Sender<Course>,
}

impl Inside {
    pub fn start(config: &Config, change: impl FnOnce(&mut Database)) -> Self {
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

/// The same backend, reached with keys that wear out soon.
pub fn limited_backend(target: &BackendTarget, ca: &Authority, shown: &Issued) -> BackendTarget {
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
