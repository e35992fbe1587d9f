//! Real servers, asked with raw bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redwall::resp::{ReplyScanner, encode};

/// A server of its own for one test, on a Unix socket in a folder of its own.
pub(crate) struct Server {
    pub(crate) name: String,
    process: Child,
    folder: PathBuf,
}

impl Server {
    pub(crate) fn start(program: &PathBuf, options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("resp-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut process = Command::new(program)
            .current_dir(&folder)
            .args(["--port", "0", "--save", "", "--unixsocket", "socket"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be started: {error}", program.display()));
        let mut log = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("eady to accept connections") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server has ended");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            name: program.display().to_string(),
            process,
            folder,
        }
    }

    /// Sends `input` on a new connection, ends sending, and returns all that comes back. For small answers: what doesn't fit
    /// into the socket at once is lost when the server sees the end.
    pub(crate) fn answer(&self, input: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // The server may have refused and closed before it has read all.
        let _ = stream.write_all(input);
        let _ = stream.shutdown(Shutdown::Write);
        self.read_to_end(stream)
    }

    /// Sends `input` and QUIT on a new connection, and returns all that comes back, of any size.
    pub(crate) fn converse(&self, input: &mut Vec<u8>) -> Vec<u8> {
        encode::command(input, &["QUIT"]);
        let mut stream = self.connect();
        stream.write_all(input).unwrap();
        self.read_to_end(stream)
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.folder.join("socket")).unwrap();
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    fn read_to_end(&self, mut stream: UnixStream) -> Vec<u8> {
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{}: {error}", self.name),
        }
        answer
    }

    /// Whether the server reads the inline command `line` in a way of its own: Valkey leaves out 0xff, and ends words
    /// elsewhere at other blanks than space and tab.
    pub(crate) fn differs_about(&self, line: &[u8]) -> bool {
        let unusual = |byte: &u8| matches!(byte, 0xff | 0x0b | 0x0c);
        self.is_valkey() && !line.starts_with(b"*") && line.iter().any(unusual)
    }

    /// Whether the server loses its place behind a line of nothing but blanks in `input`: Valkey 8.1 takes what follows for another line, and
    /// an array for as many of them. Redwall passes no such line on.
    pub(crate) fn is_misled_by(&self, input: &[u8]) -> bool {
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let misleads = |line: &[u8]| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            !line.is_empty() && line.iter().all(is_blank)
        };
        self.name.ends_with("valkey-8.1") && input.split(|byte| *byte == b'\n').any(misleads)
    }

    pub(crate) fn is_valkey(&self) -> bool {
        self.name.contains("valkey")
    }

    /// The frames of the answer.
    pub(crate) fn replies(&self, input: &[u8]) -> Vec<Vec<u8>> {
        let answer = self.answer(input);
        let mut scanner = ReplyScanner::new();
        let (mut frames, mut start) = (Vec::new(), 0);
        while start < answer.len() {
            let step = scanner.advance(&answer[start..]).unwrap();
            let end = start + step.consumed;
            assert!(step.end.is_some(), "{}: a reply is cut off", self.name);
            frames.push(answer[start..end].to_vec());
            start = end;
        }
        frames
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// All servers that are at hand.
pub(crate) fn servers(options: &[&str]) -> Vec<Server> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".servers");
    let others = ["redis-8.2", "valkey-8.1", "valkey-9.1"].map(|name| folder.join(name));
    for program in &others {
        let shown = program.display();
        assert!(program.exists(), "{shown} is not there: run `make servers`");
    }
    let mut programs = vec![PathBuf::from("redis-server")];
    programs.extend(others);
    let start = |program| Server::start(program, options);
    programs.iter().map(start).collect()
}
