//! A standard ACL file: lines of `user NAME RULE...`, as Redis and Valkey write and load them.
//!
//! What servers refuse is refused (byte order mark, comments, duplicates, two spaces before a name), and a little more:
//! NUL, at which servers silently cut a line; tabs and quotes, which they read differently from place to place; a last
//! line without its line break, since the file may have been cut there; a file without a user. CRLF is taken, and so are
//! patterns after `~*`, which servers write and then don't load.

use super::compile::is_user_name;
use super::rule::{
    IdentityRule, Placed, Rule, RuleFault, RuleFaultKind, RuleList, RuleWarning, Vocabulary,
};
use super::source::{Identity, UserSource};
use super::user::{Enabled, NoPass, Proofs};
use std::collections::HashMap;
use std::fmt;

/// The users of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclFile {
    /// The users.
    pub users: Vec<AclUser>,
    /// What is worth a word, in the file's order.
    pub notes: Vec<AclFileNote>,
}

/// One line's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclUser {
    /// The line, from 1.
    pub line: usize,
    /// The name.
    pub name: String,
    /// Whether it may log in, and by which passwords: what is left of the rules at the end of the line.
    pub identity: Identity,
    /// All rules of the line.
    pub rules: RuleList,
}

impl AclUser {
    /// The user as a source for a policy, with the proofs that an ACL file can't say.
    pub fn into_source(self, proofs: Proofs) -> UserSource {
        let Self {
            line: _,
            name,
            identity,
            rules,
        } = self;
        UserSource {
            identity,
            rules,
            proofs,
            ..UserSource::new(name)
        }
    }
}

/// Whether `nopass` is taken for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPassRule {
    /// It is a fault.
    Refused,
    /// A certificate is required of that user, or `allow_nopass` is written.
    Taken,
}

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclFileFault {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
    /// What it is.
    pub kind: AclFileFaultKind,
}

/// What is wrong with a line, or with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclFileFaultKind {
    /// EF BB BF at the file's beginning.
    ByteOrderMark,
    /// A byte 0.
    Nul,
    /// A tab, or a carriage return that doesn't end a line.
    ControlCharacter,
    /// The last line has no line break.
    Truncated,
    /// No user in the whole file.
    NoUser,
    /// A line that doesn't begin with `user` and a space: a comment too.
    NotAUser,
    /// `user` without a name, or with two spaces before it.
    NoName,
    /// A name that holds a quote, white space or control characters, or isn't UTF-8.
    Name,
    /// A name that an earlier line has.
    Duplicate {
        /// The earlier line.
        first: usize,
    },
    /// `nopass` of a user that can log in.
    NoPass,
    /// A fault in a rule.
    Rule(RuleFaultKind),
}

impl fmt::Display for AclFileFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("a byte order mark, expected `user` as the first bytes"),
            Self::Nul => f.write_str("a NUL byte, at which servers cut the line; expected none"),
            Self::ControlCharacter => f.write_str("a tab or a lone carriage return, expected single spaces"),
            Self::Truncated => f.write_str("the last line has no line break, so the file may have been cut; expected one"),
            Self::NoUser => f.write_str("no user in the whole file, expected at least one line `user NAME RULE...`"),
            Self::NotAUser => f.write_str("not a user, expected `user NAME RULE...` (comments aren't part of the format)"),
            Self::NoName => f.write_str("no name, expected one right after `user` and one space"),
            Self::Name => f.write_str("not a name, expected UTF-8 without quotes, white space and control characters"),
            Self::Duplicate { first } => write!(f, "a user that line {first} defines, expected each user once"),
            Self::NoPass => f.write_str(
                "`nopass` lets anybody in, expected a password, a required certificate, or allow_nopass in the configuration",
            ),
            Self::Rule(kind) => write!(f, "{kind}"),
        }
    }
}

impl std::error::Error for AclFileFaultKind {}

/// What is worth a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclFileNote {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
    /// What it is.
    pub kind: AclFileNoteKind,
}

/// The kinds of notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclFileNoteKind {
    /// The `default` user of a server that anybody may use: read as `off`.
    DefaultSwitchedOff,
    /// A rule that surely isn't meant.
    Rule(RuleWarning),
}

impl fmt::Display for AclFileNoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultSwitchedOff => {
                f.write_str("`default` with `nopass`, as servers come, is read as `off`")
            }
            Self::Rule(warning) => write!(f, "{warning}"),
        }
    }
}

/// Parses a file's text. `nopass` says for each user whether `nopass` is taken.
///
/// The text holds passwords if it has rules with `>`; wiping it is the caller's.
///
/// # Errors
/// All faults that can be found, in the file's order. None quotes the text.
pub fn parse(
    text: &[u8],
    nopass: impl Fn(&str) -> NoPassRule,
) -> Result<AclFile, Vec<AclFileFault>> {
    let mut reader = Reader {
        nopass,
        file: AclFile::default(),
        lines_of: HashMap::new(),
        faults: Vec::new(),
    };
    reader.read(text);
    if reader.faults.is_empty() {
        Ok(reader.file)
    } else {
        Err(reader.faults)
    }
}

struct Reader<N> {
    nopass: N,
    file: AclFile,
    lines_of: HashMap<String, usize>,
    faults: Vec<AclFileFault>,
}

