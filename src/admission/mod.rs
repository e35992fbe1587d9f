//! Who may come in at all: by address, by number, and by the names in a certificate that has already been verified.
//! Pure bookkeeping and comparison; never reads a socket, a file or a clock, and never parses DER.

pub mod certificate;
pub mod cidr;
pub mod escape;
pub mod slots;

pub use cidr::{Admission, CidrSet, PrivateOnly, Refusal};
pub use slots::{Decision, Place, SlotId, Slots};
