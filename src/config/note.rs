//! What there is to say of a configuration that is sound.

use std::fmt;
use std::path::PathBuf;

use super::position::At;

/// How serious a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Somebody should act.
    Warning,
    /// Good to know.
    Info,
}

/// One thing to say, printed as `file:line:column: warning: text`. Like a fault it never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file, as it was named on the command line or in the configuration.
    pub file: PathBuf,
    /// Where in it.
    pub at: At,
    /// How serious it is.
    pub severity: Severity,
    /// What there is to say.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            at: At { line, column },
            severity,
            text,
        } = self;
        let file = file.display();
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        write!(f, "{file}:{line}:{column}: {severity}: {text}")
    }
}
