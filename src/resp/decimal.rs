//! The decimal number between a type byte and CR LF, read as its bytes arrive.
//!
//! Only the canonical form is read: digits without a leading zero, at most 19 of them, a minus sign before a number other
//! than zero, then CR LF exactly. Parsers differ about every other form, so there is no other form here.

use super::word::packed;

/// Most digits: 19 hold every `i64` and can't overflow a `u64`.
const MAX_DIGITS: u8 = 19;

/// A number that has been read to its line's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// Zero or more.
    Natural(u64),
    /// The magnitude of a number below zero.
    Negative(u64),
}

impl Number {
    /// As an `i64`, unless it is out of range.
    pub(super) fn signed(self) -> Option<i64> {
        match self {
            Self::Natural(value) => i64::try_from(value).ok(),
            Self::Negative(value) => 0i64.checked_sub_unsigned(value),
        }
    }
}

/// The line isn't a canonical number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotCanonical;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    SignOrDigit,
    DigitOrCr,
    Lf,
}

/// A number of which a part has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    value: u64,
    digits: u8,
    negative: bool,
    awaited: Awaited,
}

impl Decimal {
    /// A number of which nothing has been read.
    pub(super) const NEW: Self = Self {
        value: 0,
        digits: 0,
        negative: false,
        awaited: Awaited::SignOrDigit,
    };

    /// Reads on from `input[*at..]` and moves `at` behind what was read; `None` when the input ends before the line does.
    pub(super) fn advance(
        &mut self,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Option<Number>, NotCanonical> {
        let mut number = *self;
        while let Some(&byte) = input.get(*at) {
            *at += 1;
            if number.read(byte)? {
                return Ok(Some(if number.negative {
                    Number::Negative(number.value)
                } else {
                    Number::Natural(number.value)
                }));
            }
        }
        *self = number;
        Ok(None)
    }

    /// Bytes that are still to come at least.
    pub(super) fn least_left(&self) -> u64 {
        match self.awaited {
            Awaited::SignOrDigit | Awaited::DigitOrCr => 2,
            Awaited::Lf => 1,
        }
    }

    /// Reads one byte; true when it was the last of the line.
    #[inline]
    fn read(&mut self, byte: u8) -> Result<bool, NotCanonical> {
        match (self.awaited, byte) {
            (Awaited::SignOrDigit | Awaited::DigitOrCr, b'0'..=b'9') => {
                let padded = self.value == 0 && self.digits > 0;
                if padded || self.digits == MAX_DIGITS {
                    return Err(NotCanonical);
                }
                self.value = self.value * 10 + u64::from(byte - b'0');
                self.digits += 1;
                self.awaited = Awaited::DigitOrCr;
                Ok(false)
            }
            (Awaited::DigitOrCr, b'\r') if self.digits > 0 => {
                if self.negative && self.value == 0 {
                    return Err(NotCanonical);
                }
                self.awaited = Awaited::Lf;
                Ok(false)
            }
            (Awaited::SignOrDigit, b'-') => {
                self.negative = true;
                self.awaited = Awaited::DigitOrCr;
                Ok(false)
            }
            (Awaited::Lf, b'\n') => Ok(true),
            _ => Err(NotCanonical),
        }
    }
}

/// Reads a whole header, type byte and a number of one to three digits, as nearly all are: the number, and the header's length.
///
/// What it leaves alone isn't necessarily wrong, but read byte by byte.
#[inline(always)]
pub(super) fn short_header(of: u8, input: &[u8]) -> Option<(usize, usize)> {
    let word = match input.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => packed(input),
    };
    // What is as it should be becomes zero, a digit its value.
    let one = word ^ u64::from_le_bytes([of, b'0', b'\r', b'\n', 0, 0, 0, 0]);
    if one & 0xffff_00ff == 0 {
        let number = one >> 8 & 0xff;
        return (number <= 9).then_some((number as usize, 4));
    }
    let two = word ^ u64::from_le_bytes([of, b'0', b'0', b'\r', b'\n', 0, 0, 0]);
    if two & 0xff_ff00_00ff == 0 {
        let [tens, ones] = [two >> 8 & 0xff, two >> 16 & 0xff];
        let number = (tens * 10 + ones) as usize;
        return ((1..=9).contains(&tens) && ones <= 9).then_some((number, 5));
    }
    let three = word ^ u64::from_le_bytes([of, b'0', b'0', b'0', b'\r', b'\n', 0, 0]);
    let [hundreds, tens, ones] = [three >> 8 & 0xff, three >> 16 & 0xff, three >> 24 & 0xff];
    let is_number = (1..=9).contains(&hundreds) && tens <= 9 && ones <= 9;
    let number = (hundreds * 100 + tens * 10 + ones) as usize;
    (three & 0xffff_0000_00ff == 0 && is_number).then_some((number, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<Option<Number>, NotCanonical> {
        let mut number = Decimal::NEW;
        let whole = number.advance(line, &mut 0);
        let mut number = Decimal::NEW;
        let mut split = Ok(None);
        for end in 1..=line.len() {
            split = number.advance(&line[..end], &mut (end - 1));
            if split != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, split, "{}", line.escape_ascii());
        whole
    }

    #[test]
    fn canonical_numbers_are_read() {
        let cases: [(&[u8], Number); 6] = [
            (b"0\r\n", Number::Natural(0)),
            (b"7\r\n", Number::Natural(7)),
            (b"1048576\r\n", Number::Natural(1_048_576)),
            (b"-1\r\n", Number::Negative(1)),
            (b"9223372036854775807\r\n", Number::Natural(i64::MAX as u64)),
            (b"-9223372036854775808\r\n", Number::Negative(1 << 63)),
        ];
        for (line, number) in cases {
            assert_eq!(read(line), Ok(Some(number)), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        let cases: [&[u8]; 14] = [
            b"\r\n",
            b"00\r\n",
            b"01\r\n",
            b"-0\r\n",
            b"-\r\n",
            b"--1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b"1\n",
            b"1\rx",
            b"1\r\r\n",
            b"0x1\r\n",
            b"12345678901234567890\r\n",
        ];
        for line in cases {
            assert_eq!(read(line), Err(NotCanonical), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn only_what_an_i64_holds_is_signed() {
        assert_eq!(Number::Natural(1 << 63).signed(), None);
        assert_eq!(Number::Negative(1 << 63).signed(), Some(i64::MIN));
        assert_eq!(Number::Negative((1 << 63) + 1).signed(), None);
    }

    #[test]
    fn a_short_header_is_read_as_the_long_way_reads_it() {
        let digits = b"0129-+ x\r\n";
        let mut read = 0;
        for pattern in 0..digits.len().pow(5) {
            let mut input = *b"$12345";
            for (place, byte) in input.iter_mut().skip(1).enumerate() {
                *byte = digits[pattern / digits.len().pow(place as u32) % digits.len()];
            }
            // What follows a header, or that nothing does, changes nothing.
            let followed = [&input[..], b"ab"].concat();
            assert_eq!(short_header(b'$', &input), short_header(b'$', &followed));
            if let Some((number, header)) = short_header(b'$', &input) {
                let mut at = 1;
                let long = {
                    let mut number = Decimal::NEW;
                    number.advance(&input, &mut at)
                };
                assert_eq!(long, Ok(Some(Number::Natural(number as u64))));
                assert_eq!(at, header);
                read += 1;
            }
        }
        // One digit and any two bytes, two digits and any byte, three digits.
        assert_eq!(read, 4 * 100 + 3 * 4 * 10 + 3 * 4 * 4);
    }
}
