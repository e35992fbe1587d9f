//! A verdict in words: which selector and which rule decided. Computed on demand, never on the path of a request.

use super::command_set::touch;
use super::policy::{Policy, User};
use super::rule::{Change, Placed, RightRule};
use super::selector::Selector;
use super::table;
use super::verdict::DenialReason;
use crate::command::Call;
use std::fmt;

/// Where a selector comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) name: SelectorName,
    pub(super) rules: Vec<Placed<RightRule>>,
    /// The user's `deny` list.
    pub(super) denied: Vec<RightRule>,
}

/// What a selector is called in an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorName {
    /// The user's own rules.
    Root,
    /// A role.
    Role(String),
    /// The selector in the n-th pair of parentheses in those rules, from 1.
    Nested(Box<SelectorName>, usize),
}

impl fmt::Display for SelectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("own rules"),
            Self::Role(name) => write!(f, "role {name}"),
            Self::Nested(within, number) => write!(f, "{within}, selector {number}"),
        }
    }
}

/// How a request was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What came out.
    pub outcome: Result<(), DenialReason>,
    /// What each selector says, up to the one that grants; none if the request was refused before.
    pub steps: Vec<Step>,
}

/// What one selector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which selector.
    pub selector: SelectorName,
    /// What it says.
    pub outcome: Result<(), DenialReason>,
    /// The last of its rules that speaks of the command, and where it stands; none if none does.
    pub command_rule: Option<Placed<RightRule>>,
    /// The entry of the `deny` list that takes the command away.
    pub denied_by: Option<RightRule>,
    /// For each key that is granted: index of the argument, and the rule that grants it.
    pub key_rules: Vec<(usize, RightRule)>,
}

impl Policy {
    /// Judges a request as [`evaluate`](Self::evaluate) does, and says why.
    pub fn explain(&self, user: &User, call: &Call<'_>) -> Explanation {
        if user.generation != self.generation {
            return Explanation::before_selectors(DenialReason::Stale);
        }
        let mut steps = Vec::new();
        let mut nearest = DenialReason::Command;
        for (selector, origin) in user.selectors.iter().zip(&user.origins) {
            let outcome = selector.judge(call, user.operator);
            steps.push(Step::of(selector, origin, call, outcome));
            match outcome {
                Ok(()) => {
                    return Explanation {
                        outcome: Ok(()),
                        steps,
                    };
                }
                Err(reason) if reason.rank() > nearest.rank() => nearest = reason,
                Err(_) => {}
            }
        }
        Explanation {
            outcome: Err(nearest),
            steps,
        }
    }
}

impl Explanation {
    fn before_selectors(reason: DenialReason) -> Self {
        Self {
            outcome: Err(reason),
            steps: Vec::new(),
        }
    }
}

impl Step {
    fn of(
        selector: &Selector,
        origin: &Origin,
        call: &Call<'_>,
        outcome: Result<(), DenialReason>,
    ) -> Self {
        let Origin {
            name,
            rules,
            denied,
        } = origin;
        let command_rule = rules
            .iter()
            .rev()
            .find(|placed| touch(&placed.rule, call.spec).is_some());
        let denied_by = denied
            .iter()
            .find(|rule| touch(rule, call.spec) == Some(Change::Withdraw));
        Self {
            selector: name.clone(),
            outcome,
            command_rule: command_rule.cloned(),
            denied_by: denied_by.cloned(),
            key_rules: key_rules(selector, call),
        }
    }
}

fn key_rules(selector: &Selector, call: &Call<'_>) -> Vec<(usize, RightRule)> {
    let mut found = Vec::new();
    // Keys that can't be told end the walk; the outcome says so already.
    let _ = table::each_key(call, |key| {
        if let Some(rule) = call
            .request
            .arg(key.index)
            .and_then(|bytes| selector.key_pattern(bytes, key.access))
        {
            found.push((key.index, rule));
        }
        Ok(())
    });
    found
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(()) => f.write_str("allowed")?,
            Err(reason) => write!(f, "denied: {reason}")?,
        }
        self.steps
            .iter()
            .try_for_each(|step| write!(f, "\n  {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.selector)?;
        match (&self.denied_by, &self.command_rule) {
            (Some(rule), _) => write!(f, "`{rule}` in the deny list takes the command away")?,
            (None, Some(Placed { at, rule })) => {
                let verb = match self.outcome {
                    Err(DenialReason::Command) => "takes the command away",
                    Ok(()) | Err(_) => "grants the command",
                };
                write!(f, "`{rule}` at offset {at} {verb}")?;
            }
            (None, None) => f.write_str("no rule speaks of the command")?,
        }
        for (argument, rule) in &self.key_rules {
            write!(f, "; `{rule}` grants argument {argument}")?;
        }
        match self.outcome {
            Ok(()) | Err(DenialReason::Command) => Ok(()),
            Err(reason) => write!(f, "; {reason}"),
        }
    }
}
