//! No fault holds a value of the file, whatever is wrong with it and wherever: a secret may stand there by mistake.

use proptest::prelude::*;

use super::*;

/// A secret that is no part of any of Redwall's own words.
const MARKER: &str = "hunter2zQ";

/// Where the file's strings stand, without their quotes.
fn strings(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.find(" #").filter(|_| !line.contains("\"#"));
        let code = if line.starts_with('#') {
            ""
        } else {
            &line[..code.unwrap_or(line.len())]
        };
        let quotes: Vec<usize> = code.match_indices('"').map(|(at, _)| start + at).collect();
        found.extend(quotes.chunks_exact(2).map(|pair| pair[0] + 1..pair[1]));
        start += line.len();
    }
    found
}

/// `text` with a marker at string `index`: in its place, before or after it.
fn planted(text: &str, index: usize, how: usize) -> String {
    let range = strings(text)[index].clone();
    let old = &text[range.clone()];
    let new = match how {
        0 => MARKER.to_owned(),
        1 => format!("{MARKER}{old}"),
        2 => format!("{old}{MARKER}"),
        3 => format!("redis://u:{MARKER}@h"),
        4 => format!(">{MARKER}"),
        _ => format!("{MARKER}\\u0000"),
    };
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

fn tell_nothing(text: &str) -> usize {
    let Err(faults) = parse(text) else { return 0 };
    for fault in &faults {
        assert!(!fault.contains(MARKER), "{fault}");
        assert!(!fault.contains("hunter"), "{fault}");
    }
    faults.len()
}

#[test]
fn no_fault_holds_a_string_of_the_file() {
    let count = strings(REFERENCE).len();
    assert!(count >= 77, "{count}");
    let mut told = 0;
    for index in 0..count {
        for how in 0..6 {
            told += tell_nothing(&planted(REFERENCE, index, how));
        }
    }
    assert!(told > 200, "{told}");
}

#[test]
fn a_secret_in_the_place_of_a_key_is_not_told() {
    let cases = [
        ("name = ", "hunter2zQ = \"x\"\nname = "),
        ("name = ", "\"hunter2zQ\" = 1\nname = "),
        (
            "[{ file = \"../certs/app.password\" }]",
            "{ hunter2zQ = 1 }",
        ),
        ("[{ file = \"../certs/app.password\" }]", "hunter2zQ"),
        ("[{ file = \"../certs/app.password\" }]", "\"hunter2zQ"),
    ];
    for (from, to) in cases {
        assert_ne!(tell_nothing(&minimal_but(from, to)), 0, "{to}");
    }
}

proptest! {
    #[test]
    fn no_fault_of_broken_toml_holds_a_secret(
        index in 0..77usize,
        how in 0..6usize,
        at in any::<prop::sample::Index>(),
        junk in "[\\[\\]{}=\"'#,.\\\\\n\r\u{0} a1-]{0,6}",
        dropped in 0..12usize,
    ) {
        let text = planted(REFERENCE, index, how);
        let at = at.index(text.len());
        let end = (at + dropped).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            tell_nothing(&format!("{}{junk}{}", &text[..at], &text[end..]));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}=\"'#,.\n a-c0-2]{0,200}") {
        let _ = parse(&text);
    }
}

#[test]
fn a_hash_is_not_shown_by_debug() {
    let shown = format!("{:?}", parse(REFERENCE).unwrap());
    assert!(!shown.contains("6b86b273") && !shown.contains("107, 134"));
}
