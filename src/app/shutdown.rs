//! The signals that end Redwall.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers for the signals that mean something to Redwall.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers; from now on these signals don't end the process by themselves.
    ///
    /// # Errors
    /// The operating system's.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for SIGTERM or SIGINT.
    pub async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
