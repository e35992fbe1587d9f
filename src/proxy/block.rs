//! Transactions that arrive as a whole, as libraries send them: from MULTI to EXEC they go to a shared lane in one piece.
//!
//! Each of their requests is answered by one frame, whatever becomes of it, and the lane believes in EXEC's reply only if the
//! transaction has ended with it: so nobody else's request is ever queued by it.

use std::ops::Range;
use std::task::Context;
use std::time::Instant;

use super::connection::Connection;
use super::place::{Sent, Site};
use crate::resp::{Request, RequestScanner, Scan};
use crate::session::{Around, BULKY};
use crate::telemetry::VerdictLabel;

/// Requests of such a transaction, MULTI and EXEC among them, at most: nobody else is served in between.
const MOST_REQUESTS: usize = 32;

/// Bytes of MULTI as libraries write it.
const MULTI: usize = b"*1\r\n$5\r\nMULTI\r\n".len();

/// What became of a transaction.
pub(super) enum Block {
    /// So many bytes of requests are on their way.
    Sent(usize),
    /// Nothing: it is to be offered again.
    Wait,
}

impl Connection {
    /// Sends the transaction that begins with the request of `len` bytes at `at`, if it is here as a whole and may share. `None`, and
    /// nothing has happened, if that request doesn't begin one, or its requests have to go one by one.
    pub(super) fn offer_block(
        &mut self,
        at: usize,
        len: usize,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Option<Block> {
        // Looked at first: nearly every request that comes by here begins none.
        if len != MULTI {
            return None;
        }
        let name = self.scanner.request(&self.input[at..]).arg(0)?;
        // Looking ahead costs something, so not before it is known that it may be of use.
        if !name.eq_ignore_ascii_case(b"multi") || self.way.has_its_own(now) {
            return None;
        }
        let parts = self.scan_block(at)?;
        let end = parts.last()?.range.end;
        // It has no lane of its own, so no other bound is for it.
        let most = self
            .database
            .limits
            .max_in_flight
            .min(self.way.stay.window());
        match self.session.outstanding().0 {
            0 if parts.len() > most => return None,
            0 => {}
            owed if owed + parts.len() > most => return Some(Block::Wait),
            _ => {}
        }
        let requests: Vec<Request<'_>> = parts
            .iter()
            .map(|part| part.scanner.request(&self.input[part.range.clone()]))
            .collect();
        let around = Around {
            policy: &self.database.policy,
            backend_version: None,
            max_subscriptions: 0,
            now,
        };
        let block = self.session.block(&requests, around)?;
        let rows: Vec<_> = block.iter().map(|forward| forward.row()).collect();
        let site = Site {
            worker: &self.worker,
            database: &self.database,
            index: self.database_index,
            now,
        };
        match self
            .way
            .send_block(block, &mut self.session, site, context)?
        {
            Sent::Done => {
                for row in rows {
                    self.worker.shard.command(row, VerdictLabel::Allowed);
                }
                Some(Block::Sent(end - at))
            }
            Sent::Wait => Some(Block::Wait),
            Sent::Replaced | Sent::Unavailable(_) => None,
        }
    }

    /// The requests from MULTI to EXEC.
    fn scan_block(&self, at: usize) -> Option<Vec<Part>> {
        let limits = self.limits();
        let end = self.input.len().min(at + BULKY);
        let (mut from, mut parts) = (at, Vec::new());
        while parts.len() < MOST_REQUESTS {
            let mut scanner = RequestScanner::new();
            let Ok(Scan::Complete { len }) = scanner.scan(&self.input[from..end], &limits) else {
                return None;
            };
            let range = from..from + len;
            from = range.end;
            let name = scanner.request(&self.input[range.clone()]).arg(0);
            let is_exec = name.is_some_and(|name| name.eq_ignore_ascii_case(b"exec"));
            parts.push(Part { scanner, range });
            if is_exec {
                return Some(parts);
            }
        }
        None
    }
}

/// A request, and where it lies in the input.
struct Part {
    scanner: RequestScanner,
    range: Range<usize>,
}
