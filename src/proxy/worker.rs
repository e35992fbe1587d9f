//! One thread, one runtime, its own connections: nothing on the way of a command is shared with another worker.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::door::{Door, Ticket};
use super::establish;
use super::gathering::Resting;
use super::lanes::SharedLanes;
use super::right_of_way::{self, RightOfWay};
use super::seats::Seats;
use super::spares::Spares;
use super::steps::Steps;
use super::vital;
use crate::client::Scratch;
use crate::snapshot::{Database, Published, Transport};
use crate::telemetry::log::{Line, LineLimiter};
use crate::telemetry::{Metrics, Shard};

/// Bytes that are read from a client at once: one buffer a worker, not one a connection.
const CLIENT_SCRATCH: usize = 64 * 1024;

/// Bytes that are read from a backend at once.
const LANE_SCRATCH: usize = 256 * 1024;

/// How often deadlines are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Whether Redwall takes new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It does.
    Running,
    /// It ends as soon as its clients let it.
    Draining,
}

/// A socket that has been admitted, on its way to a worker.
pub(super) struct Accepted {
    pub(super) socket: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    /// The database as it was when its address was judged, and its index.
    pub(super) database: Arc<Database>,
    pub(super) index: usize,
    /// The generation of the snapshot by which it was judged.
    pub(super) generation: u64,
    pub(super) transport: Transport,
    pub(super) ticket: Ticket,
    pub(super) load: LoadGuard,
    pub(super) since: Instant,
}

/// Counts one connection of a worker for as long as it lives, however it ends.
pub(super) struct LoadGuard(Arc<AtomicUsize>);

impl LoadGuard {
    pub(super) fn new(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How the acceptor reaches a worker.
pub struct WorkerHandle {
    pub(super) sender: mpsc::UnboundedSender<Accepted>,
    pub(super) load: Arc<AtomicUsize>,
    /// The worker's thread, for the process to wait for.
    pub thread: JoinHandle<()>,
}

/// What a worker's connections have in common.
pub(super) struct Worker {
    pub(super) published: Arc<Published>,
    pub(super) door: Arc<Door>,
    pub(super) shard: Arc<Shard>,
    pub(super) seats: Rc<Seats>,
    pub(super) steps: Rc<Steps>,
    pub(super) client_scratch: RefCell<Box<[u8]>>,
    pub(super) lane_scratch: RefCell<Box<[u8]>>,
    pub(super) seal_scratch: RefCell<Scratch>,
    pub(super) lanes: SharedLanes,
    pub(super) spares: Spares,
    pub(super) right_of_way: Rc<RightOfWay>,
    pub(super) resting: Resting,
    next_client: Arc<AtomicU64>,
    draining: Cell<bool>,
    /// The generation of which the memory's budget was last looked at.
    budgeted: Cell<u64>,
    lines: RefCell<LineLimiter>,
}

impl Worker {
    /// Whether Redwall is on its way out.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Has the memory's budget follow the snapshot in force, and sees to it that it is kept when no connection does.
    fn keep_to_budget(&self) {
        let memory = self.door.memory();
        let generation = self.published.generation();
        if self.budgeted.replace(generation) != generation {
            memory.set_budget(self.published.current().process.max_memory);
        }
        memory.relieve();
    }

    /// The next connection's number, unique in the process.
    pub(super) fn next_client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether `peer` may cause one more log line; tells how many were withheld before.
    pub(super) fn may_log(&self, database: &Database, peer: IpAddr, now: Instant) -> bool {
        let place = database.slots.place(peer);
        match self.lines.borrow_mut().permit(place, now) {
            Line::Write { suppressed_before } => {
                if suppressed_before > 0 {
                    tracing::info!(
                        lines = suppressed_before,
                        "log lines about clients' failures were withheld"
                    );
                }
                true
            }
            Line::Withhold => false,
        }
    }

    /// One line about a login that failed. The name that was tried is the client's own word and isn't repeated.
    pub(super) fn log_failed_login(&self, database: &Database, peer: IpAddr, now: Instant) {
        if self.may_log(database, peer, now) {
            tracing::info!(%peer, database = database.name, "login failed");
        }
    }
}

/// What a worker is given when it starts.
pub struct Start {
    /// The snapshot in force.
    pub published: Arc<Published>,
    /// What all threads share.
    pub door: Arc<Door>,
    /// Where its counters are registered.
    pub metrics: Arc<Metrics>,
    /// Whether to go on.
    pub course: watch::Receiver<Course>,
    /// The source of connections' numbers.
    pub next_client: Arc<AtomicU64>,
}

/// Starts worker `index` on a thread of its own.
///
/// # Errors
/// The operating system's, if there can be no more threads or descriptors.
pub fn spawn(index: usize, start: Start) -> std::io::Result<WorkerHandle> {
    let (sender, receiver) = mpsc::unbounded_channel();
    // Registered here, so that the order of shards is that of workers, and a worker that never starts is missed.
    let shard = start.metrics.shard();
    let name = format!("redwall-worker-{index}");
    let thread = vital::spawn_loop(&name, move || run(start, shard, receiver))?;
    Ok(WorkerHandle {
        sender,
        load: Arc::new(AtomicUsize::new(0)),
        thread,
    })
}

async fn run(start: Start, shard: Arc<Shard>, receiver: mpsc::UnboundedReceiver<Accepted>) {
    let Start {
        published,
        door,
        metrics: _,
        course,
        next_client,
    } = start;
    let worker = Rc::new(Worker {
        published,
        door,
        steps: Rc::new(Steps::new(Arc::clone(&shard))),
        right_of_way: Rc::new(RightOfWay::new(Arc::clone(&shard))),
        shard,
        seats: Rc::default(),
        client_scratch: RefCell::new(vec![0; CLIENT_SCRATCH].into_boxed_slice()),
        lane_scratch: RefCell::new(vec![0; LANE_SCRATCH].into_boxed_slice()),
        seal_scratch: RefCell::default(),
        lanes: SharedLanes::default(),
        spares: Spares::default(),
        resting: Resting::default(),
        next_client,
        draining: Cell::new(false),
        budgeted: Cell::new(0),
        lines: RefCell::default(),
    });
    drop(tokio::task::spawn_local(right_of_way::limit(Rc::clone(
        &worker.right_of_way,
    ))));
    tokio::select! {
        never = worker.steps.renew_each_turn() => match never {},
        () = control(&worker, receiver, course) => {}
    }
}

/// Takes connections in, and tells those that are there of the time and of the end.
async fn control(
    worker: &Rc<Worker>,
    mut receiver: mpsc::UnboundedReceiver<Accepted>,
    mut course: watch::Receiver<Course>,
) {
    let mut snapshots = worker.published.subscribe();
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            Some(accepted) = receiver.recv() => {
                drop(tokio::task::spawn_local(establish::serve(Rc::clone(worker), accepted)));
            }
            _ = sweep.tick() => {
                let now = Instant::now();
                worker.keep_to_budget();
                worker.seats.sweep(now);
                worker.lanes.sweep(worker, now);
                worker.spares.sweep(worker, now);
                worker.shard.event_loop().beat(now);
            }
            changed = course.changed() => {
                if changed.is_err() {
                    return;
                }
                worker.draining.set(*course.borrow_and_update() == Course::Draining);
                drop(tokio::task::spawn_local(Rc::clone(&worker.seats).wake_all()));
            }
            Ok(()) = snapshots.changed() => {
                drop(tokio::task::spawn_local(Rc::clone(&worker.seats).wake_all()));
            }
        }
    }
}
