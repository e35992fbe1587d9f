//! Why a shared connection is of no use any more, where it isn't the network's fault.

use crate::resp::ReplyFault;

/// Why what came can't be accounted for. Whose the replies before it were can't be known for certain either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedFault {
    /// It isn't RESP.
    Reply(ReplyFault),
    /// A reply that nobody waits for.
    Surplus,
    /// A push or an attribute, which nobody can have asked for here.
    Aside,
    /// A fence was answered with something else.
    Fence,
    /// EXEC was answered so that nobody can know whether the transaction has ended, and what came behind it was queued.
    Transaction,
}

impl std::fmt::Display for SharedFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(fault) => write!(f, "{fault}"),
            Self::Surplus => f.write_str("the backend sent a reply that nothing was waiting for"),
            Self::Aside => f.write_str(
                "the backend sent a push or an attribute that nobody can have asked for",
            ),
            Self::Fence => f.write_str(
                "the backend's replies have shifted: an echo wasn't answered with its own text",
            ),
            Self::Transaction => {
                f.write_str("the backend's answer to EXEC doesn't say that the transaction is over")
            }
        }
    }
}

impl std::error::Error for SharedFault {}
