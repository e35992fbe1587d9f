//! HELLO's reply. Source: Redis 7.0, `HELLO`.

use crate::resp::{Protocol, encode};

/// What HELLO tells of the server.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The backend's version: client libraries choose commands by it.
    pub version: &'a str,
    /// The connection's number.
    pub id: u64,
}

/// Writes HELLO's map of seven fields to `out`, in the protocol that is in force from now on.
///
/// Mode and role are those of the door, not of the backend behind it: one standalone server that takes writes.
pub fn write(out: &mut Vec<u8>, protocol: Protocol, hello: &Hello<'_>) {
    encode::map(out, 7, protocol);
    encode::bulk(out, b"server");
    encode::bulk(out, b"redis");
    encode::bulk(out, b"version");
    encode::bulk(out, hello.version.as_bytes());
    encode::bulk(out, b"proto");
    encode::integer(
        out,
        match protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        },
    );
    encode::bulk(out, b"id");
    encode::integer(out, i64::try_from(hello.id).unwrap_or(i64::MAX));
    encode::bulk(out, b"mode");
    encode::bulk(out, b"standalone");
    encode::bulk(out, b"role");
    encode::bulk(out, b"master");
    encode::bulk(out, b"modules");
    encode::array(out, 0);
}
