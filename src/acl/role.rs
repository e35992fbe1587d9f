//! Roles: named lists of rules with variables in them, and the four that are built in.
//!
//! `{prefix}` stands for the user's own prefix, in key and channel patterns only. Literal braces are doubled. A value
//! can't widen the pattern that it fills: it has no wildcard, isn't empty, and doesn't hold the character that follows it.

use super::rule::{Placed, RuleFault, RuleList, RuleWarning, Vocabulary};
use std::fmt;

/// Name and rules of the built-in roles. Each was run with redis-py, RQ, django-redis, BullMQ and Celery where these work.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("full-access", "+@all ~* &*"),
    (
        "read-write",
        "+@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -function +info +sort +sort_ro \
         +time +command +eval +evalsha +eval_ro +evalsha_ro +fcall +fcall_ro +script|load +script|exists ~* &*",
    ),
    (
        "read-only",
        "+@read +@connection +@transaction -@dangerous +sort_ro +info +time +command %R~* resetchannels",
    ),
    (
        "queue-worker",
        "+@read +@write +@connection +@transaction +@pubsub +@blocking -@dangerous -function +info +time \
         +eval +evalsha +script|load +script|exists ~{prefix}* resetchannels &{prefix}*",
    ),
];

/// A role's rules, with their variables not yet filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRules {
    pieces: Vec<Piece>,
    warnings: Vec<Placed<RuleWarning>>,
}

/// A piece of the text, and where it begins in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    at: usize,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Literal(String),
    Prefix {
        /// The character after the variable, if it ends neither the word nor the text.
        followed_by: Option<char>,
    },
}

/// Why a role's text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleFault {
    /// A fault in a rule; with the variable filled in, its offset is that in the text as it was written.
    Rule(RuleFault),
    /// `{` that begins no variable that there is.
    UnknownVariable {
        /// Offset in bytes.
        at: usize,
    },
    /// A `{` or `}` alone.
    SingleBrace {
        /// Offset in bytes.
        at: usize,
    },
    /// A variable elsewhere than in a pattern.
    VariableOutsidePattern {
        /// Offset in bytes.
        at: usize,
    },
    /// A variable right after another.
    VariableAfterVariable {
        /// Offset in bytes.
        at: usize,
    },
}

impl RoleFault {
    /// Offset in the role's text, in bytes from 0.
    pub fn at(&self) -> usize {
        match self {
            Self::Rule(fault) => fault.at,
            Self::UnknownVariable { at }
            | Self::SingleBrace { at }
            | Self::VariableOutsidePattern { at }
            | Self::VariableAfterVariable { at } => *at,
        }
    }
}

impl fmt::Display for RoleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(fault) => write!(f, "{}", fault.kind),
            Self::UnknownVariable { .. } => f.write_str("unknown variable, expected {prefix} (a literal { is written {{)"),
            Self::SingleBrace { .. } => f.write_str("a single brace, expected {prefix}, {{ or }}"),
            Self::VariableOutsidePattern { .. } => {
                f.write_str("a variable outside a pattern, expected it after ~ or & only")
            }
            Self::VariableAfterVariable { .. } => {
                f.write_str("two variables side by side, expected a character between them that neither value may hold")
            }
        }
    }
}

impl std::error::Error for RoleFault {}

/// Why a variable's value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// The role has `{prefix}`, the user has no prefix.
    Missing,
    /// No character at all: the pattern would match everything.
    Empty,
    /// A character that isn't one of `A-Za-z0-9._@-`.
    Character,
    /// The value holds the character that follows the variable in the role.
    HoldsNext(char),
}

impl fmt::Display for ValueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no prefix, expected one because a role uses {prefix}"),
            Self::Empty => f.write_str("empty prefix, expected at least one character"),
            Self::Character => {
                f.write_str("a character that a prefix can't hold, expected A-Z a-z 0-9 . _ @ -")
            }
            Self::HoldsNext(next) => write!(
                f,
                "the prefix holds `{next}`, which follows {{prefix}} in a role, so that two prefixes could run into each other; expected a prefix without it"
            ),
        }
    }
}

impl std::error::Error for ValueFault {}

impl RoleRules {
    /// Parses a role's rules; only what rights a selector can have, no passwords.
    ///
    /// # Errors
    /// Every fault that can be found, with offsets in `text`.
    pub fn parse(text: &str) -> Result<Self, Vec<RoleFault>> {
        let mut rules = Self {
            pieces: pieces(text)?,
            warnings: Vec::new(),
        };
        // Any legal value shows the same faults, for it is legal in any pattern.
        let list = rules
            .expand(Some("x"), FollowCheck::Skip)
            .map_err(|fault| match fault {
                ExpandFault::Rules(faults) => faults.into_iter().map(RoleFault::Rule).collect(),
                ExpandFault::Value(_) => Vec::new(),
            })?;
        rules.warnings = list.warnings().to_vec();
        Ok(rules)
    }

