//! Which lane a client is on, and its moves from one to another.
//!
//! A client is on exactly one lane at a time. It moves when every reply of the old one has come, and not at every turn: on a lane
//! that it needed it stays while it goes on asking, and for a while after.

mod sharing;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use super::gathering::ClientNumber;
use super::shared_lane::{Asker, Key, Member, SharedLane};
use super::spares::{Kind, Spares};
use super::stay::{STAY, STAY_AT_MOST, Stay};
use super::worker::Worker;
use crate::lane::{Lane, Readiness};
use crate::session::{Before, Class, Forward, Placement, Session, Trace};
use crate::snapshot::{Database, Lanes};

/// Where a client's requests go.
#[derive(Default)]
pub(super) enum Place {
    /// To the lane that is chosen when the next one comes.
    #[default]
    Nowhere,
    /// To a shared lane.
    Shared(Rc<SharedLane>),
    /// To its own.
    Own,
}

/// What has become of a permitted request.
pub(super) enum Sent {
    /// It is on its way, or done.
    Done,
    /// Nothing yet: offer it again.
    Wait,
    /// Another backend is there than the one that the client began with.
    Replaced,
    /// It can't be placed; the client gets this text.
    Unavailable(&'static str),
}

/// What can be done with a request now.
enum Found {
    /// It goes to the shared lane that the client is on.
    Shared,
    /// It goes to the client's own lane, which is open.
    Own,
    /// It is done: later requests go to another database number.
    Selected(u32),
    /// Nothing yet.
    Wait,
    /// Another backend is there than the one that the client began with.
    Replaced,
    /// It can't be placed; the client gets this text.
    Unavailable(&'static str),
}

/// Whether more requests of the client lie behind one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    More,
}

/// Where a client is, as everything that concerns its lanes has to know it.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) database: &'a Arc<Database>,
    /// Index of the database.
    pub(super) index: usize,
    pub(super) now: Instant,
}

/// A client's way to its backend.
pub(super) struct Way {
    /// Its own lane, where it needs one.
    pub(super) lane: Lane,
    /// Whether it may share, as it was configured when it came.
    pub(super) lanes: Lanes,
    /// The lane that it is on.
    pub(super) place: Place,
    pub(super) stay: Stay,
    /// Which backend process it began with; `None` before its first request.
    pub(super) incarnation: Option<u64>,
    /// How shared lanes know the client.
    pub(super) member: Member,
    /// How a lane tells whether it has asked.
    pub(super) number: ClientNumber,
    /// The client's task's.
    pub(super) waker: Waker,
}

impl Way {
    /// A way that nothing has gone yet; `lane` is the client's own.
    pub(super) fn new(lane: Lane, lanes: Lanes) -> Self {
        Self {
            lane,
            lanes,
            place: Place::Nowhere,
            stay: Stay::default(),
            incarnation: None,
            member: Member::default(),
            number: ClientNumber::default(),
            waker: Waker::noop().clone(),
        }
    }

    /// Puts a permitted request on its way, if it is time. Answers that the backend needn't give go to `out`.
    pub(super) fn send(
        &mut self,
        forward: Forward<'_>,
        pending: Pending,
        session: &mut Session,
        out: &mut Vec<u8>,
        (site, context): (Site<'_>, &mut Context<'_>),
    ) -> Sent {
        let placement = session.placement(&forward);
        match self.find_place(placement, pending, session, site, context) {
            Found::Wait => return Sent::Wait,
            Found::Replaced => return Sent::Replaced,
            Found::Unavailable(text) => return Sent::Unavailable(text),
            Found::Selected(number) => {
                session.selected(number, out);
                return Sent::Done;
            }
            Found::Shared => return self.send_on(forward, session, site),
            // It may have been connected just now, to another than the client began with.
            Found::Own if self.is_replaced(site) => return Sent::Replaced,
            Found::Own => match self.before(&forward, session) {
                Before::Wait => return Sent::Wait,
                Before::Refused(text) => return Sent::Unavailable(text),
                Before::Tell(internal) => {
                    self.lane.tell(&internal);
                    session.told(internal, site.now);
                    // A lane that was taken over in this turn is not listened to yet.
                    self.waker.wake_by_ref();
                    return Sent::Wait;
                }
                Before::Nothing => {
                    if self.lanes == Lanes::Shared {
                        // It may leave this lane before it asks for its writes.
                        session.may_write(&forward);
                    }
                    self.lane.append(&forward);
                    self.meet(site);
                }
            },
        }
        session.forwarded(forward, site.now);
        Sent::Done
    }

