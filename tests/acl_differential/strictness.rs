//! Where Redwall is stricter than servers on purpose, each with its reason. What isn't listed here fails the test.

use crate::{Origin, Ours, Pair};
use redwall::acl::DenialReason;
use redwall::command::flags::bits;
use redwall::command::{self, Categories};

/// Whether the server's leave and Redwall's denial of one request differ for a reason that was meant.
pub(crate) fn is_listed(pair: &Pair<'_>) -> bool {
    match &pair.ours {
        Ours::Allowed => false,
        // A dry run doesn't look at subcommands that there aren't, nor count all arguments.
        Ours::Unplaced => pair.origin == Origin::Made,
        Ours::Denied { reason, command } => match reason {
            // Servers grant these by the command alone.
            DenialReason::Script
            | DenialReason::Never
            | DenialReason::ReadsAllKeys
            | DenialReason::WritesAllKeys
            | DenialReason::SeesAllChannels
            | DenialReason::ReservedChannel { .. } => true,
            // Only senseless requests are ambiguous; none that a server would run is.
            DenialReason::AmbiguousKeys => pair.origin == Origin::Made,
            DenialReason::Command => {
                is_always_granted(command)
                    || is_of_a_module(command)
                    || categories_differ(pair, command)
            }
            DenialReason::Key { .. } => needs_more_of_a_key(command),
            DenialReason::Operator | DenialReason::Channel { .. } | DenialReason::Stale => false,
        },
    }
}

/// Servers allow these to everybody; Redwall answers them before it asks the policy.
fn is_always_granted(command: &str) -> bool {
    ["auth", "hello", "quit", "reset"].contains(&command)
}

/// Servers give rows of modules no category, so that `-@write` leaves VADD; here it doesn't.
fn is_of_a_module(command: &str) -> bool {
    command::lookup(command.as_bytes()).is_some_and(|row| row.flags.has(bits::MODULE))
}

/// A category in the rules grants the row on this server and not on all, or takes it away on another.
fn categories_differ(pair: &Pair<'_>, name: &str) -> bool {
    let here = pair.known.categories(name);
    let row = command::lookup(name.as_bytes()).expect("the row was found before");
    let granted: Vec<&str> = row.granted_by.names().collect();
    let differs = |category: &&str| {
        let granted_here_only = here.contains(category) && !granted.contains(category);
        let withdrawn_elsewhere =
            !here.contains(category) && row.withdrawn_by.names().any(|name| name == *category);
        granted_here_only || withdrawn_elsewhere
    };
    let all: Vec<&str> = Categories::ALL.names().collect();
    all.iter()
        .filter(|category| differs(category))
        .any(|category| pair.rules.contains(&format!("@{category}")))
}

/// Rows that tell something of a value though servers ask for the right to write alone: SET with IFEQ and DELIFEQ whether it is
/// the one given, XCLAIM and XAUTOCLAIM the messages. In a PFMERGE without sources servers find no key at all.
fn needs_more_of_a_key(command: &str) -> bool {
    ["set", "delifeq", "xclaim", "xautoclaim", "pfmerge"].contains(&command)
}
