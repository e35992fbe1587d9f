use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::load;
use crate::proxy::worker::{self, Accepted, Course, LoadGuard, Start, WorkerHandle};
use crate::proxy::{Door, vital};
use crate::snapshot::{Database, Published, Transport};
use crate::telemetry::Metrics;

const CONFIG: &str = "
[[database]]
name = \"main\"
plaintext_listen = [\"127.0.0.1:0\"]
allow = [\"127.0.0.1\"]
[database.backend]
url = \"unix:///nonexistent.sock\"
[database.users.app]
passwords = [{ sha256 = \"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\" }]
rules = [\"+@all\", \"~*\"]
";

/// One worker that serves one database, by the name of the first, while its counters have room for two.
struct House {
    worker: WorkerHandle,
    door: Arc<Door>,
    metrics: Arc<Metrics>,
    database: Arc<Database>,
    course: watch::Sender<Course>,
}

impl House {
    fn new() -> Self {
        let file = std::env::temp_dir().join(format!("redwall-vital-{}.toml", std::process::id()));
        std::fs::write(&file, CONFIG).unwrap();
        let loaded = load::load(&file, 1).unwrap();
        std::fs::remove_file(&file).unwrap();
        let metrics = Arc::new(Metrics::new(&["main".to_owned(), "broken".to_owned()]).unwrap());
        let door = Arc::new(Door::new(&loaded.snapshot, Arc::clone(&metrics)));
        let database = Arc::clone(&loaded.snapshot.databases[0]);
        let (course, watched) = watch::channel(Course::Running);
        let start = Start {
            published: Arc::new(Published::new(loaded.snapshot)),
            door: Arc::clone(&door),
            metrics: Arc::clone(&metrics),
            course: watched,
            next_client: Arc::new(AtomicU64::new(1)),
        };
        Self {
            worker: worker::spawn(0, start).unwrap(),
            door,
            metrics,
            database,
            course,
        }
    }

    /// A client that is admitted to the database and served as if it had come for the one with this index.
    fn client(&self, index: usize) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let (socket, peer) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let accepted = Accepted {
            local: socket.local_addr().unwrap(),
            socket,
            peer,
            database: Arc::clone(&self.database),
            index,
            generation: 1,
            transport: Transport::Plaintext,
            ticket: self
                .door
                .admit(0, &self.database, address, usize::MAX)
                .unwrap(),
            load: LoadGuard::new(&self.worker.load),
            since: Instant::now(),
        };
        self.worker.sender.send(accepted).map_err(drop).unwrap();
        client
    }
}

/// What a client is answered to a login with a wrong password, which takes no backend.
fn is_served(client: &mut TcpStream) -> bool {
    client.write_all(b"AUTH app wrong\r\n").unwrap();
    let mut answer = String::new();
    let read = BufReader::new(client).read_line(&mut answer);
    read.is_ok() && answer.starts_with("-WRONGPASS")
}

#[test]
fn a_session_that_panics_is_closed_and_counted_and_its_worker_serves_the_others() {
    let house = House::new();
    let mut other = house.client(0);
    assert!(is_served(&mut other));
    for _ in 0..10 {
        let mut broken = house.client(1);
        let end = broken.read(&mut [0; 64]);
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    }
    assert!(is_served(&mut other));
    assert!(is_served(&mut house.client(0)));
    // A client that has gone is noticed at once, but not before.
    let deadline = Instant::now() + Duration::from_secs(10);
    let debts = || {
        (
            house.worker.load.load(Ordering::Relaxed),
            house.door.connections(),
        )
    };
    while debts() != (1, 1) && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(debts(), (1, 1));
    let ends = "redwall_connections_closed_total{database=\"broken\",reason=\"internal\"} 10\n";
    let text = house.metrics.text().unwrap();
    assert!(text.contains(ends), "{text}");
    drop(house.course);
    house.worker.thread.join().unwrap();
}

/// Runs the test of this name again in a process of its own, in which it does what ends it; how it ended, and what it said.
fn alone(test: &str) -> std::process::Output {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("proxy::vital::tests::{test}"),
            "--nocapture",
        ])
        .env("REDWALL_TEST_ALONE", "1")
        .output()
        .unwrap()
}

fn is_alone() -> bool {
    std::env::var_os("REDWALL_TEST_ALONE").is_some()
}

#[test]
fn books_that_a_panic_has_left_behind_end_the_process() {
    if is_alone() {
        let books = Arc::new(std::sync::Mutex::new(()));
        let torn = Arc::clone(&books);
        let thread = std::thread::spawn(move || {
            let _books = torn.lock();
            panic!("in the middle of an entry");
        });
        assert!(thread.join().is_err());
        drop(vital::intact(books.lock()));
        return;
    }
    let output = alone("books_that_a_panic_has_left_behind_end_the_process");
    let aborted = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(6);
    assert!(aborted, "{output:?}");
}
