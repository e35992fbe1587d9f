//! ACL rules as the file holds them. What they mean is the `acl` room's to say; this room keeps where they stand, and that no
//! password hides in them.

use super::document::Value;
use super::position::At;

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

/// Several strings of rules as one text, whose every byte still knows its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedRules<'r> {
    text: String,
    // Each string, and where it begins in the text; in order.
    parts: Vec<(usize, &'r RuleText)>,
}

impl<'r> JoinedRules<'r> {
    /// The strings in order, with a space between them.
    pub fn new(rules: &'r [RuleText]) -> Self {
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
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The place in the file of the byte at `offset`; `None` where there are no rules.
    pub fn at_offset(&self, offset: usize) -> Option<At> {
        let after = self.parts.partition_point(|(start, _)| *start <= offset);
        let (start, rule) = self.parts.get(after.checked_sub(1)?)?;
        Some(rule.at_offset(offset - start))
    }
}

/// A string of rules that stands as a value.
pub(crate) fn rule_text(value: &Value<'_>) -> Option<RuleText> {
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

/// The rules that a table's key holds: a list of strings, or one string.
pub(crate) fn rule_list(
    table: &super::document::Table<'_>,
    key: &'static str,
) -> Option<Vec<RuleText>> {
    table.list(key, RULES, rule_text)
}
