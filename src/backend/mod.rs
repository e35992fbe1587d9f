//! Connections to Redis or Valkey: dialled, verified and logged in. I/O.
//!
//! Knows how to reach a backend and what it says of itself; never sees a client or its requests.

pub mod connect;
pub mod health;
pub mod stream;

pub use connect::{ConnectFault, Connected, Facts, connect};
pub use health::BackendStatus;
pub use stream::Stream;
