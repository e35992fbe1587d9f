//! ACL rules as the file holds them, and what they mean, which is the `acl` room's to say; this room keeps where they stand,
//! and that no password hides in them.

use super::document::{Table, Value};
use super::position::At;
use crate::acl::{DenyRule, RoleRules, RuleList, RuleWarning, Vocabulary};

const RULES: &str = "ACL rules, such as [\"+@read\", \"~orders:*\"]";

/// One string of ACL rules: a rule, or several with spaces between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    text: String,
    at: At,
    // Whether the file holds the text as it reads, without escapes, so that its offsets are the file's.
    as_written: bool,
}

impl RuleText {
    /// The rules.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the string's text begins.
    pub fn at(&self) -> At {
        self.at
    }

    /// The place in the file of the byte at `offset` of [`Self::as_str`]; of its beginning, where escapes hide the way.
    pub fn at_offset(&self, offset: usize) -> At {
        let before = self.text.get(..offset).filter(|_| self.as_written);
        let columns = before.map_or(0, |before| before.chars().count());
        let column = u32::try_from(columns).unwrap_or(u32::MAX);
        At {
            line: self.at.line,
            column: self.at.column.saturating_add(column),
        }
    }
}

/// Rules as they were written, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<R> {
    texts: Vec<RuleText>,
    meaning: R,
}

impl<R> Rules<R> {
    /// The strings as they were written.
    pub fn texts(&self) -> &[RuleText] {
        &self.texts
    }

    /// What they mean.
    pub fn meaning(&self) -> &R {
        &self.meaning
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Reads the list of strings, or the one string, under a table's `key`. `parse` takes them as one text, and answers with
    /// the offset and the words of each fault.
    fn read(
        table: &Table<'_>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<R, Vec<(usize, String)>>,
    ) -> Option<Self> {
        let texts = table.list(key, RULES, rule_text)?;
        let joined = JoinedRules::new(&texts);
        match parse(joined.as_str()) {
            Ok(meaning) => Some(Self { texts, meaning }),
            Err(faults) => {
                for (offset, text) in faults {
                    let at = joined.at_offset(offset).unwrap_or(table.at);
                    table.fault_of_text(at, &text);
                }
                None
            }
        }
    }

    /// Each of `warnings`, whose offsets are those of the joined text, at its place in the file.
    fn placed(&self, warnings: &[crate::acl::Placed<RuleWarning>]) -> Vec<(At, RuleWarning)> {
        let joined = JoinedRules::new(&self.texts);
        let places = warnings
            .iter()
            .filter_map(|warning| Some((joined.at_offset(warning.at)?, warning.rule)));
        places.collect()
    }
}

impl Rules<RuleList> {
    /// A user's own rules.
    pub(crate) fn of_user(table: &Table<'_>, key: &'static str) -> Option<Self> {
        Self::read(table, key, |text| {
            RuleList::parse(text.as_bytes(), Vocabulary::Rights).map_err(|faults| {
                let told = faults
                    .iter()
                    .map(|fault| (fault.at, fault.kind.to_string()));
                told.collect()
            })
        })
    }

    /// What is legal in them and surely not meant, and where it stands.
    pub fn warnings(&self) -> Vec<(At, RuleWarning)> {
        self.placed(self.meaning.warnings())
    }
}

impl Rules<RoleRules> {
    /// A role's rules.
    pub(crate) fn of_role(table: &Table<'_>, key: &'static str) -> Option<Self> {
        Self::read(table, key, |text| {
            RoleRules::parse(text).map_err(|faults| {
                let told = faults.iter().map(|fault| (fault.at(), fault.to_string()));
                told.collect()
            })
        })
    }

    /// What is legal in them and surely not meant, and where it stands.
    pub fn warnings(&self) -> Vec<(At, RuleWarning)> {
        self.placed(self.meaning.warnings())
    }
}

impl Rules<Vec<DenyRule>> {
    /// What is taken from all that a user has.
    pub(crate) fn denied(table: &Table<'_>, key: &'static str) -> Option<Self> {
        Self::read(table, key, |text| {
            let mut rules = Vec::new();
            let mut faults = Vec::new();
            for word in text.split_whitespace() {
                // Both are parts of one text, so that their distance is the word's offset.
                let offset = word.as_ptr().addr() - text.as_ptr().addr();
                match DenyRule::parse(word) {
                    Ok(rule) => rules.push(rule),
                    Err(kind) => faults.push((offset, kind.to_string())),
                }
            }
            match faults.is_empty() {
                true => Ok(rules),
                false => Err(faults),
            }
        })
    }
}

/// Several strings of rules as one text, whose every byte still knows its place in the file.
struct JoinedRules<'r> {
    text: String,
    // Each string, and where it begins in the text; in order.
    parts: Vec<(usize, &'r RuleText)>,
}

impl<'r> JoinedRules<'r> {
    /// The strings in order, with a space between them.
    fn new(rules: &'r [RuleText]) -> Self {
        let mut text = String::new();
        let mut parts = Vec::with_capacity(rules.len());
        for rule in rules {
            if !text.is_empty() {
                text.push(' ');
            }
            parts.push((text.len(), rule));
            text.push_str(rule.as_str());
        }
        Self { text, parts }
    }

    /// The whole text.
    fn as_str(&self) -> &str {
        &self.text
    }

    /// The place in the file of the byte at `offset`; `None` where there are no rules.
    fn at_offset(&self, offset: usize) -> Option<At> {
        let after = self.parts.partition_point(|(start, _)| *start <= offset);
        let (start, rule) = self.parts.get(after.checked_sub(1)?)?;
        Some(rule.at_offset(offset - start))
    }
}

/// A string of rules that stands as a value.
fn rule_text(value: &Value<'_>) -> Option<RuleText> {
    let text = value.text(RULES)?;
    let mut words = text.split(|c: char| c.is_whitespace() || "()".contains(c));
    if words.any(|word| word.starts_with(['>', '<', '#', '!'])) {
        let expected = "the user's passwords in `passwords`, and no rule that begins with `>`, `<`, `#` or `!`";
        return value.refuse("has a password among its rules", expected);
    }
    let written = value.written_as_it_reads();
    Some(RuleText {
        text: text.to_owned(),
        at: written.unwrap_or_else(|| value.at()),
        as_written: written.is_some(),
    })
}
