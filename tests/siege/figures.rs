//! What came of the siege: a table to read, and the claims that the figures must bear out.

use crate::bound::Memory;
use crate::changes::{Reloads, Shortages};
use crate::good::{Habit, Served};
use crate::strangers::Struck;
use crate::{Phase, Siege};

/// The samples of a scrape, each `name{labels} value`.
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    pub fn of(siege: &Siege) -> Self {
        let (_, body) = siege.field.redwall.page("/metrics");
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((
                name.strip_prefix("redwall_")?.to_owned(),
                value.parse().ok()?,
            ))
        });
        Self(samples.collect())
    }

    /// The only sample of a name.
    pub fn value(&self, name: &str) -> f64 {
        let all: Vec<_> = self.samples(name).collect();
        assert_eq!(all.len(), 1, "{name}");
        all[0].1
    }

    pub fn sum(&self, name: &str) -> f64 {
        self.samples(name).map(|(_, value)| value).sum()
    }

    /// The sum of the samples in which `label` is `value`.
    pub fn labelled(&self, name: &str, label: &str, value: &str) -> f64 {
        let wanted = format!("{label}=\"{value}\"");
        self.samples(name)
            .filter(|(labels, _)| labels.contains(&wanted))
            .map(|(_, value)| value)
            .sum()
    }

    /// Labels and values of the samples of a name.
    fn samples(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().filter_map(move |(sample, value)| {
            let labels = sample.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    /// What must have been refused was, for each reason of which there was an attack.
    pub fn show_that_the_door_held(&self) {
        let expected = [
            ("connections_refused_total", "reason", "not_allowed"),
            ("connections_refused_total", "reason", "denied"),
            ("connections_refused_total", "reason", "address_full"),
            ("handshakes_total", "outcome", "evicted"),
            ("handshakes_total", "outcome", "bad_certificate"),
            ("connections_closed_total", "reason", "evicted"),
            ("connections_closed_total", "reason", "protocol"),
            ("connections_closed_total", "reason", "revoked"),
            ("logins_total", "result", "failed"),
            ("accept_errors_total", "kind", "shortage"),
        ];
        for (name, label, value) in expected {
            let count = self.labelled(name, label, value);
            assert!(count > 0.0, "{name} {label} {value}");
        }
        // Who never reads is stopped by the one or by the other.
        let stopped = ["output_timeout", "overflow"]
            .map(|reason| self.labelled("connections_closed_total", "reason", reason));
        assert!(stopped.iter().sum::<f64>() > 0.0, "{stopped:?}");
        for full in ["process_full", "database_full"] {
            let count = self.labelled("connections_refused_total", "reason", full);
            assert_eq!(
                count, 0.0,
                "attackers took the place of good clients: {full}"
            );
        }
    }
}

/// What everybody who took part has to tell.
pub struct Figures {
    pub good: Vec<Served>,
    pub attacks: Vec<Struck>,
    pub reloads: Reloads,
    pub shortages: Shortages,
    pub memory: Memory,
}

impl Figures {
    /// Nobody stood by: neither a good client, nor an attacker, nor the operator.
    pub fn show_that_all_took_part(&self) {
        for one in &self.good {
            let of = |phase| one.rounds.iter().filter(|(when, _)| *when == phase).count();
            assert!(of(Phase::Siege) > 0, "{:?} did nothing", one.habit);
        }
        for attack in &self.attacks {
            assert!(attack.strikes >= 3 && attack.met >= 1, "{attack:?}");
        }
        assert!(self.reloads.accepted >= 3, "{:?}", self.reloads);
        assert!(self.reloads.ended >= 6, "{:?}", self.reloads);
        assert!(self.shortages.times >= 1);
    }

    pub fn print(&self, siege: &Siege, metrics: &Metrics) {
        let clients: usize = self.good.iter().map(|one| one.peers.len().max(1)).sum();
        println!(
            "\n{clients} good clients, {} s without and {} s with a siege",
            siege.scale.quiet.as_secs(),
            siege.scale.siege.as_secs()
        );
        self.print_good();
        self.print_attacks();
        let Reloads {
            accepted,
            refused,
            slowest,
            ended,
            last_end,
        } = self.reloads;
        println!(
            "\nreloads       {accepted} accepted, slowest {} ms; {refused} refused for want of descriptors",
            slowest.as_millis()
        );
        println!(
            "withdrawn     {ended} sessions ended by them, the slowest {} ms after its reload was accepted",
            last_end.as_millis()
        );
        println!("descriptors   ran out {} times", self.shortages.times);
        let Memory {
            before,
            peak,
            after,
            bound,
        } = self.memory;
        println!(
            "resident      {} MiB before, {} MiB at most, {} MiB at the end; bound {} MiB",
            before >> 20,
            peak >> 20,
            after >> 20,
            bound >> 20
        );
        for name in [
            "connections_refused_total",
            "handshakes_total",
            "connections_closed_total",
            "accept_errors_total",
        ] {
            let counts = metrics.samples(name).filter(|(_, value)| *value > 0.0);
            let counts = counts.map(|(labels, value)| format!("{} {value}", last_label(labels)));
            println!("{name}: {}", counts.collect::<Vec<_>>().join(", "));
        }
    }

    fn print_good(&self) {
        println!(
            "\n{:<14}{:>8}  {:^26}  {:^26}",
            "milliseconds", "answers", "quiet: p50  p99  max", "siege: p50  p99  max"
        );
        for (habit, _) in Habit::ALL {
            let those = || self.good.iter().filter(move |one| one.habit == habit);
            let answers: u64 = those().map(|one| one.answers).sum();
            let of = |phase| {
                let rounds = those().flat_map(|one| &one.rounds);
                let times = rounds.filter(|(when, _)| *when == phase);
                let mut times: Vec<u64> = times.map(|(_, took)| *took).collect();
                times.sort_unstable();
                times
            };
            println!(
                "{:<14}{answers:>8}  {:^26}  {:^26}",
                format!("{habit:?}"),
                spread(&of(Phase::Quiet)),
                spread(&of(Phase::Siege))
            );
        }
    }

    fn print_attacks(&self) {
        println!("\n{:<36}{:>8}", "attack", "strikes");
        for Struck {
            name,
            strikes,
            met_with,
            met,
        } in &self.attacks
        {
            println!("{name:<36}{strikes:>8}  {met} {met_with}");
        }
    }
}

/// The median, the 99th percentile and the largest, in milliseconds.
fn spread(sorted: &[u64]) -> String {
    let at = |share: f64| {
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted
            .get(index)
            .map_or(f64::NAN, |micros| *micros as f64 / 1e3)
    };
    format!("{:.2}  {:.2}  {:.2}", at(0.5), at(0.99), at(1.0))
}

/// The value of a sample's last label.
fn last_label(labels: &str) -> &str {
    labels.rsplit('"').nth(1).unwrap_or_default()
}
