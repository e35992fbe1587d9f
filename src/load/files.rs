//! Reading the files that a configuration names, with every fault noted at the place that named them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fault::LoadFault;
use crate::config::{At, Config, Fault, FileRef, Note, Severity};

/// Largest file that is read: a revocation list of a million entries is 40 MB.
const MOST_BYTES: u64 = 256 << 20;

/// Reads and parses a configuration file.
///
/// # Errors
/// [`LoadFault::Unreadable`] if it is missing or can't be read, else [`LoadFault::Faulty`] for each fault of its text.
pub fn read_config(file: &Path) -> Result<Config, Vec<LoadFault>> {
    let unreadable = |what: String| {
        vec![LoadFault::Unreadable(Fault {
            file: file.to_owned(),
            at: At::START,
            what,
            expected: "a file that can be read".to_owned(),
        })]
    };
    let read = read(file).map_err(|error| unreadable(format!("can't be read: {error}")))?;
    let text = utf8(file, read.bytes).map_err(|fault| vec![LoadFault::Faulty(fault)])?;
    let faulty = |faults: Vec<Fault>| faults.into_iter().map(LoadFault::Faulty).collect();
    Config::parse(file, &text).map_err(faulty)
}

/// Reads what one configuration refers to, and notes every fault rather than stop at the first.
#[derive(Debug)]
pub struct Files {
    config: PathBuf,
    faults: Vec<LoadFault>,
    notes: Vec<Note>,
    // Where each PEM file was named, by the name that its faults have.
    pem_places: Vec<(String, At)>,
}

impl Files {
    /// For the files of `config`.
    pub fn of(config: &Config) -> Self {
        Self {
            config: config.file.clone(),
            faults: Vec::new(),
            notes: Vec::new(),
            pem_places: Vec::new(),
        }
    }

    /// The configuration file itself.
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    /// Where a file is: beside the configuration, unless its path is absolute.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        let folder = self.config.parent().unwrap_or(Path::new(""));
        folder.join(&file.path)
    }

    /// The content of a file; `None`: a fault has been noted.
    pub fn bytes(&mut self, file: &FileRef) -> Option<Vec<u8>> {
        self.content(file).map(|content| content.bytes)
    }

    /// The content of a file and its permissions; `None`: a fault has been noted.
    pub(super) fn content(&mut self, file: &FileRef) -> Option<Content> {
        let path = self.path(file);
        match read(&path) {
            Ok(content) => Some(content),
            Err(error) => {
                let shown = path.display().to_string();
                let what = format!("the file {} can't be read: {error}", shown.escape_debug());
                self.unreadable(file.at, what, "a file that can be read");
                None
            }
        }
    }

    /// The content of a file that is UTF-8; `None`: a fault has been noted.
    pub fn text(&mut self, file: &FileRef) -> Option<String> {
        let bytes = self.bytes(file)?;
        match utf8(&self.path(file), bytes) {
            Ok(text) => Some(text),
            Err(fault) => self.faulty(fault),
        }
    }

    /// Notes a fault of a text.
    pub fn faulty<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(LoadFault::Faulty(fault));
        None
    }

    /// Notes a fault of the configuration's own text.
    pub fn faulty_at<T>(
        &mut self,
        at: At,
        what: impl Into<String>,
        expected: impl Into<String>,
    ) -> Option<T> {
        let fault = self.fault(at, what.into(), expected.into());
        self.faulty(fault)
    }

    /// Notes that what stands at `at` of the configuration is missing or can't be read.
    pub fn unreadable(&mut self, at: At, what: impl Into<String>, expected: impl Into<String>) {
        let fault = self.fault(at, what.into(), expected.into());
        self.faults.push(LoadFault::Unreadable(fault));
    }

    /// Notes what is sound, but unwise, at a place of the configuration.
    pub fn warn(&mut self, at: At, text: impl Into<String>) {
        self.note(Note {
            file: self.config.clone(),
            at,
            severity: Severity::Warning,
            text: text.into(),
        });
    }

    /// Notes what there is to say.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Remembers where a PEM file was named.
    pub(super) fn place_pem(&mut self, name: &str, at: At) {
        self.pem_places.push((name.to_owned(), at));
    }

    /// Where the PEM file of a fault's or note's `origin` was named last: `server.crt`, or `server.crt, certificate 2`.
    pub(super) fn pem_place(&self, origin: &str) -> Option<At> {
        let of_file = |(name, _): &&(String, At)| {
            let rest = origin.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
        };
        self.pem_places
            .iter()
            .rev()
            .find(of_file)
            .map(|(_, at)| *at)
    }

    /// The faults and the notes, in the order in which they were found.
    pub fn finish(self) -> (Vec<LoadFault>, Vec<Note>) {
        (self.faults, self.notes)
    }

    fn fault(&self, at: At, what: String, expected: String) -> Fault {
        Fault {
            file: self.config.clone(),
            at,
            what,
            expected,
        }
    }
}

/// A file's content, and its permission bits.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Reads a regular file. A pipe or a device could hold the program up for ever, so it is asked before it is opened.
pub(super) fn read(path: &Path) -> io::Result<Content> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // Room for the whole at once: growing would leave copies of a secret behind.
    let room = usize::try_from(metadata.len().min(MOST_BYTES)).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 256 MiB"));
    }
    Ok(Content {
        bytes: std::mem::take(&mut *bytes),
        mode: metadata.permissions().mode() & 0o777,
    })
}

fn utf8(file: &Path, bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|error| {
        let sound = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..sound).unwrap_or(&[]));
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Fault {
            file: file.to_owned(),
            at: place(line, column),
            what: "a byte that is not UTF-8".to_owned(),
            expected: "UTF-8".to_owned(),
        }
    })
}

fn place(line: usize, column: usize) -> At {
    let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
    At {
        line: number(line),
        column: number(column),
    }
}
