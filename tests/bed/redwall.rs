//! A running Redwall with the configuration that a test writes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use redwall::config::Lanes;

use super::redis::signal;
use super::{PATIENCE, TempDir, certificates, program, wait_until};

/// Says over which connections clients' commands travel in a run of the tests: all of them run once with `shared` and once with `own`.
const LANES: &str = "REDWALL_TEST_LANES";

/// The lanes of this run, for tests whose claim depends on them; Redwall's default where the run doesn't say.
pub fn lanes_of_this_run() -> Lanes {
    match std::env::var(LANES).as_deref() {
        Err(_) | Ok("shared") => Lanes::Shared,
        Ok("own") => Lanes::Own,
        Ok(other) => panic!("{LANES} is {other}"),
    }
}

/// A configuration with one database, put together from what a test cares about.
pub struct Config {
    /// The backend's URL.
    pub backend: String,
    /// Lines of `[[database]]` beside name, listen and allow. Where none says which lanes, the run does.
    pub database: String,
    /// The allow list, as TOML.
    pub allow: String,
    /// Lines of `[database.tls]` beside the certificate.
    pub tls: String,
    /// `[database.users.NAME]` tables and whatever else stands at the end.
    pub users: String,
    /// Lines of `[database.backend]` beside the URL, the user and the password.
    pub backend_more: String,
    /// Lines of `[database.limits]`.
    pub limits: String,
    /// Lines of `[server]` beside `workers = 2`.
    pub server: String,
}

