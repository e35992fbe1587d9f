//! Which reply belongs to whom. Pure bookkeeping: never sees a socket, never decides what may be asked.

pub mod queue;
pub mod turns;

pub use queue::{Done, Queue, Turn};
pub use turns::{
    Audience, Awaited, Earlier, Ended, Patience, QueuedSelect, ReplyEffect, Special, Turns, Whole,
};
