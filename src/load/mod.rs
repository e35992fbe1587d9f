//! The one place that reads files: the configuration and what it refers to. `run`, `check` and reload all come through here.
//!
//! A file that is missing or can't be read may be there the next time; a file whose text is faulty stays so until somebody
//! changes it. The two are kept apart, because they end the program with different codes.

mod fault;
mod files;
mod networks;
mod policy;
mod secrets;

pub use fault::{LoadFault, exit_code};
pub use files::{Files, read_config};
pub use networks::Networks;

#[cfg(test)]
mod tests;
