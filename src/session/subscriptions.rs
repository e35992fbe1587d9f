//! What a client listens to, as asked for and as confirmed by the backend.

use std::collections::HashSet;

use crate::resp::Request;

/// The three kinds of subscription, which Redis counts and leaves apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

/// Whether a request joins or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Join,
    Leave,
}

/// The kind and direction of one of the six commands; `None` for any other name.
pub(super) fn of_command(name: &str) -> Option<(Kind, Move)> {
    Some(match name {
        "subscribe" => (Kind::Channel, Move::Join),
        "unsubscribe" => (Kind::Channel, Move::Leave),
        "psubscribe" => (Kind::Pattern, Move::Join),
        "punsubscribe" => (Kind::Pattern, Move::Leave),
        "ssubscribe" => (Kind::Shard, Move::Join),
        "sunsubscribe" => (Kind::Shard, Move::Leave),
        _ => return None,
    })
}

/// What one client listens to.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    channels: HashSet<Vec<u8>>,
    patterns: HashSet<Vec<u8>>,
    shards: HashSet<Vec<u8>>,
    /// What the backend's last confirmation counted: channels and patterns, and shard channels.
    confirmed: u64,
    confirmed_shards: u64,
}

impl Subscriptions {
    /// Whether nothing is subscribed, requests under way counted as done, and the backend agrees.
    pub(super) fn is_empty(&self) -> bool {
        self.asked_for() == 0 && !self.is_confirmed()
    }

    /// Number of channels and patterns, requests under way counted as done.
    pub(super) fn asked_for(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shards.len()
    }

    /// Whether messages may arrive now: the backend has confirmed a subscription and not yet its end.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed > 0 || self.confirmed_shards > 0
    }

    /// Numbers of channels, patterns and shard channels.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.channels.len(), self.patterns.len(), self.shards.len())
    }

    /// A request to join or leave is forwarded; returns how many confirmations the backend will send.
    pub(super) fn forwarded(&mut self, kind: Kind, direction: Move, request: Request<'_>) -> u32 {
        let set = match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        };
        let named = request.iter().skip(1);
        let confirmations = match direction {
            Move::Join => {
                set.extend(named.map(<[u8]>::to_vec));
                request.len() - 1
            }
            Move::Leave if request.len() == 1 => {
                let all = set.len();
                set.clear();
                all
            }
            Move::Leave => {
                for name in named {
                    set.remove(name);
                }
                request.len() - 1
            }
        };
        u32::try_from(confirmations.max(1)).unwrap_or(u32::MAX)
    }

    /// The backend has confirmed one joining or leaving, and says how many there are now.
    pub(super) fn confirmed(&mut self, kind: Kind, count: u64) {
        match kind {
            Kind::Channel | Kind::Pattern => self.confirmed = count,
            Kind::Shard => self.confirmed_shards = count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    #[test]
    fn the_backend_confirms_each_name_and_a_bare_leave_each_subscription_or_once() {
        let cases: [(&str, &[&str], u32); 6] = [
            ("a bare leave without any", &["UNSUBSCRIBE"], 1),
            ("join two", &["SUBSCRIBE", "a", "b"], 2),
            ("join one twice", &["SUBSCRIBE", "c", "c"], 2),
            ("leave an unknown one", &["UNSUBSCRIBE", "x"], 1),
            ("a bare leave of three", &["UNSUBSCRIBE"], 3),
            ("and again", &["UNSUBSCRIBE"], 1),
        ];
        let mut subscriptions = Subscriptions::default();
        for (claim, words, expected) in cases {
            let request = OwnedRequest::new(words);
            let (kind, direction) = of_command(&words[0].to_lowercase()).unwrap();
            assert_eq!(
                subscriptions.forwarded(kind, direction, request.as_request()),
                expected,
                "{claim}"
            );
        }
        assert!(subscriptions.is_empty());
    }

    #[test]
    fn messages_may_come_until_the_backend_has_confirmed_the_end() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.forwarded(
            Kind::Channel,
            Move::Join,
            OwnedRequest::new(&["SUBSCRIBE", "a"]).as_request(),
        );
        subscriptions.confirmed(Kind::Channel, 1);
        subscriptions.forwarded(
            Kind::Channel,
            Move::Leave,
            OwnedRequest::new(&["UNSUBSCRIBE"]).as_request(),
        );
        assert_eq!(subscriptions.asked_for(), 0);
        assert!(subscriptions.is_confirmed() && !subscriptions.is_empty());
        subscriptions.confirmed(Kind::Channel, 0);
        assert!(subscriptions.is_empty());
    }
}
