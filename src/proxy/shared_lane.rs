//! One shared lane of a worker: connected when it is first wanted, driven by a task of its own, which writes what all its clients
//! ask for and hands them what comes back.
//!
//! It knows clients only as members: those who have gone are skipped, those who are there are given their replies.

mod ended;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use self::ended::{Ended, end, fail};
use super::company::Company;
use super::connection::{Connection, go_on_later};
use super::delivery::HeldUp;
use super::expected::Expected;
use super::gathering::{ClientNumber, Gathering};
use super::right_of_way::RightOfWay;
use super::worker::Worker;
use crate::backend::{Login, Purpose, connect};
use crate::lane::{Kept, MOST_UNSENT, Readiness, Shared, Taken};
use crate::resp::Protocol;
use crate::session::{Class, Forward};
use crate::snapshot::{BackendTarget, Database};

/// Reads before other tasks of the worker have their turn.
const READS_A_TURN: usize = 4;

/// So long those behind a slow reader wait for it; then what comes for it is held, so that theirs can come.
const GRACE: Duration = Duration::from_millis(100);

/// After a failed connect the next one is not tried before this.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What tells one shared lane of a worker from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Index of the database.
    pub(super) database: usize,
    /// The selected number.
    pub(super) number: u32,
    pub(super) protocol: Protocol,
    pub(super) class: Class,
}

/// A client as a lane knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Member(Weak<RefCell<Connection>>);

impl Member {
    pub(super) fn new(connection: &Rc<RefCell<Connection>>) -> Self {
        Self(Rc::downgrade(connection))
    }

    fn connection(&self) -> Option<Rc<RefCell<Connection>>> {
        self.0.upgrade()
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

/// Who asks for something.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) member: &'a Member,
    pub(super) number: ClientNumber,
}

enum State {
    Connecting,
    Open(Box<Shared<Member>>),
    Failed { text: &'static str, at: Instant },
    Ended,
}

/// One shared lane.
pub(super) struct SharedLane {
    pub(super) key: Key,
    pub(super) target: Arc<BackendTarget>,
    database: Arc<Database>,
    state: RefCell<State>,
    /// Whether its sessions may have been told what isn't theirs.
    poisoned: Cell<bool>,
    /// How the sweep wants it to end.
    order: RefCell<Option<Ended>>,
    /// The driver's.
    waker: RefCell<Option<Waker>>,
    woken: Cell<bool>,
    /// Clients that wait until it is connected, or has room.
    waiting: RefCell<Vec<Waker>>,
    /// Since when a slow reader has held up those behind it.
    held_up: Cell<Option<Instant>>,
    /// That reader.
    slow: RefCell<Option<Member>>,
    /// Which process the backend was when it was connected.
    incarnation: Cell<u64>,
    /// How large its replies are.
    expected: Cell<Expected>,
    /// Whose requests wait for more of them.
    gathering: RefCell<Gathering>,
    /// Whether its clients are alone.
    company: Cell<Company>,
    /// Its requests' and answers', if the backend is on this machine and may need a worker's core.
    right_of_way: OnceCell<Rc<RightOfWay>>,
}

impl SharedLane {
    /// Begins to connect a lane, and drives it to its end.
    pub(super) fn begin(worker: &Rc<Worker>, key: Key, database: &Arc<Database>) -> Rc<Self> {
        let lane = Rc::new(Self {
            key,
            target: Arc::clone(&database.backend),
            database: Arc::clone(database),
            state: RefCell::new(State::Connecting),
            poisoned: Cell::new(false),
            order: RefCell::new(None),
            waker: RefCell::default(),
            woken: Cell::new(false),
            waiting: RefCell::default(),
            held_up: Cell::new(None),
            slow: RefCell::new(None),
            incarnation: Cell::new(0),
            expected: Cell::default(),
            gathering: RefCell::new(Gathering::new(Instant::now())),
            company: Cell::new(Company::NONE),
            right_of_way: OnceCell::new(),
        });
        drop(tokio::task::spawn_local(drive(
            Rc::clone(&lane),
            Rc::clone(worker),
        )));
        lane
    }

