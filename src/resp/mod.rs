//! Bytes on the wire: RESP2 and RESP3, scanned and written. Pure; knows nothing of commands, users or sockets.
//!
//! Requests come from strangers, so the scanner is bounded, resumable and strict: whatever it accepts, Redis reads alike.

pub mod request;

pub use request::{ArgRange, OwnedRequest, Request};
