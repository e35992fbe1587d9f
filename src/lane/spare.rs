//! A connection that stands ready for whoever needs one for itself: one that was just made, or one that its last holder left clean.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::fence::Fence;
use super::own::Open;
use crate::backend::Connected;
use crate::resp::ReplyScanner;

/// A connection to a backend, logged in, on which nothing is owed.
pub struct Spare {
    pub(super) open: Box<Open>,
}

impl Spare {
    /// One that was just made, to this incarnation of the backend.
    pub fn new(connected: Connected, incarnation: u64) -> Self {
        Self {
            open: Box::new(Open::new(connected, incarnation)),
        }
    }

    /// Whether it is still there, and silent as it should be.
    pub fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        // Whoever has it next asks to be woken; until then nobody waits for it.
        let mut context = Context::from_waker(std::task::Waker::noop());
        Pin::new(&mut self.open.stream)
            .poll_read(&mut context, &mut buffer)
            .is_pending()
    }

    /// Asks for an echo, so that nothing of its last holder's can be owed any more; `None` if anything else comes, or nothing in
    /// time: then it isn't fit for another.
    pub async fn proven(self, allowed: Duration) -> Option<Self> {
        tokio::time::timeout(allowed, self.prove()).await.ok()?
    }

    async fn prove(mut self) -> Option<Self> {
        let mut fence = Fence::new();
        let request = fence.next()?;
        self.open.owes();
        let stream = &mut self.open.stream;
        stream.write_all(&request).await.ok()?;
        stream.flush().await.ok()?;
        let mut scanner = ReplyScanner::new();
        let mut scratch = [0; 256];
        loop {
            let received = stream.read(&mut scratch).await.ok()?;
            let received = scratch.get(..received).filter(|bytes| !bytes.is_empty())?;
            let step = scanner.advance(received).ok()?;
            fence.hear(&received[..step.consumed]).ok()?;
            let Some(frame) = step.end else { continue };
            fence.ended(&frame).ok()?;
            if step.consumed < received.len() {
                return None;
            }
            self.open.all_answered();
            return Some(self);
        }
    }
}