    /// Whether new clients may come.
    pub(super) fn is_joinable(&self, now: Instant, incarnation: u64) -> bool {
        match &*self.state.borrow() {
            State::Connecting => true,
            State::Failed { at, .. } => now.saturating_duration_since(*at) < RETRY_AFTER,
            State::Open(open) => {
                let current = self.incarnation.get() == incarnation;
                current && open.is_open() && !open.is_stalled(now)
            }
            State::Ended => false,
        }
    }

    /// Since when nobody has used it, if it could be used and isn't.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match &*self.state.borrow() {
            State::Open(open) if open.is_open() => open.idle_since(),
            State::Open(_) | State::Connecting | State::Failed { .. } | State::Ended => None,
        }
    }

    /// Whether it leads to the backend as it is now.
    pub(super) fn is_of(&self, incarnation: u64) -> bool {
        self.incarnation.get() == incarnation
    }

    /// Whether it takes requests of those who are on it.
    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        matches!(&*self.state.borrow(), State::Open(open) if open.is_open())
    }

    /// Whether it has ended in a way that concerns everybody who was on it.
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.get()
    }

    /// Whether a request can be appended now, of a client whose replies were of `reply` bytes at most of late; if it can later, `waker`
    /// is woken then.
    pub(super) fn readiness(&self, waker: &Waker, reply: u64) -> Readiness {
        if self.has_room(reply) {
            return Readiness::Open;
        }
        if let State::Failed { text, .. } = &*self.state.borrow() {
            return Readiness::Unavailable(text);
        }
        let mut waiting = self.waiting.borrow_mut();
        // One who asks again and again waits once.
        if waiting.last().is_none_or(|last| !last.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        Readiness::Pending
    }

    /// Whether a request can be appended at once, of a client whose replies were of `reply` bytes at most of late. While anybody waits for
    /// room it is as little as wakes him: else one who asks on and on would always be there before him.
    #[inline(always)]
    pub(super) fn has_room(&self, reply: u64) -> bool {
        let expected = self.expected.get();
        let most = match self.waiting.borrow().is_empty() {
            true => MOST_UNSENT,
            false => MOST_UNSENT / 2,
        };
        matches!(&*self.state.borrow(), State::Open(open)
            if open.unsent() <= most && expected.has_room_for(reply, open.owed()))
    }

    /// Most requests that a client may have under way here beside the others, of whom it has `own`; `None` while it is alone.
    pub(super) fn most_beside_others(&self, own: usize, now: Instant) -> Option<usize> {
        match &*self.state.borrow() {
            State::Open(open) => self.company.get().most(own, open.owed(), now),
            State::Connecting | State::Failed { .. } | State::Ended => None,
        }
    }

    /// Appends a permitted request of a client's.
    #[inline]
    pub(super) fn append(&self, forward: &Forward<'_>, client: Asker<'_>, now: Instant) {
        if let State::Open(open) = &mut *self.state.borrow_mut() {
            open.append(forward, client.member, now);
        }
        self.asked(client.number, now);
    }

    /// Appends the requests of a permitted transaction of a client's, from MULTI to EXEC.
    pub(super) fn append_block(&self, block: &[Forward<'_>], client: Asker<'_>, now: Instant) {
        if let State::Open(open) = &mut *self.state.borrow_mut() {
            open.append_block(block, client.member, now);
        }
        self.asked(client.number, now);
    }

    #[inline(always)]
    fn asked(&self, client: ClientNumber, now: Instant) {
        self.gathering.borrow_mut().asked(client);
        let mut company = self.company.get();
        company.asked(client, now);
        self.company.set(company);
        if let Some(right_of_way) = self.right_of_way.get() {
            right_of_way.asked(now);
        }
        self.wake();
    }

    /// Has the driver look again, once.
    pub(super) fn wake(&self) {
        if !self.woken.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// One turn of the driver: writes, reads and delivers.
    fn turn(&self, context: &mut Context<'_>, worker: &Worker) -> Poll<Ended> {
        self.woken.set(false);
        self.remember(context);
        self.gathering.borrow_mut().has_rested(&worker.resting);
        if let Some(ended) = self.order.take() {
            return Poll::Ready(ended);
        }
        let now = Instant::now();
        if self.rests(worker, now) {
            go_on_later(context);
            return Poll::Pending;
        }
        for _ in 0..READS_A_TURN {
            match self.step(context, worker, now) {
                Step::Again => {}
                Step::Wait => {
                    self.wake_those_with_room();
                    return Poll::Pending;
                }
                Step::End(ended) => return Poll::Ready(ended),
            }
        }
        self.wake_those_with_room();
        go_on_later(context);
        Poll::Pending
    }

    /// Whether its requests have rested in this turn, and are written in a later one.
    fn rests(&self, worker: &Worker, now: Instant) -> bool {
        let mut gathering = self.gathering.borrow_mut();
        if worker.steps.is_wanted() {
            worker.resting.somebody_waits();
        }
        let rests = match &*self.state.borrow() {
            State::Open(open) => gathering.rests(open.unsent(), &worker.resting, now),
            State::Connecting | State::Failed { .. } | State::Ended => false,
        };
        if rests {
            worker.shard.event_loop().rested();
            gathering.rest(&worker.resting);
        }
        rests
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
    }

    fn step(&self, context: &mut Context<'_>, worker: &Worker, now: Instant) -> Step {
        let mut state = self.state.borrow_mut();
        let State::Open(open) = &mut *state else {
            return Step::End(Ended::Done);
        };
        if let Poll::Ready(Err(fault)) = open.poll_flush(context) {
            return Step::End(Ended::Lost(fault));
        }
        if !open.is_open() {
            if open.is_quiet() || open.owners().all(Member::is_gone) {
                return Step::End(Ended::Done);
            }
            if !self.may_read(open, now) {
                open.excuse(now);
                return Step::Wait;
            }
        }
        let mut scratch = worker.lane_scratch.borrow_mut();
        let received = match open.poll_receive(context, &mut scratch) {
            Poll::Pending => return Step::Wait,
            Poll::Ready(Err(fault)) => return Step::End(Ended::Lost(fault)),
            Poll::Ready(Ok(received)) => received,
        };
        if let Some(right_of_way) = self.right_of_way.get() {
            right_of_way.answered();
        }
        let (owed, fresh) = (open.owed(), received.len());
        let paired = open.pair(&scratch, received, now, |member, piece| {
            member.connection().map_or(Taken::All, |connection| {
                connection.borrow_mut().take_replies(&piece, now)
            })
        });
        let mut expected = self.expected.get();
        expected.on_received(fresh, owed - open.owed());
        self.expected.set(expected);
        match paired {
            Ok(()) => Step::Again,
            Err(fault) => Step::End(Ended::Poisoned(fault)),
        }
    }

    /// Whether a retired lane is read: one whose next reply is for a client that doesn't read is left alone while nobody waits behind
    /// it, and for a while if somebody does.
    fn may_read(&self, open: &Shared<Member>, now: Instant) -> bool {
        let Some(member) = open.next() else {
            return true;
        };
        let held_up = member.connection().map_or(HeldUp::No, |connection| {
            connection.borrow_mut().hold_up_its_lane()
        });
        let slow = match held_up {
            HeldUp::ByAll => return false,
            HeldUp::ByOne => true,
            HeldUp::No => false,
        };
        // Who is slow isn't waited for again each time when it has taken a little.
        if self.slow.borrow().as_ref() != Some(member) {
            self.held_up.set(None);
            self.slow.replace(slow.then(|| member.clone()));
        }
        if !slow {
            return true;
        }
        let waits = |other: &Member| other != member && !other.is_gone();
        if !open.owners().any(waits) {
            return false;
        }
        let since = self.held_up.get().unwrap_or(now);
        self.held_up.set(Some(since));
        now.saturating_duration_since(since) > GRACE
    }

    fn wake_those_with_room(&self) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let wakes = match &*self.state.borrow() {
            // From one that takes nothing more they have to go elsewhere.
            State::Open(open) if !open.is_open() => true,
            State::Open(open) => {
                let expected = self.expected.get();
                open.unsent() <= MOST_UNSENT / 2 && expected.has_room_beside(2 * open.owed())
            }
            State::Connecting | State::Failed { .. } | State::Ended => false,
        };
        if wakes {
            self.wake_waiting();
        }
    }

    /// What is to be done from time to time: a fence, an end that is due.
    pub(super) fn sweep(&self, now: Instant, incarnation: u64, idle: Duration) {
        let dead_after = 2 * self.database.limits.request_timeout;
        let order = match &mut *self.state.borrow_mut() {
            State::Open(open) => {
                open.append_fence(now);
                if self.incarnation.get() != incarnation {
                    Some(Ended::Replaced)
                } else if open.has_stood_still(now, dead_after) {
                    Some(Ended::Dead)
                } else {
                    give_up_if_unused(open, now, idle);
                    None
                }
            }
            State::Connecting | State::Failed { .. } | State::Ended => return,
        };
        if self.stands_still(now) {
            // Those who wait for room here may find it elsewhere.
            self.wake_waiting();
        }
        if order.is_some() {
            self.order.replace(order);
        }
        self.wake();
    }

    fn stands_still(&self, now: Instant) -> bool {
        matches!(&*self.state.borrow(), State::Open(open) if open.is_stalled(now))
    }

    /// Whether it has ended, or could not be connected a while ago.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match &*self.state.borrow() {
            State::Failed { at, .. } => now.saturating_duration_since(*at) >= RETRY_AFTER,
            State::Ended => true,
            State::Connecting | State::Open(_) => false,
        }
    }

    /// Takes no new clients from now on.
    pub(super) fn retire(&self) {
        if let State::Open(open) = &mut *self.state.borrow_mut() {
            open.retire();
        }
        self.wake();
    }
}

