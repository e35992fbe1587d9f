//! Reads the replies to what Redwall itself asks a backend (HELLO, AUTH, SELECT, INFO, COMMAND...). Never on the path of clients'
//! replies, which are passed on as they are.
//!
//! Decoding is the `redis-protocol` crate's work. It recurses without a bound and trusts counts, so it sees only what the
//! [`ReplyScanner`] has delimited and bounded before, and must agree with it about the length.

use std::fmt;

use redis_protocol::{resp2, resp3};

use super::frame::FrameKind;
use super::protocol::Protocol;
use super::reply::ReplyScanner;
use super::reply_fault::ReplyFault;

/// A reply, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string of any kind; a big number's digits.
    Text(Vec<u8>),
    /// An error, its code first.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// An array. In RESP3 also a set, whose order is not the server's.
    Array(Vec<Value>),
    /// A map. Its order is not the server's, and of equal keys one is left. In RESP2 maps are arrays.
    Map(Vec<(Value, Value)>),
    /// An out-of-band frame: not the reply.
    Push(Vec<Value>),
    /// Null of any kind.
    Null,
}

impl Value {
    /// The bytes of a string.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value of `key` in a map, or in an array that holds keys and values in turn, as a map is written in RESP2.
    pub fn field(&self, key: &str) -> Option<&Value> {
        let is_key = |value: &Value| value.as_text() == Some(key.as_bytes());
        match self {
            Self::Map(pairs) => pairs.iter().find(|(k, _)| is_key(k)).map(|(_, v)| v),
            Self::Array(items) => items
                .chunks_exact(2)
                .find(|pair| is_key(&pair[0]))
                .map(|pair| &pair[1]),
            _ => None,
        }
    }
}

/// Why a reply can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes aren't a frame.
    Fault(ReplyFault),
    /// A frame whose content can't be read: an error that isn't UTF-8, a RESP3 type on a RESP2 connection...
    Content {
        /// The frame's first byte.
        first: u8,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "reply can't be read: {fault}"),
            Self::Content { first } => write!(
                f,
                "content of a reply of type '{}' can't be read",
                first.escape_ascii()
            ),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Content { .. } => None,
        }
    }
}

/// Decodes the first frame of `bytes` and says how many bytes it has taken; `None` while it isn't whole.
///
/// Attributes before the frame are taken with it and left out. Each call begins at the first byte again, so `bytes` should be
/// bounded by the caller: these replies are small.
///
/// # Errors
/// [`DecodeError::Fault`] for what the reply scanner refuses, [`DecodeError::Content`] for what `redis-protocol` does.
pub fn frame(bytes: &[u8], protocol: Protocol) -> Result<Option<(Value, usize)>, DecodeError> {
    let mut scanner = ReplyScanner::new();
    let mut start = 0;
    loop {
        let step = scanner
            .advance(&bytes[start..])
            .map_err(DecodeError::Fault)?;
        let Some(frame) = step.end else {
            return Ok(None);
        };
        let end = start + step.consumed;
        if frame.kind() != FrameKind::Attribute {
            let content = DecodeError::Content {
                first: frame.first(),
            };
            let value = decode(&bytes[start..end], protocol).ok_or(content)?;
            return Ok(Some((value, end)));
        }
        start = end;
    }
}

/// Decodes exactly one frame, all of `bytes`.
fn decode(bytes: &[u8], protocol: Protocol) -> Option<Value> {
    let (value, len) = match protocol {
        Protocol::Resp2 => {
            let (frame, len) = resp2::decode::decode(bytes).ok()??;
            (from_resp2(frame), len)
        }
        Protocol::Resp3 => {
            let (frame, len) = resp3::decode::complete::decode(bytes).ok()??;
            (from_resp3(frame)?, len)
        }
    };
    (len == bytes.len()).then_some(value)
}

