//! What a caller is told of a scan.

/// What a scan has found. `len` is what the request still takes of the input; the next request begins behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole request, an array of bulk strings; [`request`](super::RequestScanner::request) is it.
    Complete {
        /// Bytes of the input.
        len: usize,
    },
    /// A whole inline command, re-encoded; [`request`](super::RequestScanner::request) is it.
    Inline {
        /// Bytes of the input; those of the request are others.
        len: usize,
    },
    /// The end of a request of which bytes had been dropped.
    Rest {
        /// Bytes of the input.
        len: usize,
    },
    /// Nothing that is answered: an empty line, `*0` or `*-1`.
    Skipped {
        /// Bytes of the input.
        len: usize,
    },
    /// All the input was read, and more is needed.
    Incomplete,
}

/// How far an array of bulk strings has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Arguments that the header announced.
    pub announced: usize,
    /// Arguments that have arrived whole.
    pub arrived: usize,
    /// The argument after these, once its length is known.
    pub open: Option<OpenBulk>,
    /// Bytes that all lengths so far announced, that of the open argument included. Headers and line breaks don't count.
    pub announced_bytes: u64,
}

/// An argument of which only a part has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBulk {
    /// Bytes that its header announced.
    pub announced: u64,
    /// Bytes that have arrived.
    pub arrived: u64,
}
