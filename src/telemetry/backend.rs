//! Connections to the backends, counted by their state for as long as they live.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::metrics::{counter, gauge};

/// The connections to all backends.
pub struct BackendMetrics {
    /// 1 while a database's backend answers, else 0.
    pub up: IntGaugeVec,
    /// Connections to a backend that could not be made or were refused, by database.
    pub connect_failures: IntCounterVec,
    connections: IntGaugeVec,
    opened: IntCounterVec,
}

impl BackendMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            up: gauge(
                registry,
                "redwall_backend_up",
                "1 if the backend answered the last probe, else 0.",
                &["database"],
            )?,
            connect_failures: counter(
                registry,
                "redwall_backend_connect_failures_total",
                "Connections to the backend that could not be made or were refused.",
                &["database"],
            )?,
            connections: gauge(
                registry,
                "redwall_backend_connections",
                "Connections to the backend, for clients and for the probe, by state; one that waits for its turn is connecting.",
                &["database", "state"],
            )?,
            opened: counter(
                registry,
                "redwall_backend_connections_opened_total",
                "Connections to the backend that were opened and logged in for clients.",
                &["database"],
            )?,
        })
    }

    /// Those to the backend of one database.
    pub fn of(&self, database: &str) -> BackendConnections {
        let in_state = |state| self.connections.with_label_values(&[database, state]);
        BackendConnections {
            connecting: in_state("connecting"),
            open: in_state("open"),
            opened: self.opened.with_label_values(&[database]),
        }
    }
}

/// The connections to one backend.
#[derive(Clone, Debug)]
pub struct BackendConnections {
    connecting: IntGauge,
    open: IntGauge,
    opened: IntCounter,
}

impl BackendConnections {
    /// Counts a connection that is being made.
    pub fn connecting(&self) -> BackendConnection {
        BackendConnection::in_state(self.connecting.clone())
    }

    /// Counts a connection that was made for a client.
    pub fn opened(&self) {
        self.opened.inc();
    }
}

/// Counts one connection in its state for as long as it lives, however it ends.
#[derive(Debug)]
pub struct BackendConnection {
    state: IntGauge,
}

impl BackendConnection {
    fn in_state(state: IntGauge) -> Self {
        state.inc();
        Self { state }
    }

    /// It has been made: it counts as open from now on.
    pub fn is_open(self, of: &BackendConnections) -> Self {
        Self::in_state(of.open.clone())
    }
}

impl Drop for BackendConnection {
    fn drop(&mut self) {
        self.state.dec();
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Metrics;

    #[test]
    fn a_connection_counts_in_one_state_at_a_time_and_not_after_its_end() {
        let metrics = Metrics::new(&["main".to_owned()]).unwrap();
        let connections = metrics.backend.of("main");
        let shows = |connecting, open| {
            let text = metrics.text().unwrap();
            let sample = |state| {
                format!("redwall_backend_connections{{database=\"main\",state=\"{state}\"}}")
            };
            text.contains(&format!("{} {connecting}\n", sample("connecting")))
                && text.contains(&format!("{} {open}\n", sample("open")))
        };
        assert!(shows(0, 0), "shown before there is any");
        let first = connections.connecting();
        let second = connections.connecting();
        assert!(shows(2, 0));
        let first = first.is_open(&connections);
        assert!(shows(1, 1));
        drop(second);
        assert!(shows(0, 1));
        drop(first);
        assert!(shows(0, 0));
    }
}
