//! What is wrong with a file, and where. A fault never holds a value of the file: any of them may be a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use super::position::At;

/// One fault of a file's text, printed as `file:line:column: error: what, expected what`.
///
/// `what` and `expected` are Redwall's own words, known names and networks that were read as such; nothing else is copied
/// from the file, because a secret may stand in any of its strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named on the command line or in the configuration.
    pub file: PathBuf,
    /// Where in it.
    pub at: At,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

/// Takes a text that says what is wrong and what was expected, as the `acl` room's do, apart into the two.
pub(crate) fn what_and_expected(text: &str) -> (&str, &str) {
    let split = [", expected ", "; expected ", ", want ", ": want "];
    let parts = split.into_iter().find_map(|split| text.split_once(split));
    parts.unwrap_or((text, "otherwise"))
}

impl Fault {
    /// A fault whose one text says what is wrong and what was expected.
    pub fn of_text(file: &Path, at: At, text: &str) -> Self {
        let (what, expected) = what_and_expected(text);
        Self {
            file: file.to_owned(),
            at,
            what: what.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            at,
            what,
            expected,
        } = self;
        let At { line, column } = at;
        let file = file.display();
        write!(
            f,
            "{file}:{line}:{column}: error: {what}, expected {expected}"
        )
    }
}

impl std::error::Error for Fault {}
