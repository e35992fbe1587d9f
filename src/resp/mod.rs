//! Bytes on the wire: RESP2 and RESP3, scanned and written. Pure; knows nothing of commands, users or sockets.
//!
//! Requests come from strangers, so the scanner is bounded, resumable and strict: whatever it accepts, Redis reads alike.

mod decimal;
pub mod decode;
pub mod encode;
pub mod frame;
mod inline;
pub mod limits;
pub mod protocol;
pub mod reply;
pub mod reply_fault;
pub mod request;
pub mod scan;
pub mod scan_error;
mod word;

pub use frame::{Frame, FrameKind};
pub use limits::{Limits, Login};
pub use protocol::Protocol;
pub use reply::{ReplyScanner, Step};
pub use reply_fault::ReplyFault;
pub use request::{ArgRange, OwnedRequest, Request};
pub use scan::{OpenBulk, Progress, RequestScanner, Scan};
pub use scan_error::ScanError;
pub(crate) use word::packed;
