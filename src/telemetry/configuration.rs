//! Metrics of the configuration in force: when it was loaded, whether a later one was refused, when its certificates end.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntGaugeVec, Registry};

use super::metrics::gauge;

/// What is known of the configuration in force.
pub struct ConfigurationMetrics {
    successful: IntGaugeVec,
    loaded_at: IntGaugeVec,
    tls_expiry: IntGaugeVec,
}

impl ConfigurationMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            successful: gauge(
                registry,
                "redwall_config_last_reload_successful",
                "1 if the last attempt to load the configuration succeeded, else 0: an older one is in force.",
                &[],
            )?,
            loaded_at: gauge(
                registry,
                "redwall_config_last_reload_success_timestamp_seconds",
                "Unix time at which the configuration in force was loaded.",
                &[],
            )?,
            tls_expiry: gauge(
                registry,
                "redwall_tls_expiry_timestamp_seconds",
                "Unix time at which the earliest of a database's certificates or revocation lists ends, by kind.",
                &["database", "kind"],
            )?,
        })
    }

    /// A configuration has been loaded at `at` and is in force; each database's `expiries` are by kind, in Unix seconds.
    pub fn loaded<'a>(
        &self,
        at: SystemTime,
        databases: impl Iterator<Item = (&'a str, &'a [(&'static str, u64)])>,
    ) {
        self.successful.with_label_values::<&str>(&[]).set(1);
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let loaded_at = self.loaded_at.with_label_values::<&str>(&[]);
        loaded_at.set(value(seconds));
        self.tls_expiry.reset();
        for (database, expiries) in databases {
            for (kind, end) in expiries {
                let gauge = self.tls_expiry.with_label_values(&[database, kind]);
                gauge.set(value(*end));
            }
        }
    }

    /// A configuration could not be loaded: the one before stays in force.
    pub fn refused(&self) {
        self.successful.with_label_values::<&str>(&[]).set(0);
    }
}

fn value(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
