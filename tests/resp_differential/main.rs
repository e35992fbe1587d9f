//! `resp` beside real servers: what they read, and what they write.
//!
//! Needs `redis-server` on the path, and the servers that `make servers` fetches.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't ask its server has failed"
)]

mod replies;
mod requests;
mod server;
