//! A walk over the file's tables that notes every fault and goes on, so that all of them are told at once.
//!
//! A parser of a section takes what it needs and answers `None` where a fault has been noted; it never stops at the first.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, what_and_expected};
use super::position::{At, Placed, Source};
use super::suggest::{nearest, one_of};

/// The keys that a table may hold.
#[derive(Debug)]
pub(crate) struct Section {
    /// The table's name as the reference file writes it.
    pub(crate) path: &'static str,
    /// Every key that is known there.
    pub(crate) keys: &'static [&'static str],
}

/// The file that is being read, and the faults found so far.
#[derive(Debug)]
pub(crate) struct Document<'d> {
    file: &'d Path,
    source: Source<'d>,
    faults: RefCell<Vec<Fault>>,
}

impl<'d> Document<'d> {
    pub(crate) fn new(file: &'d Path, text: &'d str) -> Self {
        Self {
            file,
            source: Source::new(text),
            faults: RefCell::default(),
        }
    }

    pub(crate) fn source(&self) -> &Source<'d> {
        &self.source
    }

    /// Notes a fault.
    pub(crate) fn fault(&self, at: At, what: impl Into<String>, expected: impl Into<String>) {
        self.faults.borrow_mut().push(Fault {
            file: self.file.to_owned(),
            at,
            what: what.into(),
            expected: expected.into(),
        });
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// The faults in the order of the file.
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.at);
        faults.dedup();
        faults
    }
}

/// A table whose keys have been checked against its section.
#[derive(Clone, Debug)]
pub(crate) struct Table<'d> {
    pub(crate) at: At,
    entries: &'d DeTable<'d>,
    section: &'static Section,
    document: &'d Document<'d>,
}

impl<'d> Table<'d> {
    /// The whole file.
    pub(crate) fn root(
        document: &'d Document<'d>,
        entries: &'d DeTable<'d>,
        section: &'static Section,
    ) -> Self {
        let table = Self {
            at: At::START,
            entries,
            section,
            document,
        };
        table.refuse_unknown_keys();
        table
    }

    fn refuse_unknown_keys(&self) {
        for key in self.entries.keys() {
            let written = key.get_ref().as_ref();
            if self.section.keys.contains(&written) {
                continue;
            }
            let what = match nearest(written, self.section.keys) {
                // Only a slip of a known word is repeated: a stranger may be a secret in the wrong place.
                Some(word) => format!("unknown key `{}` (near `{word}`)", written.escape_debug()),
                None => "unknown key".to_owned(),
            };
            let at = self.document.source.at(key.span().start);
            self.document.fault(at, what, one_of(self.section.keys));
        }
    }

    /// The value of `key`, if the table has it.
    pub(crate) fn get(&self, key: &'static str) -> Option<Value<'d>> {
        debug_assert!(self.section.keys.contains(&key), "{key} is not declared");
        let (_, value) = self.entries.get_key_value(key)?;
        Some(Value::new(key, value, self.document))
    }

    /// The value of `key`; that it is missing is a fault.
    pub(crate) fn need(&self, key: &'static str, expected: &str) -> Option<Value<'d>> {
        let value = self.get(key);
        if value.is_none() {
            let what = format!("`{key}` is missing in {}", self.section.path);
            self.fault(self.at, what, expected);
        }
        value
    }

    /// What `parse` makes of `key`'s value, or `default` where it isn't written.
    pub(crate) fn or<T>(
        &self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Value<'d>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(value) => parse(&value),
            None => Some(default),
        }
    }

    /// What `parse` makes of `key`'s value; `Some(None)` where it isn't written.
    pub(crate) fn option<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&Value<'d>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.or(key, None, |value| parse(value).map(Some))
    }

    /// What `parse` makes of each entry of the list `key`; not written: an empty list.
    pub(crate) fn list<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&Value<'d>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.or(key, Vec::new(), |value| each(value.items(expected)?, parse))
    }

    /// Where the key stands, if the table has it.
    pub(crate) fn key_at(&self, key: &'static str) -> Option<At> {
        let (key, _) = self.entries.get_key_value(key)?;
        Some(self.document.source.at(key.span().start))
    }

    /// Notes a fault whose one text says what is wrong and what was expected.
    pub(crate) fn fault_of_text(&self, at: At, text: &str) {
        let (what, expected) = what_and_expected(text);
        self.fault(at, what, expected);
    }

    /// Notes a fault in the document that the table belongs to.
    pub(crate) fn fault(&self, at: At, what: impl Into<String>, expected: impl Into<String>) {
        self.document.fault(at, what, expected);
    }
}

