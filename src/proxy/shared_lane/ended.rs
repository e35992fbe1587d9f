//! How a shared lane comes to its end, and what its clients hear of that.

use std::rc::Rc;
use std::time::Instant;

use super::{SharedLane, State};
use crate::backend::ConnectFault;
use crate::lane::{LaneFault, SharedFault};
use crate::proxy::delivery::Loss;
use crate::proxy::worker::Worker;

/// How a lane comes to its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nothing was owed and nobody needs it.
    Done,
    /// The backend broke it off.
    Lost(LaneFault),
    /// The backend has owed replies for so long that none is expected any more.
    Dead,
    /// Another process, or one in another role, is behind its address now.
    Replaced,
    /// Whose reply is whose can't be known any more, nor for how long it couldn't.
    Poisoned(SharedFault),
}

/// It could not be connected.
pub(super) fn fail(lane: &SharedLane, worker: &Worker, fault: &ConnectFault) {
    worker.door.on_connect_fault(lane.key.database, fault);
    lane.state.replace(State::Failed {
        text: fault.client_text(),
        at: Instant::now(),
    });
    lane.wake_waiting();
}

/// The lane is gone. Who misses a reply is closed, as it would be by a server, or told so; after a poisoning everybody is closed who was
/// on it.
pub(super) fn end(lane: &SharedLane, worker: &Rc<Worker>, ended: &Ended) {
    let State::Open(open) = lane.state.replace(State::Ended) else {
        return;
    };
    let database = lane.database.name.as_str();
    match ended {
        Ended::Done => {}
        Ended::Lost(fault) if open.is_quiet() => {
            tracing::debug!(database, %fault, "a shared backend connection ended")
        }
        Ended::Lost(fault) => {
            tracing::warn!(database, reason = %fault, "a shared backend connection was lost while in use")
        }
        Ended::Dead => {
            tracing::warn!(
                database,
                owed = open.owed(),
                "the backend doesn't answer on a shared connection: closed it"
            )
        }
        Ended::Replaced => {
            tracing::warn!(
                database,
                "another backend, or one in another role, answers now: closed a shared connection to the old one"
            )
        }
        Ended::Poisoned(fault) => {
            if *fault == SharedFault::Transaction {
                worker
                    .door
                    .backend(lane.key.database)
                    .strayed_in_transaction();
            }
            tracing::error!(database, reason = %fault, "replies could not be paired");
            lane.poisoned.set(true);
            drop(tokio::task::spawn_local(
                Rc::clone(&worker.seats).wake_all(),
            ));
        }
    }
    let loss = match ended {
        Ended::Lost(_) => Loss::OfReplies,
        Ended::Done | Ended::Dead | Ended::Replaced | Ended::Poisoned(_) => Loss::OfAll,
    };
    for member in open.owners() {
        if let Some(connection) = member.connection() {
            connection.borrow_mut().lose_replies(loss);
        }
    }
    lane.wake_waiting();
}
