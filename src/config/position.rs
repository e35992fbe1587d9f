//! Places in a file: where a value stands, so that a fault can name it later, when the text is gone.

/// A place in a file. Both numbers begin at 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Number of the line.
    pub line: u32,
    /// Number of the character in its line.
    pub column: u32,
}

impl At {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Its first character in the file.
    pub at: At,
}

impl<T> Placed<T> {
    /// `value`, as it was written at `at`.
    pub fn new(value: T, at: At) -> Self {
        Self { value, at }
    }
}

/// A text whose lines are known, so that an offset becomes a place without a walk over all of it.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { text, line_starts }
    }

    /// The place of the byte at `offset`; beyond the end: the end.
    pub(crate) fn at(&self, offset: usize) -> At {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|before| self.line_starts.get(before))
            .copied()
            .unwrap_or(0);
        let line_text = self.text.get(start..).unwrap_or("");
        let before = line_text.char_indices().map(|(at, _)| start + at);
        let column = before.take_while(|at| *at < offset).count() + 1;
        At {
            line: saturate(line),
            column: saturate(column),
        }
    }

    /// The text between two offsets, as it stands in the file.
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or("")
    }
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_begin_at_one() {
        let source = Source::new("ab\n\u{e4}\u{20ac}x\n");
        let cases = [
            (0, 1, 1),
            (1, 1, 2),
            (2, 1, 3),
            (3, 2, 1),
            (5, 2, 2),
            (8, 2, 3),
            (10, 3, 1),
            (99, 3, 1),
        ];
        for (offset, line, column) in cases {
            assert_eq!(source.at(offset), At { line, column }, "offset {offset}");
        }
    }
}
