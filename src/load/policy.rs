//! A database's users, from the configuration and from its ACL file, and the policy that they make.

use std::collections::HashSet;
use std::path::Path;

use zeroize::Zeroizing;

use super::files::Files;
use crate::acl::aclfile::{self, AclFile, AclFileNote, AclUser};
use crate::acl::{Enabled, Identity, NoPass, Policy, PolicyFault, Proofs, RoleSource, UserSource};
use crate::config::{At, Config, Database, Fault, FileRef, Note, Role, Severity, User};

impl Files {
    /// The policy of a database; `None`: faults have been noted.
    ///
    /// `generation` is the number of the snapshot that it is for.
    pub fn policy(
        &mut self,
        config: &Config,
        database: &Database,
        generation: u64,
    ) -> Option<Policy> {
        let roles: Vec<RoleSource> = config.roles.iter().map(Role::source).collect();
        let users = self.users(database);
        match Policy::compile(generation, &users?, &roles) {
            Ok(policy) => Some(policy),
            Err(faults) => {
                for fault in faults {
                    let at = place(database, &fault);
                    self.faulty_text(at, &fault.to_string());
                }
                None
            }
        }
    }

    /// The users of a database, those of its ACL file last; `None`: faults have been noted.
    pub fn users(&mut self, database: &Database) -> Option<Vec<UserSource>> {
        let written: Vec<_> = database.users.iter().map(|user| self.user(user)).collect();
        let in_file = match &database.acl.aclfile {
            Some(file) => self.acl_file(database, file),
            None => Some(Vec::new()),
        };
        let written: Option<Vec<UserSource>> = written.into_iter().collect();
        Some([written?, in_file?].concat())
    }

    fn user(&mut self, user: &User) -> Option<UserSource> {
        let passwords: Vec<_> = user.passwords.iter().map(|it| self.password(it)).collect();
        let passwords: Option<Vec<_>> = passwords.into_iter().collect();
        passwords.map(|passwords| user.source(passwords))
    }

    fn acl_file(&mut self, database: &Database, file: &FileRef) -> Option<Vec<UserSource>> {
        let text = Zeroizing::new(self.bytes(file)?);
        let lines = Lines::of(&text);
        let path = self.path(file);
        let nopass = database.nopass_rule();
        let parsed = match aclfile::parse(&text, |_| nopass) {
            Ok(parsed) => parsed,
            Err(faults) => {
                for fault in faults {
                    let at = lines.at(fault.line, fault.column);
                    self.faulty::<()>(Fault::of_text(&path, at, &fault.kind.to_string()));
                }
                return None;
            }
        };
        self.tell_of_file(&path, &parsed, &lines);
        self.refuse_twice(database, &path, &parsed.users, &lines)?;
        let proofs = proofs_of_file(database);
        self.tell_of_locked_out(&path, &parsed.users, proofs, &lines);
        let users = parsed.users.into_iter();
        Some(users.map(|user| user.into_source(proofs)).collect())
    }

    /// Passes on what there is to say of an ACL file: the same of one user only once.
    fn tell_of_file(&mut self, path: &Path, parsed: &AclFile, lines: &Lines<'_>) {
        let mut told = HashSet::new();
        for AclFileNote { line, column, kind } in &parsed.notes {
            if told.insert((*line, kind.to_string())) {
                self.note(Note {
                    file: path.to_owned(),
                    at: lines.at(*line, *column),
                    severity: Severity::Warning,
                    text: kind.to_string(),
                });
            }
        }
    }

    /// Warns of users that are on, but have nothing by which to log in.
    fn tell_of_locked_out(
        &mut self,
        path: &Path,
        users: &[AclUser],
        proofs: Proofs,
        lines: &Lines<'_>,
    ) {
        for user in users {
            let Identity {
                enabled,
                nopass,
                passwords,
            } = &user.identity;
            let by_password = *nopass == NoPass::Yes || !passwords.is_empty();
            if *enabled == Enabled::On && !by_password && !proofs.certificate_suffices() {
                self.note(Note {
                    file: path.to_owned(),
                    at: lines.at(user.line, 1),
                    severity: Severity::Warning,
                    text: format!(
                        "user {} is on, but has no password: it can't log in",
                        user.name
                    ),
                });
            }
        }
    }

    /// Refuses users of the ACL file whom the configuration has too.
    fn refuse_twice(
        &mut self,
        database: &Database,
        file: &Path,
        users: &[AclUser],
        lines: &Lines<'_>,
    ) -> Option<()> {
        let written = database.users.iter().map(|user| user.name.value.as_str());
        let written: HashSet<&str> = written.collect();
        let mut sound = Some(());
        for user in users {
            if written.contains(user.name.as_str()) {
                let what = "a user that the configuration has too, expected each user once";
                sound = self.faulty(Fault::of_text(file, lines.at(user.line, 1), what));
            }
        }
        sound
    }

    fn faulty_text(&mut self, at: At, text: &str) {
        let file = self.config_file().to_owned();
        self.faulty::<()>(Fault::of_text(&file, at, text));
    }
}

/// An ACL file can't say what its users must prove: a password, or where certificates are mapped by template, that too.
fn proofs_of_file(database: &Database) -> Proofs {
    match database.certificate_users.is_empty() {
        true => Proofs::Password,
        false => Proofs::Either,
    }
}

/// The user whom a fault is about, else the database.
fn place(database: &Database, fault: &PolicyFault) -> At {
    let user = match fault {
        PolicyFault::DuplicateUser(user)
        | PolicyFault::UnknownRole { user, .. }
        | PolicyFault::Value { user, .. }
        | PolicyFault::Rule { user, .. } => database.user(user),
        PolicyFault::UserName
        | PolicyFault::DuplicateRole(_)
        | PolicyFault::BuiltInRole(_)
        | PolicyFault::UnknownInherited { .. }
        | PolicyFault::InheritanceCycle(_) => None,
    };
    user.map_or(database.at, |user| user.name.at)
}

/// The lines of a text, cut once: each of ten thousand users may have a note.
struct Lines<'t>(Vec<&'t [u8]>);

impl<'t> Lines<'t> {
    fn of(text: &'t [u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').collect())
    }

    /// A place whose column is counted in bytes, as one that is counted in characters.
    fn at(&self, line: usize, column: usize) -> At {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let bytes = self.0.get(line.saturating_sub(1));
        let before = bytes.and_then(|bytes| bytes.get(..column.saturating_sub(1)));
        let before = before.map(|before| String::from_utf8_lossy(before).chars().count());
        At {
            line: number(line),
            column: number(before.map_or(column, |characters| characters + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_in_bytes_becomes_one_in_characters() {
        let lines = Lines::of("user a\nuser \u{e9} ~x >\n".as_bytes());
        for (line, column, expected) in [(1, 6, 6), (2, 6, 6), (2, 9, 8), (2, 99, 99), (9, 1, 1)] {
            let at = lines.at(line, column);
            assert_eq!((at.line as usize, at.column), (line, expected));
        }
    }
}
