//! Backend connections as sessions use them: permitted requests are appended, frames come back. I/O.
//!
//! Moves bytes between sessions and a backend as `pairing` and `session` say; never decides what may be sent.

mod fence;
pub mod own;
pub mod piece;
mod sending;
pub mod shared;
pub mod shared_fault;
pub mod spare;

pub use own::{Lane, LaneFault, Readiness};
pub use piece::{Large, Piece, Taken};
pub use sending::Kept;
pub use shared::{MOST_UNSENT, Shared};
pub use shared_fault::SharedFault;
pub use spare::Spare;
