//! `resp` beside real servers: what they read, and what they write.
//!
//! Needs `redis-server` on the path; servers in `.servers/bin`, or in the folder that `REDWALL_SERVERS` names, are asked as well.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't ask its server has failed"
)]

mod replies;
mod requests;
mod server;
