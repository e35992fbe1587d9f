//! The bounds that a request must keep. They are given to every scan, because they change in the middle of a pipeline: the
//! command after a successful AUTH may be larger than AUTH itself.

use super::scan_error::ScanError;

/// Whether the client has proved who it is. Chooses the text in which a limit answers, as Redis does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not yet: a request beyond the limits is answered with `unauthenticated multibulk length` or `... bulk length`.
    Awaited,
    /// Yes, or none is needed.
    Done,
}

/// The most that one request may announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments, the command's name included.
    pub max_arguments: usize,
    /// Bytes of one argument.
    pub max_bulk: u64,
    /// Bytes of an inline command, without its line break.
    pub max_inline: usize,
    /// Whether these limits are those before login.
    pub login: Login,
}

impl Limits {
    /// Redis's own: 1,048,576 arguments, `proto-max-bulk-len` of 512 MiB, inline commands of 64 KiB.
    pub const DEFAULT: Self = Self {
        max_arguments: 1024 * 1024,
        max_bulk: 512 * 1024 * 1024,
        max_inline: 64 * 1024,
        login: Login::Done,
    };

    /// Before login: 10 arguments of 16 KiB. Source: Redis's answer to CVE-2021-32675.
    ///
    /// Inline commands, which Redis leaves out of it, keep the same bounds here.
    pub const BEFORE_LOGIN: Self = Self {
        max_arguments: 10,
        max_bulk: 16 * 1024,
        max_inline: 64 * 1024,
        login: Login::Awaited,
    };
}

impl Limits {
    /// Whether a request may have `found` arguments; if so, as a `usize`.
    ///
    /// # Errors
    /// [`ScanError::CountTooLarge`], or before login [`ScanError::CountBeforeLogin`] where it would do after it.
    #[inline]
    pub(super) fn check_arguments(&self, found: u64) -> Result<usize, ScanError> {
        let limit = self.max_arguments;
        match usize::try_from(found) {
            Ok(count) if count <= limit => Ok(count),
            _ if self.login == Login::Done || found > Self::DEFAULT.max_arguments as u64 => {
                Err(ScanError::CountTooLarge { limit, found })
            }
            _ => Err(ScanError::CountBeforeLogin { limit, found }),
        }
    }

    /// Whether an argument may have `found` bytes.
    ///
    /// # Errors
    /// [`ScanError::LengthTooLarge`], or before login [`ScanError::LengthBeforeLogin`] where it would do after it.
    #[inline]
    pub(super) fn check_bulk(&self, found: u64) -> Result<(), ScanError> {
        let limit = self.max_bulk;
        if found <= limit {
            Ok(())
        } else if self.login == Login::Done || found > Self::DEFAULT.max_bulk {
            Err(ScanError::LengthTooLarge { limit, found })
        } else {
            Err(ScanError::LengthBeforeLogin { limit, found })
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
