//! Whether a backend answers, and what it says of itself: asked once a second on a connection of its own.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connect::{self, Connected, Facts, Login, Purpose};
use super::connect_fault::ConnectFault;
use super::pace::Gate;
use crate::resp::Protocol;
use crate::snapshot::BackendTarget;
use crate::telemetry::BackendConnections;

/// Pause between two probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of one backend, for all threads.
#[derive(Debug)]
pub struct BackendStatus {
    up: AtomicBool,
    known: RwLock<Known>,
    /// Counts the processes, and the roles, that have been behind the address.
    incarnation: AtomicU64,
    /// The smallest database number that was found not to be there.
    numbers: AtomicU32,
    /// Whether it has answered EXEC so that nobody could tell whether the transaction was over.
    strays: AtomicBool,
    /// Through which connections for clients go.
    pub(super) gate: Gate,
    /// Its connections, counted.
    pub(super) connections: BackendConnections,
}

/// What a server said of itself, and which one that is.
#[derive(Debug)]
struct Known {
    target: Arc<BackendTarget>,
    facts: Option<Arc<Facts>>,
}

/// No backend's incarnation: theirs are counted from 1.
const NO_INCARNATION: u64 = 0;

impl BackendStatus {
    /// A backend of which nothing is known yet but where it is; its connections are counted in `connections`.
    pub fn new(target: &Arc<BackendTarget>, connections: BackendConnections) -> Self {
        Self {
            up: AtomicBool::new(false),
            known: RwLock::new(Known {
                target: Arc::clone(target),
                facts: None,
            }),
            incarnation: AtomicU64::new(1),
            numbers: AtomicU32::new(u32::MAX),
            strays: AtomicBool::new(false),
            gate: Gate::default(),
            connections,
        }
    }

    /// Whether the last probe was answered.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// What the backend said of itself at its last login; `None` if it never was reached.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .facts
            .clone()
    }

    /// The backend is there from now on. Of another server nothing is known yet.
    pub fn leads_to(&self, target: &Arc<BackendTarget>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.target.is_same_server(target) {
            known.facts = None;
            self.forget_what_it_had();
        }
        known.target = Arc::clone(target);
    }

    /// Which of the processes and roles that have been behind the address was there last: one atomic load.
    pub fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// Whether the backend may have a database of this number.
    pub fn may_have(&self, number: u32) -> bool {
        number < self.numbers.load(Ordering::Relaxed)
    }

    /// The backend has no database of this number, and so none above.
    pub fn has_not(&self, number: u32) {
        self.numbers.fetch_min(number, Ordering::Relaxed);
    }

    /// What was found out by trying is of the server, and its role, that was there.
    fn forget_what_it_had(&self) {
        self.numbers.store(u32::MAX, Ordering::Relaxed);
        self.strays.store(false, Ordering::Relaxed);
    }

    /// Whether a transaction must not share a connection, because one has ended so that nobody could tell whether it was over. That stays so
    /// until another server, or one in another role, is there: what this one has is a matter of its configuration.
    pub fn strays_in_transactions(&self) -> bool {
        self.strays.load(Ordering::Relaxed)
    }

    /// It has answered EXEC so.
    pub fn strayed_in_transaction(&self) {
        self.strays.store(true, Ordering::Relaxed);
    }

    /// Remembers what the server at `target` said of itself; returns which incarnation of the backend that makes it. A connection that was
    /// begun before a reload may end at a server that is the backend no longer: that is none, and says nothing of the one that is.
    pub fn learned(&self, target: &BackendTarget, facts: &Facts) -> u64 {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.target.is_same_server(target) {
            return NO_INCARNATION;
        }
        let mut facts = facts.clone();
        if facts.run_id.is_empty()
            && let Some(before) = known.facts.as_deref()
        {
            facts.run_id.clone_from(&before.run_id);
        }
        if known.facts.as_deref() != Some(&facts) {
            let before = known.facts.as_deref();
            if before.is_some_and(|before| is_another(before, &facts)) {
                self.incarnation.fetch_add(1, Ordering::AcqRel);
                self.forget_what_it_had();
            }
            known.facts = Some(Arc::new(facts));
        }
        self.incarnation()
    }
}

/// Whether a session that began with one can't go on with the other: its cursors mean nothing there, or what it reads may be old.
fn is_another(known: &Facts, facts: &Facts) -> bool {
    let renamed = known.run_id != facts.run_id && !known.run_id.is_empty();
    renamed || known.role != facts.role
}

/// Probes `target` for as long as the future is polled, and tells `on_change` whenever it comes up or goes down. `last` is whether it
/// was up when it was probed last, if it has been.
///
/// Dropped at any moment it ends its connection by a reset and leaves `status` as it last was, for the next one to go on with.
pub async fn watch(
    target: Arc<BackendTarget>,
    status: Arc<BackendStatus>,
    name: String,
    mut last: Option<bool>,
    mut on_change: impl FnMut(Result<&Facts, &ConnectFault>),
) {
    let login = Login {
        protocol: Protocol::Resp2,
        number: 0,
        name: &name,
    };
    loop {
        let fault = match connect::connect(&target, &status, Purpose::Probe, login).await {
            Ok(connected) => {
                let incarnation = status.learned(&target, &connected.facts);
                status.up.store(true, Ordering::Relaxed);
                if last != Some(true) {
                    on_change(Ok(&connected.facts));
                }
                last = Some(true);
                match probe_until_it_fails((connected, incarnation), &status, &target).await {
                    ProbeEnd::Failed(fault) => fault,
                    ProbeEnd::Replaced => continue,
                }
            }
            Err(fault) => fault,
        };
        status.up.store(false, Ordering::Relaxed);
        if last != Some(false) {
            on_change(Err(&fault));
        }
        last = Some(false);
        sleep(INTERVAL).await;
    }
}

