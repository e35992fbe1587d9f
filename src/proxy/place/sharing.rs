//! The shared lanes' side of a client's way: which of them takes its request, a whole transaction, or its SELECT.

use std::rc::Rc;
use std::task::Context;

use super::{Found, Pending, Place, Sent, Site, Way, key, kind};
use crate::backend::OUT_OF_RANGE;
use crate::lane::Readiness;
use crate::proxy::spares::Kind;
use crate::proxy::stay::{STAY, STAY_AT_MOST};
use crate::session::{BULKY, Class, Forward, Session, Trace};

impl Way {
    /// Puts a whole permitted transaction on its way over a shared lane, with nothing of anybody else's in between: for a client that
    /// hasn't its own. `None`, and nothing has happened, if it can't go there.
    pub(in crate::proxy) fn send_block(
        &mut self,
        block: Vec<Forward<'_>>,
        session: &mut Session,
        site: Site<'_>,
        context: &mut Context<'_>,
    ) -> Option<Sent> {
        let status = site.worker.door.backend(site.index);
        if self.is_replaced(site) || status.strays_in_transactions() {
            return None;
        }
        let kind = (Class::Small, session.database());
        match self.on_shared(kind, Pending::More, session, site, context) {
            Found::Wait => Some(Sent::Wait),
            Found::Shared => {
                let Place::Shared(lane) = &self.place else {
                    return None;
                };
                lane.append_block(&block, self.asker(), site.now);
                self.meet(site);
                for forward in block {
                    session.may_write(&forward);
                    session.forwarded(forward, site.now);
                }
                Some(Sent::Done)
            }
            Found::Own | Found::Selected(_) | Found::Unavailable(_) | Found::Replaced => None,
        }
    }

    /// Whether an ordinary request of `len` bytes goes where the one before it went, as nearly all do: what [`Way::send`] would find.
    #[inline(always)]
    pub(in crate::proxy) fn goes_on(&self, len: usize, session: &Session, site: Site<'_>) -> bool {
        let Place::Shared(lane) = &self.place else {
            return false;
        };
        let incarnation = site.worker.door.backend(site.index).incarnation();
        len <= BULKY
            && !session.needs_its_lane()
            && self.incarnation == Some(incarnation)
            && self.stay.own_until.is_none_or(|until| site.now >= until)
            && lane.key == key(session, site, Class::Small, session.database())
            && match session.has_outstanding() {
                true => lane.is_open(),
                false => lane.is_joinable(site.now, incarnation),
            }
            && lane.has_room(self.stay.reply)
    }

    /// Puts a request on its way over the shared lane that the client is on; nothing happens to one whose client is on none.
    #[inline(always)]
    pub(in crate::proxy) fn send_on(
        &mut self,
        forward: Forward<'_>,
        session: &mut Session,
        site: Site<'_>,
    ) -> Sent {
        let Place::Shared(lane) = &self.place else {
            return Sent::Wait;
        };
        session.may_write(&forward);
        lane.append(&forward, self.asker(), site.now);
        session.forwarded(forward, site.now);
        self.meet(site);
        Sent::Done
    }

    /// The request may share a lane.
    pub(super) fn on_shared(
        &mut self,
        (class, number): (Class, u32),
        pending: Pending,
        session: &Session,
        site: Site<'_>,
        context: &mut Context<'_>,
    ) -> Found {
        let now = site.now;
        let outstanding = session.has_outstanding();
        let incarnation = site.worker.door.backend(site.index).incarnation();
        if class == Class::Bulk {
            self.stay.bulk_until = Some(now + STAY);
        }
        let class = match (&self.place, self.stay.bulk_until) {
            (Place::Shared(lane), Some(until)) if lane.key.class == Class::Bulk => {
                let (busy, late) = (
                    outstanding || pending == Pending::More,
                    now.saturating_duration_since(until),
                );
                match now < until || (busy && late < STAY_AT_MOST) {
                    true => Class::Bulk,
                    false => class,
                }
            }
            _ => class,
        };
        let key = key(session, site, class, number);
        let current = match &self.place {
            Place::Shared(lane) if lane.key == key => Some(lane),
            Place::Shared(_) | Place::Nowhere | Place::Own => None,
        };
        let lane = match current {
            Some(lane) if outstanding && lane.is_open() => Rc::clone(lane),
            Some(lane) if !outstanding && lane.is_joinable(now, incarnation) => Rc::clone(lane),
            _ if outstanding => return Found::Wait,
            Some(_) | None => {
                let lanes = &site.worker.lanes;
                match lanes.join(site.worker, key, site.database, now) {
                    Some(lane) => lane,
                    None => return self.on_own(Trace::None, session, site, context),
                }
            }
        };
        let readiness = lane.readiness(&self.waker, self.stay.reply);
        if current.is_none_or(|current| !Rc::ptr_eq(current, &lane)) {
            self.place = Place::Shared(Rc::clone(&lane));
        }
        match readiness {
            Readiness::Open => Found::Shared,
            Readiness::Pending => Found::Wait,
            // No other can be had: then behind those who wait is better than nowhere.
            Readiness::Unavailable(text) => match site.worker.lanes.standing(key, incarnation) {
                None => Found::Unavailable(text),
                Some(lane) => match lane.readiness(&self.waker, self.stay.reply) {
                    Readiness::Open => {
                        self.place = Place::Shared(lane);
                        Found::Shared
                    }
                    Readiness::Pending => Found::Wait,
                    Readiness::Unavailable(text) => Found::Unavailable(text),
                },
            },
        }
    }

    /// SELECT: the number is there if a lane with it can be had, and the requests that come next need that lane anyway.
    pub(super) fn select(&mut self, number: u32, session: &Session, site: Site<'_>) -> Found {
        let status = site.worker.door.backend(site.index);
        if !status.may_have(number) {
            return Found::Unavailable(OUT_OF_RANGE);
        }
        let key = key(session, site, Class::Small, number);
        let lanes = &site.worker.lanes;
        let Some(lane) = lanes.join(site.worker, key, site.database, site.now) else {
            // There are connections with this number, though none moves.
            return Found::Selected(number);
        };
        match lane.readiness(&self.waker, 0) {
            Readiness::Open => {
                let kind = Kind {
                    number,
                    ..kind(session, site)
                };
                site.worker
                    .spares
                    .want(site.worker, kind, site.database, site.now);
                Found::Selected(number)
            }
            Readiness::Pending => Found::Wait,
            Readiness::Unavailable(text) => {
                if text == OUT_OF_RANGE {
                    site.worker.door.backend(site.index).has_not(number);
                }
                Found::Unavailable(text)
            }
        }
    }
}