    /// The client, as one that asks on a shared lane.
    #[inline(always)]
    fn asker(&self) -> Asker<'_> {
        Asker {
            member: &self.member,
            number: self.number,
        }
    }

    /// What must happen before a request can go to the client's own lane.
    fn before(&mut self, forward: &Forward<'_>, session: &mut Session) -> Before {
        if self.lanes == Lanes::Own && self.lane.is_another_now() {
            session.has_another_connection();
        }
        session.before(forward)
    }

    /// Whether the client has a lane of its own at this moment, whatever it asks for.
    pub(super) fn has_its_own(&self, now: Instant) -> bool {
        let stays = self.stay.own_until.is_some_and(|until| now < until);
        stays || self.lanes == Lanes::Own || matches!(self.place, Place::Own)
    }

    /// Finds where a permitted request goes, and moves there if it is time.
    fn find_place(
        &mut self,
        placement: Placement,
        pending: Pending,
        session: &Session,
        site: Site<'_>,
        context: &mut Context<'_>,
    ) -> Found {
        if self.is_replaced(site) {
            return Found::Replaced;
        }
        if self.lanes == Lanes::Own {
            self.place = Place::Own;
            return self.own_lane(session, site, context);
        }
        match (placement, &self.place) {
            (Placement::Own(trace), _) => self.on_own(trace, session, site, context),
            (Placement::Anywhere, Place::Own) => self.own_lane(session, site, context),
            (Placement::Anywhere, Place::Nowhere | Place::Shared(_)) => {
                self.on_shared((Class::Small, 0), pending, session, site, context)
            }
            (Placement::Select(_), Place::Own) => self.on_own(Trace::None, session, site, context),
            (Placement::Select(number), Place::Nowhere | Place::Shared(_)) => {
                self.select(number, session, site)
            }
            (Placement::Shared(class), Place::Own) => {
                match self.leaves_own(pending, session, site.now) {
                    Leaves::Stays => self.own_lane(session, site, context),
                    Leaves::Waits => Found::Wait,
                    Leaves::Now => {
                        self.leave_own_lane(session, site);
                        let number = session.database();
                        self.on_shared((class, number), pending, session, site, context)
                    }
                }
            }
            // A client that fetches large values has its own lane as long as it does.
            (Placement::Shared(_), Place::Nowhere | Place::Shared(_))
                if self.stay.own_until.is_some_and(|until| site.now < until) =>
            {
                self.on_own(Trace::None, session, site, context)
            }
            (Placement::Shared(class), Place::Nowhere | Place::Shared(_)) => {
                self.on_shared((class, session.database()), pending, session, site, context)
            }
        }
    }

    /// The client has asked the backend that is there now for something.
    #[inline]
    fn meet(&mut self, site: Site<'_>) {
        if self.incarnation.is_none() {
            self.incarnation = Some(site.worker.door.backend(site.index).incarnation());
        }
    }

    /// Whether another backend is there than the one that the client began with.
    #[inline]
    fn is_replaced(&self, site: Site<'_>) -> bool {
        let current = site.worker.door.backend(site.index).incarnation();
        self.incarnation.is_some_and(|began| began != current)
    }

    /// The request needs the client's own lane.
    fn on_own(
        &mut self,
        trace: Trace,
        session: &Session,
        site: Site<'_>,
        context: &mut Context<'_>,
    ) -> Found {
        if !matches!(self.place, Place::Own) {
            if session.has_outstanding() {
                return Found::Wait;
            }
            self.place = Place::Own;
            self.stay.trace = Trace::None;
        }
        let found = self.own_lane(session, site, context);
        if let Found::Own = found {
            if trace == Trace::Some {
                self.stay.trace = Trace::Some;
            }
            let until = site.now + STAY;
            self.stay.own_until = Some(self.stay.own_until.map_or(until, |own| own.max(until)));
        }
        found
    }

    /// The client's own lane, connected if it has to be.
    fn own_lane(&mut self, session: &Session, site: Site<'_>, context: &mut Context<'_>) -> Found {
        if self.lanes == Lanes::Shared && self.lane.is_closed() {
            let spares = &site.worker.spares;
            if let Some(spare) =
                spares.take(site.worker, kind(session, site), site.database, site.now)
            {
                self.lane.adopt(spare);
            }
        }
        let current = site.worker.door.backend(site.index).incarnation();
        let is_old = |met: u64| self.incarnation.is_none() && met != current;
        if !session.has_outstanding() && self.lane.incarnation().is_some_and(is_old) {
            // Another backend has come since it was made, and nothing was asked on it yet.
            self.lane.close();
        }
        match self.own_readiness(session, site, context) {
            Readiness::Open => Found::Own,
            Readiness::Pending => Found::Wait,
            Readiness::Unavailable(text) => Found::Unavailable(text),
        }
    }

    fn leaves_own(&self, pending: Pending, session: &Session, now: Instant) -> Leaves {
        let since = match (session.needs_its_lane(), self.stay.own_until) {
            (true, _) => return Leaves::Stays,
            (false, None) => now,
            (false, Some(until)) if now < until => return Leaves::Stays,
            (false, Some(until)) => until,
        };
        match (session.has_outstanding(), pending) {
            (false, Pending::Nothing) => Leaves::Now,
            (outstanding, _) if now.saturating_duration_since(since) > STAY_AT_MOST => {
                match outstanding {
                    true => Leaves::Waits,
                    false => Leaves::Now,
                }
            }
            (_, _) => Leaves::Stays,
        }
    }

    /// Gives the client's own lane up: to others, if it is clean.
    pub(super) fn leave_own_lane(&mut self, session: &Session, site: Site<'_>) {
        self.place = Place::Nowhere;
        self.stay.own_until = None;
        if self.lanes == Lanes::Own || self.stay.trace == Trace::Some {
            return self.lane.close();
        }
        if let Some(spare) = self.lane.release() {
            let incarnation = self.incarnation.unwrap_or_default();
            let kind = kind(session, site);
            Spares::give_back(site.worker, kind, site.database, (spare, incarnation));
        }
    }

    /// When a client that asks for nothing more gives its own lane up, if it may.
    pub(super) fn own_lane_deadline(&self, session: &Session) -> Option<Instant> {
        let is_kept = self.lanes == Lanes::Own || !self.lane.is_open();
        match self.place {
            Place::Own if !is_kept && session.is_idle() => self.stay.own_until,
            Place::Own | Place::Nowhere | Place::Shared(_) => None,
        }
    }

    /// Begins to connect what the client will need first, so that it stands ready.
    pub(super) fn prepare(&mut self, session: &Session, site: Site<'_>, context: &mut Context<'_>) {
        match self.lanes {
            // What can't be had is told when it is needed.
            Lanes::Own => drop(self.own_readiness(session, site, context)),
            Lanes::Shared if matches!(self.place, Place::Own) => {}
            Lanes::Shared => {
                let Site {
                    worker,
                    database,
                    now,
                    ..
                } = site;
                let key = key(session, site, Class::Small, session.database());
                drop(worker.lanes.join(worker, key, database, now));
                worker
                    .spares
                    .want(worker, kind(session, site), database, now);
            }
        }
    }

    /// Whether requests can be appended to the client's own lane; begins to connect it if there is no connection.
    pub(super) fn own_readiness(
        &mut self,
        session: &Session,
        site: Site<'_>,
        context: &mut Context<'_>,
    ) -> Readiness {
        let (protocol, number) = (session.protocol(), session.database());
        let (readiness, fault) = self.lane.poll_ready(context, site.now, protocol, number);
        if let Some(fault) = fault {
            site.worker.door.on_connect_fault(site.index, &fault);
        }
        readiness
    }

    /// Whether there is a lane on which replies can come.
    pub(super) fn has_lane(&self) -> bool {
        match &self.place {
            Place::Nowhere => false,
            Place::Shared(_) => true,
            Place::Own => self.lane.is_open(),
        }
    }
}

/// Whether a client gives up the lane that it has for itself.
enum Leaves {
    /// It doesn't.
    Stays,
    /// It does when the replies are in that it has coming there.
    Waits,
    Now,
}

fn kind(session: &Session, site: Site<'_>) -> Kind {
    Kind {
        database: site.index,
        number: session.database(),
        protocol: session.protocol(),
    }
}

fn key(session: &Session, site: Site<'_>, class: Class, number: u32) -> Key {
    Key {
        database: site.index,
        number,
        protocol: session.protocol(),
        class,
    }
}
