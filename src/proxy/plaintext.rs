//! A client that speaks in the clear where TLS is spoken: it's told so in its own protocol, and closed.
//!
//! Nothing that it says is believed or passed on, and it's told no more than a few lines, whatever it says.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::transport::drain;
use crate::resp::{Limits, RequestScanner, Scan};

/// What a Redis client is answered.
const ANSWER: &[u8] = b"-ERR this port speaks TLS: use rediss://, or redis-cli with --tls\r\n";

/// What an HTTP client is answered.
const HTTP_ANSWER: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 60\r\n\
    Connection: close\r\n\r\nthis port speaks TLS, and in it Redis's protocol, not HTTP\r\n";

/// Most requests that are answered. Some libraries don't look at the answers to their first ones, but to a later one.
const MAX_ANSWERS: usize = 8;

/// Most bytes that are held of a request that has no end yet: it's answered without.
const MAX_HELD: usize = 4096;

/// How long is waited for the rest of a request before it's answered without.
const PATIENCE: Duration = Duration::from_millis(300);

const HTTP_VERBS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"OPTIONS ",
    b"DELETE ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
];

/// Answers a client that began with `said`, then closes: at once if it speaks HTTP, else when it has been told often enough or
/// goes away. The caller bounds the time.
pub(super) async fn refuse(mut socket: TcpStream, said: Vec<u8>) {
    let mut hearing = Hearing::default();
    // One that doesn't read what it's told misses it.
    let _ = converse(&mut socket, &mut hearing, &said).await;
    drain(socket).await;
}

async fn converse(socket: &mut TcpStream, hearing: &mut Hearing, said: &[u8]) -> io::Result<()> {
    let mut due = hearing.hear(said);
    let mut buffer = [0; 1024];
    loop {
        match due {
            Due::Answers(count) => socket.write_all(&ANSWER.repeat(count)).await?,
            Due::HttpAnswer => return socket.write_all(HTTP_ANSWER).await,
        }
        if hearing.is_over {
            return Ok(());
        }
        let read = socket.read(&mut buffer);
        due = match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(read)) if read > 0 => hearing.hear(&buffer[..read]),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) | Err(_) => hearing.end(),
        };
    }
}

/// What is to be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// So many lines for a Redis client; none, if it isn't clear yet what it is or wants.
    Answers(usize),
    /// HTTP's.
    HttpAnswer,
}

/// What a client in the clear has said so far.
#[derive(Debug, Default)]
struct Hearing {
    /// The beginning of a request whose end has not come.
    held: Vec<u8>,
    scanner: RequestScanner,
    answered: usize,
    is_over: bool,
}

impl Hearing {
    /// Takes in what was said.
    fn hear(&mut self, said: &[u8]) -> Due {
        self.held.extend_from_slice(said);
        if self.answered == 0 && is_http(&self.held) {
            self.is_over = true;
            return Due::HttpAnswer;
        }
        let mut requests = 0;
        loop {
            match self.scanner.scan(&self.held, &Limits::BEFORE_LOGIN) {
                Ok(Scan::Complete { len } | Scan::Inline { len } | Scan::Rest { len }) => {
                    self.held.drain(..len);
                    requests += 1;
                }
                Ok(Scan::Skipped { len }) => drop(self.held.drain(..len)),
                Ok(Scan::Incomplete) if self.held.len() <= MAX_HELD => break,
                Ok(Scan::Incomplete) | Err(_) => {
                    self.is_over = true;
                    requests += 1;
                    break;
                }
            }
        }
        self.answer(requests)
    }

    /// Nothing more will be said, or not in time: one who has heard nothing yet is told.
    fn end(&mut self) -> Due {
        self.is_over = true;
        self.answer(usize::from(self.answered == 0))
    }

    fn answer(&mut self, requests: usize) -> Due {
        let count = requests.min(MAX_ANSWERS - self.answered);
        self.answered += count;
        self.is_over |= self.answered == MAX_ANSWERS;
        Due::Answers(count)
    }
}

/// Whether it's an HTTP request that begins so. Redis has a GET too, but no key of it that looks like a path is likely to be
/// asked for by hand.
fn is_http(said: &[u8]) -> bool {
    HTTP_VERBS.iter().any(|verb| {
        let target = said.strip_prefix(*verb).and_then(<[u8]>::first);
        target.is_some_and(|first| *verb == b"CONNECT " || matches!(first, b'/' | b'*' | b'h'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to one that says these pieces, and whether it is closed then without waiting for more.
    fn heard(pieces: &[&[u8]]) -> (Vec<Due>, bool) {
        let mut hearing = Hearing::default();
        let due = pieces.iter().map(|piece| hearing.hear(piece)).collect();
        (due, hearing.is_over)
    }

    #[test]
    fn each_request_is_answered_once_and_none_after_the_eighth() {
        use Due::Answers;
        let ping = b"*1\r\n$4\r\nPING\r\n";
        assert_eq!(heard(&[ping]), (vec![Answers(1)], false));
        assert_eq!(heard(&[b"PING\r\n"]), (vec![Answers(1)], false));
        assert_eq!(heard(&[&ping.repeat(3)]), (vec![Answers(3)], false));
        assert_eq!(heard(&[&ping.repeat(1000)]), (vec![Answers(8)], true));
        let pieces = [&ping[..1], &ping[1..9], &ping[9..]];
        assert_eq!(heard(&pieces), ([0, 0, 1].map(Answers).to_vec(), false));
        let [seven, two] = [ping.repeat(7), ping.repeat(2)];
        assert_eq!(heard(&[&seven, &two]), ([7, 1].map(Answers).to_vec(), true));
    }

    #[test]
    fn an_http_request_is_told_in_http_however_it_is_cut() {
        let http = (vec![Due::Answers(0), Due::HttpAnswer], true);
        for (first, second) in [
            ("G", "ET / HTTP/1.1\r\n\r\n"),
            ("POST ", "/x HTTP/1.1\r\n"),
            ("OPTIONS", " * HTTP/1.1\r\n"),
            ("CONNECT", " example.org:443 HTTP/1.1\r\n"),
        ] {
            assert_eq!(heard(&[first.as_bytes(), second.as_bytes()]), http);
        }
        for inline in ["GET key\r\n", "POSTPONE\r\n", "PING\r\n", "HELLO 3\r\n"] {
            assert_eq!(heard(&[inline.as_bytes()]), (vec![Due::Answers(1)], false));
        }
    }

    #[test]
    fn what_is_no_request_at_all_or_has_no_end_is_answered_once() {
        let once = (vec![Due::Answers(1)], true);
        let endless = [b"SET k ".as_slice(), &[b'x'; 5000]].concat();
        let foreign = b"*1\r\n\0\0\0\0".as_slice();
        for said in [&endless, foreign, b"*1000000\r\n", b"*1\r\n$999999999\r\n"] {
            assert_eq!(heard(&[said]), once);
        }
        let mut hearing = Hearing::default();
        assert_eq!(hearing.hear(b"*"), Due::Answers(0));
        assert_eq!(hearing.end(), Due::Answers(1));
    }

    #[test]
    fn the_answer_in_http_has_the_length_that_it_says() {
        let text = String::from_utf8_lossy(HTTP_ANSWER).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{head}"
        );
    }
}
