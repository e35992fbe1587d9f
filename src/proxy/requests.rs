//! The request side of a connection's loop: scans the input, asks the session, and does what it says.

use std::task::Context;
use std::time::Instant;

use super::block::Block;
use super::company;
use super::connection::{Connection, End, Phase, Step};
use super::place::{Pending, Place, Sent, Site};
use super::upload::{Exceeded, Most, Upload};
use crate::acl::Principal;
use crate::command::CommandId;
use crate::resp::{Limits, Scan};
use crate::session::{Action, Around, Denied, Handled, LoginOutcome};
use crate::snapshot::Lanes;
use crate::telemetry::{CloseReason, VerdictLabel};

/// Requests of one client that are under way on its own lane, at most, where others share: a server takes so many bytes of each
/// connection's requests at a time, so whoever pipelines slow ones without a bound would have everybody wait for all of them.
const MOST_ON_OWN_LANE: usize = 16;

/// A request that announces more bytes than this is streamed if it can be.
const STREAM_FROM: u64 = 1024 * 1024;

impl Connection {
    /// Takes one request, or part of one, out of the input from `taken` on.
    pub(super) fn work_once(
        &mut self,
        taken: &mut usize,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<Step, End> {
        if *taken == self.input.len() || self.is_held_back(now) {
            return Ok(Step::Wait);
        }
        if let Some(len) = self.waiting {
            return self.on_request(taken, len, context, now);
        }
        let limits = self.limits();
        match self.scanner.scan(&self.input[*taken..], &limits) {
            Err(fault) => {
                if let Phase::Streaming(_) = self.phase {
                    self.session.cut_off();
                }
                match fault.redis_text() {
                    Some(text) => self.session.refuse_unavailable(&text, &mut self.out),
                    None => self.out.clear(),
                }
                *taken = self.input.len();
                self.phase = Phase::Ending(CloseReason::Protocol);
                Ok(Step::Wait)
            }
            Ok(Scan::Skipped { len }) => {
                *taken += len;
                Ok(Step::Again)
            }
            Ok(Scan::Complete { len } | Scan::Inline { len }) => {
                self.on_request(taken, len, context, now)
            }
            Ok(Scan::Rest { len }) => {
                if let Phase::Streaming(_) = self.phase {
                    self.way.lane.append_rest(&self.input[*taken..*taken + len]);
                }
                self.phase = Phase::Requests;
                *taken += len;
                Ok(Step::Again)
            }
            Ok(Scan::Incomplete) => self.on_part_of_request(taken, context, now),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let limits = Limits {
            max_bulk: self.database.limits.max_bulk,
            ..Limits::DEFAULT
        };
        self.session.limits(limits)
    }

    /// Whether nothing more may be forwarded now. A request that has begun to be forwarded goes on.
    fn is_held_back(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Requests => {
                self.has_enough_under_way(now)
                    || self.coming() > self.database.limits.soft_output
                    || self.way.lane.unsent() > self.database.limits.soft_output
            }
            Phase::Streaming(_) => self.way.lane.unsent() > self.database.limits.soft_output,
            Phase::ReadingAway => false,
            Phase::Ending(_) => true,
        }
    }

    /// Whether as many requests are under way as may be.
    fn has_enough_under_way(&self, now: Instant) -> bool {
        let own = self.session.outstanding().0;
        let most = self.database.limits.max_in_flight;
        own >= match &self.way.place {
            Place::Shared(lane) => {
                let most = most.min(self.way.stay.window());
                let pipelines = own >= company::ALWAYS && self.has_long_pipeline();
                let beside_others = pipelines
                    .then(|| lane.most_beside_others(own, now))
                    .flatten();
                beside_others.map_or(most, |beside| most.min(beside))
            }
            Place::Nowhere | Place::Own if self.way.lanes == Lanes::Shared => {
                most.min(MOST_ON_OWN_LANE)
            }
            Place::Nowhere | Place::Own => most,
        }
    }

    /// Whether more waits here than is quickly done with.
    fn has_long_pipeline(&self) -> bool {
        self.input.len() - self.consumed > company::LONG
    }

    /// Sends on the whole request that begins at `at`, if it is an ordinary one that goes where the one before it went, as most are. False if
    /// nothing has happened.
    #[inline(always)]
    fn send_on(&mut self, at: usize, now: Instant) -> bool {
        let request = self.scanner.request(&self.input[at..]);
        let site = Site {
            worker: &self.worker,
            database: &self.database,
            index: self.database_index,
            now,
        };
        if !self.way.goes_on(request.bytes().len(), &self.session, site) {
            return false;
        }
        let Some(forward) = self.session.ordinary(request, &self.database.policy) else {
            return false;
        };
        let row = forward.row();
        let sent = self.way.send_on(forward, &mut self.session, site);
        let is_sent = matches!(sent, Sent::Done);
        if is_sent {
            self.worker.shard.command(row, VerdictLabel::Allowed);
        }
        is_sent
    }

    /// A whole request is here; one that can't be dealt with yet waits, and everything behind it.
    fn on_request(
        &mut self,
        taken: &mut usize,
        len: usize,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<Step, End> {
        if self.send_on(*taken, now) {
            self.waiting = None;
            *taken += len;
            return Ok(Step::Again);
        }
        let (step, len) = match self.offer_block(*taken, len, context, now) {
            Some(Block::Sent(len)) => (Step::Again, len),
            Some(Block::Wait) => (Step::Wait, len),
            None => (self.offer(*taken, context, now)?, len),
        };
        match step {
            Step::Wait | Step::Hold => {
                self.waiting = Some(len);
                Ok(Step::Wait)
            }
            Step::Again => {
                self.waiting = None;
                *taken += len;
                Ok(Step::Again)
            }
        }
    }

    /// Only part of a request is here. A small one waits for its rest; a large one is streamed, held or refused.
    fn on_part_of_request(
        &mut self,
        taken: &mut usize,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<Step, End> {
        let announced = self
            .scanner
            .progress()
            .map_or(0, |progress| progress.announced_bytes);
        let small = STREAM_FROM.min(self.database.limits.max_held_request);
        match &mut self.phase {
            Phase::Requests if announced <= small => return Ok(Step::Wait),
            Phase::Requests => match self.offer(*taken, context, now)? {
                Step::Again => {}
                Step::Hold if announced > self.database.limits.max_held_request => {
                    self.session
                        .refuse_too_large(self.database.limits.max_held_request, &mut self.out);
                    self.phase = Phase::ReadingAway;
                }
                Step::Wait | Step::Hold => return Ok(Step::Wait),
            },
            Phase::Streaming(upload) => {
                upload
                    .grow_to(announced)
                    .map_err(|_| End(CloseReason::Overflow))?;
                upload.arrived(self.input.len() - *taken, now);
                self.way.lane.append_rest(&self.input[*taken..]);
            }
            Phase::ReadingAway | Phase::Ending(_) => {}
        }
        self.scanner.dropped(self.input.len() - *taken);
        *taken = self.input.len();
        Ok(Step::Wait)
    }

    /// Offers the session the request, or the part of one, that begins at `at`; does what it says.
    ///
    /// [`Step::Wait`]: nothing has been done, offer it again. [`Step::Hold`]: nothing, and its part can't be judged yet.
    /// [`Step::Again`]: it has been dealt with.
    fn offer(&mut self, at: usize, context: &mut Context<'_>, now: Instant) -> Result<Step, End> {
        if self.facts.is_none() {
            // Once a connection: what all workers share isn't touched again at each request.
            self.facts = self.worker.door.backend(self.database_index).facts();
        }
        let around = Around {
            policy: &self.database.policy,
            backend_version: self.facts.as_deref().map(|facts| facts.version.as_str()),
            max_subscriptions: self.database.limits.max_subscriptions,
            now,
        };
        let input = &self.input[at..];
        let part = self.scanner.prefix(input);
        let request = part.unwrap_or_else(|| self.scanner.request(input));
        if request.is_empty() {
            // The command's name isn't here yet.
            return Ok(Step::Hold);
        }
        match self.session.on_request(request, around, &mut self.out) {
            Action::Incomplete => return Ok(Step::Hold),
            Action::Wait => return Ok(Step::Wait),
            Action::Forward(forward) => {
                let (row, is_part) = (forward.row(), part.is_some());
                let pending = match input.len() > request.bytes().len() {
                    true => Pending::More,
                    false => Pending::Nothing,
                };
                let upload = part.map(|_| self.begin_upload(now)).transpose();
                let site = Site {
                    worker: &self.worker,
                    database: &self.database,
                    index: self.database_index,
                    now,
                };
                let (session, out) = (&mut self.session, &mut self.out);
                let sent = match &upload {
                    Ok(_) => {
                        let surroundings = (site, context);
                        self.way.send(forward, pending, session, out, surroundings)
                    }
                    Err(text) => Sent::Unavailable(text),
                };
                return self.on_sent(&sent, row, upload.unwrap_or(None), is_part);
            }
            Action::Handled(handled) => {
                let is_part = part.is_some();
                self.on_handled(handled, context, now);
                if is_part && matches!(self.phase, Phase::Requests) {
                    self.phase = Phase::ReadingAway;
                }
            }
        }
        Ok(Step::Again)
    }

    /// A permitted request, of which a part may be here, is on its way, or isn't.
    fn on_sent(
        &mut self,
        sent: &Sent,
        row: CommandId,
        upload: Option<Upload>,
        is_part: bool,
    ) -> Result<Step, End> {
        match sent {
            Sent::Wait => return Ok(Step::Wait),
            Sent::Replaced => return Err(End(CloseReason::Backend)),
            Sent::Done => {
                let upload = upload.map(Box::new);
                self.phase = upload.map_or(Phase::Requests, Phase::Streaming);
                self.worker.shard.command(row, VerdictLabel::Allowed);
            }
            Sent::Unavailable(text) => {
                self.session.refuse_unavailable(text, &mut self.out);
                if is_part {
                    self.phase = Phase::ReadingAway;
                }
                self.worker.shard.command(row, VerdictLabel::Unavailable);
            }
        }
        Ok(Step::Again)
    }

    /// Charges what the request at the front of the input has announced so far.
    fn begin_upload(&self, now: Instant) -> Result<Upload, &'static str> {
        let uploads = self.worker.door.uploads(self.database_index);
        // Nobody has a request permitted before he is somebody.
        let user = self.session.principal().map(Principal::user);
        let most = Most {
            all: self.database.limits.max_uploads,
            user: user.map_or(0, |user| user.quota().max_uploads),
        };
        let name = user.map_or("", |user| user.name());
        let announced = self
            .scanner
            .progress()
            .map_or(0, |progress| progress.announced_bytes);
        Upload::begin(uploads, name, most, announced, now).map_err(Exceeded::client_text)
    }

    /// Counts what was done about a request, and does what the session can't do itself.
    fn on_handled(&mut self, handled: Handled, context: &mut Context<'_>, now: Instant) {
        let shard = &self.worker.shard;
        match handled {
            Handled::Answered { row } => {
                if let Some(row) = row {
                    shard.command(row, VerdictLabel::Answered);
                }
            }
            Handled::Denied(Denied { row, reason }) => {
                shard.command(row, VerdictLabel::Denied);
                shard.denial(reason.index());
            }
            Handled::Login { outcome } => self.on_login(outcome, context, now),
            Handled::Tell { internal, done } => {
                if self.way.lane.is_open() {
                    self.way.lane.tell(&internal);
                    self.session.told(internal, now);
                } else {
                    // A connection that is being made would come up with the old protocol.
                    self.way.lane.close();
                    self.session.not_told(internal, &mut self.out);
                }
                self.on_logged_in(context, now);
                self.on_handled(*done, context, now);
            }
            Handled::Reset => {
                self.way.lane.close();
                self.way.place = Place::Nowhere;
                self.expect_login(now);
            }
            Handled::Quit => self.phase = Phase::Ending(CloseReason::Client),
        }
    }

    /// A login was tried: one that succeeded ends the deadline for it and has the backend connected at once, so that a
    /// command which waits for what comes next (XREAD with `$`) doesn't miss what comes while a connection is made.
    fn on_login(&mut self, outcome: LoginOutcome, context: &mut Context<'_>, now: Instant) {
        if let Some(shard) = self.worker.shard.database(self.database_index) {
            shard.login(outcome == LoginOutcome::Succeeded);
        }
        match outcome {
            LoginOutcome::Succeeded => self.on_logged_in(context, now),
            LoginOutcome::Failed => self.worker.log_failed_login(&self.database, self.peer, now),
        }
    }
}
