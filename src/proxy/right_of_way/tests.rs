use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Mover {
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Mover {
    fn new() -> Self {
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(Arc::clone(&wakes));
        Self { wakes, waker }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Relaxed)
    }
}

fn right_of_way() -> (RightOfWay, Arc<Shard>) {
    let shard = Arc::new(Shard::new(0, 0, 0));
    (RightOfWay::new(Arc::clone(&shard)), shard)
}

#[test]
fn nobody_gives_way_while_nobody_waits_for_an_answer() {
    let (way, shard) = right_of_way();
    let (mover, now) = (Mover::new(), Instant::now());
    assert!(!way.gives_way(way.answers(), now, &mover.waker));
    way.asked(now);
    way.answered();
    assert!(!way.gives_way(way.answers(), now, &mover.waker));
    assert_eq!(shard.event_loop().given_way(), 0);
}

#[test]
fn one_who_gives_way_is_woken_by_the_next_answer_and_goes_on_even_if_more_is_asked() {
    let (way, shard) = right_of_way();
    let (mover, now) = (Mover::new(), Instant::now());
    way.asked(now);
    let then = way.answers();
    assert!(way.gives_way(then, now, &mover.waker));
    assert!(
        way.gives_way(then, now, &mover.waker),
        "asked again by chance"
    );
    assert_eq!(mover.wakes(), 0);
    way.answered();
    assert_eq!(mover.wakes(), 1);
    way.asked(now);
    assert!(!way.gives_way(then, now, &mover.waker));
    // The piece after that one waits for the answer after that one.
    assert!(way.gives_way(way.answers(), now, &mover.waker));
    assert_eq!(shard.event_loop().given_way(), 2);
}

#[test]
fn nobody_gives_way_for_long_to_what_isn_t_answered_whatever_is_asked_behind_it() {
    let (way, _) = right_of_way();
    let (mover, now) = (Mover::new(), Instant::now());
    way.asked(now);
    way.asked(now + LONGEST);
    assert!(way.gives_way(way.answers(), now + LONGEST, &mover.waker));
    let later = now + LONGEST + Duration::from_micros(1);
    assert!(!way.gives_way(way.answers(), later, &mover.waker));
}

#[tokio::test(flavor = "local")]
async fn one_who_gives_way_is_woken_when_no_answer_comes() {
    let (way, _) = right_of_way();
    let (way, mover) = (Rc::new(way), Mover::new());
    drop(tokio::task::spawn_local(limit(Rc::clone(&way))));
    for times in 1..4 {
        let now = Instant::now();
        way.asked(now);
        assert!(way.gives_way(way.answers(), now, &mover.waker));
        let woken = async {
            while mover.wakes() < times {
                tokio::time::sleep(LONGEST).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), woken)
            .await
            .unwrap();
        way.answered();
    }
}
