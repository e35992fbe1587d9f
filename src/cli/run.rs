//! `redwall run`: loads the configuration and serves clients.

use std::process::ExitCode;

use super::{ConfigArg, complain, refuse};
use crate::app::{self, Process};
use crate::config::{Config, Note, Severity, Workers};
use crate::load;
use crate::snapshot::Snapshot;
use crate::telemetry::log;

/// Runs the subcommand until a signal ends it.
pub fn run(args: &ConfigArg) -> ExitCode {
    let loaded = match load::load(&args.config, 1) {
        Ok(loaded) => loaded,
        Err(faults) => return refuse(&faults),
    };
    if let Err(error) = log::install(&loaded.config.log) {
        complain(&format!("error: the log can't be opened: {error}"));
        return ExitCode::FAILURE;
    }
    for Note {
        file,
        at,
        severity,
        text,
    } in &loaded.notes
    {
        let place = format!("{}:{}:{}", file.display(), at.line, at.column);
        match severity {
            Severity::Warning => tracing::warn!(place, "{text}"),
            Severity::Info => tracing::debug!(place, "{text}"),
        }
    }
    let process = process(&loaded.config, &loaded.snapshot);
    match app::run(&process, loaded.snapshot) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            complain(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn process(config: &Config, snapshot: &Snapshot) -> Process {
    Process {
        workers: match config.server.workers {
            Workers::Exactly(workers) => workers as usize,
            Workers::Auto => automatic_workers(snapshot),
        },
        status: config
            .status
            .listen
            .iter()
            .map(|address| address.value)
            .collect(),
    }
}

/// As many workers as there are cores, less one where a backend needs a core of this machine.
fn automatic_workers(snapshot: &Snapshot) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let backend_here = snapshot
        .databases
        .iter()
        .any(|database| database.backend.address.is_on_this_machine());
    (cores - usize::from(backend_here && cores > 1)).max(1)
}
