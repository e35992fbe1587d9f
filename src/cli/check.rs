//! `redwall check`: every fault with its place, or in words who may reach which database from where, and what he may do.

use std::process::ExitCode;

use clap::Args;

use super::{ConfigArg, refuse, say};
use crate::acl::Policy;
use crate::command;
use crate::config::file_user_in_words;
use crate::load::{self, Loaded};

/// Says what is wrong with a configuration, all at once, or in words what it lets whom do.
///
/// Reads every file that the configuration names, and connects to nothing. Each fault is a line `file:line:column: error: what,
/// expected what`. A sound configuration is told in words: who may reach which database from where, how users prove who they are,
/// and what they may do; then what is unwise in it. Exit codes: 0 sound, 78 faulty, 1 a file is missing or can't be read.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Prints the values in force as TOML, secrets hidden, in place of the words; warnings are comments.
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
        // A limit that the system doesn't leave room for is told so here too.
        for line in loaded
            .notes
            .iter()
            .flat_map(|note| lines(&note.to_string()))
        {
            say(&format!("# {line}\n"));
        }
        return ExitCode::SUCCESS;
    }
    say(&in_words(&loaded));
    for note in &loaded.notes {
        say(&format!("{note}\n"));
    }
    say(&format!(
        "{}: the configuration is sound\n",
        args.config.config.display()
    ));
    ExitCode::SUCCESS
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The databases in words, with the users of their ACL files.
fn in_words(loaded: &Loaded) -> String {
    let mut words = String::new();
    let databases = loaded.config.databases.iter();
    for (written, database) in databases.zip(&loaded.snapshot.databases) {
        words += &written.in_words();
        let users = database.policy.users();
        let mut of_file: Vec<_> = users
            .filter(|user| written.user(user.name()).is_none())
            .collect();
        of_file.sort_by_key(|user| user.name().to_owned());
        for user in of_file {
            words += &format!("  {}\n", file_user_in_words(user));
        }
        words += &scripts_in_words(&database.policy);
        words.push('\n');
    }
    words + &loaded.config.roles_in_words()
}

/// Whose scripts go round what Redwall denies: it can't look into them, and the backend knows no user but Redwall's own.
fn scripts_in_words(policy: &Policy) -> String {
    let Some(eval) = command::lookup(b"eval") else {
        return String::new();
    };
    let users = policy.users().filter(|user| user.may_use(eval));
    let mut names: Vec<&str> = users.map(|user| user.name()).collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => String::new(),
        names => format!(
            "  scripts of {} may do whatever Redwall's own user may in the backend, publish to __sentinel__:hello too\n",
            names.join(", ")
        ),
    }
}