    /// What is legal and surely not meant, with offsets in the text as it was written.
    pub fn warnings(&self) -> &[Placed<RuleWarning>] {
        &self.warnings
    }

    /// Whether `prefix` may stand for the variable wherever the rules have it.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn check_prefix(&self, prefix: Option<&str>) -> Result<(), ValueFault> {
        for piece in &self.pieces {
            if let Content::Prefix { followed_by } = piece.content {
                check_value(prefix, followed_by)?;
            }
        }
        Ok(())
    }

    /// Whether a pattern goes on with a wildcard right after the variable, so that `app` reaches what is `app2`'s.
    pub fn is_open_after_prefix(&self) -> bool {
        let open = |piece: &Piece| match piece.content {
            Content::Literal(_) => false,
            Content::Prefix { followed_by } => matches!(followed_by, Some('*' | '?' | '[')),
        };
        self.pieces.iter().any(open)
    }

    /// Whether the rules differ from user to user.
    pub fn has_variable(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece.content, Content::Prefix { .. }))
    }

    /// The rules for a user with this prefix.
    pub(super) fn for_prefix(&self, prefix: Option<&str>) -> Result<RuleList, ExpandFault> {
        self.expand(prefix, FollowCheck::Apply)
    }

    fn expand(&self, prefix: Option<&str>, follow: FollowCheck) -> Result<RuleList, ExpandFault> {
        let mut text = String::new();
        let mut origins = Vec::with_capacity(self.pieces.len());
        for Piece { at, content } in &self.pieces {
            origins.push((text.len(), *at));
            match content {
                Content::Literal(literal) => text.push_str(literal),
                Content::Prefix { followed_by } => {
                    let next = match follow {
                        FollowCheck::Apply => *followed_by,
                        FollowCheck::Skip => None,
                    };
                    text.push_str(check_value(prefix, next).map_err(ExpandFault::Value)?);
                }
            }
        }
        let mut list = RuleList::parse(text.as_bytes(), Vocabulary::Rights).map_err(|faults| {
            let placed = faults.into_iter().map(|fault| RuleFault {
                at: origin(&origins, fault.at),
                ..fault
            });
            ExpandFault::Rules(placed.collect())
        })?;
        list.place_warnings(|at| origin(&origins, at));
        Ok(list)
    }
}

/// Why rules can't be filled in.
#[derive(Debug)]
pub(super) enum ExpandFault {
    Value(ValueFault),
    Rules(Vec<RuleFault>),
}

enum FollowCheck {
    Apply,
    Skip,
}

fn check_value(value: Option<&str>, next: Option<char>) -> Result<&str, ValueFault> {
    let value = value.ok_or(ValueFault::Missing)?;
    if value.is_empty() {
        return Err(ValueFault::Empty);
    }
    if !value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte))
    {
        return Err(ValueFault::Character);
    }
    match next {
        Some(next) if value.contains(next) => Err(ValueFault::HoldsNext(next)),
        Some(_) | None => Ok(value),
    }
}

/// Where the byte at `at` of the filled-in text comes from.
fn origin(origins: &[(usize, usize)], at: usize) -> usize {
    let last = origins.iter().take_while(|(start, _)| *start <= at).last();
    last.map_or(at, |(start, source)| source + (at - start))
}

const VARIABLE: &str = "{prefix}";

/// Cuts a role's text at its braces.
fn pieces(text: &str) -> Result<Vec<Piece>, Vec<RoleFault>> {
    let mut pieces = Vec::new();
    let mut faults = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (len, content) = next_piece(text, at);
        match content {
            Ok(content) => pieces.push(Piece { at, content }),
            Err(fault) => faults.push(fault),
        }
        at += len;
    }
    if faults.is_empty() {
        Ok(pieces)
    } else {
        Err(faults)
    }
}

