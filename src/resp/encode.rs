//! All that Redwall says itself, to clients and to backends. Each function adds one RESP element to the end of `out`.
//!
//! Where the two versions differ, [`Protocol`] chooses: RESP2 has no maps, sets, pushes, doubles, booleans and verbatim strings,
//! and gets what Redis writes there instead. After a header the caller adds as many elements as it announced.

use super::protocol::Protocol;

/// An error: `-text`. The text begins with its code (`ERR`, `NOPERM`...).
///
/// It may hold what a client sent: a line break becomes a space, as in Redis, so that one reply can never be read as two.
pub fn error(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    line(out, b'-', text.as_ref());
}

/// A simple string: `+text`. A line break becomes a space.
pub fn simple(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    line(out, b'+', text.as_ref());
}

/// A bulk string, of any bytes.
pub fn bulk(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// The null that stands for a missing string: `$-1`, in RESP3 `_`.
pub fn null(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// The null that stands for a missing array: `*-1`, in RESP3 `_`.
pub fn null_array(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"*-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// The header of an array of `count` elements.
pub fn array(out: &mut Vec<u8>, count: usize) {
    header(out, b'*', count);
}

/// The header of a map of `pairs` keys and values; in RESP2 an array of both.
pub fn map(out: &mut Vec<u8>, pairs: usize, protocol: Protocol) {
    match protocol {
        Protocol::Resp2 => header(out, b'*', pairs * 2),
        Protocol::Resp3 => header(out, b'%', pairs),
    }
}

/// The header of a set of `count` elements; in RESP2 an array.
pub fn set(out: &mut Vec<u8>, count: usize, protocol: Protocol) {
    header(out, either(protocol, b'*', b'~'), count);
}

/// The header of a push of `count` elements; in RESP2 an array.
pub fn push(out: &mut Vec<u8>, count: usize, protocol: Protocol) {
    header(out, either(protocol, b'*', b'>'), count);
}

/// An integer.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    out.push(b':');
    if value < 0 {
        out.push(b'-');
    }
    decimal(out, value.unsigned_abs());
    out.extend_from_slice(b"\r\n");
}

/// A double; in RESP2 a bulk string. The shortest digits that read as the same value; `inf`, `-inf`, `nan`.
pub fn double(out: &mut Vec<u8>, value: f64, protocol: Protocol) {
    let text = if value.is_nan() {
        "nan".to_owned()
    } else {
        value.to_string()
    };
    match protocol {
        Protocol::Resp2 => bulk(out, text),
        Protocol::Resp3 => line(out, b',', text.as_bytes()),
    }
}

/// A boolean; in RESP2 the integer 1 or 0.
pub fn boolean(out: &mut Vec<u8>, value: bool, protocol: Protocol) {
    out.extend_from_slice(match (protocol, value) {
        (Protocol::Resp2, false) => b":0\r\n",
        (Protocol::Resp2, true) => b":1\r\n",
        (Protocol::Resp3, false) => b"#f\r\n",
        (Protocol::Resp3, true) => b"#t\r\n",
    });
}

/// A text for people, as INFO and CLIENT LIST answer; in RESP2 a bulk string.
pub fn verbatim(out: &mut Vec<u8>, text: impl AsRef<[u8]>, protocol: Protocol) {
    let text = text.as_ref();
    match protocol {
        Protocol::Resp2 => bulk(out, text),
        Protocol::Resp3 => {
            header(out, b'=', text.len() + b"txt:".len());
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// A request to a backend, the command's name first.
pub fn command<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[W]) {
    array(out, words.len());
    for word in words {
        bulk(out, word);
    }
}

fn either(protocol: Protocol, resp2: u8, resp3: u8) -> u8 {
    match protocol {
        Protocol::Resp2 => resp2,
        Protocol::Resp3 => resp3,
    }
}

fn line(out: &mut Vec<u8>, of: u8, text: &[u8]) {
    out.push(of);
    out.extend(text.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    }));
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, of: u8, number: usize) {
    out.push(of);
    decimal(out, number as u64);
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn a_line_break_in_an_error_can_not_make_two_replies_of_one() {
        let text = b"ERR unknown command 'a\r\n+OK\r\n', with args";
        assert_eq!(
            written(|out| error(out, text)),
            r"-ERR unknown command \'a  +OK  \', with args\r\n"
        );
        assert_eq!(written(|out| simple(out, "a\nb\rc")), r"+a b c\r\n");
    }

    #[test]
    fn what_resp2_lacks_is_written_as_redis_writes_it_there() {
        type Write = fn(&mut Vec<u8>, Protocol);
        let cases: [(Write, &str, &str); 10] = [
            (|out, p| null(out, p), r"$-1\r\n", r"_\r\n"),
            (|out, p| null_array(out, p), r"*-1\r\n", r"_\r\n"),
            (|out, p| map(out, 2, p), r"*4\r\n", r"%2\r\n"),
            (|out, p| set(out, 2, p), r"*2\r\n", r"~2\r\n"),
            (|out, p| push(out, 2, p), r"*2\r\n", r">2\r\n"),
            (|out, p| double(out, 1.5, p), r"$3\r\n1.5\r\n", r",1.5\r\n"),
            (
                |out, p| double(out, f64::NEG_INFINITY, p),
                r"$4\r\n-inf\r\n",
                r",-inf\r\n",
            ),
            (
                |out, p| double(out, f64::NAN, p),
                r"$3\r\nnan\r\n",
                r",nan\r\n",
            ),
            (|out, p| boolean(out, true, p), r":1\r\n", r"#t\r\n"),
            (
                |out, p| verbatim(out, "hi", p),
                r"$2\r\nhi\r\n",
                r"=6\r\ntxt:hi\r\n",
            ),
        ];
        for (write, resp2, resp3) in cases {
            assert_eq!(written(|out| write(out, Protocol::Resp2)), resp2);
            assert_eq!(written(|out| write(out, Protocol::Resp3)), resp3);
        }
    }

    #[test]
    fn numbers_are_written_to_both_ends_of_their_range() {
        for value in [0, 1, -1, 9, 10, 1_000_000, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| integer(out, value)), format!(r":{value}\r\n"));
        }
    }

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(
            written(|out| command(out, &["SELECT", "1"])),
            r"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"
        );
    }
}
