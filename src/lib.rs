//! Redwall: a TLS-terminating, RESP-aware secure proxy in front of Redis and Valkey.
//!
//! The crate has two halves. The **pure half** (`resp`, `command`, `acl`, `admission`, `answer`, `pairing`, `session`,
//! `config`) does no I/O and never reads a clock. The **I/O half** (the other rooms) drives it. `ARCHITECTURE.md` follows
//! one command through the rooms; `tests/architecture.rs` holds the wall between the halves.

pub mod acl;
pub mod admission;
pub mod answer;
pub mod app;
pub mod backend;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod lane;
pub mod load;
pub mod pairing;
pub mod proxy;
pub mod resp;
pub mod session;
pub mod snapshot;
pub mod status;
pub mod telemetry;