impl Config {
    /// Two workers, loopback allowed, optional client certificates, and three users: `app`, who may do everything within
    /// `app:*`, `reader`, who may read everything, and `root`, who may do everything.
    pub fn new(backend: &str) -> Self {
        Self {
            backend: backend.to_owned(),
            database: String::new(),
            allow: "[\"127.0.0.0/8\"]".to_owned(),
            tls: "client_certificates = \"optional\"".to_owned(),
            users: format!(
                "[database.users.app]\nrules = [\"+@all\", \"~app:*\", \"&app:*\"]\n{}\n\
                 [database.users.reader]\nroles = [\"read-only\"]\n{}\n\
                 [database.users.root]\nroles = [\"full-access\"]\n{}\n",
                passwords("app"),
                passwords("reader"),
                passwords("root"),
            ),
            backend_more: String::new(),
            limits: String::new(),
            server: String::new(),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let certs = certificates().display();
        let lanes = lanes_unless_in(&self.database);
        let Self {
            backend,
            database,
            allow,
            tls,
            users,
            backend_more,
            limits,
            server,
        } = self;
        format!(
            "[server]\nworkers = 2\n{server}\n[status]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n\
             [[database]]\nname = \"main\"\nlisten = [\"127.0.0.1:0\"]\nallow = {allow}\n{database}\n{lanes}\n\
             [database.tls]\ncertificates = [{{ cert = \"{certs}/server.crt\", key = \"{certs}/server.key\" }}]\n\
             client_ca = [{{ name = \"dev\", file = \"{certs}/ca.crt\" }}]\n{tls}\n\
             [database.backend]\nurl = \"{backend}\"\nuser = \"redwall\"\npassword = {{ env = \"REDWALL_TEST_SERVICE\" }}\n{backend_more}\n\
             [database.limits]\n{limits}\n{users}\n"
        )
    }

    pub fn start(&self) -> Redwall {
        Redwall::start(&self.text())
    }
}

/// The line that asks for the lanes of this run, unless the test has asked for its own.
fn lanes_unless_in(database: &str) -> String {
    let mut lines = database.lines();
    match std::env::var(LANES) {
        Ok(lanes) if !lines.any(|line| line.starts_with("lanes =")) => {
            format!("lanes = \"{lanes}\"")
        }
        Ok(_) | Err(_) => String::new(),
    }
}

/// A user's `passwords` line for the password that is the user's name.
pub fn passwords(name: &str) -> String {
    format!("passwords = [{{ sha256 = \"{}\" }}]", sha256(name))
}

/// A password's hash in hexadecimal, as the program itself makes it.
fn sha256(password: &str) -> String {
    let mut child = program()
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(password.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .trim_start_matches('#')
        .to_owned()
}

/// A running Redwall.
pub struct Redwall {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where the status pages are.
    pub status: SocketAddr,
}

impl Redwall {
    /// Starts the program with a configuration and waits until it is ready and has reached its backend or failed to.
    pub fn start(config: &str) -> Self {
        let mut redwall = Self::spawn(config);
        redwall.wait_until_ready();
        redwall
    }

    /// Starts the program with a configuration.
    pub fn spawn(config: &str) -> Self {
        Self::spawn_with(config, &[])
    }

    /// Starts the program with a configuration and more files beside it.
    pub fn spawn_with(config: &str, files: &[(&str, &str)]) -> Self {
        Self::spawn_by(program(), config, files)
    }

    /// Starts it by a command of the test's own, which is given the rest of the command line.
    pub fn spawn_by(mut command: Command, config: &str, files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new("redwall");
        for (name, text) in files {
            folder.write(name, text);
        }
        let path = folder.write("redwall.toml", config);
        let mut child = command
            .args(["run", "--config"])
            .arg(path)
            .env("REDWALL_TEST_SERVICE", "service")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let record = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                record.lock().unwrap().push(line);
            }
        });
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            child,
            log,
            folder,
            address: unknown,
            status: unknown,
        }
    }

    /// Waits until it is ready and has reached its backend or failed to.
    pub fn wait_until_ready(&mut self) {
        wait_until("Redwall is ready", || {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "Redwall ended: {}",
                self.log()
            );
            self.has_logged("redwall is ready") && self.has_logged("backend is ")
        });
        self.address = self.address_in("\"message\":\"listening\"");
        self.status = self.address_in("\"message\":\"status pages\"");
    }

    fn address_in(&self, marker: &str) -> SocketAddr {
        let log = self.log.lock().unwrap();
        // As text, a message has no key and an address no quotes.
        let plain = marker.trim_start_matches("\"message\":").trim_matches('"');
        let plain = format!(" {plain} address=");
        let mut lines = log.iter();
        let line = lines.find(|line| line.contains(marker) || line.contains(&plain));
        let line = line.unwrap();
        let rest = line.split_once("\"address\":\"");
        let (_, rest) = rest.or(line.split_once("address=")).unwrap();
        rest.split(['"', ' ']).next().unwrap().parse().unwrap()
    }

    /// Where it listens for what is spoken there, `tls` or `plaintext`; `None` if nowhere.
    pub fn listens(&self, transport: &str) -> Option<SocketAddr> {
        let marker = format!("\"transport\":\"{transport}\"");
        self.has_logged(&marker).then(|| self.address_in(&marker))
    }

    /// Everything that was logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub fn has_logged(&self, text: &str) -> bool {
        self.log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }

    pub fn wait_for_log(&self, text: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !self.has_logged(text) {
            assert!(
                std::time::Instant::now() < deadline,
                "not logged: {text}\n{}",
                self.log()
            );
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        self.folder.write(name, text)
    }

    /// Puts another configuration in place.
    pub fn rewrite(&self, text: &str) {
        self.replace("redwall.toml", text);
    }

    /// Puts another file in place of one beside the configuration, by renaming it over the old one.
    pub fn replace(&self, name: &str, text: &str) {
        let new = self.folder.write(&format!("{name}.new"), text);
        std::fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    /// Has it reload `text`, which it must accept; returns when it is in force.
    pub fn reload(&self, text: &str) {
        self.rewrite(text);
        self.hang_up("configuration reloaded");
    }

    /// Has it reload `text`, which it must refuse; returns what it logged of it.
    pub fn reload_refused(&self, text: &str) -> String {
        self.rewrite(text);
        let before = self.log.lock().unwrap().len();
        self.hang_up("reload refused");
        self.log.lock().unwrap()[before..].join("\n")
    }

    /// Sends SIGHUP and waits until `outcome` is logged once more.
    pub fn hang_up(&self, outcome: &str) {
        let before = self.times_logged(outcome);
        self.signal("HUP");
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.times_logged(outcome) == before {
            assert!(
                std::time::Instant::now() < deadline,
                "no `{outcome}`:\n{}",
                self.log()
            );
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    pub fn times_logged(&self, text: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for the process's end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("Redwall ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// A status page: its HTTP status and its body.
    pub fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.status).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// Waits until a metric has at least this value.
    pub fn wait_for_metric(&self, sample: &str, value: f64) {
        wait_until(sample, || self.metric(sample) >= value);
    }

    /// The value of one metric with exactly these labels; 0 if it isn't there.
    pub fn metric(&self, sample: &str) -> f64 {
        let (_, body) = self.page("/metrics");
        let line = body.lines().find(|line| {
            line.strip_prefix(sample)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        line.map_or(0.0, |line| {
            line.rsplit(' ').next().unwrap().parse().unwrap()
        })
    }
}

impl Drop for Redwall {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // The log is the first thing that one wants to see.
            std::eprintln!("--- Redwall's log:\n{}", self.log());
        }
    }
}
