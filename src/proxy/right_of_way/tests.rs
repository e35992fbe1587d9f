use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Wakes {
    number: AtomicUsize,
    one_more: Notify,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.number.fetch_add(1, Relaxed);
        self.one_more.notify_one();
    }
}

/// One who moves a large value.
struct Mover {
    way: Rc<RightOfWay>,
    shard: Arc<Shard>,
    wakes: Arc<Wakes>,
}

impl Mover {
    fn new() -> Self {
        let shard = Arc::new(Shard::new(0, 0, 0));
        Self {
            way: Rc::new(RightOfWay::new(Arc::clone(&shard))),
            shard,
            wakes: Arc::default(),
        }
    }

    /// One whose waiting is limited.
    fn limited() -> Self {
        let mover = Self::new();
        drop(tokio::task::spawn_local(limit(Rc::clone(&mover.way))));
        mover
    }

    /// Somebody asks, and it gives way.
    fn meets_an_asker(&self) {
        let now = Instant::now();
        self.way.asked(now);
        assert!(self.gives_way(&mut self.way.moved(), now));
    }

    fn gives_way(&self, moved: &mut Moved, now: Instant) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.way.gives_way(moved, now, &waker)
    }

    fn wakes(&self) -> usize {
        self.wakes.number.load(Relaxed)
    }

    /// Pieces that gave way.
    fn counted(&self) -> u64 {
        self.shard.event_loop().counts()[3]
    }

    async fn is_woken(&self, times: usize) {
        let woken = async {
            while self.wakes() < times {
                self.wakes.one_more.notified().await;
            }
        };
        let allowed = Duration::from_secs(10);
        tokio::time::timeout(allowed, woken).await.unwrap();
    }
}

#[test]
fn nobody_gives_way_while_nobody_waits_for_an_answer() {
    let (mover, now) = (Mover::new(), Instant::now());
    assert!(!mover.gives_way(&mut mover.way.moved(), now));
    mover.way.asked(now);
    mover.way.answered();
    assert!(!mover.gives_way(&mut mover.way.moved(), now));
    assert_eq!(mover.counted(), 0);
}

#[test]
fn one_who_gives_way_is_woken_by_the_next_answer_and_goes_on_even_if_more_is_asked() {
    let (mover, now) = (Mover::new(), Instant::now());
    mover.way.asked(now);
    let mut moved = mover.way.moved();
    assert!(mover.gives_way(&mut moved, now));
    assert!(mover.gives_way(&mut moved, now), "woken by chance");
    assert_eq!(mover.wakes(), 0);
    mover.way.answered();
    assert_eq!(mover.wakes(), 1);
    mover.way.asked(now);
    assert!(!mover.gives_way(&mut moved, now));
    assert_eq!(mover.counted(), 1);
    // The piece after that one waits for the answer after that one.
    assert!(mover.gives_way(&mut mover.way.moved(), now));
    assert_eq!(mover.counted(), 2);
}

#[test]
fn nobody_gives_way_for_long_to_what_isn_t_answered_whatever_is_asked_behind_it() {
    let (mover, now) = (Mover::new(), Instant::now());
    mover.way.asked(now);
    mover.way.asked(now + LONGEST);
    assert!(mover.gives_way(&mut mover.way.moved(), now + LONGEST));
    let later = now + LONGEST + Duration::from_micros(1);
    assert!(!mover.gives_way(&mut mover.way.moved(), later));
}

#[tokio::test(flavor = "local")]
async fn one_who_gives_way_is_woken_when_no_answer_comes() {
    let mover = Mover::limited();
    for times in 1..4 {
        mover.meets_an_asker();
        mover.is_woken(times).await;
        mover.way.answered();
    }
}

#[tokio::test(flavor = "local")]
async fn one_who_gives_way_right_after_an_answer_is_woken_too() {
    let mover = Mover::limited();
    for times in 1..100 {
        mover.meets_an_asker();
        if times % 3 == 0 {
            tokio::task::yield_now().await;
        }
        mover.way.answered();
        mover.meets_an_asker();
        mover.is_woken(2 * times).await;
        mover.way.answered();
    }
}
