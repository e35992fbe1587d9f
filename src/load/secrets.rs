//! Secrets, from files and from the environment. No fault names their file or variable: either may be the secret itself,
//! written in the wrong place. The place in the configuration says which one it is.

use std::os::unix::ffi::OsStringExt;

use super::files::{Content, Files, read};
use crate::acl::PasswordHash;
use crate::config::{At, FileRef, PasswordSource, Placed, Secret, SecretSource};

/// Permissions that a secret's file shouldn't have: others none, the group no more than reading.
const TOO_WIDE: u32 = 0o037;

impl Files {
    /// The secret itself; `None`: a fault has been noted.
    pub fn secret(&mut self, source: &SecretSource) -> Option<Secret> {
        match source {
            SecretSource::File(file) => self.secret_of_file(file),
            SecretSource::Env(name) => self.secret_of_environment(name),
        }
    }

    /// The hash of a user's password; `None`: a fault has been noted.
    pub fn password(&mut self, source: &PasswordSource) -> Option<PasswordHash> {
        match source {
            PasswordSource::Hash(hash) => Some(hash.clone()),
            PasswordSource::Secret(source) => {
                self.secret(source).map(|it| PasswordHash::of(it.expose()))
            }
        }
    }

    fn secret_of_file(&mut self, file: &FileRef) -> Option<Secret> {
        let content = match read(&self.path(file)) {
            Ok(content) => content,
            Err(error) => {
                let what = format!("the secret's file can't be read: {error}");
                self.unreadable(file.at, what, "a file that can be read");
                return None;
            }
        };
        let Content { mut bytes, mode } = content;
        if mode & TOO_WIDE != 0 {
            let what =
                format!("the secret's file has the permissions {mode:04o}, want 0640 or less");
            self.warn(file.at, what);
        }
        let ends = [&b"\r\n"[..], b"\n"];
        if let Some(end) = ends.into_iter().find(|end| bytes.ends_with(end)) {
            bytes.truncate(bytes.len() - end.len());
        }
        self.not_empty(Secret::new(bytes), file.at)
    }

    fn secret_of_environment(&mut self, name: &Placed<String>) -> Option<Secret> {
        let Some(value) = std::env::var_os(&name.value) else {
            let what = "the secret's environment variable isn't set";
            self.unreadable(name.at, what, "a variable that is set");
            return None;
        };
        self.not_empty(Secret::new(value.into_vec()), name.at)
    }

    /// An empty password would be one that logs in.
    fn not_empty(&mut self, secret: Secret, at: At) -> Option<Secret> {
        if secret.expose().is_empty() {
            return self.faulty_at(at, "the secret is empty", "at least one byte");
        }
        Some(secret)
    }
}
