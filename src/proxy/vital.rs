//! Which panics end the process, and which end one connection.
//!
//! A worker, the acceptor, and what threads share can't be done without: a process that has lost one of them looks alive and turns
//! clients away, so it ends, and whoever watches it starts another. A session can be done without.

use std::io;
use std::sync::{LockResult, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};

use crate::client::take_seen;

/// Starts a thread which the process can't do without: if it panics, the process ends with SIGABRT.
///
/// # Errors
/// The operating system's, if there can be no more threads.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _vital = Vital;
            body();
        })
}

/// Runs a future on a loop of its own, in such a thread; also what it spawns there has the thread for itself.
///
/// # Errors
/// The operating system's, if there can be no more threads. A loop that can't be had ends the process.
pub fn spawn_loop<F: Future<Output = ()>>(
    name: &str,
    body: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    spawn(name, move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                // A second one, because the loop drops all that it has spawned before the first.
                let _vital = Vital;
                body().await;
            }),
            Err(error) => {
                tracing::error!(%error, "a thread's loop could not be had: ending the process");
                std::process::abort();
            }
        }
    })
}

/// Ends the process if a panic drops it.
struct Vital;

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or_default();
            tracing::error!(
                thread,
                "a thread panicked that can't be done without: ending the process"
            );
            std::process::abort();
        }
    }
}

/// What a lock holds. Nobody can say what a panic has left of it, and every thread depends on it: then the process ends.
pub(super) fn intact<T>(lock: LockResult<T>) -> T {
    lock.map_err(PoisonError::into_inner)
        .unwrap_or_else(|_broken| {
            tracing::error!("a panic left books behind that threads share: ending the process");
            std::process::abort();
        })
}

/// Held by a session for as long as it runs: says that a panic ended it, and that others go on.
pub(super) struct Alone;

impl Drop for Alone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the verifier saw of this client is nobody's.
            drop(take_seen());
            tracing::error!("a session panicked: it is closed, the others go on");
        }
    }
}

#[cfg(test)]
mod tests;
