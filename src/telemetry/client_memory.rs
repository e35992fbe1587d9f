//! What is held for all clients, and how much may be.

use prometheus::{IntGaugeVec, Registry};

use super::metrics::gauge;

/// The memory of all clients.
pub struct ClientMemoryMetrics {
    held: IntGaugeVec,
    max: IntGaugeVec,
}

impl ClientMemoryMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            held: gauge(
                registry,
                "redwall_client_memory_bytes",
                "Bytes held for all clients: requests not yet forwarded, replies not yet taken, what the kernel holds of them.",
                &[],
            )?,
            max: gauge(
                registry,
                "redwall_client_memory_max_bytes",
                "Bytes that may be held for all clients; beyond it the client that holds the most is closed.",
                &[],
            )?,
        };
        metrics.show(0, 0);
        Ok(metrics)
    }

    /// `held` bytes are held, and `max` may be.
    pub fn show(&self, held: usize, max: usize) {
        for (gauge, bytes) in [(&self.held, held), (&self.max, max)] {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            gauge.with_label_values::<&str>(&[]).set(bytes);
        }
    }
}
