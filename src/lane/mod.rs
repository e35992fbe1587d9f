//! Backend connections as sessions use them: permitted requests are appended, frames come back. I/O.
//!
//! Moves bytes between sessions and a backend as `pairing` and `session` say; never decides what may be sent.

mod fence;
pub mod own;
pub mod shared;
pub mod spare;

pub use own::{Lane, LaneFault, Readiness};
pub use shared::{MOST_UNSENT, Piece, Shared, SharedFault};
pub use spare::Spare;
