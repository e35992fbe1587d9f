//! Files and secrets that the configuration names. This room never opens them; it only keeps where they were named.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::document::{Section, Value};
use super::position::{At, Placed};
use crate::acl::PasswordHash;

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// As it was written; not absolute: relative to the folder of the configuration file.
    pub path: PathBuf,
    /// Where it was written, for a fault that says that it is missing.
    pub at: At,
}

/// A file that stands as a value.
pub(crate) fn file(value: &Value<'_>) -> Option<FileRef> {
    let path = PathBuf::from(value.text("the path of a file")?);
    let at = value.at();
    Some(FileRef { path, at })
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file, whose last line break is not part of it.
    File(FileRef),
    /// In an environment variable: root can read it in `/proc` as long as the process lives.
    Env(Placed<String>),
}

/// A secret in plain text. It is never printed, and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes of a secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who must send or hash them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where a user's password is kept, or its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// Kept elsewhere in plain text.
    Secret(SecretSource),
    /// Its hash.
    Hash(PasswordHash),
}

pub(crate) const SECRET: Section = Section {
    path: "a secret",
    keys: &["file", "env"],
};

pub(crate) const PASSWORD: Section = Section {
    path: "a password",
    keys: &["file", "env", "sha256"],
};

const SECRET_SHAPE: &str = "{ file = \"...\" } or { env = \"...\" }";
const PASSWORD_SHAPE: &str = "{ file = \"...\" }, { env = \"...\" }, { sha256 = \"64 lower-case hexadecimal digits\" } or \"#64 lower-case hexadecimal digits\"";

/// A secret that Redwall must know in plain text.
pub(crate) fn secret(value: &Value<'_>) -> Option<SecretSource> {
    if value.as_text().is_some() {
        return value.refuse("is a secret in plain text", SECRET_SHAPE);
    }
    let table = value.table(&SECRET)?;
    let file = table.option("file", file);
    let env = table.option("env", env);
    match (file?, env?) {
        (Some(file), None) => Some(SecretSource::File(file)),
        (None, Some(env)) => Some(SecretSource::Env(env)),
        (Some(_), Some(_)) => value.refuse("has two sources", SECRET_SHAPE),
        (None, None) => value.refuse("has no source", SECRET_SHAPE),
    }
}

/// A password that a user may prove.
pub(crate) fn password(value: &Value<'_>) -> Option<PasswordSource> {
    if let Some(text) = value.as_text() {
        return match text.strip_prefix('#').and_then(digits) {
            Some(hash) => not_of_nothing(value, hash).map(PasswordSource::Hash),
            None => value.refuse("is a string that is not a hash", PASSWORD_SHAPE),
        };
    }
    let table = value.table(&PASSWORD)?;
    let file = table.option("file", file);
    let env = table.option("env", env);
    let hash = table.option("sha256", hash);
    match (file?, env?, hash?) {
        (Some(file), None, None) => Some(PasswordSource::Secret(SecretSource::File(file))),
        (None, Some(env), None) => Some(PasswordSource::Secret(SecretSource::Env(env))),
        (None, None, Some(hash)) => Some(PasswordSource::Hash(hash)),
        (None, None, None) => value.refuse("has no source", PASSWORD_SHAPE),
        _ => value.refuse("has more than one source", PASSWORD_SHAPE),
    }
}

/// The entries of a user's `passwords`.
pub(crate) fn passwords(value: &Value<'_>) -> Option<Vec<PasswordSource>> {
    super::document::each(value.items(PASSWORD_SHAPE)?, password)
}

fn env(value: &Value<'_>) -> Option<Placed<String>> {
    let expected = "the name of an environment variable: letters, digits and `_`";
    let name = value.text(expected)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(allowed) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return value.refuse("is not the name of an environment variable", expected);
    }
    Some(Placed::new(name.to_owned(), value.at()))
}

fn hash(value: &Value<'_>) -> Option<PasswordHash> {
    let expected = "64 lower-case hexadecimal digits, as `redwall hash-password` prints them";
    match digits(value.text(expected)?) {
        Some(hash) => not_of_nothing(value, hash),
        None => value.refuse("is not a SHA-256 hash", expected),
    }
}

/// An empty password would be one that logs in.
fn not_of_nothing(value: &Value<'_>, hash: PasswordHash) -> Option<PasswordHash> {
    if hash.is_of_nothing() {
        return value.refuse(
            "is the hash of an empty password",
            "that of at least one byte",
        );
    }
    Some(hash)
}

fn digits(text: &str) -> Option<PasswordHash> {
    PasswordHash::parse(text.as_bytes()).ok()
}
