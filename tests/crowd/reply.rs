//! Replies as they must be, to the byte, and what is in those that are looked into.

use redwall::resp::{Protocol, ReplyScanner};

pub fn bulk(content: &[u8]) -> Vec<u8> {
    let mut reply = format!("${}\r\n", content.len()).into_bytes();
    reply.extend_from_slice(content);
    reply.extend_from_slice(b"\r\n");
    reply
}

pub fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

pub fn array(elements: &[Vec<u8>]) -> Vec<u8> {
    aggregate('*', elements)
}

fn aggregate(mark: char, elements: &[Vec<u8>]) -> Vec<u8> {
    let mut reply = format!("{mark}{}\r\n", elements.len()).into_bytes();
    reply.extend(elements.concat());
    reply
}

/// A map of one pair, or of none.
pub fn map(pair: Option<[Vec<u8>; 2]>, protocol: Protocol) -> Vec<u8> {
    let elements = pair.into_iter().flatten().collect::<Vec<_>>();
    match protocol {
        Protocol::Resp2 => aggregate('*', &elements),
        Protocol::Resp3 => {
            let mut reply = format!("%{}\r\n", elements.len() / 2).into_bytes();
            reply.extend(elements.concat());
            reply
        }
    }
}

/// What a subscriber is told beside replies.
pub fn told(elements: &[Vec<u8>], protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Resp2 => aggregate('*', elements),
        Protocol::Resp3 => aggregate('>', elements),
    }
}

pub fn null(protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Resp2 => b"$-1\r\n".to_vec(),
        Protocol::Resp3 => b"_\r\n".to_vec(),
    }
}

pub fn null_array(protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Resp2 => b"*-1\r\n".to_vec(),
        Protocol::Resp3 => b"_\r\n".to_vec(),
    }
}

/// A number that isn't whole by its type: text in RESP2.
pub fn double(number: usize, protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Resp2 => bulk(number.to_string().as_bytes()),
        Protocol::Resp3 => format!(",{number}\r\n").into_bytes(),
    }
}

/// Whether it is a message of a subscription.
pub fn is_message(reply: &[u8]) -> bool {
    let rest = reply
        .strip_prefix(b"*3\r\n")
        .or(reply.strip_prefix(b">3\r\n"));
    rest.is_some_and(|rest| rest.starts_with(b"$7\r\nmessage\r\n"))
}

/// The elements of an array.
pub fn elements(reply: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = headed(reply, b'*')?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let step = ReplyScanner::default().advance(rest).ok()?;
        step.end?;
        let (element, others) = rest.split_at(step.consumed);
        elements.push(element);
        rest = others;
    }
    rest.is_empty().then_some(elements)
}

/// What a bulk string holds.
pub fn content(reply: &[u8]) -> Option<&[u8]> {
    let (len, rest) = headed(reply, b'$')?;
    (rest.len() == len + 2).then(|| &rest[..len])
}

pub fn number(reply: &[u8]) -> Option<usize> {
    Some(headed(reply, b':')?.0)
}

/// The number in the first line, and what comes behind the line.
fn headed(reply: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    let rest = reply.strip_prefix(&[mark])?;
    let end = rest.iter().take(24).position(|byte| *byte == b'\r')?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((number, rest.get(end + 2..)?))
}

/// A reply for people to read.
pub fn shown(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(&reply[..reply.len().min(160)]);
    match reply.len() {
        0..=160 => format!("{text:?}"),
        len => format!("{text:?}... of {len} bytes"),
    }
}
