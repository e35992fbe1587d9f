//! What is known of Redis commands: one row each, with arity, categories, and where keys and channels are.
//! Pure data and functions; never asks a server, never decides who may do what.

pub mod categories;
pub mod channels;
pub mod classify;
pub mod effect;
pub mod flags;
pub mod grammar;
pub mod keys;
pub mod lone_key;
pub mod lookup;
pub mod spec;
pub mod table;

pub use categories::Categories;
pub use classify::{ClassifyFault, classify};
pub use effect::{Streamable, config_get_is_public, lane_need, may_stream, sight};
pub use flags::{Flags, Servers};
pub use grammar::{ChannelGrammar, KeyGrammar};
pub use lone_key::{LoneKey, lone_key};
pub use lookup::lookup;
pub use spec::{
    Access, Call, ChannelAct, ChannelUse, CommandId, CommandSpec, Gate, KeyUse, LaneNeed, Sight,
    Streaming,
};
pub use table::{ROW_COUNT, row, rows};
