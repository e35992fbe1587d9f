//! A real server on a Unix socket in a folder of its own, and a plain RESP2 conversation with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every server that there is: those in `.servers/`, and Debian's.
pub(crate) fn installed() -> Vec<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(".servers");
    let mut found: Vec<PathBuf> = std::fs::read_dir(fetched)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_server(path))
        .collect();
    found.extend(
        ["/usr/bin/redis-server", "/usr/bin/valkey-server"]
            .map(PathBuf::from)
            .into_iter()
            .filter(|path| path.exists()),
    );
    found.sort();
    found
}

fn is_server(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let named = name.starts_with("redis-") || name.starts_with("valkey-");
    named && !name.ends_with("-cli") && path.is_file()
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    pub(crate) name: String,
    child: Child,
    folder: PathBuf,
    connection: BufReader<UnixStream>,
}

/// A reply, as far as these tests look into one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Reply>),
}

impl Server {
    /// Starts `binary` and waits until it says that it is ready.
    pub(crate) fn start(binary: &Path) -> Self {
        let name = binary.file_name().unwrap().to_string_lossy().into_owned();
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("redwall-acl-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("socket");
        let mut child = Command::new(binary)
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.to_lowercase().contains("ready to accept connections") {
            line.clear();
            assert_ne!(
                log.read_line(&mut line).unwrap(),
                0,
                "{name} ended before it was ready"
            );
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let connection = BufReader::new(UnixStream::connect(&socket).unwrap());
        Self {
            name,
            child,
            folder,
            connection,
        }
    }

    /// Another connection to the same server.
    #[allow(dead_code, reason = "not every test that includes this file needs one")]
    pub(crate) fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(self.folder.join("socket")).unwrap())
    }

    /// Asks one thing.
    pub(crate) fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        self.send(words);
        self.reply()
    }

    /// Sends a request without waiting for its reply.
    pub(crate) fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.as_ref().len()).bytes());
            bytes.extend(word.as_ref());
            bytes.extend(b"\r\n");
        }
        self.connection.get_mut().write_all(&bytes).unwrap();
    }

    /// Reads the next reply.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut line = Vec::new();
        self.connection.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\r\n"), "{} has gone away", self.name);
        let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
        match line[0] {
            b'+' => Reply::Status(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(text.parse().unwrap()),
            b'$' if text == "-1" => Reply::Bulk(None),
            b'$' => {
                let mut bytes = vec![0; text.parse::<usize>().unwrap() + 2];
                self.connection.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(Some(bytes))
            }
            b'*' => Reply::Array(
                (0..text.parse::<i64>().unwrap())
                    .map(|_| self.reply())
                    .collect(),
            ),
            other => panic!("a reply that begins with {}", other.escape_ascii()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