/// What `parse` makes of every value, `None` if it refuses one; all are tried, so that all faults are noted.
pub(crate) fn each<'d, T>(
    values: Vec<Value<'d>>,
    parse: impl Fn(&Value<'d>) -> Option<T>,
) -> Option<Vec<T>> {
    let parsed: Vec<Option<T>> = values.iter().map(parse).collect();
    parsed.into_iter().collect()
}

/// One value of the file.
#[derive(Clone, Debug)]
pub(crate) struct Value<'d> {
    /// The key that it stands under; for an entry of a list, the list's.
    pub(crate) name: &'static str,
    value: &'d DeValue<'d>,
    span: Range<usize>,
    document: &'d Document<'d>,
}

impl<'d> Value<'d> {
    fn new(
        name: &'static str,
        value: &'d Spanned<DeValue<'d>>,
        document: &'d Document<'d>,
    ) -> Self {
        Self {
            name,
            value: value.get_ref(),
            span: value.span(),
            document,
        }
    }

    /// The value's first character.
    pub(crate) fn at(&self) -> At {
        self.document.source.at(self.span.start)
    }

    /// Notes a fault at the value.
    pub(crate) fn refuse<T>(
        &self,
        what: impl AsRef<str>,
        expected: impl Into<String>,
    ) -> Option<T> {
        let what = format!("`{}` {}", self.name, what.as_ref());
        self.document.fault(self.at(), what, expected);
        None
    }

    fn wrong_kind<T>(&self, expected: &str) -> Option<T> {
        let kind = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format!("is {kind}"), expected)
    }

    /// A string without control characters.
    pub(crate) fn text(&self, expected: &str) -> Option<&'d str> {
        let DeValue::String(text) = self.value else {
            return self.wrong_kind(expected);
        };
        if text.is_empty() {
            return self.refuse("is empty", expected);
        }
        if text.chars().any(char::is_control) {
            return self.refuse("has a control character", expected);
        }
        Some(text)
    }

    /// The string, if it is one: for keys whose values may be of several kinds.
    pub(crate) fn as_text(&self) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) => Some(text),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        }
    }

    /// Whether the value is a number, so that a unit may be asked for.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.value, DeValue::Integer(_) | DeValue::Float(_))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(flag) => Some(*flag),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => self.wrong_kind("`true` or `false`"),
        }
    }

    /// `on` for `true`, `off` for `false`.
    pub(crate) fn switch<T>(&self, on: T, off: T) -> Option<T> {
        self.flag().map(|flag| if flag { on } else { off })
    }

    /// A whole number in `range`.
    pub(crate) fn number(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = self.value else {
            return self.wrong_kind(&expected);
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.refuse("is out of range", expected),
        }
    }

    /// The word of `words` that the value is.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let expected = one_of(&names);
        let text = self.text(&expected)?;
        match words.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Some(*value),
            None => self.refuse("has an unknown value", expected),
        }
    }

    /// The entries of a list; a string or a table alone is a list of one.
    pub(crate) fn items(&self, expected: &str) -> Option<Vec<Self>> {
        match self.value {
            DeValue::Array(items) => Some(
                items
                    .iter()
                    .map(|item| Self::new(self.name, item, self.document))
                    .collect(),
            ),
            DeValue::String(_) | DeValue::Table(_) => Some(vec![self.clone()]),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.wrong_kind(expected),
        }
    }

    /// The table, with its keys checked.
    pub(crate) fn table(&self, section: &'static Section) -> Option<Table<'d>> {
        let DeValue::Table(entries) = self.value else {
            return self.wrong_kind(&format!("a table with {}", one_of(section.keys)));
        };
        let table = Table {
            at: self.at(),
            entries,
            section,
            document: self.document,
        };
        table.refuse_unknown_keys();
        Some(table)
    }

    /// The entries of a table whose keys are names that the operator chooses.
    pub(crate) fn named(&self, expected: &str) -> Option<Vec<(Placed<&'d str>, Self)>> {
        let DeValue::Table(entries) = self.value else {
            return self.wrong_kind(expected);
        };
        let named = entries.iter().map(|(key, value)| {
            let at = self.document.source.at(key.span().start);
            let value = Self::new(self.name, value, self.document);
            (Placed::new(key.get_ref().as_ref(), at), value)
        });
        Some(named.collect())
    }

    /// The string's own characters in the file, without its quotes, if it is written there as it reads.
    pub(crate) fn written_as_it_reads(&self) -> Option<At> {
        let text = self.as_text()?;
        let raw = self.document.source.slice(self.span.clone());
        let inner = raw.get(1..raw.len().checked_sub(1)?)?;
        (inner == text).then(|| self.document.source.at(self.span.start + 1))
    }

    /// Notes a fault elsewhere in the document.
    pub(crate) fn document(&self) -> &'d Document<'d> {
        self.document
    }
}
