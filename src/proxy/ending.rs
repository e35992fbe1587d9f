//! How a connection comes to its end: when it may go, and what is still done before it does.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::connection::{Connection, End, Phase};
use super::place::Site;
use crate::telemetry::CloseReason;

/// How long a closing connection waits for its peers to take what is left, twice.
const GOODBYE: Duration = Duration::from_millis(500);

impl Connection {
    /// A connection that is ending ends when every reply has come and gone. One whose client has left ends when what it
    /// sent is carried out and answered, but doesn't wait in a blocking command: what that would take from a list is
    /// nobody's.
    pub(super) fn end_if_done(&mut self) -> Result<(), End> {
        let all_gone = self.session.is_answered() && self.client.unsent() == 0;
        match self.phase {
            Phase::Ending(reason) if all_gone => return Err(End(reason)),
            Phase::Ending(_) | Phase::Requests | Phase::Streaming(_) | Phase::ReadingAway => {}
        }
        if self.client_has_left && !self.has_work_left() {
            self.way.lane.close();
            return Err(End(CloseReason::Client));
        }
        Ok(())
    }

    /// Whether something of what the client has sent is still under way, and will come to an end by itself.
    fn has_work_left(&self) -> bool {
        let cut_off = matches!(self.phase, Phase::Streaming(_));
        // For a reply, for a lane that is being connected, or for room on one: all of these come, or fail in time.
        let waits = self.waiting.is_some();
        let owed = self.way.has_lane() && !self.session.is_answered();
        !self.session.is_blocked() && !cut_off && (waits || owed || self.client.unsent() > 0)
    }

    /// One that is idle begins to end when Redwall drains or its keys are worn out.
    pub(super) fn end_if_due(&mut self, now: Instant) -> Result<(), End> {
        if !matches!(self.phase, Phase::Requests) || !self.session.is_idle() {
            return Ok(());
        }
        if self.way.lane.is_worn_out() {
            // The next request gets a new one.
            self.way.lane.close();
        }
        if self
            .way
            .own_lane_deadline(&self.session)
            .is_some_and(|deadline| now >= deadline)
        {
            let site = Site {
                worker: &self.worker,
                database: &self.database,
                index: self.database_index,
                now,
            };
            self.way.leave_own_lane(&self.session, site);
        }
        if self.input.is_empty() {
            if self.worker.is_draining() {
                self.phase = Phase::Ending(CloseReason::Drained);
            } else if self.client.tls().is_some_and(|tls| tls.is_worn_out()) {
                self.phase = Phase::Ending(CloseReason::WornOut);
            }
        }
        self.end_if_done()
    }

    /// Says goodbye: flushes what is left for the backend and for the client, as far as that takes no waiting time.
    pub(super) async fn finish(mut self) {
        (self.input, self.out) = (Vec::new(), Vec::new());
        if self.way.lane.unsent() == 0 {
            self.way.lane.close();
        }
        let flushed = std::future::poll_fn(|context| {
            let lane = self.way.lane.poll_flush(context).map(|_| ());
            let client = self.client.poll_flush(context).map(|_| ());
            self.weigh();
            if (lane.is_ready() && client.is_ready()) || self.must_go() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        // The peers have had their time; what they don't take now is lost with the connection.
        let _ = tokio::time::timeout(GOODBYE, flushed).await;
        self.way.lane.close();
        self.client.say_goodbye();
        let _ = tokio::time::timeout(GOODBYE, async {
            let said = std::future::poll_fn(|context| match self.must_go() {
                true => Poll::Ready(None),
                false => self.client.poll_flush(context).map(Result::ok),
            });
            match said.await {
                Some(()) => {
                    self.charge.release();
                    // The seat's waker is this task's.
                    let evicted = std::future::poll_fn(|_| match self.seat.is_evicted() {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    });
                    tokio::select! {
                        () = self.client.linger() => {}
                        () = evicted => {}
                    }
                }
                None => self.cut_off(),
            }
        })
        .await;
    }

    /// Whether somebody else needs what this connection holds.
    fn must_go(&self) -> bool {
        self.charge.must_go() || self.seat.is_evicted()
    }

    /// Ends without a goodbye, so that nothing is held for the client any more from now on, by the kernel neither.
    pub(super) fn cut_off(self) {
        self.client.reset();
    }
}
