//! Where a client is between WATCH, MULTI and EXEC. Known at request time, because the backend answers in order and
//! Redwall refuses what could make it answer otherwise.

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
        /// The database that a queued SELECT asked for last.
        select: Option<u32>,
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
                select: None,
            };
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
            // It is queued like any other command.
            Self::Queuing { .. } => {}
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
                    select: None,
                },
            ),
            (
                "a nested multi does not forget a refusal",
                &[Transaction::multi, Transaction::refuse, Transaction::multi],
                Transaction::Queuing {
                    aborted: Aborted::Yes,
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