/// How a probe's connection comes to its end.
enum ProbeEnd {
    /// The backend doesn't answer on it.
    Failed(ConnectFault),
    /// Other connections have met another server meanwhile: what the old one goes on saying doesn't count any more.
    Replaced,
}

/// Any answer shows that the backend is there, an error such as LOADING too. A role changes without the connection's end.
async fn probe_until_it_fails(
    (mut connected, mut incarnation): (Connected, u64),
    status: &BackendStatus,
    target: &BackendTarget,
) -> ProbeEnd {
    // Nobody misses an answer.
    connected.stream.reset_on_close();
    let mut facts = connected.facts;
    loop {
        sleep(INTERVAL).await;
        let role = connect::role(&mut connected.stream);
        let role = match timeout(target.connect_timeout, role).await {
            Ok(Ok(role)) => role,
            Ok(Err(fault)) => return ProbeEnd::Failed(fault),
            Err(_) => return ProbeEnd::Failed(ConnectFault::Timeout(target.connect_timeout)),
        };
        if status.incarnation() != incarnation {
            return ProbeEnd::Replaced;
        }
        if let Some(role) = role {
            facts.role = role;
            incarnation = status.learned(target, &facts);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::backend::testing::{self, Ended};

    fn facts(run_id: &str) -> Facts {
        Facts {
            run_id: run_id.to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn what_a_server_says_that_is_the_backend_no_longer_is_not_heard() {
        let (old, new) = (
            testing::target("127.0.0.1", 1),
            testing::target("127.0.0.1", 2),
        );
        let (status, _metrics) = testing::status(&old);
        let begun = status.learned(&old, &facts("a"));
        status.leads_to(&new);
        assert_eq!(status.facts(), None);
        assert_eq!(status.learned(&new, &facts("b")), begun);
        // A connection to the old one that took its time.
        assert_ne!(status.learned(&old, &facts("a")), begun);
        assert_eq!(status.incarnation(), begun, "nobody has to go");
        assert_eq!(
            status.facts().map(|facts| facts.run_id.clone()),
            Some("b".to_owned())
        );
        assert_ne!(status.learned(&new, &facts("c")), begun);
        assert_ne!(status.incarnation(), begun);
    }

    #[test]
    fn what_was_found_out_by_trying_is_forgotten_with_the_server() {
        let (here, elsewhere) = (
            testing::target("127.0.0.1", 1),
            testing::target("127.0.0.1", 2),
        );
        let (status, _metrics) = testing::status(&here);
        let found_out = || (!status.may_have(3), status.strays_in_transactions());
        let find_out = || {
            status.has_not(3);
            status.strayed_in_transaction();
            assert_eq!(found_out(), (true, true));
        };
        status.learned(&here, &facts("a"));
        find_out();
        status.learned(&here, &facts("a"));
        status.leads_to(&here);
        assert_eq!(found_out(), (true, true), "it is the same one");
        status.learned(&here, &facts("b"));
        assert_eq!(found_out(), (false, false));
        find_out();
        status.leads_to(&elsewhere);
        assert_eq!(found_out(), (false, false));
    }

    #[tokio::test]
    async fn a_probe_that_is_aborted_leaves_no_connection_and_no_count_behind() {
        let (listener, target) = testing::backend().await;
        let (status, metrics) = testing::status(&target);
        let told = Arc::new(Mutex::new(Vec::new()));
        let on_change = {
            let told = Arc::clone(&told);
            move |state: Result<&Facts, &ConnectFault>| told.lock().unwrap().push(state.is_ok())
        };
        let name = "redwall:main:probe".to_owned();
        let probe = tokio::spawn(watch(target, Arc::clone(&status), name, None, on_change));
        let mut stream = testing::accept(&listener).await;
        testing::hear(&mut stream, b"INFO").await;
        stream.write_all(b"$10\r\nrun_id:a\r\n\r\n").await.unwrap();
        testing::hear(&mut stream, b"ROLE").await;
        let open = "redwall_backend_connections{database=\"main\",state=\"open\"}";
        assert!(metrics.text().unwrap().contains(&format!("{open} 1\n")));
        probe.abort();
        assert!(probe.await.unwrap_err().is_cancelled());
        assert_eq!(testing::rest(stream).await, (Vec::new(), Ended::Reset));
        let shown = metrics.text().unwrap();
        assert!(shown.contains(&format!("{open} 0\n")), "{shown}");
        assert!(status.is_up(), "nobody has seen it go");
        assert_eq!(*told.lock().unwrap(), [true]);
        let opened = "redwall_backend_connections_opened_total{database=\"main\"} 0\n";
        assert!(shown.contains(opened), "it was no client's: {shown}");
    }
}
