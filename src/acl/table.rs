//! What this room asks of the command table, in one place.

use super::rule::Category;
use super::verdict::DenialReason;
use crate::command::{Call, ChannelUse, CommandSpec, KeyUse, Sight};

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static CommandSpec> {
    std::iter::empty()
}

/// The row of this name, in any case; `container|sub` for a subcommand.
pub(super) fn row(_name: &[u8]) -> Option<&'static CommandSpec> {
    None
}

/// The category of this name, in any case.
pub(super) fn category(_name: &[u8]) -> Option<Category> {
    None
}

/// Whether the row has subcommands.
pub(super) fn is_container(row: &CommandSpec) -> bool {
    rows().any(|other| {
        other
            .name
            .split_once('|')
            .is_some_and(|(container, _)| container == row.name)
    })
}

/// The row of the container that a subcommand belongs to.
pub(super) fn container(row: &CommandSpec) -> Option<&'static CommandSpec> {
    let (container, _) = row.name.split_once('|')?;
    self::row(container.as_bytes())
}

/// What the request lets its caller see.
pub(super) fn sight(call: &Call<'_>) -> Sight {
    call.spec.sight
}

/// Calls `judge` with each key until it refuses; [`DenialReason::AmbiguousKeys`] if they can't be told.
pub(super) fn each_key(
    _call: &Call<'_>,
    _judge: impl FnMut(KeyUse) -> Result<(), DenialReason>,
) -> Result<(), DenialReason> {
    Err(DenialReason::AmbiguousKeys)
}

/// Calls `judge` with each channel until it refuses.
pub(super) fn each_channel(
    _call: &Call<'_>,
    _judge: impl FnMut(ChannelUse) -> Result<(), DenialReason>,
) -> Result<(), DenialReason> {
    Err(DenialReason::AmbiguousKeys)
}
