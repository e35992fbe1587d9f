//! The one driver loop of a connection: moves bytes between client, session and lane until there is nothing to move.
//!
//! All waiting is in `turn`, which a single future polls. Nothing is forwarded that the session didn't permit, and no
//! reply's byte goes to the client that the session didn't route there.

use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::delivery::HeldUp;
use super::memory::Charge;
use super::place::{Place, Site, Way};
use super::right_of_way::Moved;
use super::seats::Seat;
use super::shared_lane::Member;
use super::upload::Upload;
use super::worker::Worker;
use crate::backend::Facts;
use crate::client::Client;
use crate::resp::RequestScanner;
use crate::session::Session;
use crate::snapshot::Database;
use crate::telemetry::CloseReason;

/// Requests of one client that are dealt with before other connections of the worker have their turn.
pub(super) const REQUESTS_A_TURN: usize = 512;

/// Bytes of requests that are read ahead of a client whose replies are on their way to it: it waits for them, not they for it.
const READ_AHEAD: usize = 64 * 1024;

/// Bytes that may wait for a client's socket while more is read from its own lane.
const UNSENT: usize = 16 * 1024;

/// Bytes that are read at once from one client's own lane. Half of them, from there or from the client, and other connections of the worker have
/// their turn. More at once wouldn't cost less: they are encrypted while the processor's nearest memory has them.
pub(super) const BYTES_A_TURN: usize = 32 * 1024;

/// Rounds of moving bytes before other connections of the worker have their turn.
const ROUNDS_A_TURN: usize = 8;

/// A buffer with more room than this is given back when it is empty.
const KEPT_CAPACITY: usize = 4 * 1024;

/// How long a client keeps the buffers of its last request for its next one: an active one allocates nothing, an idle one holds nothing.
const QUIET: Duration = Duration::from_secs(1);

/// What a connection is in the middle of.
#[derive(Debug)]
pub(super) enum Phase {
    /// Between requests, or inside one that is held whole.
    Requests,
    /// Inside a request of which the beginning was permitted and forwarded: the rest follows as it comes.
    Streaming(Box<Upload>),
    /// Inside a request that was refused: the rest is read away.
    ReadingAway,
    /// The client wants to end, or must: what it has coming is flushed first.
    Ending(CloseReason),
}

/// A connection's end, with its reason.
#[derive(Debug)]
pub(super) struct End(pub(super) CloseReason);

/// One established client with everything that serves it.
pub(super) struct Connection {
    /// Its share of what is held for all clients.
    pub(super) charge: Charge,
    pub(super) worker: Rc<Worker>,
    pub(super) seat: Seat,
    pub(super) database: Arc<Database>,
    pub(super) database_index: usize,
    pub(super) generation: u64,
    pub(super) peer: IpAddr,
    /// In a box of its own: together they would leave more of an allocator's size class unused.
    pub(super) client: Box<Client>,
    pub(super) session: Session,
    pub(super) way: Way,
    /// An end that came with a reply, outside of its own turn.
    pub(super) ended: Option<CloseReason>,
    /// Whether it was told that its replies don't come, so that they are dropped if they do.
    pub(super) given_up: bool,
    /// Whether its shared lane isn't read until it has taken more.
    pub(super) holds_up: bool,
    /// Bytes that have come of a reply whose end hasn't.
    pub(super) coming_in: u64,
    /// What the backend says of itself, for HELLO.
    pub(super) facts: Option<Arc<Facts>>,
    pub(super) scanner: RequestScanner,
    /// Requests, from `consumed` on.
    pub(super) input: Vec<u8>,
    pub(super) consumed: usize,
    pub(super) out: Vec<u8>,
    pub(super) phase: Phase,
    /// Length of the whole request at the front of the input that waits to be offered again.
    pub(super) waiting: Option<usize>,
    pub(super) login_deadline: Option<Instant>,
    /// Whether the client has said that it will send nothing more; it may still read.
    pub(super) client_has_left: bool,
    /// When the client last took output, or last had none coming.
    pub(super) output_moved: Instant,
    /// When its buffers are given back, unless something moves before.
    pub(super) quiet: Option<Instant>,
    /// What its last turn moved, if that was a piece of a large value or a long pipeline, and not its end: before the next one it gives way.
    pub(super) moved: Option<Moved>,
}

