//! The subcommands of the `redwall` program, and its exit codes.
//!
//! 0: done. 1: failed, but may succeed at another time (a missing file, a busy port), or `acl explain` says no. 2: wrong
//! usage. 78: the configuration is faulty, which no restart heals.

pub mod certs;
pub mod check;
pub mod completions;
pub mod explain;
pub mod hash_password;
pub mod run;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::load::LoadFault;

/// Where the configuration is unless the command line or the environment says otherwise.
const DEFAULT_CONFIG: &str = "/etc/redwall/redwall.toml";

/// The secure front door of Redis and Valkey: TLS, admission by address, identity and ACL before a command goes on.
#[derive(Debug, Parser)]
#[command(name = "redwall", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a subcommand, redwall runs. Exit codes: 0 done, 1 failed, 2 wrong usage, 78 faulty configuration."
)]
struct Cli {
    #[command(flatten)]
    config: ConfigArg,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The configuration file.
#[derive(Args, Debug)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", env = "REDWALL_CONFIG", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves clients until SIGTERM or SIGINT; a second one ends it at once.
    Run(ConfigArg),
    Check(check::CheckArgs),
    /// Makes development certificates.
    Certs(certs::CertsArgs),
    /// Prints a password's hash, as ACL rules and the configuration take it.
    HashPassword(hash_password::HashPasswordArgs),
    /// Asks the policy.
    #[command(subcommand)]
    Acl(Acl),
    /// Prints a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

#[derive(Debug, Subcommand)]
enum Acl {
    /// Says whether a user may run a command, and which rule decides. Exit code 0: allowed; 1: denied.
    Explain(explain::ExplainArgs),
}

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    if let Err(error) = keep_memory_private() {
        complain(&format!(
            "error: the process's memory can't be kept from other processes: {error}"
        ));
        return ExitCode::FAILURE;
    }
    let Cli { config, command } = Cli::parse();
    match command.unwrap_or(Command::Run(config)) {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Certs(args) => certs::run(&args),
        Command::HashPassword(args) => hash_password::run(&args),
        Command::Acl(Acl::Explain(args)) => explain::run(&args),
        Command::Completions(args) => {
            completions::run(&args, &mut <Cli as clap::CommandFactory>::command())
        }
    }
}

/// From here on nobody but root may read this process's memory or its environment, trace it, or find either in a core file. Secrets
/// are in both, and a variable that is unset stays in `/proc/PID/environ` all the same. Source: prctl(2), `PR_SET_DUMPABLE`.
fn keep_memory_private() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Writes to standard output. That nobody reads it is no reason to fail.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Writes a line to standard error.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells every fault and returns the exit code that they lead to.
fn refuse(faults: &[LoadFault]) -> ExitCode {
    for fault in faults {
        complain(&fault.to_string());
    }
    ExitCode::from(crate::load::exit_code(faults))
}