/// The piece that begins at `at`, and how many bytes it takes, at least one.
fn next_piece(text: &str, at: usize) -> (usize, Result<Content, RoleFault>) {
    let rest = &text[at..];
    let plain = rest.find(['{', '}']).unwrap_or(rest.len());
    if plain > 0 {
        return (plain, Ok(Content::Literal(rest[..plain].to_owned())));
    }
    if rest.starts_with("{{") || rest.starts_with("}}") {
        return (2, Ok(Content::Literal(rest[..1].to_owned())));
    }
    if let Some(after) = rest.strip_prefix(VARIABLE) {
        let followed_by = after
            .chars()
            .next()
            .filter(|next| !next.is_ascii_whitespace());
        let placed = check_place(text, at).map(|()| Content::Prefix { followed_by });
        return (VARIABLE.len(), placed);
    }
    match rest.find('}') {
        Some(end) if end > 0 => (end + 1, Err(RoleFault::UnknownVariable { at })),
        Some(_) | None => (1, Err(RoleFault::SingleBrace { at })),
    }
}

/// A variable may stand in a pattern, after its `~` or `&`, and not right before another.
fn check_place(text: &str, at: usize) -> Result<(), RoleFault> {
    if text[at + VARIABLE.len()..].starts_with(VARIABLE) {
        return Err(RoleFault::VariableAfterVariable { at });
    }
    let before = &text[..at];
    let word = before
        .rsplit(|c: char| c.is_ascii_whitespace())
        .next()
        .unwrap_or(before);
    let word = word.trim_start_matches('(');
    let in_pattern = word.starts_with('~')
        || word.starts_with('&')
        || (word.starts_with('%') && word.contains('~'));
    in_pattern
        .then_some(())
        .ok_or(RoleFault::VariableOutsidePattern { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::rule::RuleFaultKind;

    fn value_fault(rules: &str, prefix: Option<&str>) -> Option<ValueFault> {
        match RoleRules::parse(rules).unwrap().for_prefix(prefix) {
            Ok(_) => None,
            Err(ExpandFault::Value(fault)) => Some(fault),
            Err(ExpandFault::Rules(faults)) => panic!("{faults:?}"),
        }
    }

    #[test]
    fn every_built_in_role_is_made_of_legal_rules() {
        for (name, rules) in BUILT_IN {
            assert_eq!(RoleRules::parse(rules).err(), None, "{name}");
        }
    }

    #[test]
    fn a_value_cannot_widen_the_pattern_that_it_fills() {
        let cases = [
            ("~{prefix}:*", Some("app"), None),
            ("~{prefix}:*", None, Some(ValueFault::Missing)),
            ("~{prefix}:*", Some(""), Some(ValueFault::Empty)),
            ("~{prefix}:*", Some("a:b"), Some(ValueFault::Character)),
            ("~{prefix}:*", Some("a*"), Some(ValueFault::Character)),
            ("~{prefix}:*", Some("a b"), Some(ValueFault::Character)),
            ("~{prefix}:*", Some("\u{e9}"), Some(ValueFault::Character)),
            ("~{prefix}-*", Some("a-b"), Some(ValueFault::HoldsNext('-'))),
            ("~{prefix}-*", Some("ab"), None),
            ("~{prefix} +get", Some("ab"), None),
            ("+get", None, None),
        ];
        for (rules, prefix, expected) in cases {
            assert_eq!(
                value_fault(rules, prefix),
                expected,
                "{rules} with {prefix:?}"
            );
        }
    }

    #[test]
    fn doubled_braces_are_literal_and_single_ones_are_faults() {
        let list = RoleRules::parse("~{{user}}:{prefix}:*")
            .unwrap()
            .for_prefix(Some("a"))
            .unwrap();
        let whole = RuleList::parse(b"~{user}:a:*", Vocabulary::Rights).unwrap();
        assert_eq!(list.rules()[0].rule, whole.rules()[0].rule);
        let cases = [
            ("~{user}:*", RoleFault::UnknownVariable { at: 1 }),
            ("~a{", RoleFault::SingleBrace { at: 2 }),
            ("~a}b", RoleFault::SingleBrace { at: 2 }),
            ("+{prefix}", RoleFault::VariableOutsidePattern { at: 1 }),
            (
                "+get %{prefix}~a",
                RoleFault::VariableOutsidePattern { at: 6 },
            ),
            (
                "~{prefix}{prefix}",
                RoleFault::VariableAfterVariable { at: 1 },
            ),
        ];
        for (rules, fault) in cases {
            assert_eq!(RoleRules::parse(rules), Err(vec![fault]), "{rules}");
        }
    }

    #[test]
    fn a_fault_after_braces_and_variables_is_placed_in_the_text_as_written() {
        let faults = RoleRules::parse("~{{a}}:{prefix}* +nosuch").unwrap_err();
        let at = "~{{a}}:{prefix}* ".len();
        assert_eq!(
            faults,
            [RoleFault::Rule(RuleFault {
                at,
                kind: RuleFaultKind::UnknownCommand
            })]
        );
    }
}
