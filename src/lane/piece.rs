//! What a shared connection has got for one client, as it is handed to whoever delivers it. No I/O.

/// What has come for one client: the end of a reply perhaps, whole ones, and the beginning of another perhaps.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The bytes as the backend sent them.
    pub bytes: &'a [u8],
    /// Where in `bytes` replies end, ascending.
    pub ends: &'a [usize],
    /// What is known of the reply that begins here, if it is large and others wait behind it.
    pub large: Option<Large<'a>>,
}

/// A large reply of which the beginning has come.
#[derive(Clone, Copy, Debug)]
pub struct Large<'a> {
    /// Bytes that it has at least.
    pub least_len: u64,
    /// What was asked, as it was appended.
    pub request: &'a [u8],
}

/// How much of a piece its client has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    All,
    /// All but the reply that begins in it: nobody waits for that any more.
    ButRest,
}

impl Piece<'_> {
    /// The ends of replies, and whole ones.
    pub fn ended(&self) -> &[u8] {
        &self.bytes[..self.ends.last().copied().unwrap_or(0)]
    }

    /// Bytes of each reply that ends here, without what came of it before.
    pub fn lens(&self) -> impl Iterator<Item = usize> {
        let starts = std::iter::once(&0).chain(self.ends);
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    /// The beginning of a reply whose end hasn't come; empty if there is none.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.ends.last().copied().unwrap_or(0)..]
    }
}
