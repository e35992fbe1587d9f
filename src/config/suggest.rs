//! The nearest known word to one that was misspelt.

/// The word of `known` that `written` was most likely meant to be: at most two slips away, and fewer than half its letters.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    if written.len() > 64 {
        return None;
    }
    let near = known.iter().map(|word| (slips(written, word), *word));
    let (distance, word) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 2 < word.len()).then_some(word)
}

/// `known` as it is written in a fault: `` one of `a`, `b` ``.
pub(crate) fn one_of(known: &[&str]) -> String {
    match known {
        [] => "nothing here".to_owned(),
        [only] => format!("`{only}`"),
        many => format!("one of `{}`", many.join("`, `")),
    }
}

/// Letters to insert, remove, replace or swap with a neighbour (optimal string alignment).
fn slips(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let replaced = row[j] + usize::from(l != r);
            let mut best = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            let swapped = i > 0 && j > 0 && left[i - 1] == *r && right[j - 1] == *l;
            if swapped {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let known = ["allow", "deny", "listen", "allow_files", "name"];
        let cases = [
            ("alow", Some("allow")),
            ("lsiten", Some("listen")),
            ("Deny", Some("deny")),
            ("allow_file", Some("allow_files")),
            ("hunter2", None),
            ("", None),
            ("dxxy", None),
        ];
        for (written, word) in cases {
            assert_eq!(nearest(written, &known), word, "{written}");
        }
    }
}
