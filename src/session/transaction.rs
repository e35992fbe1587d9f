//! Where a client is between WATCH, MULTI and EXEC. Known at request time, because the backend answers in order and
//! Redwall refuses what could make it answer otherwise.

use crate::pairing::{Earlier, QueuedSelect};

/// The state of a client's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    /// None is under way.
    None,
    /// Keys are watched.
    Watching,
    /// Between MULTI and EXEC.
    Queuing {
        /// Whether a queued command was refused, so that EXEC must fail.
        aborted: Aborted,
        /// Commands that the backend has queued, unless it refuses to run any.
        queued: usize,
        /// The last SELECT among them.
        select: Option<QueuedSelect>,
    },
}

/// Whether a transaction can still succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aborted {
    /// It can.
    No,
    /// Redwall refused one of its commands, so the backend, which never saw it, must not run the others.
    Yes,
}

impl Transaction {
    /// Whether commands are being queued.
    pub(super) fn is_queuing(self) -> bool {
        matches!(self, Self::Queuing { .. })
    }

    /// A command was refused: a transaction that is being queued fails at EXEC.
    pub(super) fn refuse(&mut self) {
        if let Self::Queuing { aborted, .. } = self {
            *aborted = Aborted::Yes;
        }
    }

    /// MULTI was forwarded. A nested one is an error of the backend's that changes nothing.
    pub(super) fn multi(&mut self) {
        if !self.is_queuing() {
            *self = Self::Queuing {
                aborted: Aborted::No,
                queued: 0,
                select: None,
            };
        }
    }

    /// Any other command was forwarded, a SELECT of database `number` perhaps: in a transaction the backend queues it.
    pub(super) fn queue(&mut self, number: Option<u32>) {
        if let Self::Queuing { queued, select, .. } = self {
            if let Some(number) = number {
                *select = Some(QueuedSelect {
                    // SELECT is refused beyond a number that is small.
                    position: *queued as u32,
                    number,
                    earlier: match select {
                        None => Earlier::None,
                        Some(_) => Earlier::Some,
                    },
                });
            }
            *queued += 1;
        }
    }

    /// Number of commands that the backend has queued.
    pub(super) fn queued(self) -> usize {
        match self {
            Self::Queuing { queued, .. } => queued,
            Self::None | Self::Watching => 0,
        }
    }

    /// WATCH was forwarded.
    pub(super) fn watch(&mut self) {
        match self {
            Self::None | Self::Watching => *self = Self::Watching,
            // An error of the backend's, which aborts the transaction there.
            Self::Queuing { .. } => {}
        }
    }

    /// UNWATCH was forwarded.
    pub(super) fn unwatch(&mut self) {
        match self {
            Self::None | Self::Watching => *self = Self::None,
            Self::Queuing { .. } => self.queue(None),
        }
    }

    /// EXEC or DISCARD was forwarded. Without MULTI it is an error of the backend's, which keeps what is watched.
    pub(super) fn end(&mut self) {
        match self {
            Self::None | Self::Watching => {}
            Self::Queuing { .. } => *self = Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_redis_takes_to_end_a_transaction_ends_it() {
        type Step = fn(&mut Transaction);
        let cases: [(&str, &[Step], Transaction); 6] = [
            ("watch holds", &[Transaction::watch], Transaction::Watching),
            (
                "unwatch frees",
                &[Transaction::watch, Transaction::unwatch],
                Transaction::None,
            ),
            (
                "exec without multi keeps watch",
                &[Transaction::watch, Transaction::end],
                Transaction::Watching,
            ),
            (
                "exec frees watch too",
                &[Transaction::watch, Transaction::multi, Transaction::end],
                Transaction::None,
            ),
            (
                "unwatch in a transaction is queued",
                &[Transaction::multi, Transaction::unwatch],
                Transaction::Queuing {
                    aborted: Aborted::No,
                    queued: 1,
                    select: None,
                },
            ),
            (
                "a nested multi does not forget a refusal",
                &[Transaction::multi, Transaction::refuse, Transaction::multi],
                Transaction::Queuing {
                    aborted: Aborted::Yes,
                    queued: 0,
                    select: None,
                },
            ),
        ];
        for (claim, steps, expected) in cases {
            let mut transaction = Transaction::None;
            for step in steps {
                step(&mut transaction);
            }
            assert_eq!(transaction, expected, "{claim}");
        }
    }
}
