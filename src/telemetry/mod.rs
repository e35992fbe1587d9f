//! What Redwall counts and logs. Takes events, never decides anything; imported by the I/O rooms only.

mod backend;
mod client_memory;
mod collector;
mod configuration;
mod event_loop;
pub mod histogram;
pub mod log;
mod loop_collector;
pub mod metrics;
pub mod shard;
pub mod tally;

pub use backend::{BackendConnection, BackendConnections, BackendMetrics};
pub use client_memory::ClientMemoryMetrics;
pub use event_loop::EventLoop;
pub use metrics::Metrics;
pub use shard::{
    AcceptFault, CloseReason, DatabaseShard, HandshakeOutcome, RefusalReason, Shard, VerdictLabel,
};
