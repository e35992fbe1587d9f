//! Which keys a request names, and what is done with them. Our own grammar for every row, never the server's key specs.
//!
//! Whatever doesn't fit the grammar exactly is a fault, and a fault is a denial: better to refuse a request that the server
//! would have answered with a syntax error than to read it otherwise than the server does.

mod options;
mod value;

use super::grammar::{Counted, KeyGrammar, Run, Slot};
use super::spec::{Access, Call, KeyUse};
use crate::resp::Request;

/// What was found beside the keys themselves.
#[must_use = "a request that reads keys without naming them needs more than rights to those that it names"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Extracted {
    /// The request reads keys that it doesn't name (SORT with BY or GET): it needs what a read of all keys needs.
    pub all_keys_read: bool,
}

/// Why the keys of a request can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The request is still arriving, and what is missing may hold keys or change what is done with them.
    StillArriving,
    /// There are fewer arguments than the row's keys need.
    TooFewArguments,
    /// The number of keys isn't a plain decimal number that fits the request.
    KeyCount {
        /// Index of the argument.
        index: usize,
    },
    /// A key without its value, or a stream without its id.
    Unpaired,
    /// An option stands twice, or with another that excludes it.
    RepeatedOption {
        /// Index of the argument.
        index: usize,
    },
    /// No option of this row, or one without its value.
    UnknownOption {
        /// Index of the argument.
        index: usize,
    },
    /// An option that must be there isn't.
    MissingOption {
        /// Its name.
        option: &'static str,
    },
}

impl std::fmt::Display for KeyFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::StillArriving => write!(f, "keys aren't known before the whole request is here"),
            Self::TooFewArguments => write!(f, "too few arguments for the keys"),
            Self::KeyCount { index } => {
                write!(f, "argument {index} isn't a fitting number of keys")
            }
            Self::Unpaired => write!(f, "a key without its value or id"),
            Self::RepeatedOption { index } => write!(f, "argument {index} repeats an option"),
            Self::UnknownOption { index } => write!(f, "argument {index} is no complete option"),
            Self::MissingOption { option } => write!(f, "option {option} is missing"),
        }
    }
}

impl std::error::Error for KeyFault {}

/// Reports every key of `call` to `sink`.
///
/// Of a request still arriving only a key that stands before all values is told, in rows that may be streamed.
///
/// # Errors
/// [`KeyFault`]. Keys may have been reported before; they don't count.
#[inline]
pub fn extract(call: &Call<'_>, sink: &mut impl FnMut(KeyUse)) -> Result<Extracted, KeyFault> {
    let request = &call.request;
    match call.spec.keys {
        KeyGrammar::None => {}
        KeyGrammar::One(slot) => one(request, slot, sink)?,
        KeyGrammar::Set => one(request, first(value::set_access(request)?), sink)?,
        grammar => {
            if !request.is_whole() {
                return Err(KeyFault::StillArriving);
            }
            several(request, grammar, sink)?;
            let sorts = matches!(grammar, KeyGrammar::Sort | KeyGrammar::SortRo);
            let all_keys_read = sorts && options::sorts_by_others(request);
            return Ok(Extracted { all_keys_read });
        }
    }
    Ok(Extracted::default())
}

/// Rows whose keys are known only from the whole request.
fn several(
    request: &Request<'_>,
    grammar: KeyGrammar,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    match grammar {
        KeyGrammar::None => {}
        KeyGrammar::One(slot) => one(request, slot, sink)?,
        KeyGrammar::Two(left, right) => {
            one(request, left, sink)?;
            one(request, right, sink)?;
        }
        KeyGrammar::Run(keys) => run(request, keys, sink)?,
        KeyGrammar::OneThenRun(slot, keys) => {
            one(request, slot, sink)?;
            run(request, keys, sink)?;
        }
        KeyGrammar::Counted(keys) => counted(request, keys, sink)?,
        KeyGrammar::OneThenCounted(slot, keys) => {
            one(request, slot, sink)?;
            counted(request, keys, sink)?;
        }
        KeyGrammar::Set => one(request, first(value::set_access(request)?), sink)?,
        KeyGrammar::ZAdd => one(request, first(value::zadd_access(request)), sink)?,
        KeyGrammar::BitField => one(request, first(value::bitfield_access(request)), sink)?,
        KeyGrammar::Copy => options::copy(request, sink)?,
        KeyGrammar::Sort => options::sort(request, options::Store::Allowed, sink)?,
        KeyGrammar::SortRo => options::sort(request, options::Store::Refused, sink)?,
        KeyGrammar::GeoRadius { options } => options::georadius(request, options, sink)?,
        KeyGrammar::XRead => options::streams(request, options::Group::None, sink)?,
        KeyGrammar::XReadGroup => options::streams(request, options::Group::Needed, sink)?,
        KeyGrammar::Migrate => options::migrate(request, sink)?,
    }
    Ok(())
}

/// The key that stands first.
fn first(access: Access) -> Slot {
    Slot { index: 1, access }
}

#[inline]
fn one(request: &Request<'_>, slot: Slot, sink: &mut impl FnMut(KeyUse)) -> Result<(), KeyFault> {
    let Slot { index, access } = slot;
    if index >= request.len() {
        return Err(KeyFault::TooFewArguments);
    }
    sink(KeyUse { index, access });
    Ok(())
}

fn run(request: &Request<'_>, keys: Run, sink: &mut impl FnMut(KeyUse)) -> Result<(), KeyFault> {
    let Run {
        first,
        step,
        tail,
        access,
    } = keys;
    let end = request.len().saturating_sub(tail);
    // PFMERGE and its like may come without a source; a row that wants one says so by its arity.
    if end < first || (end == first && first == 1) {
        return Err(KeyFault::TooFewArguments);
    }
    if !(end - first).is_multiple_of(step) {
        return Err(KeyFault::Unpaired);
    }
    for index in (first..end).step_by(step) {
        sink(KeyUse { index, access });
    }
    Ok(())
}

fn counted(
    request: &Request<'_>,
    keys: Counted,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    let Counted {
        count,
        step,
        least,
        access,
    } = keys;
    let number = request.arg(count).ok_or(KeyFault::TooFewArguments)?;
    let first = count + 1;
    let number = plain_number(number)
        .filter(|number| *number >= least && *number <= (request.len() - first) / step)
        .ok_or(KeyFault::KeyCount { index: count })?;
    for index in (first..).step_by(step).take(number) {
        sink(KeyUse { index, access });
    }
    Ok(())
}

/// A decimal number without sign or leading zeros, of at most nine digits: servers disagree with themselves on `02`.
fn plain_number(digits: &[u8]) -> Option<usize> {
    let canonical = digits == b"0" || (digits.len() <= 9 && digits.first() != Some(&b'0'));
    if digits.is_empty() || !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Some(number)
}

#[cfg(test)]
mod tests;
