//! The two versions of the protocol that a connection can speak.

/// The protocol version of one connection: what `HELLO 2` and `HELLO 3` choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RESP2, in which every connection begins.
    #[default]
    Resp2,
    /// RESP3, with maps, sets, pushes and typed scalars.
    Resp3,
}
