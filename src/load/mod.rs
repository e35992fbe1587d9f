//! The one place that reads files and makes of them what connections obey: `run`, `check` and reload all come through here.
//!
//! All or nothing: every fault is reported, and nothing is changed by a load that fails. A file that is missing or can't be read may
//! be there the next time; a file whose text is faulty stays so until somebody changes it. The two are kept apart, because
//! they end the program with different codes.

mod assemble;
pub mod backend_tls;
mod descriptors;
mod fault;
mod files;
mod kernel;
mod networks;
pub mod own_certificate;
pub mod pem;
mod policy;
pub mod provider;
mod secrets;
pub mod tls;
pub mod tls_check;
pub mod tls_fault;
mod transport;

pub use assemble::{Loaded, load};
pub use fault::{LoadFault, exit_code};
pub use files::{Files, read_config};
pub use networks::Networks;

#[cfg(test)]
mod tests;
