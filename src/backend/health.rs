//! Whether a backend answers, and what it says of itself: asked once a second on a connection of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connect::{self, ConnectFault, Connected, Facts};
use crate::resp::Protocol;
use crate::snapshot::BackendTarget;

/// Pause between two probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of one backend, for all threads.
#[derive(Debug, Default)]
pub struct BackendStatus {
    up: AtomicBool,
    facts: RwLock<Option<Arc<Facts>>>,
}

impl BackendStatus {
    /// Whether the last probe was answered.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// What the backend said of itself at its last login; `None` if it never was reached.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        self.facts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers what a backend said at a login.
    pub fn learned(&self, facts: &Facts) {
        let mut known = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() != Some(facts) {
            *known = Some(Arc::new(facts.clone()));
        }
    }
}

/// Probes `target` for as long as the future is polled, and tells `on_change` whenever it comes up or goes down.
pub async fn watch(
    target: Arc<BackendTarget>,
    status: Arc<BackendStatus>,
    name: String,
    mut on_change: impl FnMut(Result<&Facts, &ConnectFault>),
) {
    let mut last = None;
    loop {
        let fault = match connect::connect(&target, Protocol::Resp2, 0, &name).await {
            Ok(connected) => {
                status.learned(&connected.facts);
                status.up.store(true, Ordering::Relaxed);
                if last != Some(true) {
                    on_change(Ok(&connected.facts));
                }
                last = Some(true);
                probe_until_it_fails(connected, target.connect_timeout).await
            }
            Err(fault) => fault,
        };
        status.up.store(false, Ordering::Relaxed);
        if last != Some(false) {
            on_change(Err(&fault));
        }
        last = Some(false);
        sleep(INTERVAL).await;
    }
}

/// Any answer shows that the backend is there, an error such as LOADING too.
async fn probe_until_it_fails(mut connected: Connected, allowed: Duration) -> ConnectFault {
    loop {
        sleep(INTERVAL).await;
        let ping = connect::ask(&mut connected.stream, "PING", &[b"PING"], Protocol::Resp2);
        match timeout(allowed, ping).await {
            Ok(Ok(_) | Err(ConnectFault::Refused { .. })) => {}
            Ok(Err(fault)) => return fault,
            Err(_) => return ConnectFault::Timeout(allowed),
        }
    }
}
