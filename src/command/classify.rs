//! From a request to its row: resolves subcommands and counts arguments, as Redis does before anything else.

use super::lookup::{subcommand, top_level};
use super::spec::{Call, CommandSpec};
use crate::resp::Request;

/// Why a request has no row that it fits.
#[derive(Clone, Copy, Debug)]
pub enum ClassifyFault {
    /// No command of that name.
    Unknown,
    /// The command is a container and has no such subcommand.
    UnknownSubcommand {
        /// The container.
        container: &'static CommandSpec,
    },
    /// The row wants another number of arguments.
    WrongArity {
        /// The row.
        spec: &'static CommandSpec,
    },
}

/// Most bytes of a name, or of all arguments together, that an error text repeats. Source: Redis 7.0 `commandCheckExistence`.
const REPEATED: usize = 128;

/// Finds the row of `request`. Counts announced arguments, so that it serves for a request still arriving, once its first
/// two arguments are whole.
///
/// # Errors
/// [`ClassifyFault`]; its [`message`](ClassifyFault::message) is Redis's own text.
#[inline(always)]
pub fn classify(request: Request<'_>) -> Result<Call<'_>, ClassifyFault> {
    let name = request.arg(0).unwrap_or(&[]);
    let mut spec = top_level(name).ok_or(ClassifyFault::Unknown)?;
    if spec.is_container() && request.announced() > 1 {
        let short = request.arg(1).unwrap_or(&[]);
        spec =
            subcommand(spec, short).ok_or(ClassifyFault::UnknownSubcommand { container: spec })?;
    }
    if spec.accepts(request.announced()) {
        Ok(Call { spec, request })
    } else {
        Err(ClassifyFault::WrongArity { spec })
    }
}

impl ClassifyFault {
    /// Redis's text for the fault, with the code `ERR`, without `-` and line end; it holds no CR and no LF. It repeats up to 128
    /// bytes of the client's own name and arguments, which need not be UTF-8. Texts are the same on all supported servers.
    pub fn message(&self, request: &Request<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        match self {
            Self::Unknown => unknown(&mut text, request),
            Self::UnknownSubcommand { container } => {
                text.extend_from_slice(b"ERR unknown subcommand '");
                text.extend_from_slice(shown(request.arg(1).unwrap_or(&[]), REPEATED));
                text.extend_from_slice(b"'. Try ");
                text.extend_from_slice(container.name.to_ascii_uppercase().as_bytes());
                text.extend_from_slice(b" HELP.");
            }
            Self::WrongArity { spec } => {
                text.extend_from_slice(b"ERR wrong number of arguments for '");
                text.extend_from_slice(spec.name.as_bytes());
                text.extend_from_slice(b"' command");
            }
        }
        for byte in &mut text {
            if matches!(*byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        text
    }
}

fn unknown(text: &mut Vec<u8>, request: &Request<'_>) {
    text.extend_from_slice(b"ERR unknown command '");
    text.extend_from_slice(shown(request.arg(0).unwrap_or(&[]), REPEATED));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for arg in request.iter().skip(1) {
        let used = text.len() - start;
        if used >= REPEATED {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(shown(arg, REPEATED - used));
        text.extend_from_slice(b"' ");
    }
}

/// What C's `%.*s` shows of `bytes`: it ends at a NUL.
fn shown(bytes: &[u8], limit: usize) -> &[u8] {
    let end = bytes
        .iter()
        .take(limit)
        .position(|byte| *byte == 0)
        .unwrap_or(limit.min(bytes.len()));
    bytes.get(..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn row_or_text(words: &[&[u8]]) -> String {
        let owned = OwnedRequest::new(words);
        let request = owned.as_request();
        match classify(request) {
            Ok(call) => call.spec.name.to_string(),
            Err(fault) => String::from_utf8_lossy(&fault.message(&request)).into_owned(),
        }
    }

    #[test]
    fn a_request_finds_its_row_or_redis_s_own_text() {
        let cases: &[(&[&[u8]], &str)] = &[
            (&[b"GET", b"k"], "get"),
            (&[b"CoNfIg", b"gEt", b"x"], "config|get"),
            (&[b"COMMAND"], "command"),
            (&[b"get"], "ERR wrong number of arguments for 'get' command"),
            (
                &[b"config"],
                "ERR wrong number of arguments for 'config' command",
            ),
            (
                &[b"CONFIG", b"GET"],
                "ERR wrong number of arguments for 'config|get' command",
            ),
            (
                &[b"config", b"foo"],
                "ERR unknown subcommand 'foo'. Try CONFIG HELP.",
            ),
            (
                &[b"config", b"fo\0o\r\n"],
                "ERR unknown subcommand 'fo'. Try CONFIG HELP.",
            ),
            (
                &[b"foo"],
                "ERR unknown command 'foo', with args beginning with: ",
            ),
            (
                &[b"foo", b"", b"bar"],
                "ERR unknown command 'foo', with args beginning with: '' 'bar' ",
            ),
            (
                &[b"FOo", b"a\r\nb\0c", b"d"],
                "ERR unknown command 'FOo', with args beginning with: 'a  b' 'd' ",
            ),
            (
                &[b"config|get", b"a"],
                "ERR unknown command 'config|get', with args beginning with: 'a' ",
            ),
            (&[b""], "ERR unknown command '', with args beginning with: "),
        ];
        for (words, expected) in cases {
            assert_eq!(&row_or_text(words), expected);
        }
    }

    #[test]
    fn an_error_text_repeats_128_bytes_and_no_more() {
        let (x, y) = ([b'x'; 200], [b'y'; 124]);
        let text = row_or_text(&[&x, &y, b"zzzz"]);
        assert_eq!(
            text,
            format!(
                "ERR unknown command '{}', with args beginning with: '{}' 'z' ",
                "x".repeat(128),
                "y".repeat(124)
            )
        );
        let text = row_or_text(&[b"foo", &[b'y'; 128], b"z"]);
        assert!(text.ends_with(&format!("'{}' ", "y".repeat(128))));
        let many = vec![&b"a"[..]; 200];
        assert_eq!(row_or_text(&many).matches("'a'").count(), 33);
    }

    #[test]
    fn a_request_still_arriving_is_counted_by_what_it_announced() {
        let owned = OwnedRequest::new(&["set", "k"]);
        let whole = owned.as_request();
        let ranges: Vec<_> = [(8, 3), (17, 1)]
            .map(|(start, len)| crate::resp::ArgRange { start, len })
            .to_vec();
        let part = Request::new(whole.bytes(), &ranges, 3);
        assert_eq!(classify(part).unwrap().spec.name, "set");
        assert!(matches!(
            classify(whole),
            Err(ClassifyFault::WrongArity { .. })
        ));
    }
}
