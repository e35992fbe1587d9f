//! What keeps a configuration from being loaded.

use std::fmt;

use crate::config::Fault;

/// A fault, and whether waiting may heal it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// A text that is wrong.
    Faulty(Fault),
    /// A file that is missing or can't be read, or an environment variable that isn't set.
    Unreadable(Fault),
}

impl LoadFault {
    /// The fault itself.
    pub fn fault(&self) -> &Fault {
        match self {
            Self::Faulty(fault) | Self::Unreadable(fault) => fault,
        }
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault().fmt(f)
    }
}

impl std::error::Error for LoadFault {}

/// The code with which the program ends for these faults: 78 (`EX_CONFIG`) where a text is wrong, which no restart heals;
/// 1 where something is only missing; 0 where there is no fault.
pub fn exit_code(faults: &[LoadFault]) -> u8 {
    let faulty = |fault: &LoadFault| matches!(fault, LoadFault::Faulty(_));
    match faults.iter().any(faulty) {
        true => 78,
        false => u8::from(!faults.is_empty()),
    }
}
