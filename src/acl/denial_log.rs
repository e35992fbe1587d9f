//! The last denials, as `ACL LOG` tells of them: newest first, alike ones counted together, never more than so many.

use super::verdict::DenialReason;
use std::collections::VecDeque;

/// Denials alike and no further apart than this are one entry. In milliseconds. Source: Redis 7.0, `acl.c`,
/// `ACL_LOG_GROUPING_MAX_TIME_DELTA`.
const GROUPING_MILLIS: u64 = 60_000;

/// Most bytes of a key, channel or name that an entry holds.
const MAX_OBJECT: usize = 128;

/// A bounded log.
#[derive(Debug)]
pub struct DenialLog {
    entries: VecDeque<LogEntry>,
    capacity: usize,
    next_id: u64,
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedReason {
    /// A log-in.
    Auth,
    /// A request.
    Denied(DenialReason),
}

/// Alike denials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Number of the entry, from 0, never used again.
    pub id: u64,
    /// How many there were.
    pub count: u64,
    /// What was refused.
    pub reason: LoggedReason,
    /// Name of the user, at most 128 bytes of it.
    pub user: Vec<u8>,
    /// The command, key or channel, at most 128 bytes of it.
    pub object: Vec<u8>,
    /// The last one's client, as `CLIENT INFO` describes it.
    pub client: String,
    /// When the first was, in milliseconds since the Unix epoch.
    pub first_millis: u64,
    /// When the last was, in milliseconds since the Unix epoch.
    pub last_millis: u64,
}

/// One denial, to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct LogEvent<'a> {
    /// What was refused.
    pub reason: LoggedReason,
    /// Name of the user.
    pub user: &'a [u8],
    /// The command, key or channel.
    pub object: &'a [u8],
    /// The client, as `CLIENT INFO` describes it.
    pub client: &'a str,
}

impl DenialLog {
    /// An empty log of at most `capacity` entries; of 0, it keeps nothing.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::with_capacity(capacity.min(1024)),
            capacity,
            next_id: 0,
        }
    }

    /// Records a denial at `now`, in milliseconds since the Unix epoch.
    pub fn record(&mut self, now_millis: u64, event: LogEvent<'_>) {
        let LogEvent {
            reason,
            user,
            object,
            client,
        } = event;
        let (user, object) = (cut(user), cut(object));
        let alike = self.entries.iter().position(|entry| {
            entry.reason.is_like(reason)
                && entry.user == user
                && entry.object == object
                && now_millis.saturating_sub(entry.last_millis) <= GROUPING_MILLIS
        });
        let entry = match alike.and_then(|at| self.entries.remove(at)) {
            Some(entry) => LogEntry {
                count: entry.count + 1,
                client: client.to_owned(),
                last_millis: now_millis,
                ..entry
            },
            None => self.entry(now_millis, reason, user, object, client),
        };
        self.entries.push_front(entry);
        self.entries.truncate(self.capacity);
    }

    fn entry(
        &mut self,
        now_millis: u64,
        reason: LoggedReason,
        user: &[u8],
        object: &[u8],
        client: &str,
    ) -> LogEntry {
        let id = self.next_id;
        self.next_id += 1;
        LogEntry {
            id,
            count: 1,
            reason,
            user: user.to_vec(),
            object: object.to_vec(),
            client: client.to_owned(),
            first_millis: now_millis,
            last_millis: now_millis,
        }
    }

    /// The entries, newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Forgets all entries; numbers go on.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

impl LoggedReason {
    /// Redis's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Denied(reason) => match reason {
                DenialReason::Key { .. }
                | DenialReason::AmbiguousKeys
                | DenialReason::ReadsAllKeys
                | DenialReason::WritesAllKeys => "key",
                DenialReason::Channel { .. }
                | DenialReason::ReservedChannel { .. }
                | DenialReason::SeesAllChannels => "channel",
                DenialReason::Command
                | DenialReason::Never
                | DenialReason::Operator
                | DenialReason::Script
                | DenialReason::Stale => "command",
            },
        }
    }

    /// Whether both are told by the same word: which argument it was doesn't count.
    fn is_like(self, other: Self) -> bool {
        self.word() == other.word()
    }
}

fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MAX_OBJECT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(object: &str) -> LogEvent<'_> {
        LogEvent {
            reason: LoggedReason::Denied(DenialReason::Key { argument: 1 }),
            user: b"bob",
            object: object.as_bytes(),
            client: "id=1",
        }
    }

    #[test]
    fn alike_denials_within_a_minute_are_one_entry_and_come_first() {
        let mut log = DenialLog::new(10);
        log.record(0, event("a"));
        log.record(10, event("b"));
        log.record(60_000, event("a"));
        let told: Vec<_> = log
            .entries()
            .map(|e| {
                (
                    e.id,
                    e.count,
                    e.object.as_slice(),
                    e.first_millis,
                    e.last_millis,
                )
            })
            .collect();
        assert_eq!(
            told,
            [(0, 2, b"a".as_slice(), 0, 60_000), (1, 1, b"b", 10, 10)]
        );
        log.record(120_001, event("a"));
        assert_eq!(log.entries().map(|e| e.id).collect::<Vec<_>>(), [2, 0, 1]);
        log.record(
            120_002,
            LogEvent {
                reason: LoggedReason::Auth,
                ..event("a")
            },
        );
        assert_eq!(log.entries().len(), 4);
    }

    #[test]
    fn the_log_is_bounded_in_entries_and_bytes() {
        let mut log = DenialLog::new(2);
        for n in 0..100 {
            log.record(n, event(&format!("{n}{}", "x".repeat(1000))));
        }
        assert_eq!(log.entries().len(), 2);
        assert!(log.entries().all(|entry| entry.object.len() == MAX_OBJECT));
        let mut none = DenialLog::new(0);
        none.record(0, event("a"));
        assert_eq!(none.entries().len(), 0);
    }
}
