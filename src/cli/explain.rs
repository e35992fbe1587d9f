//! `redwall acl explain`: whether a user may run a command, and which rule decides.

use std::process::ExitCode;

use clap::Args;

use super::{ConfigArg, complain, refuse, say};
use crate::command;
use crate::load;
use crate::resp::OwnedRequest;
use crate::snapshot::{Database, Snapshot};

/// Whom and what to ask about.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The database; may be left out where there is only one.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The user.
    user: String,
    /// The command with its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

/// Runs the subcommand: exit code 0 if the command is allowed, 1 if it is denied, 2 if the question can't be asked.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let loaded = match load::load(&args.config.config, 1) {
        Ok(loaded) => loaded,
        Err(faults) => return refuse(&faults),
    };
    let database = match database(&loaded.snapshot, args.database.as_deref()) {
        Ok(database) => database,
        Err(text) => return wrong(&text),
    };
    let Some(user) = database.policy.user(&args.user) else {
        return wrong(&format!(
            "database {} has no user {:?}",
            database.name, args.user
        ));
    };
    let request = OwnedRequest::new(&args.command);
    let call = match command::classify(request.as_request()) {
        Ok(call) => call,
        Err(fault) => {
            let text = fault.message(&request.as_request());
            say(&format!("denied: {}\n", String::from_utf8_lossy(&text)));
            return ExitCode::FAILURE;
        }
    };
    let explanation = database.policy.explain(user, &call);
    say(&format!("{explanation}\n"));
    match explanation.outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn database<'s>(snapshot: &'s Snapshot, name: Option<&str>) -> Result<&'s Database, String> {
    let names = || {
        let names: Vec<_> = snapshot
            .databases
            .iter()
            .map(|database| database.name.as_str())
            .collect();
        names.join(", ")
    };
    match (name, snapshot.databases.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("--database is needed, one of: {}", names())),
        (Some(name), databases) => databases
            .iter()
            .find(|database| database.name == name)
            .map(AsRef::as_ref)
            .ok_or_else(|| format!("there is no database {name:?}, only: {}", names())),
    }
}

fn wrong(text: &str) -> ExitCode {
    complain(&format!("error: {text}"));
    ExitCode::from(2)
}
