//! What Redwall counts and logs. Takes events, never decides anything; imported by the I/O rooms only.

mod backend;
mod collector;
pub mod histogram;
pub mod log;
pub mod metrics;
pub mod shard;

pub use backend::{BackendConnection, BackendConnections, BackendMetrics};
pub use metrics::Metrics;
pub use shard::{CloseReason, DatabaseShard, HandshakeOutcome, RefusalReason, Shard, VerdictLabel};
