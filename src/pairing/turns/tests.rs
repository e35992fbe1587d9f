use proptest::prelude::*;

use super::*;

fn awaited(frames: u32, audience: Audience) -> Awaited {
    special(Special {
        frames,
        audience,
        ..Special::default()
    })
}

fn with_effect(effect: ReplyEffect) -> Awaited {
    special(Special {
        effect,
        ..Special::default()
    })
}

fn special(special: Special) -> Awaited {
    Awaited {
        special: special.boxed(),
        patience: Patience::Bounded,
        since: Instant::now(),
        row: None,
    }
}

fn answer(turns: &mut Turns, out: &mut Vec<u8>, text: &str) {
    turns.answer(out, |out| out.extend_from_slice(text.as_bytes()));
}

#[test]
fn an_answer_waits_until_the_replies_before_it_have_come() {
    let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
    answer(&mut turns, &mut out, "a");
    turns.expect(awaited(1, Audience::Client));
    answer(&mut turns, &mut out, "b");
    turns.expect(awaited(1, Audience::Client));
    answer(&mut turns, &mut out, "c");
    assert_eq!((out.as_slice(), turns.held()), (b"a".as_slice(), 2));
    assert!(
        turns
            .frame_ended(Whole::IfAnnounced, now, &mut out)
            .is_some()
    );
    assert_eq!(out, b"ab");
    assert!(
        turns
            .frame_ended(Whole::IfAnnounced, now, &mut out)
            .is_some()
    );
    assert_eq!(
        (out.as_slice(), turns.is_empty(), turns.held()),
        (b"abc".as_slice(), true, 0)
    );
}

#[test]
fn a_reply_of_several_frames_ends_with_its_last_one_or_with_an_error() {
    let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
    turns.expect(awaited(2, Audience::Client));
    assert_eq!(turns.frame_ended(Whole::IfAnnounced, now, &mut out), None);
    assert!(
        turns
            .frame_ended(Whole::IfAnnounced, now, &mut out)
            .is_some()
    );
    turns.expect(awaited(2, Audience::Client));
    assert!(turns.frame_ended(Whole::Always, now, &mut out).is_some());
    assert!(turns.is_empty());
}

#[test]
fn bytes_that_stand_for_a_reply_are_written_in_its_turn() {
    let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
    turns.expect(awaited(1, Audience::Client));
    turns.expect(awaited(1, Audience::Instead(b"x".to_vec())));
    answer(&mut turns, &mut out, "y");
    turns.frame_ended(Whole::IfAnnounced, now, &mut out);
    assert_eq!(out, b"");
    turns.frame_ended(Whole::IfAnnounced, now, &mut out);
    assert_eq!(out, b"xy");
}

#[test]
fn memory_of_answers_that_wait_follows_their_bytes_however_many_there_are() {
    let (mut turns, mut out) = (Turns::default(), Vec::new());
    turns.expect(awaited(1, Audience::Client));
    for _ in 0..10_000 {
        answer(&mut turns, &mut out, "+PONG\r\n");
    }
    assert_eq!((turns.queue.len(), turns.held()), (2, 70_000));
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert_eq!(
        (out.len(), turns.is_empty(), turns.held()),
        (70_000, true, 0)
    );
}

#[test]
fn nothing_is_held_for_turns_to_come_once_it_is_given_back() {
    let (mut turns, mut out) = (Turns::default(), Vec::new());
    turns.expect(awaited(1, Audience::Client));
    turns.give_back();
    assert!(turns.memory() > 0 && turns.awaited() == 1);
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert!(turns.memory() > 0);
    turns.give_back();
    assert_eq!(turns.memory(), 0);
}

#[test]
fn a_request_that_is_cut_off_leaves_its_turn_to_what_comes_next() {
    let (mut turns, mut out) = (Turns::default(), Vec::new());
    turns.expect(awaited(1, Audience::Client));
    turns.expect(awaited(1, Audience::Client));
    turns.cut_off();
    answer(&mut turns, &mut out, "x");
    turns.cut_off();
    assert_eq!((turns.awaited(), turns.held()), (1, 1));
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert_eq!(out, b"x");
}

#[test]
fn nothing_is_known_to_be_next_while_a_command_may_block() {
    let (mut turns, mut out) = (Turns::default(), Vec::new());
    turns.expect(awaited(1, Audience::Client));
    assert!(!turns.is_blocked());
    turns.expect(Awaited {
        patience: Patience::Unbounded,
        ..awaited(1, Audience::Client)
    });
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert!(turns.is_blocked());
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert!(!turns.is_blocked());
}

#[test]
fn an_answer_never_stands_inside_a_frame() {
    let (mut turns, mut out) = (Turns::default(), b"begin".to_vec());
    turns.passes();
    answer(&mut turns, &mut out, "a");
    assert!(!turns.is_empty() && turns.is_inside_frame());
    turns.expect(awaited(1, Audience::Client));
    answer(&mut turns, &mut out, "b");
    assert!(turns.head().is_some() && turns.deadline(Duration::ZERO).is_some());
    out.extend_from_slice(b"end");
    turns.passed(&mut out);
    assert_eq!(out, b"beginenda");
    turns.frame_ended(Whole::Always, Instant::now(), &mut out);
    assert_eq!(
        (out.as_slice(), turns.is_empty()),
        (b"beginendab".as_slice(), true)
    );
}

