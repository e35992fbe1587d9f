//! How many connections there are: of one database, of one address, and of those that haven't proven anything yet.
//!
//! A connection is half-open from accept until its client is established (handshake and login done). Half-open ones cost a
//! stranger nothing, so it is waiting that must never fill the house: when their number reaches a cap, the newcomer comes
//! in and the oldest half-open connection of the busiest address goes. An honest handshake lasts a few round trips and
//! outlives thousands of newcomers; a silent connection is the oldest of its address by definition.
//!
//! Order of arrival is all the time that is needed here, so there is no clock. The table is bounded by the connections
//! themselves: an address is forgotten with its last one.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

/// The caps of one database. A connection of any state counts towards the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLimits {
    /// Most connections in all.
    pub connections: u32,
    /// Most connections of one address.
    pub per_address: u32,
    /// Most half-open connections in all.
    pub half_open: u32,
    /// Most half-open connections of one address.
    pub half_open_per_address: u32,
    /// How many leading bits of an IPv6 address count as one address; 64 is what one host is given.
    pub ipv6_prefix: u8,
}

impl SlotLimits {
    /// What `address` counts as.
    pub fn place(&self, address: IpAddr) -> Place {
        match address.to_canonical() {
            IpAddr::V4(v4) => Place(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Place(leading_bits(v6, self.ipv6_prefix)),
        }
    }
}

/// Why a newcomer was refused; also the metric's `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotRefusal {
    /// The database has as many connections as it may have.
    Connections,
    /// The address has as many connections as it may have.
    PerAddress,
}

impl SlotRefusal {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Connections => "too_many_connections",
            Self::PerAddress => "too_many_of_address",
        }
    }
}

/// Names one admitted connection; an id is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(u64);

/// What to do with a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It comes in, half-open.
    Admit(SlotId),
    /// It comes in; the connection `evicted` must be closed, and is out of the books already.
    AdmitAndEvict {
        /// The newcomer's.
        slot: SlotId,
        /// The one that goes.
        evicted: SlotId,
    },
    /// It is closed at once.
    Refuse(SlotRefusal),
}

/// Whether a connection is still in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Stands,
    /// It has been evicted or closed: the caller closes it.
    Gone,
}

/// An address as it is counted: IPv4 whole, IPv6 by its leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u128);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    HalfOpen,
    Established,
}

/// One connection. Its address is kept whole, because how much of it counts may change.
#[derive(Clone, Copy, Debug)]
struct Slot {
    address: IpAddr,
    state: State,
}

#[derive(Debug, Default)]
struct Address {
    connections: u32,
    /// In order of arrival.
    half_open: BTreeSet<SlotId>,
}

/// Sorts addresses by how busy they are with half-open connections; among equals the one that has waited longest is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Busy {
    half_open: usize,
    oldest: std::cmp::Reverse<SlotId>,
    place: Place,
}

/// The books of one database's connections.
///
/// Invariants: `busy` holds exactly the addresses that have half-open connections; `half_open` is the sum over them;
/// `addresses` holds exactly the addresses that have connections.
#[derive(Debug)]
pub struct Slots {
    limits: SlotLimits,
    next: u64,
    slots: HashMap<SlotId, Slot>,
    addresses: HashMap<Place, Address>,
    busy: BTreeSet<Busy>,
    half_open: u32,
}

