//! Which connection a permitted request travels on: one that many clients share, or the client's own.

use super::action::Forward;
use super::request::selected;
use super::subscriptions;
use super::{Session, Transaction};
use crate::command::{Call, LaneNeed, flags};

/// Requests of more bytes travel apart from the small ones, which would wait behind them: a server reads so many of a connection at
/// a time.
pub const BULKY: usize = 4 * 1024;

/// Requests of so many bytes and more, and replies of more, have a connection for themselves.
pub const LARGE: usize = 1024 * 1024;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To a connection that is shared.
    Shared(Class),
    /// To the client's own, of which this is known when it carried the request.
    Own(Trace),
    /// To a shared connection with any database number: it must get through although the backend selects none for now.
    Anywhere,
    /// Nowhere: later requests go to a connection with this database number, if there can be one.
    Select(u32),
}

/// Which of the shared connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// That of small requests.
    Small,
    /// That of requests of 4 KiB and more.
    Bulk,
}

/// What a request leaves behind on the connection that carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing but what ends with the transaction or the reply: another client may have the connection afterwards.
    None,
    /// Perhaps something: the connection ends with its client's use of it.
    Some,
}

impl Session {
    /// Where `forward` goes.
    pub fn placement(&self, forward: &Forward<'_>) -> Placement {
        let call = forward.permit().call();
        let name = call.spec.name;
        match forward.lane() {
            LaneNeed::Shared => {
                let bytes = forward.bytes().len();
                if self.needs_its_lane() || !call.request.is_whole() || bytes >= LARGE {
                    Placement::Own(Trace::None)
                } else if bytes > BULKY {
                    Placement::Shared(Class::Bulk)
                } else {
                    Placement::Shared(Class::Small)
                }
            }
            LaneNeed::Redwall => match (selected(*call), self.transaction) {
                (Some(number), Transaction::None) if name == "select" && !self.needs_its_lane() => {
                    Placement::Select(number)
                }
                // In a transaction the backend queues what is Redwall's at other times.
                _ => Placement::Own(Trace::None),
            },
            // A busy server answers these and hardly anything else; each is answered in one frame.
            LaneNeed::OwnForever
                if matches!(name, "script|kill" | "function|kill") && !self.needs_its_lane() =>
            {
                Placement::Anywhere
            }
            LaneNeed::OwnForever => Placement::Own(Trace::Some),
            LaneNeed::Own => Placement::Own(trace(call)),
        }
    }
}

/// What a request that needs a connection to itself leaves behind there.
fn trace(call: &Call<'_>) -> Trace {
    let name = call.spec.name;
    let passes = call.spec.flags.has(flags::bits::BLOCKING)
        || matches!(
            name,
            "multi" | "exec" | "discard" | "watch" | "unwatch" | "wait" | "waitaof"
        );
    match passes && subscriptions::of_command(name).is_none() {
        true => Trace::None,
        false => Trace::Some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{CommandSpec, KeyGrammar, rows};

    /// They are forwarded without a look at their names.
    #[test]
    fn no_row_that_may_share_a_connection_has_an_effect_on_the_session() {
        let reads_streams =
            |spec: &CommandSpec| matches!(spec.keys, KeyGrammar::XRead | KeyGrammar::XReadGroup);
        for spec in rows() {
            if spec.lane != LaneNeed::Shared && !reads_streams(spec) {
                continue;
            }
            assert!(
                subscriptions::of_command(spec.name).is_none(),
                "{}",
                spec.name
            );
            let effects = ["multi", "exec", "discard", "watch", "unwatch", "select"];
            assert!(!effects.contains(&spec.name), "{}", spec.name);
            let waits = matches!(spec.name, "wait" | "waitaof");
            let blocks = spec.flags.has(flags::bits::BLOCKING) && !reads_streams(spec);
            assert!(!waits && !blocks, "{}", spec.name);
        }
    }
}
