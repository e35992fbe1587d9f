//! How many clients the process has descriptors for. Each may need two: its own and one to the backend. A process without any left
//! can neither accept nor dial, so what is short for all is bounded for newcomers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::files::Files;
use crate::config::{Config, Workers};
use crate::snapshot::LEAVING;

/// A client's own and its backend's.
const PER_CLIENT: u64 = 2;

/// A worker's runtime: epoll twice, a waker, a signal pipe; and a socket that is accepted to be refused, or on its way out.
const PER_WORKER: u64 = 8;

/// What is served beside clients, by listener: itself and the connections of scrapers.
const PER_STATUS_LISTENER: u64 = 33;

/// A probe's connection to the backend, and the one that follows it.
const PER_DATABASE: u64 = 2;

/// Standard streams, two runtimes, signals, and files and name servers while they are asked.
const OF_THE_PROCESS: u64 = 32;

impl Files {
    /// The connections of clients that are in force: `server.max_clients`, or as many as there are descriptors for.
    pub(super) fn max_clients(&mut self, config: &Config) -> usize {
        let asked = config.server.max_clients;
        let Some(limit) = raise() else {
            return asked.value as usize;
        };
        let in_force = room(limit, reserve(config)).min(u64::from(asked.value));
        if in_force < u64::from(asked.value) {
            let text = format!(
                "{in_force} clients may connect, not the {} of server.max_clients: the process may open {limit} files \
                 (RLIMIT_NOFILE), and a client takes two",
                asked.value
            );
            self.warn(asked.at, text);
        }
        usize::try_from(in_force).unwrap_or(usize::MAX)
    }
}

/// Raises the soft limit of open files to the hard one, and returns what is in force then; `None`: there is no limit.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Descriptors that are kept for everything but clients.
fn reserve(config: &Config) -> u64 {
    let workers = match config.server.workers {
        Workers::Exactly(workers) => workers as usize,
        Workers::Auto => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let databases = config.databases.iter();
    let listeners: usize = databases
        .map(|database| database.listen.len() + database.plaintext_listen.len())
        .sum();
    let times = |number: usize, each: u64| each * number as u64;
    OF_THE_PROCESS
        + times(LEAVING, 1)
        + times(workers, PER_WORKER)
        + times(config.status.listen.len(), PER_STATUS_LISTENER)
        + times(config.databases.len(), PER_DATABASE)
        + times(listeners, 1)
}

/// Clients that fit under `limit`, and at least one: a process that nobody could enter would be of no use.
fn room(limit: u64, reserve: u64) -> u64 {
    (limit.saturating_sub(reserve) / PER_CLIENT).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_takes_two_descriptors_of_what_the_reserve_leaves() {
        let cases = [
            (0, 1),
            (100, 1),
            (101, 1),
            (104, 2),
            (1024, 462),
            (20_000, 9_950),
        ];
        for (limit, clients) in cases {
            assert_eq!(room(limit, 100), clients, "{limit}");
        }
    }
}