fn from_resp2(frame: resp2::types::OwnedFrame) -> Value {
    use resp2::types::OwnedFrame;
    match frame {
        OwnedFrame::SimpleString(text) | OwnedFrame::BulkString(text) => Value::Text(text),
        OwnedFrame::Error(text) => Value::Error(text),
        OwnedFrame::Integer(value) => Value::Integer(value),
        OwnedFrame::Array(items) => Value::Array(items.into_iter().map(from_resp2).collect()),
        OwnedFrame::Null => Value::Null,
    }
}

fn from_resp3(frame: resp3::types::OwnedFrame) -> Option<Value> {
    use resp3::types::OwnedFrame;
    Some(match frame {
        OwnedFrame::BlobString { data, .. }
        | OwnedFrame::SimpleString { data, .. }
        | OwnedFrame::BigNumber { data, .. }
        | OwnedFrame::VerbatimString { data, .. } => Value::Text(data),
        OwnedFrame::BlobError { data, .. } => Value::Error(String::from_utf8(data).ok()?),
        OwnedFrame::SimpleError { data, .. } => Value::Error(data),
        OwnedFrame::Boolean { data, .. } => Value::Boolean(data),
        OwnedFrame::Null => Value::Null,
        OwnedFrame::Number { data, .. } => Value::Integer(data),
        OwnedFrame::Double { data, .. } => Value::Double(data),
        OwnedFrame::Array { data, .. } => Value::Array(all(data)?),
        OwnedFrame::Push { data, .. } => Value::Push(all(data)?),
        OwnedFrame::Set { data, .. } => Value::Array(all(data)?),
        OwnedFrame::Map { data, .. } => Value::Map(
            data.into_iter()
                .map(|(key, value)| Some((from_resp3(key)?, from_resp3(value)?)))
                .collect::<Option<_>>()?,
        ),
        OwnedFrame::Hello { .. } | OwnedFrame::ChunkedString(_) => return None,
    })
}

fn all(items: impl IntoIterator<Item = resp3::types::OwnedFrame>) -> Option<Vec<Value>> {
    items.into_iter().map(from_resp3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replies_of_a_login_are_read() {
        let hello2 = b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n";
        let hello3 = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";
        for (bytes, protocol, proto) in [
            (&hello2[..], Protocol::Resp2, 2),
            (&hello3[..], Protocol::Resp3, 3),
        ] {
            let (value, len) = frame(bytes, protocol).unwrap().unwrap();
            assert_eq!(len, bytes.len());
            assert_eq!(value.field("proto"), Some(&Value::Integer(proto)));
            assert_eq!(
                value.field("server").unwrap().as_text(),
                Some(&b"redis"[..])
            );
            assert_eq!(value.field("none"), None);
            assert_eq!(frame(&bytes[..len - 1], protocol), Ok(None));
        }
        let error = frame(b"-WRONGPASS no\r\n+OK\r\n", Protocol::Resp2);
        let text = Value::Error("WRONGPASS no".to_owned());
        assert_eq!(error, Ok(Some((text, 15))));
    }

    #[test]
    fn attributes_are_taken_with_the_frame_and_left_out() {
        let read = frame(b"|1\r\n+ttl\r\n:1\r\n:7\r\n", Protocol::Resp3);
        assert_eq!(read, Ok(Some((Value::Integer(7), 18))));
    }

    #[test]
    fn a_frame_that_would_exhaust_the_decoder_never_reaches_it() {
        let deep = b"*1\r\n".repeat(100_000);
        let fault = DecodeError::Fault(ReplyFault::TooDeep { limit: 128 });
        assert_eq!(frame(&deep, Protocol::Resp2), Err(fault.clone()));
        assert_eq!(frame(&deep, Protocol::Resp3), Err(fault));
        let wide = frame(b"*4294967295\r\n:1\r\n", Protocol::Resp3);
        assert_eq!(wide, Ok(None));
    }

    #[test]
    fn a_frame_of_the_other_version_is_an_error() {
        let error = Err(DecodeError::Content { first: b'_' });
        assert_eq!(frame(b"_\r\n", Protocol::Resp2), error);
    }
}
