//! One budget for what the process holds for all clients together: who holds how much, and who goes when it is too much.
//!
//! Bookkeeping only: it reads no clock and closes nothing, it wakes those who have to go. A connection tells of its bytes only
//! when they have changed by a grain, so that one which holds next to nothing never touches what the threads share.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Changes below this are not told of, and a connection that holds less counts as one that holds nothing.
pub(super) const GRAIN: usize = 16 * 1024;

/// What all connections hold, and how much they may.
#[derive(Debug)]
pub(super) struct Memory {
    held: AtomicUsize,
    budget: AtomicUsize,
    /// Connections that were told to go and haven't given back yet. As long as there are any, nobody else is told.
    leaving: AtomicUsize,
    holders: Mutex<Holders>,
    /// Those who wait for room.
    waiting: Mutex<Vec<Waker>>,
}

/// Every connection that has held a grain or more, by a number of its own.
#[derive(Debug, Default)]
struct Holders {
    next: u64,
    by_number: HashMap<u64, Arc<Holder>>,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    bytes: AtomicUsize,
    told_to_go: AtomicBool,
    waker: Waker,
}

impl Memory {
    /// Nothing is held yet, and up to `budget` bytes may be.
    pub(super) fn new(budget: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            budget: AtomicUsize::new(budget),
            leaving: AtomicUsize::new(0),
            holders: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Bytes that are held now.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub(super) fn budget(&self) -> usize {
        self.budget.load(Ordering::Relaxed)
    }

    /// Changes how many bytes may be held; [`Memory::relieve`] enforces it.
    pub(super) fn set_budget(&self, budget: usize) {
        self.budget.store(budget, Ordering::Relaxed);
    }

    /// Whether more is held than may be.
    pub(super) fn is_exceeded(&self) -> bool {
        self.held() > self.budget()
    }

    /// If more is held than may be, tells the largest holders to go, and no more of them than it takes.
    pub(super) fn relieve(&self) {
        if !self.is_exceeded() || self.leaving.load(Ordering::Acquire) > 0 {
            return;
        }
        let holders = self.holders();
        // Somebody else may have seen it at the same time.
        if self.leaving.load(Ordering::Acquire) > 0 {
            return;
        }
        let sizes = holders.by_number.values().map(|holder| {
            let bytes = holder.bytes.load(Ordering::Relaxed);
            (bytes, holder)
        });
        let mut sizes: Vec<_> = sizes.filter(|(bytes, _)| *bytes > 0).collect();
        sizes.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
        let mut excess = self.held().saturating_sub(self.budget());
        for (bytes, holder) in sizes {
            if excess == 0 {
                return;
            }
            excess = excess.saturating_sub(bytes);
            self.leaving.fetch_add(1, Ordering::AcqRel);
            holder.told_to_go.store(true, Ordering::Release);
            holder.waker.wake_by_ref();
        }
    }

    fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whoever makes room wakes those who wait for it.
    fn give_back(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        let budget = self.budget();
        if before > budget && before - bytes <= budget {
            let waiting = std::mem::take(&mut *self.waiting());
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's share; given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<Memory>,
    bytes: usize,
    place: Option<Arc<Holder>>,
    waits: bool,
}

impl Charge {
    /// A share of nothing.
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self {
            memory: Arc::clone(memory),
            bytes: 0,
            place: None,
            waits: false,
        }
    }

    /// The connection holds `held` bytes now. If it has to go one day, `waker` is woken.
    pub(super) fn report(&mut self, held: usize, waker: &Waker) {
        let held = if held < GRAIN { 0 } else { held };
        if held.abs_diff(self.bytes) < GRAIN {
            return;
        }
        if self.place.is_none() {
            self.place = Some(self.register(waker));
        }
        self.set(held);
        self.memory.relieve();
    }

    fn register(&self, waker: &Waker) -> Arc<Holder> {
        let mut holders = self.memory.holders();
        let number = holders.next;
        holders.next += 1;
        let holder = Arc::new(Holder {
            number,
            bytes: AtomicUsize::new(0),
            told_to_go: AtomicBool::new(false),
            waker: waker.clone(),
        });
        holders.by_number.insert(number, Arc::clone(&holder));
        holder
    }

    fn set(&mut self, held: usize) {
        if let Some(holder) = &self.place {
            holder.bytes.store(held, Ordering::Relaxed);
        }
        if held > self.bytes {
            self.memory.add(held - self.bytes);
        } else {
            self.memory.give_back(self.bytes - held);
        }
        self.bytes = held;
    }

    /// Bytes that are charged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this connection has to go, because it was the largest when there was no room left.
    pub(super) fn must_go(&self) -> bool {
        self.place
            .as_ref()
            .is_some_and(|holder| holder.told_to_go.load(Ordering::Acquire))
    }

    /// Whether more may be taken in. If not, `waker` is woken when it may.
    pub(super) fn has_room(&mut self, waker: &Waker) -> bool {
        if !self.memory.is_exceeded() {
            self.waits = false;
            return true;
        }
        if !self.waits {
            self.waits = true;
            self.memory.waiting().push(waker.clone());
        }
        false
    }

    /// Gives everything back: the connection holds nothing any more and never will.
    pub(super) fn release(&mut self) {
        self.set(0);
        let Some(holder) = self.place.take() else {
            return;
        };
        // Out of the table nobody is told any more, so the flag is final.
        self.memory.holders().by_number.remove(&holder.number);
        if holder.told_to_go.load(Ordering::Acquire) {
            self.memory.leaving.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    const KIB: usize = 1024;

    fn charged(memory: &Arc<Memory>, bytes: &[usize]) -> Vec<Charge> {
        let charge = |bytes: &usize| {
            let mut charge = Charge::new(memory);
            charge.report(*bytes, Waker::noop());
            charge
        };
        bytes.iter().map(charge).collect()
    }

    fn gone(charges: &[Charge]) -> Vec<bool> {
        charges.iter().map(Charge::must_go).collect()
    }

    #[test]
    fn the_largest_goes_first_and_no_more_go_than_it_takes() {
        let memory = Arc::new(Memory::new(100 * KIB));
        let mut charges = charged(&memory, &[20 * KIB, 60 * KIB, 30 * KIB, 50 * KIB]);
        memory.relieve();
        assert_eq!(gone(&charges), [false, true, false, false]);
        charges.remove(1);
        assert_eq!(memory.held(), 100 * KIB);
        memory.relieve();
        assert_eq!(gone(&charges), [false; 3], "what is left fits");
        memory.set_budget(30 * KIB);
        memory.relieve();
        assert_eq!(gone(&charges), [false, true, true], "the largest two");
    }

    #[test]
    fn nobody_is_told_to_go_while_another_is_on_its_way() {
        let memory = Arc::new(Memory::new(100 * KIB));
        let mut charges = charged(&memory, &[60 * KIB, 50 * KIB]);
        memory.relieve();
        charges[1].report(200 * KIB, Waker::noop());
        memory.relieve();
        assert_eq!(gone(&charges), [true, false]);
        charges[0].release();
        memory.relieve();
        assert_eq!(gone(&charges), [false, true]);
    }

    #[test]
    fn who_holds_less_than_a_grain_is_not_counted_and_never_told_to_go() {
        let memory = Arc::new(Memory::new(0));
        let charges = charged(&memory, &[GRAIN - 1, 1]);
        memory.relieve();
        assert_eq!((memory.held(), gone(&charges)), (0, vec![false; 2]));
        assert!(memory.holders().by_number.is_empty());
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_has_to_go_and_who_waits_for_room_is_woken() {
        let memory = Arc::new(Memory::new(100 * KIB));
        let (going, waiting) = (Arc::new(Count(0.into())), Arc::new(Count(0.into())));
        let mut large = Charge::new(&memory);
        let mut small = Charge::new(&memory);
        assert!(small.has_room(&Arc::clone(&waiting).into()));
        large.report(101 * KIB, &Arc::clone(&going).into());
        for _ in 0..3 {
            assert!(!small.has_room(&Arc::clone(&waiting).into()));
        }
        memory.relieve();
        let woken = || {
            (
                going.0.load(Ordering::Relaxed),
                waiting.0.load(Ordering::Relaxed),
            )
        };
        assert_eq!(woken(), (1, 0));
        drop(large);
        assert_eq!(woken(), (1, 1), "once, however often it asked");
        assert!(small.has_room(&Arc::clone(&waiting).into()));
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_the_charges_and_victims_are_the_largest(
            budget in 0_usize..500,
            steps in prop::collection::vec((0_usize..8, 0_usize..200), 1..60),
        ) {
            let memory = Arc::new(Memory::new(budget * KIB));
            let mut charges: Vec<_> = (0..8).map(|_| Charge::new(&memory)).collect();
            for (index, kib) in steps {
                let mut had_to_go = gone(&charges);
                if kib == 0 {
                    // One leaves, and another takes its place.
                    charges[index] = Charge::new(&memory);
                    had_to_go[index] = false;
                    memory.relieve();
                } else {
                    charges[index].report(kib * KIB, Waker::noop());
                }
                prop_assert_eq!(memory.held(), charges.iter().map(Charge::bytes).sum::<usize>());
                let told = |index: &usize| charges[*index].must_go() && !had_to_go[*index];
                let told: Vec<_> = (0..8).filter(told).collect();
                let least_told = told.iter().map(|index| charges[*index].bytes()).min();
                let stays = charges.iter().filter(|charge| !charge.must_go());
                let largest_left = stays.map(Charge::bytes).max().unwrap_or(0);
                prop_assert!(least_told.is_none_or(|least| least >= largest_left));
                let going: usize = charges.iter().filter(|charge| charge.must_go()).map(Charge::bytes).sum();
                if !told.is_empty() {
                    prop_assert!(memory.held() - going <= memory.budget(), "enough go");
                    let spared = least_told.unwrap_or(0);
                    prop_assert!(memory.held() - going + spared > memory.budget(), "no more than needed");
                }
                prop_assert!(!memory.is_exceeded() || gone(&charges).contains(&true), "somebody goes");
            }
            drop(charges);
            prop_assert_eq!(memory.held(), 0);
            prop_assert_eq!(memory.leaving.load(Ordering::Relaxed), 0);
            prop_assert!(memory.holders().by_number.is_empty());
        }
    }
}
