//! Which rows of the command table a selector grants: one bit each.

use super::rule::{Change, RightRule};
use super::table;
use crate::command::flags::bits;
use crate::command::{Categories, CommandId, CommandSpec};

/// Rows that a set has room for. A row beyond it is in no set: never granted.
pub(super) const CAPACITY: usize = 1024;

/// A set of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandSet([u64; CAPACITY / 64]);

impl CommandSet {
    /// No row.
    pub(super) const EMPTY: Self = Self([0; CAPACITY / 64]);

    /// Whether the row is in the set.
    #[inline]
    pub(super) fn contains(&self, id: CommandId) -> bool {
        let word = self.0.get(usize::from(id.0 >> 6));
        word.is_some_and(|word| word & (1 << (id.0 & 63)) != 0)
    }

    /// Takes away what `other` has.
    pub(super) fn subtract(&mut self, other: &Self) {
        for (word, taken) in self.0.iter_mut().zip(other.0) {
            *word &= !taken;
        }
    }

    /// Adds all rows that the rule speaks of; for a rule that isn't about commands, none.
    pub(super) fn apply(&mut self, rule: &RightRule) {
        for row in table::rows() {
            match touch(rule, row) {
                Some(Change::Grant) => self.insert(row.id),
                Some(Change::Withdraw) => self.remove(row.id),
                None => {}
            }
        }
    }

    fn insert(&mut self, id: CommandId) {
        if let Some(word) = self.0.get_mut(usize::from(id.0 >> 6)) {
            *word |= 1 << (id.0 & 63);
        }
    }

    fn remove(&mut self, id: CommandId) {
        if let Some(word) = self.0.get_mut(usize::from(id.0 >> 6)) {
            *word &= !(1 << (id.0 & 63));
        }
    }
}

/// What a rule does to a row: nothing, if `None`.
pub(super) fn touch(rule: &RightRule, row: &'static CommandSpec) -> Option<Change> {
    match rule {
        RightRule::AllCommands => Some(Change::Grant),
        RightRule::NoCommands => Some(Change::Withdraw),
        RightRule::Category(Change::Grant, category) => {
            has(row.granted_by, category.bit).then_some(Change::Grant)
        }
        RightRule::Category(Change::Withdraw, category) => {
            let container = table::container(row);
            // What Redis takes away from a container it takes away from all its subcommands.
            let withdrawn = takes_away(category.bit, row)
                || container.is_some_and(|row| takes_away(category.bit, row));
            withdrawn.then_some(Change::Withdraw)
        }
        RightRule::Command(change, named) => {
            let touched = row.id == named.0.id
                || table::container(row).is_some_and(|container| container.id == named.0.id);
            touched.then_some(*change)
        }
        RightRule::AllKeys
        | RightRule::ResetKeys
        | RightRule::Keys(..)
        | RightRule::AllChannels
        | RightRule::ResetChannels
        | RightRule::Channels(_) => None,
    }
}

/// Whether `-@category` takes the row away. Rows of modules have no category on any server, so that `+@all -@write` would leave
/// VADD; for them the flags say what they do.
fn takes_away(category: Categories, row: &CommandSpec) -> bool {
    let by_flag = |flag, own: Categories| row.flags.has(flag) && has(own, category);
    has(row.withdrawn_by, category)
        || row.flags.has(bits::MODULE)
            && (by_flag(bits::WRITE, Categories::WRITE)
                || by_flag(bits::READONLY, Categories::READ))
}

fn has(set: Categories, bit: Categories) -> bool {
    set.0 & bit.0 != 0
}
