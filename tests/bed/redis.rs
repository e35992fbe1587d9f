//! A real Redis or Valkey on a Unix socket, with Redwall's service user and an administrator.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use redwall::resp::{OwnedRequest, ReplyScanner};

use super::{PATIENCE, TempDir, wait_until};

/// The service user's line, as the README gives it.
pub fn service_user() -> String {
    advised("user redwall on >PASSWORD ").replace("PASSWORD", "service")
}

/// The default user's line, as the README gives it.
fn default_user() -> String {
    advised("user default off").to_owned()
}

/// The line of a server's configuration that begins so, as the README gives it.
fn advised(beginning: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let mut lines = readme.lines().map(str::trim);
    lines
        .find(|line| line.starts_with(beginning))
        .expect("the README gives the line")
}

/// The administrator's line, as in an ACL file.
pub const ADMIN: &str = "user admin on >admin +@all ~* &*";

/// The servers that Redwall supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Redis70,
    Redis82,
    Valkey81,
    Valkey91,
}

impl Server {
    pub const ALL: [Self; 4] = [Self::Redis70, Self::Redis82, Self::Valkey81, Self::Valkey91];

    fn program(self) -> PathBuf {
        let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(".servers");
        let program = match self {
            Self::Redis70 => return PathBuf::from("redis-server"),
            Self::Redis82 => fetched.join("redis-8.2"),
            Self::Valkey81 => fetched.join("valkey-8.1"),
            Self::Valkey91 => fetched.join("valkey-9.1"),
        };
        assert!(
            program.exists(),
            "{} is not there: run `make servers`",
            program.display()
        );
        program
    }
}

/// A running server.
pub struct Backend {
    server: Server,
    child: Child,
    folder: TempDir,
}

impl Backend {
    /// Redis 7.0, the oldest that is supported.
    pub fn start() -> Self {
        Self::start_as(Server::Redis70, &[])
    }

    /// `server` with more lines in its configuration.
    pub fn start_as(server: Server, more: &[&str]) -> Self {
        let users = [service_user(), ADMIN.to_owned(), default_user()];
        Self::start_in(TempDir::new("redis"), server, &users, more)
    }

    /// `server` with an ACL file, in which the administrator alone stands.
    pub fn start_with_acl_file(server: Server) -> Self {
        let folder = TempDir::new("redis");
        let file = folder.write("users.acl", &format!("{ADMIN}\n"));
        let line = format!("aclfile {}", file.display());
        Self::start_in(folder, server, &[line], &[])
    }

    /// Has the server of [`start_with_acl_file`](Self::start_with_acl_file) load another file, and returns what it says.
    pub fn load_acl_file(&self, text: &[u8]) -> String {
        std::fs::write(self.folder.path().join("users.acl"), text).unwrap();
        self.admin(&["ACL", "LOAD"])
    }

    fn start_in(folder: TempDir, server: Server, users: &[String], more: &[&str]) -> Self {
        let socket = folder.path().join("redis.sock");
        let mut lines = vec![
            "port 0".to_owned(),
            format!("unixsocket {}", socket.display()),
            format!("dir {}", folder.path().display()),
            "save \"\"".to_owned(),
            "appendonly no".to_owned(),
        ];
        lines.extend_from_slice(users);
        lines.extend(more.iter().map(|line| (*line).to_owned()));
        folder.write("redis.conf", &(lines.join("\n") + "\n"));
        let backend = Self {
            server,
            child: spawn(server, &folder),
            folder,
        };
        backend.wait_until_it_listens();
        backend
    }

    fn wait_until_it_listens(&self) {
        wait_until("the server answers", || {
            UnixStream::connect(self.socket()).is_ok()
        });
    }

    /// Kills the process and starts another in its place, which may have to load its data before it serves.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.server, &self.folder);
        self.wait_until_it_listens();
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// The URL for Redwall's configuration.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A connection without Redwall in between, logged in as `user` (`redwall` or `admin`) in RESP2 or RESP3.
    pub fn direct(&self, user: &str, protocol: u8) -> Direct {
        let mut direct = Direct {
            stream: UnixStream::connect(self.socket()).unwrap(),
        };
        direct.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let password = if user == "redwall" { "service" } else { user };
        let reply = direct.ask(&["HELLO", &protocol.to_string(), "AUTH", user, password]);
        assert!(
            !reply.starts_with(b"-"),
            "{}",
            String::from_utf8_lossy(&reply)
        );
        direct
    }

    /// Runs one command as the administrator.
    pub fn admin(&self, words: &[&str]) -> String {
        String::from_utf8_lossy(&self.direct("admin", 2).ask(words)).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the process without ending it, as a machine that hangs.
    pub fn freeze(&self) {
        signal(self.pid(), "STOP");
    }

    pub fn thaw(&self) {
        signal(self.pid(), "CONT");
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(server: Server, folder: &TempDir) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"));
    Command::new(server.program())
        .arg(folder.path().join("redis.conf"))
        .stdin(Stdio::null())
        .stdout(log.unwrap())
        .spawn()
        .unwrap()
}

impl Drop for Backend {
    fn drop(&mut self) {
        // A process that has ended may have left its number to another.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.thaw();
        }
        self.kill();
    }
}

/// Sends a signal to a process that the test started.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
}

/// A connection to the server itself.
pub struct Direct {
    stream: UnixStream,
}

impl Direct {
    /// The connection itself, for what must not wait for replies.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends a command and returns its reply's bytes.
    pub fn ask(&mut self, words: &[&str]) -> Vec<u8> {
        self.stream
            .write_all(OwnedRequest::new(words).as_request().bytes())
            .unwrap();
        read_frame(&mut self.stream, &mut Vec::new())
    }

    /// Sends many commands at once and returns their replies.
    pub fn ask_all(&mut self, requests: &[OwnedRequest]) -> Vec<Vec<u8>> {
        let mut rest = Vec::new();
        let mut replies = Vec::new();
        for part in requests.chunks(256) {
            let bytes: Vec<u8> = part
                .iter()
                .flat_map(|it| it.as_request().bytes())
                .copied()
                .collect();
            self.stream.write_all(&bytes).unwrap();
            replies.extend(part.iter().map(|_| read_frame(&mut self.stream, &mut rest)));
        }
        replies
    }
}

/// Reads exactly one frame; what comes behind it stays in `rest`.
pub fn read_frame(stream: &mut impl Read, rest: &mut Vec<u8>) -> Vec<u8> {
    read_frame_or_end(stream, rest).expect("a whole reply before the end")
}

/// The same; `None` if the stream ends before the frame does.
pub fn read_frame_or_end(stream: &mut impl Read, rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut scanner = ReplyScanner::default();
    let mut frame = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while !rest.is_empty() {
            let step = scanner.advance(rest).unwrap();
            frame.extend(rest.drain(..step.consumed));
            if step.end.is_some() {
                return Some(frame);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(received) => rest.extend_from_slice(&buffer[..received]),
            Err(error) => match error.kind() {
                // To rustls a close without TLS's goodbye.
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => return None,
                _ => panic!("no reply in time: {error}"),
            },
        }
    }
}
