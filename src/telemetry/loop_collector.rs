//! The families of metrics about the workers' loops, read from their shards at each scrape.

use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::collector::{Workers, counted, labelled};
use super::shard::Shard;

/// Reads the workers' loops at each scrape.
pub(super) struct LoopCollector {
    workers: Arc<Workers>,
    descriptions: Vec<Desc>,
}

/// Names and help of the families that are sums over all workers.
const SUMS: [(&str, &str); 5] = [
    (
        "redwall_handshake_steps_total",
        "Calls into TLS with bytes of a handshake; a worker makes at most one a turn of its loop.",
    ),
    (
        "redwall_handshake_turns_total",
        "Turns of the workers' loops in which a handshake's step was taken.",
    ),
    (
        "redwall_handshake_waits_total",
        "Steps of handshakes that had to wait for another turn.",
    ),
    (
        "redwall_gave_way_total",
        "Pieces of large values and long pipelines that were left for later, so that other clients had their answers.",
    ),
    (
        "redwall_rests_total",
        "Rests, meant to be of some 60 us, in which the requests of many clients waited for more of them, to be written together.",
    ),
];

const HEARTBEAT: (&str, &str) = (
    "redwall_worker_heartbeat_timestamp_seconds",
    "Unix time at which a worker's loop last came round.",
);

impl LoopCollector {
    pub(super) fn new(workers: Arc<Workers>) -> Result<Self, prometheus::Error> {
        let sums = SUMS.iter().map(|(name, help)| (*name, *help, vec![]));
        let all = sums.chain([(HEARTBEAT.0, HEARTBEAT.1, vec!["worker".to_owned()])]);
        let description = |(name, help, labels): (&str, &str, _)| {
            Desc::new(
                name.to_owned(),
                help.to_owned(),
                labels,
                std::collections::HashMap::new(),
            )
        };
        Ok(Self {
            workers,
            descriptions: all.map(description).collect::<Result<_, _>>()?,
        })
    }
}

impl Collector for LoopCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shards = self
            .workers
            .shards
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut totals = [0; SUMS.len()];
        for shard in shards.iter() {
            for (total, count) in totals.iter_mut().zip(shard.event_loop().counts()) {
                *total += count;
            }
        }
        let sums = SUMS.iter().zip(totals).map(|((name, help), total)| {
            family(name, help, MetricType::COUNTER, vec![counted(&[], total)])
        });
        let heartbeats = family(
            HEARTBEAT.0,
            HEARTBEAT.1,
            MetricType::GAUGE,
            heartbeats(&shards),
        );
        sums.chain([heartbeats]).collect()
    }
}

fn heartbeats(shards: &[Arc<Shard>]) -> Vec<proto::Metric> {
    let now = Instant::now();
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let sample = |(worker, shard): (usize, &Arc<Shard>)| {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(
            unix.saturating_sub(shard.event_loop().silence(now))
                .as_secs_f64(),
        );
        let mut metric = labelled(&[("worker", &worker.to_string())]);
        metric.set_gauge(gauge);
        metric
    };
    shards.iter().enumerate().map(sample).collect()
}

fn family(name: &str, help: &str, kind: MetricType, samples: Vec<proto::Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}
