//! The texts of what Redwall answers itself, in RESP2 and RESP3. Pure writing: who may have an answer is decided before.

pub mod acl;
pub mod command;
pub mod hello;
