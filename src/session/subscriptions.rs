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

/// Bytes that a name may have on average, where a client has as many subscriptions as it may.
const BYTES_OF_A_NAME: usize = 256;

/// What one client listens to.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Nothing for a client that listens to nothing.
    names: Option<Box<Names>>,
    /// Bytes of all names.
    bytes: usize,
    /// What the backend's last confirmation counted: channels and patterns, and shard channels.
    confirmed: u64,
    confirmed_shards: u64,
}

#[derive(Debug, Default)]
struct Names {
    channels: HashSet<Vec<u8>>,
    patterns: HashSet<Vec<u8>>,
    shards: HashSet<Vec<u8>>,
}

impl Subscriptions {
    /// Whether nothing is subscribed, requests under way counted as done, and the backend agrees.
    pub(super) fn is_empty(&self) -> bool {
        self.asked_for() == 0 && !self.is_confirmed()
    }

    /// Number of channels and patterns, requests under way counted as done.
    pub(super) fn asked_for(&self) -> usize {
        let (channels, patterns, shards) = self.counts();
        channels + patterns + shards
    }

    /// Bytes of all names.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether messages may arrive now: the backend has confirmed a subscription and not yet its end.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed > 0 || self.confirmed_shards > 0
    }

    /// Numbers of channels, patterns and shard channels.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        self.names.as_ref().map_or((0, 0, 0), |names| {
            (
                names.channels.len(),
                names.patterns.len(),
                names.shards.len(),
            )
        })
    }

    /// Whether a request to join keeps to `most` names, and to a number of bytes of names that follows from it.
    pub(super) fn has_room(&self, request: Request<'_>, most: usize) -> Result<(), String> {
        let most_bytes = most.saturating_mul(BYTES_OF_A_NAME);
        let more_bytes: usize = request.iter().skip(1).map(<[u8]>::len).sum();
        if self.asked_for() + request.len() - 1 > most {
            Err(format!("ERR more than {most} subscriptions"))
        } else if self.bytes.saturating_add(more_bytes) > most_bytes {
            Err(format!(
                "ERR more than {most_bytes} bytes of names subscribed to"
            ))
        } else {
            Ok(())
        }
    }

    /// Each name with the command that subscribes to it.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let kinds = self.names.iter().flat_map(|names| {
            [
                ("subscribe", &names.channels),
                ("psubscribe", &names.patterns),
                ("ssubscribe", &names.shards),
            ]
        });
        kinds.flat_map(|(command, set)| set.iter().map(move |name| (command, name.as_slice())))
    }

    /// A request to join or leave is forwarded; returns how many confirmations the backend will send.
    pub(super) fn forwarded(&mut self, kind: Kind, direction: Move, request: Request<'_>) -> u32 {
        let names = self.names.get_or_insert_default();
        let set = match kind {
            Kind::Channel => &mut names.channels,
            Kind::Pattern => &mut names.patterns,
            Kind::Shard => &mut names.shards,
        };
        let named = request.iter().skip(1);
        let confirmations = match direction {
            Move::Join => {
                for name in named {
                    if set.insert(name.to_vec()) {
                        self.bytes += name.len();
                    }
                }
                request.len() - 1
            }
            Move::Leave if request.len() == 1 => {
                let all = set.len();
                self.bytes -= set.drain().map(|name| name.len()).sum::<usize>();
                all
            }
            Move::Leave => {
                for name in named {
                    if set.remove(name) {
                        self.bytes -= name.len();
                    }
                }
                request.len() - 1
            }
        };
        if self.asked_for() == 0 {
            self.names = None;
        }
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
    fn names_are_bounded_in_number_and_in_bytes_and_leaving_gives_both_back() {
        let mut subscriptions = Subscriptions::default();
        let (long, short) = ("x".repeat(500), "y".repeat(13));
        let join = OwnedRequest::new(&["SUBSCRIBE", &long]);
        let other = OwnedRequest::new(&["PSUBSCRIBE", &short]);
        let three = OwnedRequest::new(&["SUBSCRIBE", "a", "b", "c"]);
        for _ in 0..3 {
            assert_eq!(subscriptions.has_room(join.as_request(), 2), Ok(()));
            subscriptions.forwarded(Kind::Channel, Move::Join, join.as_request());
            assert_eq!(
                subscriptions.has_room(other.as_request(), 2),
                Err("ERR more than 512 bytes of names subscribed to".to_owned())
            );
            let leave = OwnedRequest::new(&["UNSUBSCRIBE", &long, &long, "z"]);
            subscriptions.forwarded(Kind::Channel, Move::Leave, leave.as_request());
            assert_eq!(subscriptions.bytes, 0);
        }
        assert_eq!(
            subscriptions.has_room(three.as_request(), 2),
            Err("ERR more than 2 subscriptions".to_owned())
        );
        subscriptions.forwarded(Kind::Channel, Move::Join, three.as_request());
        let all = OwnedRequest::new(&["UNSUBSCRIBE"]);
        subscriptions.forwarded(Kind::Channel, Move::Leave, all.as_request());
        assert_eq!((subscriptions.bytes, subscriptions.asked_for()), (0, 0));
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
