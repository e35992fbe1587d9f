//! `redwall check`: every fault with its place, or in words who may reach which database from where, and what he may do.

use std::process::ExitCode;

use clap::Args;

use super::{ConfigArg, refuse, say};
use crate::load::{self, Remark};

/// What to check, and what to print.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Prints the values in force as TOML, secrets hidden, in place of the words.
    #[arg(long)]
    print_config: bool,
}

/// Runs the subcommand: exit code 0 if the configuration is sound, 78 if it is faulty, 1 if a file is missing or unreadable.
pub fn run(args: &CheckArgs) -> ExitCode {
    let loaded = match load::load(&args.config.config, 1) {
        Ok(loaded) => loaded,
        Err(faults) => return refuse(&faults),
    };
    if args.print_config {
        say(&loaded.config.to_toml());
        return ExitCode::SUCCESS;
    }
    say(&loaded.config.in_words());
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}\n"));
    }
    for remark in &loaded.remarks {
        match remark {
            Remark::Warning(text) => say(&format!("warning: {text}\n")),
            Remark::Information(text) => say(&format!("note: {text}\n")),
        }
    }
    say(&format!(
        "{}: the configuration is sound\n",
        args.config.config.display()
    ));
    ExitCode::SUCCESS
}
