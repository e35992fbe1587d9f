use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Wake;

use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::*;

fn steps() -> Rc<Steps> {
    Rc::new(Steps::new(Arc::new(Shard::new(0, 0, 0))))
}

/// A newcomer that a test polls by hand when it is woken.
struct Contender {
    place: Place,
    woken: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Contender {
    fn new(steps: &Rc<Steps>) -> Self {
        Self {
            place: Place::new(steps),
            woken: Arc::new(Flag(AtomicBool::new(true))),
        }
    }

    /// Asks if it was woken; whether it has its step.
    fn come(&self) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.woken.0.swap(false, Relaxed)
            && self
                .place
                .poll_step(&mut Context::from_waker(&waker))
                .is_ready()
    }
}

/// One turn of a loop whose run queue holds all `contenders`; the indices of those that had a step.
fn turn(steps: &Steps, contenders: &[Contender]) -> Vec<usize> {
    steps.on_turn(Waker::noop());
    (0..contenders.len())
        .filter(|index| contenders[*index].come())
        .collect()
}

#[test]
fn hundreds_have_one_step_a_turn_in_the_order_in_which_they_came() {
    let steps = steps();
    let contenders: Vec<_> = (0..500).map(|_| Contender::new(&steps)).collect();
    assert!(!steps.is_wanted());
    for expected in 0..500 {
        assert_eq!(turn(&steps, &contenders), [expected]);
        assert_eq!(steps.is_wanted(), expected < 499);
    }
    assert_eq!(turn(&steps, &contenders), [0; 0]);
    let counted = steps.shard.event_loop();
    assert_eq!(counted.counts(), [500, 500, 499, 0, 0]);
}

#[test]
fn one_that_comes_in_between_does_not_overtake_who_waits() {
    let steps = steps();
    let early: Vec<_> = (0..3).map(|_| Contender::new(&steps)).collect();
    assert_eq!(turn(&steps, &early), [0]);
    // A turn begins, and a latecomer is polled before the one that was called.
    steps.on_turn(Waker::noop());
    let late = Contender::new(&steps);
    assert!(!late.come());
    assert!(early[1].come());
    assert!(!late.come());
    assert_eq!(turn(&steps, &early), [2]);
    assert!(!late.come());
    steps.on_turn(Waker::noop());
    assert!(late.come());
}

#[test]
fn whoever_leaves_the_queue_keeps_the_step_from_nobody() {
    let steps = steps();
    let mut contenders: Vec<_> = (0..100).map(|_| Contender::new(&steps)).collect();
    assert_eq!(turn(&steps, &contenders), [0]);
    // The one that has been called, and some that have not.
    steps.on_turn(Waker::noop());
    assert!(contenders[1].woken.0.load(Relaxed));
    let mut index = 0;
    contenders.retain(|_| {
        index += 1;
        index > 2 && index % 3 != 0
    });
    let mut served = Vec::new();
    for _ in 0..contenders.len() {
        served.extend(turn(&steps, &contenders));
    }
    assert_eq!(served, (0..contenders.len()).collect::<Vec<_>>());
    drop(contenders);
    assert!(steps.queue.borrow().waiting.is_empty());
}

#[test]
fn a_long_run_queue_does_not_cost_steps_nor_give_two_at_once() {
    let steps = steps();
    let contenders: Vec<_> = (0..40).map(|_| Contender::new(&steps)).collect();
    assert_eq!(turn(&steps, &contenders), [0]);
    // Turns in which nobody who was called gets as far as being polled: the queue is longer than a turn.
    for _ in 0..10 {
        steps.on_turn(Waker::noop());
    }
    let called = |contender: &Contender| contender.woken.0.load(Relaxed);
    assert_eq!(contenders.iter().filter(|c| called(c)).count(), 10);
    for expected in 1..40 {
        assert_eq!(turn(&steps, &contenders), [expected]);
    }
}

fn runtime() -> LocalRuntime {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap()
}

/// Counts the turns of the runtime that blocks on it, and keeps it turning.
async fn count_turns(turns: Rc<Cell<u64>>) -> Infallible {
    std::future::poll_fn(|context| {
        turns.set(turns.get() + 1);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Waits for all of `tasks`, beside which nothing is polled by this future's waking.
async fn all(tasks: Vec<tokio::task::JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn in_a_running_loop_no_two_steps_fall_into_one_turn_however_busy_it_is() {
    for busy in [0, 500] {
        let steps = steps();
        let turns = Rc::new(Cell::new(0));
        let taken = Rc::new(RefCell::new(Vec::new()));
        runtime().block_on(async {
            for _ in 0..busy {
                tokio::task::spawn_local(async {
                    loop {
                        tokio::task::yield_now().await;
                    }
                });
            }
            let newcomer = || {
                let (steps, turns) = (Rc::clone(&steps), Rc::clone(&turns));
                let taken = Rc::clone(&taken);
                tokio::task::spawn_local(async move {
                    for _ in 0..3 {
                        let place = Place::new(&steps);
                        std::future::poll_fn(|context| place.poll_step(context)).await;
                        taken.borrow_mut().push(turns.get());
                    }
                })
            };
            let newcomers = (0..300).map(|_| newcomer()).collect();
            tokio::select! {
                biased;
                never = count_turns(Rc::clone(&turns)) => match never {},
                never = steps.renew_each_turn() => match never {},
                () = all(newcomers) => {}
            }
        });
        let mut of_steps = taken.take();
        assert_eq!(of_steps.len(), 900);
        of_steps.dedup();
        assert_eq!(of_steps.len(), 900, "two steps in one turn");
        let rare = of_steps.last().unwrap() - of_steps[0];
        assert!(rare <= 2 * 900 + 100, "900 steps in {rare} turns");
    }
}

#[test]
fn between_two_turns_the_loop_looks_at_its_sockets() {
    let turns = Rc::new(Cell::new(0));
    runtime().block_on(async {
        let (mut ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        let mut theirs = theirs.into_std().unwrap();
        let heard = Rc::new(Cell::new(None));
        let (hearing, at) = (Rc::clone(&heard), Rc::clone(&turns));
        let reader = tokio::task::spawn_local(async move {
            let _ = ours.read(&mut [0; 8]).await;
            hearing.set(Some(at.get()));
        });
        let counter = count_turns(Rc::clone(&turns));
        let mut counter = std::pin::pin!(counter);
        std::future::poll_fn(|context| {
            let _ = counter.as_mut().poll(context);
            // From the third turn on the reader is waiting.
            if turns.get() == 3 {
                std::io::Write::write_all(&mut theirs, b"ping").unwrap();
            }
            match turns.get() {
                5.. => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        assert_eq!(heard.get(), Some(4), "read in the turn after");
        reader.await.unwrap();
    });
}
