//! The small choices that make up a user, each a type of its own.

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// May log in.
    On,
    /// May not; sessions that had are closed.
    Off,
}

/// Whether any password logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPass {
    /// Any does, as Redis's `nopass` says.
    Yes,
    /// Only those listed.
    No,
}

/// What a user must prove itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// A password, with or without a certificate.
    Password,
    /// A certificate that names the user; no AUTH is needed. With AUTH, a right password as well.
    Certificate,
    /// A certificate that names the user, and then AUTH with a password.
    Both,
    /// A password, or a certificate that names the user.
    Either,
}

impl Proofs {
    /// Whether a certificate that names the user suffices.
    pub fn certificate_suffices(self) -> bool {
        match self {
            Self::Certificate | Self::Either => true,
            Self::Password | Self::Both => false,
        }
    }

    /// Whether a certificate that names the user is needed.
    pub fn need_certificate(self) -> bool {
        match self {
            Self::Certificate | Self::Both => true,
            Self::Password | Self::Either => false,
        }
    }
}

/// Whether operator rows are forwarded for a user, if the rules grant them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// They are.
    Yes,
    /// They aren't, whatever the rules say.
    No,
}

/// What a user may send, in bytes, where that is less than anybody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Largest argument of a request.
    pub max_value: u64,
    /// Announced bytes of large values that may be passed on while they arrive, of all the user's connections together.
    pub max_uploads: u64,
}

impl Quota {
    /// As much as anybody may.
    pub const NONE: Self = Self {
        max_value: u64::MAX,
        max_uploads: u64::MAX,
    };
}
