//! A Redwall within the test's own process, put together from its parts, so that a test can have one of them fail.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};

use redwall::load;
use redwall::proxy::acceptor::{self, Acceptor};
use redwall::proxy::worker::{self, Course, Start};
use redwall::proxy::{Door, WorkerHandle};
use redwall::snapshot::{Published, Snapshot};
use redwall::status::{self, Status};
use redwall::telemetry::Metrics;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::bed::{Config, TempDir};

/// A client that asks for this host has the handshake's step panic.
pub const PANICS: &str = "panic.localhost";

/// A client that asks for this host has the handshake's step wait until [`House::go_on`].
pub const STANDS_STILL: &str = "still.localhost";

/// What runs.
pub struct House {
    pub address: SocketAddr,
    pub door: Arc<Door>,
    pub metrics: Arc<Metrics>,
    gate: Arc<Gate>,
    _course: watch::Sender<Course>,
    _folder: TempDir,
}

/// Whether who stands still may go on.
#[derive(Debug, Default)]
struct Gate(Mutex<bool>, Condvar);

/// Chooses certificates as Redwall does, unless it is asked to fail.
#[derive(Debug)]
struct Faulty {
    real: Arc<dyn ResolvesServerCert>,
    gate: Arc<Gate>,
}

impl ResolvesServerCert for Faulty {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match hello.server_name() {
            Some(PANICS) => panic!("a fault in the middle of a handshake"),
            Some(STANDS_STILL) => {
                let closed = self.gate.0.lock().unwrap();
                drop(self.gate.1.wait_while(closed, |open| !*open).unwrap());
            }
            _ => {}
        }
        self.real.resolve(hello)
    }
}

impl House {
    /// Two workers before the backend of this URL.
    pub fn start(backend: &str) -> Self {
        Self::start_with(backend, |snapshot, metrics| {
            Door::new(snapshot, Arc::clone(metrics))
        })
    }

    /// The same with a door that knows of no database, so that the acceptor fails at the first client.
    pub fn start_without_books(backend: &str) -> Self {
        Self::start_with(backend, |snapshot, metrics| {
            let nothing = Snapshot {
                generation: 1,
                process: snapshot.process.clone(),
                databases: Vec::new(),
            };
            Door::new(&nothing, Arc::clone(metrics))
        })
    }

    fn start_with(backend: &str, door: impl FnOnce(&Snapshot, &Arc<Metrics>) -> Door) -> Self {
        let folder = TempDir::new("house");
        let gate = Arc::new(Gate::default());
        let snapshot = snapshot(&folder, backend, &gate);
        let bound = acceptor::bind(&snapshot).unwrap();
        let address = bound[0].address;
        let metrics = Arc::new(Metrics::new(&["main".to_owned()]).unwrap());
        let door = Arc::new(door(&snapshot, &metrics));
        let published = Arc::new(Published::new(snapshot));
        let (course, watched) = watch::channel(Course::Running);
        let next_client = Arc::new(AtomicU64::new(1));
        let worker = |index| -> WorkerHandle {
            let start = Start {
                published: Arc::clone(&published),
                door: Arc::clone(&door),
                metrics: Arc::clone(&metrics),
                course: watched.clone(),
                next_client: Arc::clone(&next_client),
            };
            worker::spawn(index, start).unwrap()
        };
        let acceptor = Acceptor {
            published: Arc::clone(&published),
            door: Arc::clone(&door),
            metrics: Arc::clone(&metrics),
            workers: Arc::new((0..2).map(worker).collect()),
        };
        drop(acceptor.spawn(bound, watched).unwrap());
        Self {
            address,
            door,
            metrics,
            gate,
            _course: course,
            _folder: folder,
        }
    }

    /// Serves the status pages on a thread of their own, as the process does; returns where.
    pub fn show_status(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(Status {
            metrics: Arc::clone(&self.metrics),
            door: Arc::clone(&self.door),
            databases: vec!["main".to_owned()],
            draining: Arc::default(),
        });
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                status::serve(listener, status).await;
            });
        });
        address
    }

    /// Lets those go on that stand still.
    pub fn go_on(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    /// The value of one metric.
    pub fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.metrics.text().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        line.map(|value| value.trim().parse().unwrap())
    }
}

fn snapshot(folder: &TempDir, backend: &str, gate: &Arc<Gate>) -> Snapshot {
    let password = folder.write("service", "service");
    let file = format!("{{ file = \"{}\" }}", password.display());
    let text = Config::new(backend).text();
    let text = text.replace("{ env = \"REDWALL_TEST_SERVICE\" }", &file);
    let config = folder.write("redwall.toml", &text);
    let mut snapshot = load::load(&config, 1).unwrap().snapshot;
    let database = Arc::get_mut(&mut snapshot.databases[0]).unwrap();
    let tls = database.tls.as_mut().unwrap();
    let mut config = ServerConfig::clone(&tls.config);
    config.cert_resolver = Arc::new(Faulty {
        real: Arc::clone(&config.cert_resolver),
        gate: Arc::clone(gate),
    });
    tls.config = Arc::new(config);
    snapshot
}