/// One line, and the column that its first byte has in the file, less one.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a [u8],
}

impl<N: Fn(&str) -> NoPassRule> Reader<N> {
    fn read(&mut self, text: &[u8]) {
        if text.starts_with(b"\xef\xbb\xbf") {
            self.fault(1, 0, AclFileFaultKind::ByteOrderMark);
            return;
        }
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let unended = lines.pop().unwrap_or_default();
        for (index, line) in lines.iter().enumerate() {
            self.line(index + 1, line);
        }
        if !unended.is_empty() {
            self.fault(lines.len() + 1, unended.len(), AclFileFaultKind::Truncated);
        } else if self.faults.is_empty() && self.file.users.is_empty() {
            self.fault(1, 0, AclFileFaultKind::NoUser);
        }
    }

    fn line(&mut self, number: usize, text: &[u8]) {
        let trimmed = text.trim_ascii_start();
        let line = Line {
            number,
            indent: text.len() - trimmed.len(),
            text: trimmed.trim_ascii_end(),
        };
        let indent = line.indent;
        if line.text.is_empty() {
            return;
        }
        if let Some((at, kind)) = forbidden_byte(line.text) {
            self.fault(number, indent + at, kind);
            return;
        }
        match split(line.text) {
            Ok((name, rules_at)) => self.user(line, name, rules_at),
            Err((at, kind)) => self.fault(number, indent + at, kind),
        }
    }

    fn user(&mut self, line: Line<'_>, name: &str, rules_at: usize) {
        let Line {
            number,
            indent,
            text,
        } = line;
        if let Some(first) = self.lines_of.insert(name.to_owned(), number) {
            self.fault(
                number,
                indent + NAME_AT,
                AclFileFaultKind::Duplicate { first },
            );
        }
        let parsed = RuleList::parse(&text[rules_at..], Vocabulary::Whole);
        match parsed.and_then(|rules| Identity::of(&rules).map(|identity| (rules, identity))) {
            Ok((rules, identity)) => {
                let placed = rules.warnings().iter();
                self.file
                    .notes
                    .extend(placed.map(|Placed { at, rule }| AclFileNote {
                        line: number,
                        column: indent + rules_at + at + 1,
                        kind: AclFileNoteKind::Rule(*rule),
                    }));
                let identity = self.checked(identity, &rules, line, name, rules_at);
                self.file.users.push(AclUser {
                    line: number,
                    name: name.to_owned(),
                    identity,
                    rules,
                });
            }
            Err(faults) => {
                for RuleFault { at, kind } in faults {
                    self.fault(number, indent + rules_at + at, AclFileFaultKind::Rule(kind));
                }
            }
        }
    }

    /// Refuses a user that anybody may use, unless that is taken; `default`, which servers have so with all rights, is
    /// switched off whatever is taken: who wants one writes it into the configuration.
    fn checked(
        &mut self,
        identity: Identity,
        rules: &RuleList,
        line: Line<'_>,
        name: &str,
        rules_at: usize,
    ) -> Identity {
        let open = identity.enabled == Enabled::On && identity.nopass == NoPass::Yes;
        let is_default = name == "default";
        if !open || !is_default && (self.nopass)(name) == NoPassRule::Taken {
            return identity;
        }
        let mut reversed = rules.rules().iter().rev();
        let nopass = reversed.find(|placed| placed.rule == Rule::Identity(IdentityRule::NoPass));
        let at = line.indent + rules_at + nopass.map_or(0, |placed| placed.at);
        if !is_default {
            self.fault(line.number, at, AclFileFaultKind::NoPass);
            return identity;
        }
        let kind = AclFileNoteKind::DefaultSwitchedOff;
        self.file.notes.push(AclFileNote {
            line: line.number,
            column: at + 1,
            kind,
        });
        Identity::default()
    }

    fn fault(&mut self, line: usize, at: usize, kind: AclFileFaultKind) {
        self.faults.push(AclFileFault {
            line,
            column: at + 1,
            kind,
        });
    }
}

/// Where the name begins in a trimmed line.
const NAME_AT: usize = "user ".len();

fn forbidden_byte(text: &[u8]) -> Option<(usize, AclFileFaultKind)> {
    text.iter().enumerate().find_map(|(at, byte)| match byte {
        0 => Some((at, AclFileFaultKind::Nul)),
        b'\t' | b'\r' => Some((at, AclFileFaultKind::ControlCharacter)),
        _ => None,
    })
}

/// The name in a trimmed line, and where its rules begin.
fn split(text: &[u8]) -> Result<(&str, usize), (usize, AclFileFaultKind)> {
    if text == b"user" {
        return Err((text.len(), AclFileFaultKind::NoName));
    }
    let rest = text
        .strip_prefix(b"user ")
        .ok_or((0, AclFileFaultKind::NotAUser))?;
    let len = rest
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(rest.len());
    if len == 0 {
        return Err((NAME_AT, AclFileFaultKind::NoName));
    }
    let name = std::str::from_utf8(&rest[..len]).ok();
    let name = name.filter(|name| is_user_name(name) && !name.contains(['"', '\'']));
    let name = name.ok_or((NAME_AT, AclFileFaultKind::Name))?;
    Ok((name, NAME_AT + len))
}

#[cfg(test)]
mod tests;
