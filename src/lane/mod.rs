//! Backend connections as sessions use them: permitted requests are appended, frames come back. I/O.
//!
//! Moves bytes between a session and a backend as `pairing` and `session` say; never decides what may be sent.

pub mod own;

pub use own::{Lane, LaneFault, Readiness};
