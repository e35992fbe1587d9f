//! Durations and sizes with their units. A bare number is a fault, because half of its readers take it for another unit.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Value;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `number` times 1,048,576 bytes.
    pub const fn mebibytes(number: u64) -> Self {
        Self(number << 20)
    }

    /// `number` times 1,024 bytes.
    pub const fn kibibytes(number: u64) -> Self {
        Self(number << 10)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// In the largest unit that divides it, as the file writes it.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = largest(self.0, &SIZE_UNITS);
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

/// A duration as the file writes it: in the largest unit that divides it.
pub(crate) fn duration_text(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, factor) = largest(milliseconds, &DURATION_UNITS);
    format!("{}{unit}", milliseconds / factor)
}

fn largest(number: u64, units: &[(&'static str, u64)]) -> (&'static str, u64) {
    let fits = |(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(*factor);
    units.iter().rev().find(fits).copied().unwrap_or(units[0])
}

/// A duration in `range`, with its unit.
pub(crate) fn duration(value: &Value<'_>, range: RangeInclusive<Duration>) -> Option<Duration> {
    let (from, to) = (duration_text(*range.start()), duration_text(*range.end()));
    let expected =
        format!("a duration from \"{from}\" to \"{to}\", with its unit (ms, s, m, h, d)");
    let milliseconds = quantity(value, &DURATION_UNITS, &expected)?;
    let duration = Duration::from_millis(milliseconds);
    if range.contains(&duration) {
        return Some(duration);
    }
    value.refuse("is out of range", expected)
}

/// A size in `range`, with its unit.
pub(crate) fn size(value: &Value<'_>, range: RangeInclusive<ByteSize>) -> Option<ByteSize> {
    let (from, to) = (range.start(), range.end());
    let expected = format!("a size from \"{from}\" to \"{to}\", with its unit (B, KiB, MiB, GiB)");
    let size = ByteSize(quantity(value, &SIZE_UNITS, &expected)?);
    if range.contains(&size) {
        return Some(size);
    }
    value.refuse("is out of range", expected)
}

/// A number and one of `units`, in the smallest of them.
fn quantity(value: &Value<'_>, units: &[(&str, u64)], expected: &str) -> Option<u64> {
    if value.is_number() {
        return value.refuse("is a number without a unit", expected);
    }
    let text = value.text(expected)?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() {
        return value.refuse("has no unit", expected);
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return value.refuse("has an unknown unit", expected);
    };
    let Ok(number) = number.parse::<u64>() else {
        return value.refuse("has no number that can be read", expected);
    };
    match number.checked_mul(*factor) {
        Some(quantity) => Some(quantity),
        None => value.refuse("is out of range", expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_in_the_largest_unit_that_divides_them() {
        let cases = [
            (0, "0ms"),
            (1, "1ms"),
            (1500, "1500ms"),
            (60_000, "1m"),
            (86_400_000, "1d"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration_text(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(ByteSize::mebibytes(64).to_string(), "64MiB");
        assert_eq!(ByteSize(1025).to_string(), "1025B");
    }
}
