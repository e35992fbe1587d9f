//! What this room asks of the command table, in one place.

use super::rule::Category;
use super::verdict::DenialReason;
use crate::command::keys::Extracted;
use crate::command::{self, Call, Categories, ChannelUse, CommandSpec, Gate, KeyUse};

/// All rows.
pub(super) fn rows() -> &'static [CommandSpec] {
    command::rows()
}

/// The row of this name, in any case; `container|sub` for a subcommand.
pub(super) fn row(name: &[u8]) -> Option<&'static CommandSpec> {
    command::lookup(name)
}

/// The row of the container that a subcommand belongs to.
pub(super) fn container(row: &CommandSpec) -> Option<&'static CommandSpec> {
    command::row(row.parent?)
}

/// The category of this name, in any case.
pub(super) fn category(name: &[u8]) -> Option<Category> {
    let bit = Categories::parse(name)?;
    Some(Category {
        bit,
        name: bit.name(),
    })
}

/// Calls `judge` with each key until it refuses, and says what the request reads beyond them.
///
/// [`DenialReason::AmbiguousKeys`] if the keys can't be told, whatever `judge` says of those that were found.
#[inline]
pub(super) fn each_key(
    call: &Call<'_>,
    mut judge: impl FnMut(KeyUse) -> Result<(), DenialReason>,
) -> Result<Extracted, DenialReason> {
    let mut outcome = Ok(());
    let extracted = command::keys::extract(call, &mut |key| {
        if outcome.is_ok() {
            outcome = judge(key);
        }
    });
    let extracted = extracted.map_err(|_| DenialReason::AmbiguousKeys)?;
    outcome.map(|()| extracted)
}

/// Calls `judge` with each channel until it refuses.
#[inline]
pub(super) fn each_channel(
    call: &Call<'_>,
    mut judge: impl FnMut(ChannelUse) -> Result<(), DenialReason>,
) -> Result<(), DenialReason> {
    let mut outcome = Ok(());
    command::channels::extract(call, &mut |channel| {
        if outcome.is_ok() {
            outcome = judge(channel);
        }
    });
    outcome
}

/// Who may have the request forwarded: whom its row says, but CONFIG GET of anything beyond a few harmless parameters is for
/// operators, since `CONFIG GET *` tells the backend's passwords in plain text.
#[inline]
pub(super) fn gate(call: &Call<'_>) -> Gate {
    if call.spec.name == "config|get" && !command::config_get_is_public(&call.request) {
        return Gate::Operator;
    }
    call.spec.gate
}