/// Gives a lane up that nobody has used for `idle`. It ends in its own turn, and a client that comes before that mustn't come too late:
/// so nobody joins it from now on.
fn give_up_if_unused(open: &mut Shared<Member>, now: Instant, idle: Duration) {
    let unused = |since| now.saturating_duration_since(since) > idle;
    if open.idle_since().is_some_and(unused) {
        open.retire();
    }
}

/// Whether the driver has more to do at once.
enum Step {
    Again,
    Wait,
    End(Ended),
}

/// A lane's whole life.
async fn drive(lane: Rc<SharedLane>, worker: Rc<Worker>) {
    let status = Arc::clone(worker.door.backend(lane.key.database));
    let name = format!("redwall:{}:shared", lane.database.name);
    let login = Login {
        protocol: lane.key.protocol,
        number: lane.key.number,
        name: &name,
    };
    match connect(&lane.target, &status, Purpose::Shared, login).await {
        Ok(connected) => {
            lane.incarnation
                .set(status.learned(&lane.target, &connected.facts));
            let kept = match lane.key.class {
                Class::Small => Kept::Bytes,
                Class::Bulk => Kept::Nothing,
            };
            let open = Shared::new(connected, kept, Instant::now());
            if open.is_local() {
                let right_of_way = || Rc::clone(&worker.right_of_way);
                lane.right_of_way.get_or_init(right_of_way);
            }
            lane.state.replace(State::Open(Box::new(open)));
            lane.wake_waiting();
        }
        Err(fault) => return fail(&lane, &worker, &fault),
    }
    let ended = std::future::poll_fn(|context| lane.turn(context, &worker)).await;
    end(&lane, &worker, &ended);
}

#[cfg(test)]
mod tests;