impl Slots {
    /// Empty books.
    pub fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            next: 0,
            slots: HashMap::new(),
            addresses: HashMap::new(),
            busy: BTreeSet::new(),
            half_open: 0,
        }
    }

    /// Takes new limits, as after a reload. Connections that are there already stay, also above the new caps.
    pub fn set_limits(&mut self, limits: SlotLimits) {
        let counts_alike = limits.ipv6_prefix == self.limits.ipv6_prefix;
        self.limits = limits;
        if !counts_alike {
            self.count_again();
        }
    }

    /// Books every connection anew, by what its address counts as now.
    fn count_again(&mut self) {
        self.addresses.clear();
        self.busy.clear();
        for (id, slot) in &self.slots {
            let address = self.addresses.entry(self.limits.place(slot.address));
            let address = address.or_default();
            address.connections += 1;
            if slot.state == State::HalfOpen {
                address.half_open.insert(*id);
            }
        }
        let ranks = self.addresses.iter();
        self.busy = ranks.filter_map(|(place, it)| rank(*place, it)).collect();
    }

    /// Judges a newcomer from `address` and, unless it is refused, books it as half-open.
    pub fn admit(&mut self, address: IpAddr) -> Decision {
        let place = self.limits.place(address);
        let victim = self.victim(place);
        if let Err(refusal) = self.room_for(place, victim) {
            return Decision::Refuse(refusal);
        }
        if let Some(evicted) = victim {
            self.closed(evicted);
        }
        let slot = self.book(address, place);
        match victim {
            Some(evicted) => Decision::AdmitAndEvict { slot, evicted },
            None => Decision::Admit(slot),
        }
    }

    /// The client of `slot` has proven who it is.
    pub fn established(&mut self, slot: SlotId) -> Standing {
        let Some(Slot { address, state }) = self.slots.get_mut(&slot) else {
            return Standing::Gone;
        };
        if *state == State::HalfOpen {
            *state = State::Established;
            let place = self.limits.place(*address);
            self.with_half_open(place, |half_open| half_open.remove(&slot));
            self.half_open -= 1;
        }
        Standing::Stands
    }

    /// The connection has ended. Nothing happens where it had been evicted before.
    pub fn closed(&mut self, slot: SlotId) {
        let Some(Slot { address, state }) = self.slots.remove(&slot) else {
            return;
        };
        let place = self.limits.place(address);
        if state == State::HalfOpen {
            self.with_half_open(place, |half_open| half_open.remove(&slot));
            self.half_open -= 1;
        }
        if let Some(address) = self.addresses.get_mut(&place) {
            address.connections -= 1;
            if address.connections == 0 {
                self.addresses.remove(&place);
            }
        }
    }

    /// Takes the oldest half-open connection of the busiest address out of the books, for one that comes in elsewhere. The caller
    /// closes it.
    pub fn give_way(&mut self) -> Option<SlotId> {
        let oldest = self.busy.last()?.oldest.0;
        self.closed(oldest);
        Some(oldest)
    }

    /// Connections in all.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// Half-open connections in all.
    pub fn half_open(&self) -> u32 {
        self.half_open
    }

    /// Different addresses that have connections.
    pub fn addresses(&self) -> usize {
        self.addresses.len()
    }

    /// The half-open connection that must go if a newcomer from `place` comes in.
    fn victim(&self, place: Place) -> Option<SlotId> {
        let own = self.addresses.get(&place);
        let own_half_open = own.map_or(0, |address| address.half_open.len());
        if own_half_open >= self.limits.half_open_per_address as usize {
            own.and_then(|address| address.half_open.first().copied())
        } else if self.half_open >= self.limits.half_open
            || self.slots.len() >= self.limits.connections as usize
        {
            self.busy.last().map(|busy| busy.oldest.0)
        } else {
            None
        }
    }

    fn room_for(&self, place: Place, victim: Option<SlotId>) -> Result<(), SlotRefusal> {
        let victim_of = victim.and_then(|slot| self.slots.get(&slot));
        let leaves_place = victim_of.is_some_and(|slot| self.limits.place(slot.address) == place);
        let of_address = self
            .addresses
            .get(&place)
            .map_or(0, |address| address.connections);
        if of_address - u32::from(leaves_place) >= self.limits.per_address {
            return Err(SlotRefusal::PerAddress);
        }
        if self.slots.len() - usize::from(victim.is_some()) >= self.limits.connections as usize {
            return Err(SlotRefusal::Connections);
        }
        Ok(())
    }

    fn book(&mut self, address: IpAddr, place: Place) -> SlotId {
        let slot = SlotId(self.next);
        self.next += 1;
        let state = State::HalfOpen;
        self.slots.insert(slot, Slot { address, state });
        self.addresses.entry(place).or_default().connections += 1;
        self.with_half_open(place, |half_open| half_open.insert(slot));
        self.half_open += 1;
        slot
    }

    /// Changes an address's half-open connections, and its rank among the busy ones with them.
    fn with_half_open(&mut self, place: Place, change: impl FnOnce(&mut BTreeSet<SlotId>) -> bool) {
        let Some(address) = self.addresses.get_mut(&place) else {
            return;
        };
        if let Some(rank) = rank(place, address) {
            self.busy.remove(&rank);
        }
        change(&mut address.half_open);
        if let Some(rank) = rank(place, address) {
            self.busy.insert(rank);
        }
    }
}

fn leading_bits(address: Ipv6Addr, prefix: u8) -> u128 {
    let dropped = 128 - u32::from(prefix.min(128));
    let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
    address.to_bits() & mask
}

fn rank(place: Place, address: &Address) -> Option<Busy> {
    let oldest = *address.half_open.first()?;
    Some(Busy {
        half_open: address.half_open.len(),
        oldest: std::cmp::Reverse(oldest),
        place,
    })
}

#[cfg(test)]
mod tests;
