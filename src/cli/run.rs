//! `redwall run`: loads the configuration and serves clients.

use std::process::ExitCode;

use super::{ConfigArg, complain, refuse};
use crate::app::{self, AppFault};

/// Runs the subcommand until a signal ends it.
pub fn run(args: &ConfigArg) -> ExitCode {
    match app::run(&args.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(AppFault::Load(faults)) => refuse(&faults),
        Err(fault) => {
            complain(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}
