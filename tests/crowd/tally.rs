//! How often everything happened, so that nothing is called tested that never did.

use std::collections::BTreeMap;

use crate::op::Op;
use crate::plan::Leaving;

#[derive(Default)]
pub struct Tally {
    said: BTreeMap<String, usize>,
    left: BTreeMap<Leaving, usize>,
    /// Messages of subscriptions.
    pub heard: usize,
    /// Connections on which a reply didn't come in time.
    pub doubted: usize,
    /// Connections that were lost.
    pub lost: usize,
}

impl Tally {
    pub fn said(&mut self, ops: &[Op]) {
        for op in ops {
            *self.said.entry(op.kind()).or_default() += 1;
        }
    }

    pub fn left(&mut self, leaving: Leaving) {
        *self.left.entry(leaving).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        for (kind, times) in other.said {
            *self.said.entry(kind).or_default() += times;
        }
        for (leaving, times) in other.left {
            *self.left.entry(leaving).or_default() += times;
        }
        self.heard += other.heard;
        self.doubted += other.doubted;
        self.lost += other.lost;
    }

    /// All requests.
    pub fn requests(&self) -> usize {
        self.said.values().sum()
    }

    pub fn print(&self) {
        let said = self
            .said
            .iter()
            .map(|(kind, times)| format!("{kind} {times}"));
        println!("said   {}", said.collect::<Vec<_>>().join(", "));
        let left = self
            .left
            .iter()
            .map(|(leaving, times)| format!("{leaving:?} {times}"));
        println!("left   {}", left.collect::<Vec<_>>().join(", "));
        let Self {
            heard,
            lost,
            doubted,
            ..
        } = self;
        println!(
            "heard  {heard} messages, lost {lost} connections, {doubted} of them after a timeout"
        );
    }

    /// Nothing that a client can do was never done.
    pub fn show_that_all_was_done(&self) {
        for kind in [
            "Set",
            "Get",
            "Count",
            "Note",
            "Peek",
            "Trespass",
            "Echo",
            "Id",
            "Unknown",
            "Select",
            "Multi",
            "Exec",
            "Discard",
            "Watch",
            "Pause",
            "Await",
            "Wait",
            "Hello",
            "Reset",
            "Delete",
            "Eval",
            "EvalCount",
            "Flush",
        ] {
            assert!(self.said.contains_key(kind), "nobody said {kind}");
        }
        for leaving in Leaving::ALL {
            assert!(
                self.left.contains_key(&leaving),
                "nobody left by {leaving:?}"
            );
        }
        assert!(self.heard > 0, "nobody heard a message");
        assert!(self.lost > 0, "no connection was lost");
    }
}