#[test]
fn a_reply_that_is_on_its_way_is_not_late() {
    let (mut turns, allowed) = (Turns::default(), Duration::from_secs(1));
    turns.excuse(Instant::now());
    assert_eq!(turns.deadline(allowed), None);
    turns.expect(awaited(1, Audience::Client));
    let later = Instant::now() + Duration::from_secs(100);
    turns.excuse(later);
    assert_eq!(turns.deadline(allowed), Some(later + allowed));
}

#[test]
fn what_is_overdue_is_answered_in_its_turn_and_dropped_when_it_comes() {
    let (mut turns, mut out, start) = (Turns::default(), Vec::new(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let allowed = Duration::from_secs(10);
    let asked = |second| Awaited {
        since: at(second),
        ..awaited(1, Audience::Client)
    };
    turns.expect(asked(0));
    answer(&mut turns, &mut out, "a");
    turns.expect(asked(5));
    answer(&mut turns, &mut out, "b");
    let overdue = |turns: &mut Turns, out: &mut Vec<u8>, second| {
        turns.answer_overdue(allowed, at(second), out, |out| out.push(b'!'))
    };
    assert_eq!(turns.deadline(allowed), Some(at(10)));
    assert_eq!(overdue(&mut turns, &mut out, 9), Ok(0));
    assert_eq!(overdue(&mut turns, &mut out, 10), Ok(1));
    assert_eq!((out.as_slice(), turns.awaited()), (b"!a".as_slice(), 2));
    assert!(turns.is_late() && turns.head().is_none() && turns.only().is_none());
    assert_eq!(turns.deadline(allowed), Some(at(15)), "its own time");
    // The late one comes: what was behind it is the oldest from then on.
    let ended = turns.frame_ended(Whole::IfAnnounced, at(12), &mut out);
    assert_eq!(ended.map(|ended| ended.since), Some(at(0)));
    assert_eq!(turns.deadline(allowed), Some(at(22)));
    turns.frame_ended(Whole::IfAnnounced, at(13), &mut out);
    assert_eq!(
        (out.as_slice(), turns.is_empty()),
        (b"!ab".as_slice(), true)
    );
}

#[test]
fn who_has_heard_of_everything_hears_at_once_while_late_replies_are_still_to_come() {
    let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
    turns.expect(awaited(1, Audience::Client));
    let later = now + Duration::from_secs(100);
    let told = turns.answer_overdue(Duration::ZERO, later, &mut out, |out| out.push(b'!'));
    assert_eq!(told, Ok(1));
    answer(&mut turns, &mut out, "a");
    assert_eq!(out, b"!a");
    assert!(turns.is_answered() && !turns.is_empty() && turns.late_since().is_some());
    turns.give_back();
    assert!(turns.memory() > 0);
    turns.frame_ended(Whole::Always, later, &mut out);
    assert_eq!((out.as_slice(), turns.memory()), (b"!a".as_slice(), 0));
    assert!(turns.is_empty() && turns.late_since().is_none());
}

#[test]
fn what_the_client_has_begun_to_hear_or_what_changes_the_session_is_not_answered_otherwise() {
    let later = Instant::now() + Duration::from_secs(100);
    let told = |turns: &mut Turns| {
        let mut out = Vec::new();
        let told = turns.answer_overdue(Duration::ZERO, later, &mut out, |out| out.push(b'!'));
        (told, out.len())
    };
    let mut begun = Turns::default();
    begun.expect(awaited(1, Audience::Client));
    begun.passes();
    assert_eq!(told(&mut begun), (Err(0), 0));
    for other in [
        awaited(2, Audience::Client),
        awaited(1, Audience::Nobody),
        with_effect(ReplyEffect::MustSucceed),
    ] {
        let mut turns = Turns::default();
        turns.expect(awaited(1, Audience::Client));
        turns.expect(other);
        assert_eq!(told(&mut turns), (Err(1), 1));
    }
    let mut blocked = Turns::default();
    blocked.expect(Awaited {
        patience: Patience::Unbounded,
        ..awaited(1, Audience::Client)
    });
    blocked.expect(awaited(1, Audience::Client));
    assert_eq!(told(&mut blocked), (Ok(0), 0));
}

#[test]
fn a_frame_that_nobody_asked_for_ends_nothing() {
    let mut out = Vec::new();
    assert_eq!(
        Turns::default().frame_ended(Whole::Always, Instant::now(), &mut out),
        None
    );
}

#[test]
fn the_deadline_runs_from_the_moment_at_which_a_request_became_the_oldest() {
    let (mut turns, mut out, allowed) = (Turns::default(), Vec::new(), Duration::from_secs(1));
    assert_eq!(turns.deadline(allowed), None);
    turns.expect(Awaited {
        patience: Patience::Unbounded,
        ..awaited(1, Audience::Client)
    });
    turns.expect(awaited(1, Audience::Client));
    assert_eq!(
        turns.deadline(allowed),
        None,
        "a blocking command has no deadline"
    );
    let unblocked = Instant::now() + Duration::from_secs(100);
    turns.frame_ended(Whole::IfAnnounced, unblocked, &mut out);
    assert_eq!(turns.deadline(allowed), Some(unblocked + allowed));
}

#[test]
fn an_error_stands_for_each_reply_that_is_lost_or_for_none() {
    let (mut turns, mut out, now) = (Turns::default(), Vec::new(), Instant::now());
    let lost = |turns: &mut Turns, out: &mut Vec<u8>| turns.answer_lost(out, |out| out.push(b'!'));
    turns.expect(awaited(1, Audience::Client));
    answer(&mut turns, &mut out, "a");
    turns.expect(Awaited {
        patience: Patience::Unbounded,
        ..awaited(1, Audience::Client)
    });
    answer(&mut turns, &mut out, "b");
    assert!(lost(&mut turns, &mut out));
    assert_eq!(
        (out.as_slice(), turns.is_empty()),
        (b"!a!b".as_slice(), true)
    );
    assert!(!turns.is_blocked() && turns.held() == 0 && lost(&mut turns, &mut out));
    let exec = with_effect(ReplyEffect::Exec(None));
    turns.expect(awaited(1, Audience::Client));
    turns.expect(exec);
    assert!(!lost(&mut turns, &mut out));
    assert_eq!((turns.awaited(), out.as_slice()), (2, b"!a!b".as_slice()));
    let mut begun = Turns::default();
    begun.expect(awaited(1, Audience::Client));
    begun.passes();
    assert!(!lost(&mut begun, &mut out));
    let mut late = Turns::default();
    late.expect(awaited(1, Audience::Client));
    let later = now + Duration::from_secs(100);
    assert!(
        late.answer_overdue(Duration::ZERO, later, &mut out, |_| {})
            .is_ok()
    );
    assert!(!lost(&mut late, &mut out));
}

#[test]
fn what_was_queued_is_not_said_to_have_failed_while_exec_may_succeed() {
    let (mut turns, mut out) = (Turns::default(), Vec::new());
    turns.expect(awaited(1, Audience::Client));
    turns.expect(with_effect(ReplyEffect::Exec(None)));
    let later = Instant::now() + Duration::from_secs(100);
    let told = turns.answer_overdue(Duration::ZERO, later, &mut out, |out| out.push(b'!'));
    assert_eq!((told, out.len()), (Err(0), 0));
}

/// Something that happens to a client's turns.
#[derive(Clone, Copy, Debug)]
enum Event {
    Answer(&'static str),
    Expect(Patience),
    ExpectSpecial,
    Passes,
    Overdue,
    Ended,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop_oneof![Just(""), Just("a"), Just("bc")].prop_map(Event::Answer),
        Just(Event::Expect(Patience::Bounded)),
        Just(Event::Expect(Patience::Bounded)),
        Just(Event::Expect(Patience::Unbounded)),
        Just(Event::ExpectSpecial),
        Just(Event::Passes),
        Just(Event::Overdue),
        Just(Event::Ended),
        Just(Event::Ended),
        Just(Event::Ended),
    ]
}

impl Turns {
    /// `false`: it makes no difference.
    fn hear(
        &mut self,
        event: Event,
        now: Instant,
        out: &mut Vec<u8>,
        ordinary: bool,
    ) -> Option<Instant> {
        let reply = |patience| Awaited {
            patience,
            since: now,
            ..special(Special::default())
        };
        match event {
            Event::Answer(text) => answer(self, out, text),
            Event::Expect(patience) => self.expect(reply(patience)),
            Event::ExpectSpecial => {
                let special = awaited(2, Audience::Instead(b"x".to_vec()));
                self.expect(Awaited {
                    since: now,
                    ..special
                });
            }
            Event::Passes if self.head().is_some() => self.passes(),
            Event::Passes => {}
            Event::Overdue => {
                let _ = self.answer_overdue(Duration::ZERO, now, out, |out| out.push(b'!'));
            }
            Event::Ended => {
                let before = ordinary.then(|| self.ordinary_ended(now, out)).flatten();
                return before.or_else(|| {
                    self.frame_ended(Whole::Always, now, out)
                        .map(|ended| ended.since)
                });
            }
        }
        None
    }
}

proptest! {
    #[test]
    fn the_end_of_an_ordinary_reply_is_that_of_any_other(events in prop::collection::vec(event(), 0..60)) {
        let (mut one, mut other) = (Turns::default(), Turns::default());
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        let mut now = Instant::now();
        for event in events {
            now += Duration::from_secs(1);
            let ended = one.hear(event, now, &mut out, true);
            prop_assert_eq!(ended, other.hear(event, now, &mut expected, false));
            prop_assert_eq!(&out, &expected);
            let state = |turns: &Turns| {
                let counts = (turns.awaited(), turns.held(), turns.is_late(), turns.is_blocked());
                (counts, turns.is_empty(), turns.is_inside_frame(), turns.head_since, turns.queue.len())
            };
            prop_assert_eq!(state(&one), state(&other));
        }
    }
}
