//! How bytes that a stranger chose are written where people and log watchers read them.

/// Longest text that [`escape_for_log`] makes, in bytes, its quotation marks and cut mark included.
pub const ESCAPED_LIMIT: usize = 256;

/// Stands after the closing quotation mark of a text that was cut.
const CUT_MARK: &str = "...";

/// Writes `bytes` between quotation marks, as Redis's `sdscatrepr` does: printable ASCII as it is, `\\ \" \n \r \t \a \b`,
/// and `\xHH` for every other byte. So the result has no line break, no terminal control and no unescaped quotation mark,
/// and can't pass for more than one field of a log line. Cut at [`ESCAPED_LIMIT`] bytes, never within an escape; a text
/// that was cut ends in `"...`.
pub fn escape_for_log(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().min(ESCAPED_LIMIT) + 2);
    out.push('"');
    let room = ESCAPED_LIMIT - 1 - CUT_MARK.len();
    for &byte in bytes {
        let before = out.len();
        push_escaped(&mut out, byte);
        if out.len() > room {
            out.truncate(before);
            out.push('"');
            out.push_str(CUT_MARK);
            return out;
        }
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, byte: u8) {
    match byte {
        b'\\' => out.push_str("\\\\"),
        b'"' => out.push_str("\\\""),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        0x07 => out.push_str("\\a"),
        0x08 => out.push_str("\\b"),
        0x20..=0x7e => out.push(char::from(byte)),
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.push_str("\\x");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_bytes_are_written_as_redis_writes_them() {
        let cases: [(&[u8], &str); 5] = [
            (b"CN=alice", "\"CN=alice\""),
            (b"a\"b\\c", "\"a\\\"b\\\\c\""),
            (b"\n\r\t\x07\x08\0", "\"\\n\\r\\t\\a\\b\\x00\""),
            (b"\x1b[2J", "\"\\x1b[2J\""),
            ("ä".as_bytes(), "\"\\xc3\\xa4\""),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(escape_for_log(bytes), wanted);
        }
    }

    #[test]
    fn a_long_text_is_cut_within_the_limit_and_never_within_an_escape() {
        for fill in [b'a', b'\n', 0u8] {
            for len in 0..600 {
                let out = escape_for_log(&vec![fill; len]);
                assert!(out.len() <= ESCAPED_LIMIT, "{} bytes", out.len());
                let body = out.strip_suffix(CUT_MARK).unwrap_or(&out);
                let body = body
                    .strip_prefix('"')
                    .and_then(|b| b.strip_suffix('"'))
                    .unwrap();
                let unit = escape_for_log(&[fill]).len() - 2;
                assert_eq!(body.len() % unit, 0, "cut within an escape");
            }
        }
    }
}
