//! Everything that `/metrics` shows: the workers' shards, summed at each scrape, and what the control thread counts itself.

use std::sync::{Arc, PoisonError};

#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::backend::BackendMetrics;
use super::collector::{ShardCollector, Workers};
use super::shard::{RefusalReason, Shard};
use crate::acl::DenialReason;
use crate::command;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    workers: Arc<Workers>,
    refused: IntCounterVec,
    accept_errors: IntCounterVec,
    /// Connections that are accepted and not logged in, by database.
    pub half_open: IntGaugeVec,
    /// Connections that are accepted and not closed, by database.
    pub connections: IntGaugeVec,
    /// 1 while a database's backend answers, else 0.
    pub backend_up: IntGaugeVec,
    /// Connections to a backend that could not be made or were refused, by database.
    pub backend_connect_failures: IntCounterVec,
    /// Connections to the backends.
    pub backend: BackendMetrics,
    /// 1 while Redwall drains.
    draining: IntGaugeVec,
    /// Unix time at which the earliest server certificate of a database expires.
    pub certificate_expiry: IntGaugeVec,
}

impl Metrics {
    /// Metrics of a process that serves `databases`, named in the order of the configuration.
    ///
    /// # Errors
    /// Only if two metrics have the same name, which a test rules out.
    pub fn new(databases: &[String]) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let workers = Arc::new(Workers::new(databases));
        registry.register(Box::new(ShardCollector::new(Arc::clone(&workers))?))?;
        let metrics = Self {
            refused: counter(
                &registry,
                "redwall_connections_refused_total",
                "Connections closed right after accept, by reason.",
                &["database", "reason"],
            )?,
            accept_errors: counter(
                &registry,
                "redwall_accept_errors_total",
                "Errors of accept, by kind; a shortage pauses the listener.",
                &["kind"],
            )?,
            half_open: gauge(
                &registry,
                "redwall_half_open_connections",
                "Connections accepted and not yet logged in.",
                &["database"],
            )?,
            connections: gauge(
                &registry,
                "redwall_connections",
                "Connections accepted and not yet closed.",
                &["database"],
            )?,
            backend_up: gauge(
                &registry,
                "redwall_backend_up",
                "1 if the backend answered the last probe, else 0.",
                &["database"],
            )?,
            backend_connect_failures: counter(
                &registry,
                "redwall_backend_connect_failures_total",
                "Connections to the backend that could not be made or were refused.",
                &["database"],
            )?,
            backend: BackendMetrics::new(&registry)?,
            draining: gauge(
                &registry,
                "redwall_draining",
                "1 while no new connections are taken before the end.",
                &[],
            )?,
            certificate_expiry: gauge(
                &registry,
                "redwall_server_certificate_expiry_timestamp_seconds",
                "Unix time at which the earliest server certificate of a database expires.",
                &["database"],
            )?,
            registry,
            workers,
        };
        metrics.register_process()?;
        metrics.show_zeroes(databases);
        Ok(metrics)
    }

    /// What concerns the process as a whole: its version, and what the kernel knows of it.
    fn register_process(&self) -> Result<(), prometheus::Error> {
        #[cfg(target_os = "linux")]
        self.registry
            .register(Box::new(ProcessCollector::for_self()))?;
        let info = IntGaugeVec::new(
            Opts::new("redwall_build_info", "Always 1; the version is a label."),
            &["version"],
        )?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(info))
    }

    /// A counter that has not counted yet is shown as 0, so that a rate over it begins at the right time.
    fn show_zeroes(&self, databases: &[String]) {
        self.draining.with_label_values::<&str>(&[]);
        for database in databases {
            for reason in RefusalReason::ALL {
                self.refused
                    .with_label_values(&[database.as_str(), reason.text()]);
            }
            for gauge in [&self.half_open, &self.connections, &self.backend_up] {
                gauge.with_label_values(&[database.as_str()]);
            }
            // Its labels are all shown as soon as it is known.
            let _ = self.backend.of(database);
            self.backend_connect_failures
                .with_label_values(&[database.as_str()]);
        }
    }

    /// A new worker's counters, which every later scrape includes.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new(
            self.workers.databases.len(),
            command::rows().len(),
            DenialReason::LABELS.len(),
        ));
        self.workers
            .shards
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&shard));
        shard
    }

    /// Redwall begins to drain.
    pub fn drains(&self) {
        self.draining.with_label_values::<&str>(&[]).set(1);
    }

    /// Counts a connection that was closed right after accept.
    pub fn refused(&self, database: &str, reason: RefusalReason) {
        self.refused
            .with_label_values(&[database, reason.text()])
            .inc();
    }

    /// Counts an error of accept.
    pub fn accept_error(&self, kind: &str) {
        self.accept_errors.with_label_values(&[kind]).inc();
    }

    /// All metrics in Prometheus's text format, version 0.0.4.
    ///
    /// # Errors
    /// If a metric has no samples at all or can't be written; neither happens to metrics of our own.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

pub(super) fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn gauge(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::CommandId;
    use crate::telemetry::VerdictLabel;

    #[test]
    fn a_scrape_sums_what_all_workers_counted() {
        let metrics = Metrics::new(&["orders".to_owned()]).unwrap();
        for shard in [metrics.shard(), metrics.shard()] {
            shard.command(CommandId(0), VerdictLabel::Denied);
            shard
                .database(0)
                .unwrap()
                .latency(Duration::from_micros(70));
        }
        let text = metrics.text().unwrap();
        let name = command::rows()[0].name;
        assert!(
            text.contains(&format!(
                "redwall_commands_total{{command=\"{name}\",verdict=\"denied\"}} 2"
            )),
            "{text}"
        );
        assert!(
            text.contains(
                "redwall_command_duration_seconds_bucket{database=\"orders\",le=\"0.0001\"} 2"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "redwall_connections_refused_total{database=\"orders\",reason=\"denied\"} 0"
            ),
            "{text}"
        );
    }
}
