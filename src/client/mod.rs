//! An accepted connection: its socket, its TLS driven by hand, its output buffer; which certificate Redwall shows, whether the
//! client's is to be believed, and whom it proves. Never looks at what the plaintext says, and reads no file.

pub mod authority;
mod crl;
pub mod fault;
pub mod identity;
mod once;
pub mod resolver;
pub mod revocation;
pub mod tls;
pub mod transport;
pub mod verifier;

#[cfg(test)]
pub(crate) mod testing;

pub use fault::{HandshakeFault, VerifyFault};
pub use identity::{CertificateFacts, IdentityFault};
pub use resolver::ServerCertificates;
pub use tls::{Tls, TlsFault};
pub use transport::{Client, ClientFault, Received, Scratch, grow_towards};
pub use verifier::{ClientVerifier, Demand, Seen, Trusted, take_seen};
