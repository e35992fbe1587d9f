//! Everything that `/metrics` shows: the workers' shards, summed at each scrape, and what the control thread counts itself.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::backend::BackendMetrics;
use super::client_memory::ClientMemoryMetrics;
use super::collector::{ShardCollector, Workers};
use super::configuration::ConfigurationMetrics;
use super::loop_collector::LoopCollector;
use super::shard::{AcceptFault, RefusalReason, Shard};
use crate::acl::DenialReason;
use crate::command;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    workers: Arc<Workers>,
    refused: IntCounterVec,
    accept_errors: IntCounterVec,
    max_clients: IntGaugeVec,
    /// Connections that are accepted and not logged in, by database.
    pub half_open: IntGaugeVec,
    /// Connections that are accepted and not closed, by database.
    pub connections: IntGaugeVec,
    /// Connections to the backends.
    pub backend: BackendMetrics,
    /// What is held for clients.
    pub client_memory: ClientMemoryMetrics,
    /// 1 while Redwall drains.
    draining: IntGaugeVec,
    /// What is known of the configuration in force.
    pub configuration: ConfigurationMetrics,
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
        registry.register(Box::new(LoopCollector::new(Arc::clone(&workers))?))?;
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
                "Errors of accept, by kind; all but those of a single connection pause the listener.",
                &["kind"],
            )?,
            max_clients: gauge(
                &registry,
                "redwall_max_clients",
                "Most connections of clients that are in force; fewer than asked for where there are too few descriptors.",
                &[],
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
            backend: BackendMetrics::new(&registry)?,
            client_memory: ClientMemoryMetrics::new(&registry)?,
            draining: gauge(
                &registry,
                "redwall_draining",
                "1 while no new connections are taken before the end.",
                &[],
            )?,
            configuration: ConfigurationMetrics::new(&registry)?,
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
        for fault in AcceptFault::ALL {
            self.accept_errors.with_label_values(&[fault.text()]);
        }
        for database in databases {
            for reason in RefusalReason::ALL {
                self.refused
                    .with_label_values(&[database.as_str(), reason.text()]);
            }
            for gauge in [&self.half_open, &self.connections, &self.backend.up] {
                gauge.with_label_values(&[database.as_str()]);
            }
            // Its labels are all shown as soon as it is known.
            let _ = self.backend.of(database);
            self.backend
                .connect_failures
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

    /// The workers whose loops have not come round for more than `patience`, by their numbers, with how long they haven't.
    pub fn silent_workers(&self, now: Instant, patience: Duration) -> Vec<(usize, Duration)> {
        let shards = self
            .workers
            .shards
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shards
            .iter()
            .map(|shard| shard.event_loop().silence(now))
            .enumerate()
            .filter(|(_, silence)| *silence > patience)
            .collect()
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
    pub fn accept_error(&self, fault: AcceptFault) {
        self.accept_errors.with_label_values(&[fault.text()]).inc();
    }

    /// Shows how many clients may be connected now.
    pub fn show_max_clients(&self, number: usize) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.max_clients.with_label_values::<&str>(&[]).set(number);
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
                .latency(Duration::from_micros(70), 1);
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
