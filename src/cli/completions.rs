//! `redwall completions`: a completion script for a shell.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::say;

/// Which shell.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints the script for `program`.
pub fn run(args: &CompletionsArgs, program: &mut clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, program, "redwall", &mut script);
    say(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
