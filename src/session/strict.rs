//! Numbers as Redis reads them: no plus sign, no zero in front, nothing around them.

/// The number that `text` is.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_redis_takes_for_a_number_is_one() {
        for (text, number) in [("0", 0), ("7", 7), ("-10", -10), ("2147483648", 1 << 31)] {
            assert_eq!(integer(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", "-", "+1", "01", "00", "-0", " 1", "1 ", "1x", "x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(integer(b"99999999999999999999"), None);
    }
}