impl Connection {
    /// Serves the client until its end. What it holds stands behind a pointer, and its last moments in a box, so that an idle client's
    /// task is small.
    pub(super) async fn serve(shared: Rc<RefCell<Self>>) -> End {
        let begun = std::future::poll_fn(|context| Poll::Ready(Self::start(&shared, context)));
        let end = match begun.await {
            Ok(()) => std::future::poll_fn(|context| shared.borrow_mut().turn(context)).await,
            Err(end) => end,
        };
        if let Some(goodbye) = Self::take_leave(shared, &end) {
            goodbye.await;
        }
        end
    }

    fn start(shared: &Rc<RefCell<Self>>, context: &mut Context<'_>) -> Result<(), End> {
        let mut connection = shared.borrow_mut();
        connection.seat.register(context.waker());
        connection.way.member = Member::new(shared);
        connection.way.number = connection.worker.resting.next_number();
        connection.way.waker = context.waker().clone();
        connection.begin(context)
    }

    /// From here on no lane finds it any more.
    fn take_leave(
        shared: Rc<RefCell<Self>>,
        end: &End,
    ) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let connection = Rc::into_inner(shared)?.into_inner();
        if let Place::Shared(lane) = &connection.way.place
            && connection.holds_up
        {
            lane.wake();
        }
        match end {
            End(CloseReason::Memory | CloseReason::Evicted) => {
                connection.cut_off();
                None
            }
            End(_) => Some(Box::pin(connection.finish())),
        }
    }

    /// What was proven in the handshake is judged by the snapshot in force now, before anything comes of it.
    fn begin(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let now = Instant::now();
        self.obey(now)?;
        if self.session.principal().is_some() {
            self.on_logged_in(context, now);
        }
        Ok(())
    }

    /// One turn: moves what can be moved, and is woken when there is more.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<End> {
        match self.try_turn(context) {
            Ok(poll) => poll.map(|()| End(CloseReason::Client)),
            Err(end) => Poll::Ready(end),
        }
    }

    fn try_turn(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, End> {
        let now = Instant::now();
        self.obey(now)?;
        if self.gives_way(context, now) {
            return Ok(Poll::Pending);
        }
        if self.is_backend_excused() {
            self.session.excuse(now);
        }
        let (mut requests, mut bytes) = (REQUESTS_A_TURN, 0);
        for _ in 0..ROUNDS_A_TURN {
            let has_room = self.has_room(context, now)?;
            let mut moved = false;
            if has_room {
                let pulled = self.pull_from_lane(context, now)?;
                bytes += pulled;
                moved |= pulled > 0;
                let before = self.input.len();
                moved |= self.pull_from_client(context)?;
                // What comes of one that is ending is dropped.
                let came = self.input.len().saturating_sub(before);
                bytes += came;
                let owed = self.session.outstanding();
                moved |= self.work(&mut requests, context, now)?;
                if came > 0 && self.scanner.progress().is_some() {
                    // A client with Nagle's algorithm on keeps the end of a request until its beginning is acknowledged.
                    self.client.acknowledge_at_once();
                }
                // Redwall's own word to the backend takes no request out of the input, and its reply has to be read as well.
                moved |= owed != self.session.outstanding();
            }
            let full = self.fullness();
            self.push_to_lane(context)?;
            self.push_to_client(context, now)?;
            // What stood still because a buffer was full goes on now, and nothing else would wake it.
            moved |= full != self.fullness();
            self.weigh();
            self.let_lane_go_on();
            if requests == 0 {
                // There may be more of them here.
                break;
            }
            self.end_if_done()?;
            if bytes >= BYTES_A_TURN / 2 {
                let goes_on = self.is_amid_a_large_move();
                self.moved = goes_on.then(|| self.worker.right_of_way.moved());
                break;
            }
            if !has_room {
                self.seat.wake_at(Some(now));
                return Ok(Poll::Pending);
            }
            if moved {
                self.quiet = Some(now + QUIET);
            } else {
                self.end_if_due(now)?;
                self.give_back_if_quiet(now);
                self.seat.wake_at(self.next_deadline());
                return Ok(Poll::Pending);
            }
        }
        self.worker.resting.somebody_waits();
        go_on_later(context);
        Ok(Poll::Pending)
    }

    /// Whether it moves a large value of which there is more, or a pipeline of which much waits here.
    fn is_amid_a_large_move(&self) -> bool {
        self.session.is_inside_reply()
            || matches!(self.phase, Phase::Streaming(_))
            || self.input.len() - self.consumed >= BYTES_A_TURN
    }

    /// Whether the next piece of something large is left for later, because others wait for their answers.
    fn gives_way(&mut self, context: &Context<'_>, now: Instant) -> bool {
        let way = &self.worker.right_of_way;
        let moved = self.moved.as_mut();
        let gives_way = moved.is_some_and(|moved| way.gives_way(moved, now, context.waker()));
        if !gives_way {
            self.moved = None;
        }
        gives_way
    }

    /// Looks at what may have changed around the connection: policy, drain, deadlines.
    fn obey(&mut self, now: Instant) -> Result<(), End> {
        if let Some(reason) = self.ended.take() {
            return Err(End(reason));
        }
        self.obey_backend()?;
        if self.worker.published.generation() != self.generation {
            let snapshot = self.worker.published.current();
            self.on_snapshot(&snapshot)?;
        }
        if self.seat.is_evicted() {
            return Err(End(CloseReason::Evicted));
        }
        if self.login_deadline.is_some_and(|deadline| now >= deadline) {
            return Err(End(CloseReason::LoginTimeout));
        }
        if self.worker.is_draining() && self.session.principal().is_none() {
            return Err(End(CloseReason::Drained));
        }
        if self
            .reply_deadline()
            .is_some_and(|deadline| now >= deadline)
        {
            self.on_overdue(now);
        }
        if self
            .output_deadline()
            .is_some_and(|deadline| now >= deadline)
        {
            return Err(End(CloseReason::OutputTimeout));
        }
        if self.way.lane.unsent() > self.database.limits.soft_output
            && let Phase::Streaming(upload) = &mut self.phase
        {
            // Nothing of it is read while the backend takes nothing.
            upload.excuse(now);
        }
        if self
            .upload_deadline()
            .is_some_and(|deadline| now >= deadline)
        {
            self.way.lane.close();
            return Err(End(CloseReason::UploadTimeout));
        }
        Ok(())
    }

    /// What has become of the lane, and of the backend, that it uses.
    fn obey_backend(&mut self) -> Result<(), End> {
        if let Place::Shared(lane) = &self.way.place
            && lane.is_poisoned()
        {
            return Err(End(CloseReason::Backend));
        }
        let backend = self.worker.door.backend(self.database_index);
        match self.way.incarnation {
            Some(incarnation) if incarnation != backend.incarnation() => {
                self.way.lane.close();
                Err(End(CloseReason::Backend))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A lane that wasn't read because the client had too much coming is read on.
    fn let_lane_go_on(&mut self) {
        if self.holds_up
            && self.hold_up_its_lane() == HeldUp::No
            && let Place::Shared(lane) = &self.way.place
        {
            lane.wake();
        }
    }

    /// Gives back what is kept for the client's next request, if there has been none for a while.
    fn give_back_if_quiet(&mut self, now: Instant) {
        if self.quiet.is_none_or(|quiet| now < quiet) {
            return;
        }
        self.quiet = None;
        if self.input.is_empty() {
            self.input = Vec::new();
            self.scanner.give_back();
        }
        self.session.give_back();
        // A reply from a shared lane is no turn of the client's own.
        if self.session.has_outstanding() && !self.session.is_blocked() {
            self.quiet = Some(now + QUIET);
        }
    }

    /// Whether the lane, and whether the client, has more waiting for it than may be added to.
    fn fullness(&self) -> (bool, bool) {
        let most = self.database.limits.soft_output;
        (self.way.lane.unsent() > most, self.has_enough_coming())
    }

    /// Whether its own lane isn't read for now: there is more coming than is held willingly, or than the socket will take soon. What
    /// isn't read needn't be copied.
    pub(super) fn has_enough_coming(&self) -> bool {
        self.to_be_taken() > self.database.limits.soft_output || self.client.unsent() > UNSENT
    }

    /// Bytes that wait for the client to take them. Answers that wait behind a reply aren't among them: they come when it is read.
    pub(super) fn to_be_taken(&self) -> usize {
        self.out.len() + self.client.unsent()
    }

    /// Bytes that the client has coming.
    pub(super) fn coming(&self) -> usize {
        self.to_be_taken() + self.session.outstanding().1
    }

    /// Whether more may be taken in: not while all clients together hold more than they may. Then what can be written is
    /// written, and the connection is woken when those who held the most are gone; it may be one of them.
    fn has_room(&mut self, context: &mut Context<'_>, now: Instant) -> Result<bool, End> {
        if self.charge.must_go() {
            if self.worker.may_log(&self.database, self.peer, now) {
                tracing::warn!(
                    database = %self.database.name, peer = %self.peer, held = self.charge.bytes(),
                    "all clients together held more than max_memory: closed one that held the most"
                );
            }
            return Err(End(CloseReason::Memory));
        }
        Ok(self.charge.has_room(context.waker()))
    }

    /// Tells of what is held for the client now.
    pub(super) fn weigh(&mut self) {
        let held = self.held();
        self.charge.report(held, &self.way.waker);
    }

    /// Bytes that are held for the client, by the kernel too if it doesn't take what is sent.
    fn held(&self) -> usize {
        let kernel = match self.client.unsent() {
            0 => 0,
            // The kernel doubles what it is asked for.
            _ => 2 * self.database.limits.send_buffer,
        };
        let buffers = self.input.capacity() + self.out.capacity() + kernel;
        let scanned = self.scanner.held();
        buffers + scanned + self.client.held() + self.way.lane.held() + self.session.held()
    }

    /// Whether more requests are read. They are also while nothing of the client's is forwarded, because it may write its whole pipeline
    /// before it reads, and because its end must be seen while it waits in a blocking command. One that reads its replies waits for
    /// them, so its requests need not be read ahead; but one of which the beginning is here is read to its end.
    pub(super) fn reads_on(&self) -> bool {
        let ahead = self.input.len() - self.consumed;
        ahead < READ_AHEAD
            || self.scanner.progress().is_some()
            || self.session.is_blocked()
            || self.session.outstanding().0 == 0
            || self.has_enough_coming()
    }

    /// Takes requests out of the input for as long as they can be dealt with.
    fn work(
        &mut self,
        requests: &mut usize,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Result<bool, End> {
        let before = self.consumed;
        let mut taken = before;
        let result = loop {
            if *requests == 0 {
                break Ok(true);
            }
            *requests -= 1;
            match self.work_once(&mut taken, context, now) {
                Ok(Step::Again) => {}
                Ok(Step::Wait | Step::Hold) => break Ok(taken > before),
                Err(end) => break Err(end),
            }
        };
        self.drop_input(taken);
        result
    }

    /// The connection is somebody's now: it is no longer half-open, and its backend connection is begun.
    pub(super) fn on_logged_in(&mut self, context: &mut Context<'_>, now: Instant) {
        self.login_deadline = None;
        self.seat.established();
        let site = Site {
            worker: &self.worker,
            database: &self.database,
            index: self.database_index,
            now,
        };
        self.way.prepare(&self.session, site, context);
    }

    /// The session is back at its beginning: unless its certificate logs it in, it has to log in again in time.
    pub(super) fn expect_login(&mut self, now: Instant) {
        let allowed = self.database.limits.login_timeout;
        self.login_deadline = self.session.principal().is_none().then(|| now + allowed);
    }

    /// Everything before `taken` is done with. What lies behind it moves only when it is the smaller part: a client may have a
    /// large pipeline here of which one request at a time can be taken.
    pub(super) fn drop_input(&mut self, taken: usize) {
        self.consumed = taken;
        if taken == self.input.len() {
            self.consumed = 0;
            if self.input.capacity() > KEPT_CAPACITY {
                self.input = Vec::new();
            } else {
                self.input.clear();
            }
        } else if taken > self.input.len() / 2 {
            self.input.drain(..taken);
            self.input.shrink_to(2 * self.input.len() + KEPT_CAPACITY);
            self.consumed = 0;
        }
    }
}

/// Whether there is more to do at once.
pub(super) enum Step {
    /// There may be.
    Again,
    /// Not before something else has happened.
    Wait,
    /// Not before more of the request is here.
    Hold,
}

/// Has the task that runs now run again when the others have had their turn and the sockets have been looked at. One that woke itself
/// would run many times before that.
pub(super) fn go_on_later(context: &mut Context<'_>) {
    // The first poll only leaves the waker.
    let _ = pin!(tokio::task::yield_now()).poll(context);
}
