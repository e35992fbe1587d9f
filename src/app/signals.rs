//! The signals that Redwall acts on.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers for the signals that mean something to Redwall.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGTERM or SIGINT: to end.
    End,
    /// SIGHUP: to read the configuration again.
    Reload,
}

impl Signals {
    /// Installs the handlers; from now on these signals don't end the process by themselves.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::End,
            _ = self.interrupt.recv() => Request::End,
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    /// Waits for SIGTERM or SIGINT; a SIGHUP is kept for [`Signals::next`].
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {},
            _ = self.interrupt.recv() => {},
        }
    }
}
