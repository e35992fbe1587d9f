//! An accepted connection's TLS: which certificate Redwall shows, whether the client's is to be believed, and whom it
//! proves. Judges bytes that rustls hands over; owns no socket and reads no file.

pub mod authority;
mod crl;
pub mod fault;
pub mod identity;
pub mod resolver;
pub mod revocation;
pub mod verifier;

#[cfg(test)]
pub(crate) mod testing;

pub use fault::{HandshakeFault, VerifyFault};
pub use identity::{CertificateFacts, IdentityFault};
pub use resolver::ServerCertificates;
pub use verifier::{ClientVerifier, Demand, Seen, Trusted, take_seen};
