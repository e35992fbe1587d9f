//! Workers and their connections: accepts, establishes, and drives each client's loop between socket, session and lane. I/O.
//!
//! Everything that is decided here is about time, order and memory; what may be asked is decided in `session`.

pub mod acceptor;
mod block;
mod company;
mod connection;
mod deadlines;
mod delivery;
mod door;
mod ending;
mod establish;
mod expected;
mod flow;
mod gathering;
mod lanes;
mod memory;
mod overdue;
mod place;
mod plaintext;
mod renewal;
mod requests;
mod right_of_way;
mod seats;
mod shared_lane;
mod spares;
mod stay;
mod steps;
mod upload;
pub mod vital;
pub mod worker;

pub use acceptor::Acceptor;
pub use door::Door;
pub use worker::{WorkerHandle, spawn};
