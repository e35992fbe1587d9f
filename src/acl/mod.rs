//! Who may do what: rules in Redis's ACL language, users and roles compiled from them, and the one judgement over every request.
//!
//! Equal to Redis or stricter, never laxer. A request is granted by one selector as a whole, or not at all. Pure: no I/O, no clock.

pub mod aclfile;
mod command_set;
mod compile;
mod explain;
mod glob;
mod password;
mod policy;
mod principal;
mod role;
mod rule;
mod selector;
mod source;
mod table;
mod user;
mod verdict;

pub use compile::PolicyFault;
pub use explain::{Explanation, SelectorName, Step};
pub use glob::{Glob, GlobFault};
pub use password::{NotAHash, PasswordHash};
pub use policy::{Policy, User};
pub use principal::{AuthFault, Principal, Proof, authenticate, identify};
pub use role::{BUILT_IN as BUILT_IN_ROLES, RoleFault, RoleRules, ValueFault};
pub use rule::{
    Category, Change, IdentityRule, KeyRight, Placed, RightRule, Row, Rule, RuleFault,
    RuleFaultKind, RuleList, RuleWarning, Vocabulary,
};
pub use source::{DenyRule, Identity, RoleSource, UserSource};
pub use user::{Enabled, NoPass, Operator, Proofs, Quota};
pub use verdict::{Denial, DenialReason, DenialText, Permit, Verdict};

#[cfg(test)]
mod properties;
