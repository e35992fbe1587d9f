//! Inline commands: a line of words, as a person types it. Read as Redis reads it and re-encoded as an array of bulk strings,
//! so that nothing behind this room ever sees the line itself.
//!
//! Words are apart by blanks. In double quotes `\n \r \t \b \a \xHH` are read, any other `\c` is `c`; in single quotes only
//! `\'`. A closing quote must end its word. Source: Redis `sdssplitargs`, the same in all supported servers.

use super::limits::Limits;
use super::request::OwnedRequest;
use super::scan_error::ScanError;

/// Reads a line without its line break; `None` where it holds no word.
pub(super) fn parse(line: &[u8], limits: &Limits) -> Result<Option<OwnedRequest>, ScanError> {
    let mut words = Words::default();
    let mut rest = line;
    while let Some(start) = rest.iter().position(|byte| !is_blank(*byte)) {
        rest = words.take(&rest[start..])?;
        words.keep(limits)?;
    }
    let words = words.as_slices();
    Ok((!words.is_empty()).then(|| OwnedRequest::new(&words)))
}

/// C's `isspace`: what may stand between two words.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// What ends a word outside of quotes. Vertical tab and form feed don't, although they are blanks between two words.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The words of a line, one behind the other.
#[derive(Default)]
struct Words {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    /// Takes one word from the front of `rest` and returns what is behind it.
    fn take<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], ScanError> {
        while let [byte, behind @ ..] = rest {
            rest = match byte {
                b'"' => return self.take_quoted(behind, Self::double_quoted),
                b'\'' => return self.take_quoted(behind, Self::single_quoted),
                byte if ends_word(*byte) => break,
                byte => {
                    self.text.push(*byte);
                    behind
                }
            };
        }
        self.ends.push(self.text.len());
        Ok(rest)
    }

    /// Takes what is in quotes, whose opening one is gone already. The closing quote ends the word.
    fn take_quoted<'a>(
        &mut self,
        mut rest: &'a [u8],
        unescape: impl Fn(&'a [u8]) -> Option<(Quoted, &'a [u8])>,
    ) -> Result<&'a [u8], ScanError> {
        while let Some((item, behind)) = unescape(rest) {
            rest = behind;
            match item {
                Quoted::Byte(byte) => self.text.push(byte),
                Quoted::End if rest.first().is_none_or(|byte| is_blank(*byte)) => {
                    self.ends.push(self.text.len());
                    return Ok(rest);
                }
                Quoted::End => break,
            }
        }
        Err(ScanError::QuotesUnbalanced)
    }

    fn double_quoted(rest: &[u8]) -> Option<(Quoted, &[u8])> {
        match rest {
            [b'\\', b'x', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                Some((Quoted::Byte(nibble(*high) << 4 | nibble(*low)), behind))
            }
            [b'\\', byte, behind @ ..] => Some((Quoted::Byte(escaped(*byte)), behind)),
            [b'"', behind @ ..] => Some((Quoted::End, behind)),
            [byte, behind @ ..] => Some((Quoted::Byte(*byte), behind)),
            [] => None,
        }
    }

    fn single_quoted(rest: &[u8]) -> Option<(Quoted, &[u8])> {
        match rest {
            [b'\\', b'\'', behind @ ..] => Some((Quoted::Byte(b'\''), behind)),
            [b'\'', behind @ ..] => Some((Quoted::End, behind)),
            [byte, behind @ ..] => Some((Quoted::Byte(*byte), behind)),
            [] => None,
        }
    }

    /// Holds the last word to the limits that every argument has.
    fn keep(&self, limits: &Limits) -> Result<(), ScanError> {
        let start = self.ends.iter().rev().nth(1).copied().unwrap_or(0);
        let length = (self.text.len() - start) as u64;
        limits.check_bulk(length)?;
        limits.check_arguments(self.ends.len() as u64)?;
        Ok(())
    }

    fn as_slices(&self) -> Vec<&[u8]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(|&end| &self.text[std::mem::replace(&mut start, end)..end])
            .collect()
    }
}

enum Quoted {
    Byte(u8),
    End,
}

/// The value of a hexadecimal digit.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// What `\` and this byte mean in double quotes.
fn escaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}
