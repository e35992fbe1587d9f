//! The families of metrics that come from the workers' shards, summed at each scrape.

use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::histogram::{BOUNDS_MICROS, Reading};
use super::shard::{CloseReason, DatabaseShard, HandshakeOutcome, Shard, VerdictLabel};
use crate::acl::DenialReason;
use crate::command;

/// The shards of all workers, with the databases' names for labels.
pub(super) struct Workers {
    pub(super) databases: Vec<String>,
    pub(super) shards: RwLock<Vec<Arc<Shard>>>,
}

impl Workers {
    /// No workers yet, for `databases` in the order of the configuration.
    pub(super) fn new(databases: &[String]) -> Self {
        Self {
            databases: databases.to_vec(),
            shards: RwLock::new(Vec::new()),
        }
    }
}

/// Sums the workers' shards at each scrape.
pub(super) struct ShardCollector {
    workers: Arc<Workers>,
    descriptions: Vec<Desc>,
}

/// Names and help of the families that come from shards.
const FAMILIES: [(&str, &str, &[&str]); 10] = [
    (
        "redwall_commands_total",
        "Commands by name and verdict.",
        &["command", "verdict"],
    ),
    (
        "redwall_denials_total",
        "Denied commands by reason.",
        &["reason"],
    ),
    (
        "redwall_handshakes_total",
        "TLS handshakes by outcome.",
        &["database", "outcome"],
    ),
    (
        "redwall_connections_opened_total",
        "Connections whose handshake succeeded.",
        &["database"],
    ),
    (
        "redwall_connections_closed_total",
        "Ends of those connections by reason.",
        &["database", "reason"],
    ),
    (
        "redwall_logins_total",
        "AUTH, HELLO AUTH and certificate logins by result.",
        &["database", "result"],
    ),
    (
        "redwall_received_bytes_total",
        "Plaintext bytes received from clients.",
        &["database"],
    ),
    (
        "redwall_sent_bytes_total",
        "Plaintext bytes sent to clients.",
        &["database"],
    ),
    (
        "redwall_command_duration_seconds",
        "Time from a command's being forwarded to the end of its reply.",
        &["database"],
    ),
    (
        "redwall_request_timeouts_total",
        "Commands whose replies did not come within request_timeout.",
        &["database"],
    ),
];

impl ShardCollector {
    pub(super) fn new(workers: Arc<Workers>) -> Result<Self, prometheus::Error> {
        let descriptions = FAMILIES
            .iter()
            .map(|(name, help, labels)| {
                let labels = labels.iter().map(|label| (*label).to_owned()).collect();
                Desc::new(
                    (*name).to_owned(),
                    (*help).to_owned(),
                    labels,
                    std::collections::HashMap::new(),
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            descriptions,
        })
    }
}

impl Collector for ShardCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shards = self
            .workers
            .shards
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let databases = &self.workers.databases;
        let counter = |index, samples| family(index, MetricType::COUNTER, samples);
        let each = |value: fn(&DatabaseShard) -> u64| by_database(databases, &shards, value);
        let handshakes = by_label(
            databases,
            &shards,
            "outcome",
            HandshakeOutcome::ALL,
            |d, o| (o.text(), d.handshakes.value(o as usize)),
        );
        let closed = by_label(databases, &shards, "reason", CloseReason::ALL, |d, r| {
            (r.text(), d.closed.value(r as usize))
        });
        let logins = by_label(databases, &shards, "result", &[false, true], |d, ok| {
            let text = if ok { "ok" } else { "failed" };
            (text, d.logins.value(usize::from(ok)))
        });
        let latencies = latency_samples(databases, &shards);
        vec![
            counter(0, command_samples(&shards)),
            counter(1, denial_samples(&shards)),
            counter(2, handshakes),
            counter(3, each(|d| d.opened.value())),
            counter(4, closed),
            counter(5, logins),
            counter(6, each(|d| d.bytes_in.value())),
            counter(7, each(|d| d.bytes_out.value())),
            family(8, MetricType::HISTOGRAM, latencies),
            counter(9, each(|d| d.timed_out.value())),
        ]
    }
}

fn family(index: usize, kind: MetricType, samples: Vec<proto::Metric>) -> MetricFamily {
    let (name, help, _) = FAMILIES[index];
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

pub(super) fn labelled(labels: &[(&str, &str)]) -> proto::Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    proto::Metric::from_label(pairs.collect())
}

pub(super) fn counted(labels: &[(&str, &str)], value: u64) -> proto::Metric {
    let mut counter = proto::Counter::default();
    counter.set_value(value as f64);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

/// Only commands that came at all: 400 rows of zeroes would say nothing.
fn command_samples(shards: &[Arc<Shard>]) -> Vec<proto::Metric> {
    let mut samples = Vec::new();
    for (row, spec) in command::rows().iter().enumerate() {
        for verdict in VerdictLabel::ALL {
            let index = row * VerdictLabel::ALL.len() + *verdict as usize;
            let count = shards.iter().map(|shard| shard.commands.value(index)).sum();
            if count > 0 {
                samples.push(counted(
                    &[("command", spec.name), ("verdict", verdict.text())],
                    count,
                ));
            }
        }
    }
    samples
}

fn denial_samples(shards: &[Arc<Shard>]) -> Vec<proto::Metric> {
    let count = |index| shards.iter().map(|shard| shard.denials.value(index)).sum();
    DenialReason::LABELS
        .iter()
        .enumerate()
        .map(|(index, text)| counted(&[("reason", text)], count(index)))
        .collect()
}

fn by_database(
    databases: &[String],
    shards: &[Arc<Shard>],
    value: impl Fn(&DatabaseShard) -> u64,
) -> Vec<proto::Metric> {
    let sum = |index| {
        shards
            .iter()
            .filter_map(|shard| shard.databases.get(index))
            .map(&value)
            .sum()
    };
    databases
        .iter()
        .enumerate()
        .map(|(index, name)| counted(&[("database", name)], sum(index)))
        .collect()
}

fn by_label<L: Copy>(
    databases: &[String],
    shards: &[Arc<Shard>],
    label: &str,
    values: &[L],
    read: impl Fn(&DatabaseShard, L) -> (&'static str, u64),
) -> Vec<proto::Metric> {
    let mut samples = Vec::new();
    for (index, name) in databases.iter().enumerate() {
        for value in values {
            let mut text = "";
            let mut sum = 0;
            for database in shards.iter().filter_map(|shard| shard.databases.get(index)) {
                let (label_text, count) = read(database, *value);
                text = label_text;
                sum += count;
            }
            samples.push(counted(&[("database", name), (label, text)], sum));
        }
    }
    samples
}

fn latency_samples(databases: &[String], shards: &[Arc<Shard>]) -> Vec<proto::Metric> {
    let sample = |(index, name): (usize, &String)| {
        let mut reading = Reading::default();
        for database in shards.iter().filter_map(|shard| shard.databases.get(index)) {
            database.latency.add_to(&mut reading);
        }
        let mut metric = labelled(&[("database", name)]);
        metric.set_histogram(histogram(&reading));
        metric
    };
    databases.iter().enumerate().map(sample).collect()
}

fn histogram(reading: &Reading) -> proto::Histogram {
    let mut seen = 0;
    let buckets = BOUNDS_MICROS
        .iter()
        .zip(&reading.buckets)
        .map(|(bound, count)| {
            seen += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e6);
            bucket.set_cumulative_count(seen);
            bucket
        });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(reading.buckets.iter().sum());
    histogram.set_sample_sum(reading.sum_micros as f64 / 1e6);
    histogram
}
