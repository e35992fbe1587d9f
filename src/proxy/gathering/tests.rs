use proptest::prelude::*;

use super::*;

const BYTES: usize = 40;

/// All clients below `clients` ask, `at_once` of them each time somebody looks; returns how often they rested in all.
fn ask_around(gathering: &mut Gathering, clients: usize, at_once: usize, now: Instant) -> u32 {
    let mut rests = 0;
    for first in (0..clients).step_by(at_once) {
        for client in first..clients.min(first + at_once) {
            gathering.asked(number(client));
        }
        let waiting = gathering.requests as usize * BYTES;
        rests += u32::from(gathering.rests(waiting, &Resting::default(), now));
    }
    while gathering.rests(BYTES, &Resting::default(), now) {
        rests += 1;
    }
    rests
}

fn number(client: usize) -> ClientNumber {
    ClientNumber((client % 128) as u8)
}

/// A lane on which so many clients have asked for a span.
fn lane_of(clients: usize) -> (Gathering, Instant) {
    let start = Instant::now();
    let mut gathering = Gathering::new(start);
    ask_around(&mut gathering, clients, 10, start);
    ask_around(&mut gathering, 1, 1, start + SPAN);
    (gathering, start + SPAN)
}

#[test]
fn of_a_crowd_the_first_half_waits_and_leaves_together() {
    let (mut gathering, now) = lane_of(50);
    for looks in [[10, 8, 6], [12, 0, 10]] {
        let mut client = 0;
        for (look, come) in looks.into_iter().enumerate() {
            (0..come).for_each(|_| {
                gathering.asked(number(client));
                client += 1;
            });
            assert!(
                gathering.rests(client * BYTES, &Resting::default(), now),
                "look {look}"
            );
        }
        gathering.asked(number(client));
        assert!(
            !gathering.rests(BYTES, &Resting::default(), now),
            "half, or the last rest is over"
        );
        assert_eq!(gathering.requests, 0);
    }
    (0..25).for_each(|client| gathering.asked(number(client)));
    assert!(
        !gathering.rests(25 * BYTES, &Resting::default(), now),
        "half has come at once"
    );
}

#[test]
fn nobody_waits_among_few() {
    let (mut gathering, now) = lane_of(CROWD as usize - 1);
    for _ in 0..10 {
        assert_eq!(
            ask_around(&mut gathering, CROWD as usize - 1, AT_ONCE as usize, now),
            0
        );
    }
    let (mut gathering, now) = lane_of(CROWD as usize);
    assert!(ask_around(&mut gathering, CROWD as usize, AT_ONCE as usize, now) > 0);
}

#[test]
fn who_comes_alone_does_not_wait() {
    let (mut gathering, now) = lane_of(100);
    assert_eq!(ask_around(&mut gathering, 100, 1, now), 0);
    assert_eq!(
        ask_around(&mut gathering, 100, AT_ONCE as usize - 1, now),
        0
    );
}

#[test]
fn nobody_waits_for_more_than_a_few_rests() {
    let (mut gathering, now) = lane_of(100);
    (0..AT_ONCE as usize).for_each(|client| gathering.asked(number(client)));
    let rests = (0..10).take_while(|_| gathering.rests(5 * BYTES, &Resting::default(), now));
    assert_eq!(rests.count(), RESTS as usize);
}

#[test]
fn large_requests_and_fences_do_not_wait() {
    let (mut gathering, now) = lane_of(100);
    assert!(
        !gathering.rests(BYTES, &Resting::default(), now),
        "it is nobody's"
    );
    (0..AT_ONCE as usize).for_each(|client| gathering.asked(number(client)));
    assert!(!gathering.rests(ENOUGH + 1, &Resting::default(), now));
}

#[test]
fn nobody_waits_while_others_wait_for_the_worker() {
    let (mut gathering, now) = lane_of(100);
    (0..AT_ONCE as usize).for_each(|client| gathering.asked(number(client)));
    let resting = Resting::default();
    resting.somebody_waits();
    assert!(!gathering.rests(5 * BYTES, &resting, now));
    (0..AT_ONCE as usize).for_each(|client| gathering.asked(number(client)));
    assert!(gathering.rests(5 * BYTES, &resting, now), "nobody does now");
}

#[test]
fn a_crowd_that_has_left_is_not_waited_for() {
    let (mut gathering, now) = lane_of(100);
    let later = now + SPAN;
    ask_around(&mut gathering, 10, 1, later);
    assert_eq!(ask_around(&mut gathering, 10, 10, later), 0);
}

#[test]
fn lanes_of_one_worker_rest_together() {
    let (resting, now) = (Resting::default(), Instant::now());
    let [mut one, mut other] = [Gathering::new(now), Gathering::new(now)];
    one.rest(&resting);
    assert!(one.sleeps);
    other.rest(&resting);
    assert!(!other.sleeps, "it has just rested");
    other.has_rested(&resting);
    one.has_rested(&resting);
    other.rest(&resting);
    assert!(other.sleeps);
    // Its own end gives the others their rest, too.
    other.has_rested(&resting);
    assert!(!resting.rests.get());
}

proptest! {
    #[test]
    fn there_are_never_fewer_clients_than_are_counted(clients in prop::collection::vec(any::<usize>(), 0..300)) {
        let mut counted = Clients::default();
        clients.iter().for_each(|client| counted.add(number(*client)));
        let different: std::collections::HashSet<_> = clients.iter().collect();
        prop_assert!(counted.count() as usize <= different.len());
    }
}

#[test]
fn clients_that_come_one_after_the_other_are_all_counted() {
    let resting = Resting::default();
    for _ in 0..3 {
        let mut counted = Clients::default();
        (0..100).for_each(|_| counted.add(resting.next_number()));
        assert_eq!(counted.count(), 100);
    }
}
