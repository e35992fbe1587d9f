//! One request as the client wrote it: its own bytes, and where each argument lies in them.

/// Where one argument lies in [`Request::bytes`]. Offsets in bytes; an argument is at most 512 MiB, a request at most 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgRange {
    /// Offset of the argument's first byte from the request's first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

/// A request whose bytes are borrowed from the client's buffer: an array of bulk strings, in canonical RESP.
///
/// Whole, unless it is being streamed: then only the arguments that have arrived whole are in it, and `announced` is larger
/// than `len`. Its bytes are then all that has arrived, up to somewhere in the first argument that isn't here.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    bytes: &'a [u8],
    args: &'a [ArgRange],
    announced: usize,
}

impl<'a> Request<'a> {
    /// A request over `bytes`, with the ranges of the arguments that have arrived, out of `announced` in all.
    ///
    /// Every range must lie inside `bytes`; one that doesn't reads as an empty argument.
    pub fn new(bytes: &'a [u8], args: &'a [ArgRange], announced: usize) -> Self {
        Self {
            bytes,
            args,
            announced,
        }
    }

    /// The request's bytes, as they are sent on.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of arguments that have arrived, the command's name included.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there is no argument at all; never so for a scanned request.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// Number of arguments in all, as the request's header announced.
    pub fn announced(&self) -> usize {
        self.announced
    }

    /// Whether every announced argument is here.
    pub fn is_whole(&self) -> bool {
        self.announced == self.args.len()
    }

    /// Argument `index`; 0 is the command's name. Beyond the last: `None`.
    pub fn arg(&self, index: usize) -> Option<&'a [u8]> {
        let range = self.args.get(index)?;
        let start = range.start as usize;
        Some(
            self.bytes
                .get(start..start + range.len as usize)
                .unwrap_or(&[]),
        )
    }

    /// The arguments in order, the command's name first.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let this = *self;
        (0..this.len()).filter_map(move |index| this.arg(index))
    }
}

/// A request that owns its bytes: for what is asked from the command line, and for tests.
#[derive(Clone, Debug)]
pub struct OwnedRequest {
    bytes: Vec<u8>,
    args: Vec<ArgRange>,
}

impl OwnedRequest {
    /// Encodes `words` as one request, the command's name first.
    pub fn new<W: AsRef<[u8]>>(words: &[W]) -> Self {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            let word = word.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            args.push(ArgRange {
                start: bytes.len() as u32,
                len: word.len() as u32,
            });
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        Self { bytes, args }
    }

    /// The request, borrowed.
    pub fn as_request(&self) -> Request<'_> {
        Request::new(&self.bytes, &self.args, self.args.len())
    }
}
