//! Workers and their connections: accepts, establishes, and drives each client's loop between socket, session and lane. I/O.
//!
//! Everything that is decided here is about time, order and memory; what may be asked is decided in `session`.

pub mod acceptor;
pub mod connection;
pub mod door;
mod ending;
pub mod establish;
pub mod requests;
pub mod seats;
pub mod upload;
pub mod worker;

pub use acceptor::Acceptor;
pub use door::Door;
pub use worker::{WorkerHandle, spawn};
