use proptest::prelude::*;

use super::*;

const LIMITS: SlotLimits = SlotLimits {
    connections: 10,
    per_address: 6,
    half_open: 4,
    half_open_per_address: 3,
    ipv6_prefix: 64,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn slot(decision: Decision) -> SlotId {
    match decision {
        Decision::Admit(slot) | Decision::AdmitAndEvict { slot, .. } => slot,
        Decision::Refuse(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn evicted(decision: Decision) -> Option<SlotId> {
    match decision {
        Decision::AdmitAndEvict { evicted, .. } => Some(evicted),
        Decision::Admit(_) | Decision::Refuse(_) => None,
    }
}

fn settle(slots: &mut Slots, address: &str) -> SlotId {
    let id = slot(slots.admit(ip(address)));
    assert_eq!(slots.established(id), Standing::Stands);
    id
}

#[test]
fn when_full_of_half_open_ones_the_oldest_of_the_busiest_address_goes() {
    let mut slots = Slots::new(LIMITS);
    let honest = slot(slots.admit(ip("10.0.0.1")));
    let first = slot(slots.admit(ip("10.0.0.66")));
    let second = slot(slots.admit(ip("10.0.0.66")));
    slots.admit(ip("10.0.0.66"));
    assert_eq!(evicted(slots.admit(ip("10.0.0.2"))), Some(first));
    assert_eq!(evicted(slots.admit(ip("10.0.0.3"))), Some(second));
    // Now every address has one: the one that has waited longest goes.
    assert_eq!(evicted(slots.admit(ip("10.0.0.4"))), Some(honest));
    assert_eq!(slots.half_open(), 4);
}

#[test]
fn an_address_at_its_own_half_open_cap_pushes_out_its_own_oldest() {
    let mut slots = Slots::new(LIMITS);
    let first = slot(slots.admit(ip("10.0.0.66")));
    slots.admit(ip("10.0.0.66"));
    slots.admit(ip("10.0.0.66"));
    assert_eq!(evicted(slots.admit(ip("10.0.0.66"))), Some(first));
    assert_eq!(slots.connections(), 3);
}

#[test]
fn an_established_connection_is_never_evicted() {
    let mut slots = Slots::new(LIMITS);
    let mine = settle(&mut slots, "10.0.0.66");
    for _ in 0..50 {
        assert_ne!(evicted(slots.admit(ip("10.0.0.66"))), Some(mine));
    }
    assert_eq!(slots.established(mine), Standing::Stands);
}

#[test]
fn a_connection_evicted_while_it_finished_learns_that_it_is_gone() {
    let mut slots = Slots::new(LIMITS);
    let late = slot(slots.admit(ip("10.0.0.66")));
    while evicted(slots.admit(ip("10.0.0.66"))) != Some(late) {}
    let before = slots.connections();
    assert_eq!(slots.established(late), Standing::Gone);
    slots.closed(late);
    assert_eq!(slots.connections(), before);
}

#[test]
fn a_full_database_and_a_full_address_refuse() {
    let mut slots = Slots::new(LIMITS);
    for _ in 0..6 {
        settle(&mut slots, "10.0.0.1");
    }
    assert_eq!(
        slots.admit(ip("10.0.0.1")),
        Decision::Refuse(SlotRefusal::PerAddress)
    );
    for host in 2..6 {
        settle(&mut slots, &format!("10.0.0.{host}"));
    }
    assert_eq!(
        slots.admit(ip("10.0.0.9")),
        Decision::Refuse(SlotRefusal::Connections)
    );
    slots.closed(SlotId(0));
    assert!(matches!(slots.admit(ip("10.0.0.1")), Decision::Admit(_)));
}

#[test]
fn a_full_database_has_room_as_long_as_one_in_it_is_silent() {
    let mut slots = Slots::new(SlotLimits {
        connections: 3,
        ..LIMITS
    });
    settle(&mut slots, "10.0.0.1");
    let first = slot(slots.admit(ip("10.0.0.66")));
    let second = slot(slots.admit(ip("10.0.0.66")));
    let newcomer = slots.admit(ip("10.0.0.2"));
    assert_eq!(evicted(newcomer), Some(first));
    assert_eq!(slots.established(slot(newcomer)), Standing::Stands);
    assert_eq!(slots.give_way(), Some(second));
    assert_eq!((slots.give_way(), slots.connections()), (None, 2));
}

#[test]
fn a_whole_ipv6_network_counts_as_one_address() {
    let mut slots = Slots::new(LIMITS);
    let first = slot(slots.admit(ip("2001:db8::1")));
    slots.admit(ip("2001:db8::2"));
    slots.admit(ip("2001:db8:0:0:ffff::3"));
    assert_eq!(evicted(slots.admit(ip("2001:db8::4"))), Some(first));
    assert_eq!(slots.addresses(), 1);
    assert_eq!(evicted(slots.admit(ip("2001:db8:0:1::1"))), None);
    assert_eq!(slots.addresses(), 2);
}

#[test]
fn another_prefix_counts_those_who_are_there_already_too() {
    let mut slots = Slots::new(LIMITS);
    let established = settle(&mut slots, "2001:db8:0:1::1");
    let first = slot(slots.admit(ip("2001:db8:0:2::1")));
    slots.admit(ip("2001:db8:0:3::1"));
    slots.admit(ip("2001:db8:0:4::1"));
    assert_eq!(slots.addresses(), 4);
    let ipv6_prefix = 48;
    slots.set_limits(SlotLimits {
        ipv6_prefix,
        ..LIMITS
    });
    assert_eq!((slots.addresses(), slots.connections()), (1, 4));
    // The site has as many half-open ones as it may have: its oldest goes.
    assert_eq!(evicted(slots.admit(ip("2001:db8:0:5::1"))), Some(first));
    slots.set_limits(LIMITS);
    assert_eq!((slots.addresses(), slots.half_open()), (4, 3));
    assert_eq!(slots.established(established), Standing::Stands);
}

#[test]
fn a_mapped_address_counts_as_the_ipv4_address() {
    let mut slots = Slots::new(LIMITS);
    slots.admit(ip("10.0.0.1"));
    slots.admit(ip("::ffff:10.0.0.1"));
    assert_eq!(slots.addresses(), 1);
}

#[test]
fn five_thousand_addresses_leave_nothing_behind() {
    let mut slots = Slots::new(LIMITS);
    for host in 0..5000u128 {
        slots.admit(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (host << 64)).into());
        assert!(slots.connections() <= 4 && slots.addresses() <= 4);
    }
    let left: Vec<SlotId> = slots.slots.keys().copied().collect();
    left.into_iter().for_each(|slot| slots.closed(slot));
    assert!(slots.addresses.is_empty() && slots.busy.is_empty() && slots.half_open == 0);
}

proptest! {
    #[test]
    fn the_books_balance_after_any_history(steps in proptest::collection::vec((0u8..4, 0u8..6), 0..300)) {
        let mut slots = Slots::new(LIMITS);
        for (step, pick) in steps {
            let live: Vec<SlotId> = { let mut ids: Vec<_> = slots.slots.keys().copied().collect(); ids.sort(); ids };
            let picked = live.get(usize::from(pick) % live.len().max(1)).copied();
            match (step, picked) {
                (0 | 1, _) | (_, None) => { slots.admit(ip(&format!("10.0.0.{pick}"))); }
                (2, Some(slot)) => { slots.established(slot); }
                (_, Some(slot)) => slots.closed(slot),
            }
            let half_open: usize = slots.addresses.values().map(|a| a.half_open.len()).sum();
            let connections: u32 = slots.addresses.values().map(|a| a.connections).sum();
            prop_assert_eq!(half_open, slots.half_open as usize);
            prop_assert_eq!(connections as usize, slots.slots.len());
            prop_assert!(slots.half_open <= LIMITS.half_open && connections <= LIMITS.connections);
            prop_assert_eq!(slots.busy.len(), slots.addresses.values().filter(|a| !a.half_open.is_empty()).count());
        }
    }
}
