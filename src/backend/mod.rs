//! Connections to Redis or Valkey: dialled, verified and logged in. I/O.
//!
//! Knows how to reach a backend and what it says of itself; never sees a client or its requests.

pub mod connect;
pub mod connect_fault;
pub mod health;
pub mod pace;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;

pub use connect::{Connected, Facts, Login, Purpose, connect};
pub use connect_fault::{ConnectFault, OUT_OF_RANGE};
pub use health::BackendStatus;
pub use stream::Stream;
