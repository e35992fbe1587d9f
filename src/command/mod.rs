//! What is known of Redis commands: one row each, with arity, categories, and where keys and channels are.
//! Pure data and functions; never asks a server, never decides who may do what.

pub mod spec;

pub use spec::{
    Access, Call, Categories, ChannelUse, CommandId, CommandSpec, Gate, KeyUse, LaneNeed, Sight,
};
