//! What the process keeps to itself, what it takes of the machine, and what it lets a client make the kernel hold.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, getuid, prlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use redwall::config::Lanes;

use crate::bed::{
    Backend, Client, Config, PATIENCE, Redwall, TempDir, lanes_of_this_run, program, wait_until,
};

/// A connection in the clear, for commands whose replies are one line.
struct Plain(BufReader<TcpStream>);

impl Plain {
    fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    fn of(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(socket))
    }

    fn login(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        assert_eq!(client.ask("AUTH app app"), "+OK\r\n");
        client
    }

    fn ask(&mut self, line: &str) -> String {
        write!(self.0.get_mut(), "{line}\r\n").unwrap();
        let mut reply = String::new();
        self.0.read_line(&mut reply).unwrap();
        reply
    }

    /// Whether the server closes without a word.
    fn is_refused(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A scraper that stays connected, so that it needs no descriptor of Redwall's later.
struct Scraper(BufReader<TcpStream>);

impl Scraper {
    fn connect(redwall: &Redwall) -> Self {
        let socket = TcpStream::connect(redwall.status).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(socket))
    }

    /// The value of one metric with exactly these labels.
    fn metric(&mut self, sample: &str) -> f64 {
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let mut lines = body.lines();
        let line = lines.find(|line| line.starts_with(&format!("{sample} ")));
        let value = line.unwrap_or_else(|| panic!("{sample} is not in\n{body}"));
        value.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

fn start_by(command: Command, config: &str) -> Redwall {
    let mut redwall = Redwall::spawn_by(command, config, &[]);
    redwall.wait_until_ready();
    redwall
}

fn with_plaintext(backend: &Backend) -> Config {
    let mut config = Config::new(&backend.url());
    config.database = "plaintext_listen = [\"127.0.0.1:0\"]".to_owned();
    config
}

/// Somebody without rights on this machine, as whom Redwall and its neighbours run.
const NOBODY: u32 = 65_534;

/// `command` as an unprivileged user: another one where the test is root, else the test's own.
fn unprivileged(mut command: Command) -> Command {
    if getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The program where an unprivileged user can run it: a copy, if it was built in a folder that is closed to others.
fn program_for_all(folder: &TempDir) -> Command {
    let mut version = unprivileged(program());
    if version.arg("--version").output().is_ok() {
        return unprivileged(program());
    }
    let copy = folder.path().join("program");
    std::fs::copy(program().get_program(), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    unprivileged(Command::new(copy))
}

fn environ(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/environ"))
}

/// What a neighbour of the same user finds in the environment of the process `pid`.
fn seen_by_a_neighbour(pid: u32) -> String {
    let mut cat = unprivileged(Command::new("cat"));
    let output = cat.arg(environ(pid)).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn secrets_of_the_environment_cannot_be_read_by_other_processes_of_the_same_user() {
    // A process like any other is an open book to its neighbours.
    let mut other = unprivileged(Command::new("cat"))
        .env("REDWALL_TEST_SERVICE", "service")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the neighbour's secret is read", || {
        seen_by_a_neighbour(other.id()).contains("REDWALL_TEST_SERVICE=service")
    });
    drop(other.stdin.take());
    other.wait().unwrap();

    let folder = TempDir::new("program");
    let config = "[server]\nworkers = 1\n[status]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [[database]]\nname = \"main\"\nplaintext_listen = [\"127.0.0.1:0\"]\nallow = [\"127.0.0.0/8\"]\n\
         [database.backend]\nurl = \"unix:///nonexistent/redis.sock\"\nuser = \"redwall\"\n\
         password = { env = \"REDWALL_TEST_SERVICE\" }\n\
         [database.users.root]\nroles = [\"full-access\"]\npasswords = [{ env = \"REDWALL_TEST_SERVICE\" }]\n";
    let redwall = start_by(program_for_all(&folder), config);
    let seen = seen_by_a_neighbour(redwall.pid()).len();
    assert_eq!(seen, 0, "bytes of the environment");
    let owner = std::fs::metadata(environ(redwall.pid())).unwrap().uid();
    assert_eq!(owner, 0, "only root may open it");
    // What it shows of itself doesn't suffer.
    assert!(redwall.metric("process_open_fds") > 3.0);
    assert!(redwall.metric("process_resident_memory_bytes") > 0.0);
}

/// What the flooded process may open.
const DESCRIPTORS: u64 = 200;

const SHORTAGE: &str = "redwall_accept_errors_total{kind=\"shortage\"}";
const SENT: &str = "redwall_sent_bytes_total{database=\"main\"}";
const OTHER: &str = "redwall_accept_errors_total{kind=\"other\"}";

/// A shell that gives the program little to open, and less than that unless it asks.
fn with_few_descriptors() -> Command {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -Sn 40 && ulimit -Hn {DESCRIPTORS} && exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(program().get_program());
    shell
}

fn checked_with_few_descriptors(config: &Config) -> String {
    let folder = TempDir::new("check");
    let output = with_few_descriptors()
        .args(["check", "--config"])
        .arg(folder.write("redwall.toml", &config.text()))
        .env("REDWALL_TEST_SERVICE", "service")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Each of them does something at the backend.
fn count_up(clients: &mut [Plain]) {
    for client in clients {
        let reply = client.ask("INCR app:n");
        assert!(reply.starts_with(':'), "{reply}");
    }
}

/// Sets how many files `redwall` may have open from now on.
fn limit_descriptors(redwall: &Redwall, soft: u64) {
    let pid = Pid::from_raw(i32::try_from(redwall.pid()).unwrap());
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(DESCRIPTORS),
    };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[test]
fn a_flood_takes_no_descriptor_that_a_client_inside_needs_and_running_out_is_a_rest_not_a_spin() {
    let backend = Backend::start();
    let mut config = with_plaintext(&backend);
    config.server = "max_clients = 5000".to_owned();
    let redwall = start_by(with_few_descriptors(), &config.text());
    let address = redwall.listens("plaintext").unwrap();
    assert_eq!(redwall.metric("process_max_fds"), DESCRIPTORS as f64);
    let most = redwall.metric("redwall_max_clients");
    assert!((30.0..100.0).contains(&most), "{most}");
    let warning = format!("{most} clients may connect, not the 5000 of server.max_clients");
    assert!(redwall.has_logged(&warning), "{}", redwall.log());
    assert!(checked_with_few_descriptors(&config).contains(&format!(":3:15: warning: {warning}")));

    // Silence can't keep anybody out.
    let silent: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert_eq!(Plain::login(address).ask("INCR app:n"), ":1\r\n");
    drop(silent);
    wait_until("they are gone", || {
        redwall.metric("redwall_connections{database=\"main\"}") == 0.0
    });

    // Everybody who is let in gets a connection to the backend too, and another when that is lost, whoever else knocks.
    let mut inside: Vec<Plain> = (0..most as usize).map(|_| Plain::login(address)).collect();
    count_up(&mut inside);
    for _ in 0..300 {
        assert!(Plain::connect(address).is_refused());
    }
    let killed = backend.admin(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let killed: usize = killed[1..].trim_end().parse().unwrap();
    match lanes_of_this_run() {
        Lanes::Own => assert_eq!(killed, inside.len() + 1, "a lane each and the probe"),
        Lanes::Shared => assert!((2..inside.len()).contains(&killed), "{killed}"),
    }
    count_up(&mut inside);
    let mut scraper = Scraper::connect(&redwall);
    let refused = "redwall_connections_refused_total{database=\"main\",reason=\"process_full\"}";
    assert_eq!(scraper.metric(refused), 300.0);
    assert_eq!(scraper.metric(OTHER), 0.0);
    assert_eq!(scraper.metric(SHORTAGE), 0.0);

    // Now they really run out, as when the whole machine has none left.
    inside.truncate(1);
    wait_until("the others have left", || {
        scraper.metric("redwall_connections{database=\"main\"}") == 1.0
    });
    limit_descriptors(&redwall, 3);
    let mut waiting: Vec<Plain> = (0..20).map(|_| Plain::connect(address)).collect();
    wait_until("descriptors have run out", || {
        scraper.metric(SHORTAGE) >= 1.0
    });
    // Each error is followed by a rest of 50 ms; without it there are millions of them in a second.
    let (before, since) = (scraper.metric(SHORTAGE), Instant::now());
    wait_until("accept has tried again", || {
        scraper.metric(SHORTAGE) >= before + 10.0
    });
    let errors = scraper.metric(SHORTAGE) - before;
    let rests = since.elapsed().as_secs_f64() / 0.05;
    assert!(errors <= rests + 1.0, "{errors} errors, time for {rests}");
    count_up(&mut inside);
    assert_eq!(redwall.times_logged("no connection could be accepted"), 1);

    limit_descriptors(&redwall, DESCRIPTORS);
    for client in &mut waiting {
        assert_eq!(client.ask("AUTH app app"), "+OK\r\n");
    }
    count_up(&mut waiting);
}

/// Bytes that the kernel holds because `client` hasn't taken them yet: the far end's queue, in /proc/net/tcp.
fn held_for(client: &TcpStream) -> usize {
    let number = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else {
            panic!("IPv4 is what the test connects with");
        };
        let ip = u32::from_ne_bytes(address.ip().octets());
        format!("{ip:08X}:{:04X}", address.port())
    };
    let ends = format!(
        " {} {} ",
        number(client.peer_addr().unwrap()),
        number(client.local_addr().unwrap())
    );
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ends));
    let line = line.expect("Redwall's end is still there");
    let queues = line.split_whitespace().nth(4).unwrap();
    usize::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}

/// A connection in the clear whose own side takes little, so that what is measured is Redwall's.
fn login_with_little_room(address: SocketAddr) -> Plain {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut client = Plain::of(socket.into());
    assert_eq!(client.ask("AUTH app app"), "+OK\r\n");
    client
}

#[test]
fn a_client_that_reads_slowly_is_not_given_up_and_one_that_never_reads_costs_a_bounded_amount() {
    const ASKED: usize = 64 << 10;
    let backend = Backend::start();
    let mut config = with_plaintext(&backend);
    config.limits =
        "send_buffer = \"64KiB\"\noutput_timeout = \"3s\"\noutput_soft_limit = \"16MiB\""
            .to_owned();
    let redwall = config.start();
    let address = redwall.listens("plaintext").unwrap();
    let value = "v".repeat(1 << 20);
    let mut root = Client::login(redwall.listens("tls").unwrap(), "root", "root");
    assert_eq!(root.ask(&["SET", "app:k", &value]), "+OK\r\n");

    // One reads a little now and then, for longer than the time-out, and longer than that nothing at once.
    let mut slow = login_with_little_room(address);
    let slow = std::thread::spawn(move || {
        write!(slow.0.get_mut(), "GET app:k\r\n").unwrap();
        let mut rest = (1 << 20) + "$1048576\r\n\r\n".len();
        while rest > 0 {
            std::thread::sleep(Duration::from_millis(900));
            let part = rest.min(192 << 10);
            slow.0.read_exact(&mut vec![0; part]).unwrap();
            rest -= part;
        }
    });

    // One never reads. All its replies have come from the backend, and the kernel has taken what it will.
    let mut glutton = login_with_little_room(address);
    let socket = glutton.0.get_mut();
    let sent = redwall.metric(SENT);
    socket
        .write_all("GET app:k\r\n".repeat(12).as_bytes())
        .unwrap();
    wait_until("its replies are on their way", || {
        redwall.metric(SENT) > sent + 64.0 * 1024.0
    });
    let (mut held, mut equal) = (0, 0);
    wait_until("the kernel takes no more", || {
        let now = held_for(socket);
        equal = if now == held { equal + 1 } else { 0 };
        held = now;
        equal == 20
    });
    // It counts its own book-keeping too, and one packet goes beyond.
    let bound = 2 * ASKED + (64 << 10);
    assert!(
        (ASKED / 2..=bound).contains(&held),
        "the kernel holds {held} bytes"
    );
    let closed = |reason| {
        redwall.metric(&format!(
            "redwall_connections_closed_total{{database=\"main\",reason=\"{reason}\"}}"
        ))
    };
    wait_until("Redwall gives it up", || closed("output_timeout") == 1.0);
    slow.join().unwrap();
    assert_eq!(closed("output_timeout") + closed("transport"), 1.0);
}

/// Lets this process open as many files as it may.
fn open_many() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn a_thousand_that_connect_while_nobody_accepts_are_all_served() {
    const BURST: usize = 1_000;
    open_many();
    let backend = Backend::start();
    let mut config = with_plaintext(&backend);
    config.database += "\nmax_clients_per_address = 2000\nmax_half_open_per_address = 2000";
    let redwall = config.start();
    let address = redwall.listens("plaintext").unwrap();
    redwall.signal("STOP");
    wait_until("Redwall stands still", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", redwall.pid())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    });
    // A connection that finds no place in the queue loses its first packet, and is tried again after a second.
    let connect = |number| {
        let socket = TcpStream::connect_timeout(&address, Duration::from_millis(900));
        Plain::of(socket.unwrap_or_else(|error| panic!("client {number}: {error}")))
    };
    let mut clients: Vec<Plain> = (1..=BURST).map(connect).collect();
    redwall.signal("CONT");
    for client in &mut clients {
        assert!(client.ask("PING").starts_with("-NOAUTH"));
    }
    let refused = "redwall_connections_refused_total{database=\"main\",reason=\"address_full\"}";
    assert_eq!(redwall.metric(refused), 0.0);
}
