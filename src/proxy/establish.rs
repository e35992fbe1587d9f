//! From an admitted socket to a session: handshake, identity, and the first judgement of who is there.

mod turned;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use rustls::ProtocolVersion;

use self::turned::Turned;
use super::connection::{Connection, End, Phase};
use super::memory::Charge;
use super::place::Way;
use super::seats::Seat;
use super::spares::own_name;
use super::steps::Place;
use super::vital::Alone;
use super::worker::{Accepted, LoadGuard, Worker};
use crate::backend::Purpose;
use crate::client::{Client, ClientFault, IdentityFault, Received, Seen, Tls, identity, verifier};
use crate::lane::Lane;
use crate::resp::RequestScanner;
use crate::session::{Beginning, Session};
use crate::snapshot::{Database, Lanes, Transport};
use crate::telemetry::{CloseReason, HandshakeOutcome};

/// So many reloads a handshake may outlive.
const GENERATIONS_KEPT: u64 = 8;

/// Serves one accepted connection to its end. The room for a handshake is in a box of its own, which an idle client's task needn't carry.
pub(super) fn serve(worker: Rc<Worker>, accepted: Accepted) -> impl Future<Output = ()> {
    let establishing = Box::pin(establish(worker, accepted));
    async move {
        let _alone = Alone;
        let Some(established) = establishing.await else {
            return;
        };
        let Established {
            connection,
            closed,
            load,
        } = established;
        let End(reason) = Connection::serve(connection).await;
        closed.reason.set(Some(reason));
        drop(load);
    }
}

/// A client that has proven all that a handshake proves.
struct Established {
    connection: Rc<RefCell<Connection>>,
    closed: CloseCounter,
    load: LoadGuard,
}

async fn establish(worker: Rc<Worker>, accepted: Accepted) -> Option<Established> {
    let Accepted {
        socket,
        peer,
        local,
        database,
        index,
        generation,
        transport,
        ticket,
        load,
        since,
    } = accepted;
    let seat = worker.seats.take(ticket);
    let client = client(socket, transport, &database)?;
    let newcomer = Newcomer {
        worker,
        seat,
        database,
        index,
        generation,
        peer,
        local,
        since,
        seen: RefCell::default(),
    };
    let (connection, closed) = newcomer.establish(client).await?;
    Some(Established {
        connection,
        closed,
        load,
    })
}

/// A socket with the TLS that its listener speaks.
fn client(
    socket: std::net::TcpStream,
    transport: Transport,
    database: &Database,
) -> Option<Box<Client>> {
    let socket = tokio::net::TcpStream::from_std(socket).ok()?;
    let tls = match (transport, &database.tls) {
        (Transport::Plaintext, _) => None,
        (Transport::Tls, Some(tls)) => Some(Tls::new(Arc::clone(&tls.config)).ok()?),
        // A TLS listener without TLS can't be loaded; were it there, nobody would be served in the clear.
        (Transport::Tls, None) => return None,
    };
    Some(Box::new(Client::new(socket, tls)))
}

/// A connection that has not proven anything yet.
struct Newcomer {
    worker: Rc<Worker>,
    seat: Seat,
    database: Arc<Database>,
    index: usize,
    generation: u64,
    peer: SocketAddr,
    local: SocketAddr,
    since: Instant,
    /// What the verifier saw of this connection's certificate.
    seen: RefCell<Option<Seen>>,
}

impl Newcomer {
    async fn establish(
        self,
        mut client: Box<Client>,
    ) -> Option<(Rc<RefCell<Connection>>, CloseCounter)> {
        std::future::poll_fn(|context| {
            self.seat.register(context.waker());
            Poll::Ready(())
        })
        .await;
        let unfinished = Unfinished {
            worker: Rc::clone(&self.worker),
            index: self.index,
        };
        let deadline = self.login_deadline();
        self.seat.wake_at(Some(deadline));
        let mut input = Vec::new();
        let place = Place::new(&self.worker.steps);
        let done = std::future::poll_fn(|context| {
            self.shake_hands(&mut client, &mut input, &place, context)
        })
        .await;
        drop(place);
        let certificate_user = match done.and_then(|()| self.identify(&client)) {
            Ok(user) => user,
            Err(turned) => {
                self.turn_away(client, input, turned).await;
                return None;
            }
        };
        let closed = CloseCounter {
            worker: Rc::clone(&self.worker),
            index: self.index,
            reason: Cell::default(),
        };
        drop(unfinished);
        let connection = self.connection(client, certificate_user, input, deadline);
        Some((Rc::new(RefCell::new(connection)), closed))
    }

    fn login_deadline(&self) -> Instant {
        self.since + self.database.limits.login_timeout
    }

    /// Drives the handshake: reads, and writes what TLS answers, until it is over. What has arrived is read when it is this
    /// newcomer's turn.
    fn shake_hands(
        &self,
        client: &mut Client,
        input: &mut Vec<u8>,
        place: &Place,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Turned>> {
        loop {
            if let Poll::Ready(Err(_)) = client.poll_flush(context) {
                return Poll::Ready(Err(Turned::Abandoned));
            }
            if !client.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.seat.is_evicted() {
                return Poll::Ready(Err(Turned::Evicted));
            }
            if self.worker.is_draining() {
                return Poll::Ready(Err(Turned::Drained));
            }
            if !self.is_still_admitted() {
                return Poll::Ready(Err(Turned::Withdrawn));
            }
            if Instant::now() >= self.login_deadline() {
                return Poll::Ready(Err(Turned::Timeout));
            }
            if ready!(client.poll_readable(context)).is_err() {
                return Poll::Ready(Err(Turned::Abandoned));
            }
            ready!(place.poll_step(context));
            let mut scratch = self.worker.client_scratch.borrow_mut();
            let received = client.poll_receive(context, &mut scratch, input);
            drop(scratch);
            if let Some(seen) = verifier::take_seen() {
                self.seen.replace(Some(seen));
            }
            match received {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Received::Bytes)) => {}
                // Its last flight, its commands and its goodbye may come at once.
                Poll::Ready(Ok(Received::End)) if !client.is_handshaking() => {}
                Poll::Ready(Ok(Received::End) | Err(ClientFault::Io(_))) => {
                    return Poll::Ready(Err(Turned::Abandoned));
                }
                Poll::Ready(Err(ClientFault::Tls(fault))) => {
                    return Poll::Ready(Err(self.explain(&fault)));
                }
            }
        }
    }

    /// Whether a newer snapshot still admits the address. The rest is judged when the handshake is over. One that began many
    /// snapshots ago must begin again, since it keeps its own from being freed.
    fn is_still_admitted(&self) -> bool {
        let behind = self
            .worker
            .published
            .generation()
            .saturating_sub(self.generation);
        if behind == 0 {
            return true;
        }
        let snapshot = self.worker.published.current();
        behind <= GENERATIONS_KEPT
            && snapshot
                .databases
                .get(self.index)
                .is_some_and(|database| database.admission.admit(self.peer.ip()).is_ok())
    }

    /// Counts the handshake and finds the user that the client's certificate proves, if it has one.
    fn identify(&self, client: &Client) -> Result<Option<String>, Turned> {
        let Some(tls) = client.tls() else {
            return Ok(None);
        };
        client.acknowledge_at_once();
        let user = match (tls.peer_certificates().first(), &*self.seen.borrow()) {
            (None, _) => None,
            (Some(leaf), Some(seen)) => {
                identity::prove(&self.database.certificate_users, seen, leaf)
                    .map_err(|fault| Turned::unmapped(fault.to_string()))?
            }
            (Some(_), None) => {
                return Err(Turned::unmapped(IdentityFault::NotVerified.to_string()));
            }
        };
        self.count(match tls.version() {
            Some(ProtocolVersion::TLSv1_2) => HandshakeOutcome::Tls12,
            Some(_) | None => HandshakeOutcome::Tls13,
        });
        Ok(user)
    }

    fn count(&self, outcome: HandshakeOutcome) {
        if let Some(shard) = self.worker.shard.database(self.index) {
            shard.handshake(outcome);
        }
    }

    fn connection(
        self,
        client: Box<Client>,
        certificate_user: Option<String>,
        input: Vec<u8>,
        login_deadline: Instant,
    ) -> Connection {
        let Self {
            worker,
            seat,
            database,
            index,
            generation,
            peer,
            local,
            since,
            seen: _,
        } = self;
        if let Some(shard) = worker.shard.database(index) {
            shard.opened();
        }
        let id = worker.next_client_id();
        let beginning = Beginning {
            id,
            peer,
            local,
            certificate_user,
            since,
        };
        let session = Session::new(beginning, &database.policy);
        let status = Arc::clone(worker.door.backend(index));
        let (purpose, name) = match database.lanes {
            Lanes::Own => (Purpose::Client, format!("redwall:{}:{id}", database.name)),
            Lanes::Shared => (Purpose::Spare, own_name(&database)),
        };
        let lane = Lane::new(Arc::clone(&database.backend), status, purpose, name);
        let lanes = database.lanes;
        Connection {
            charge: Charge::new(worker.door.memory()),
            worker,
            seat,
            database,
            database_index: index,
            generation,
            peer: peer.ip(),
            client,
            login_deadline: session.principal().is_none().then_some(login_deadline),
            session,
            way: Way::new(lane, lanes),
            ended: None,
            given_up: false,
            holds_up: false,
            coming_in: 0,
            facts: None,
            scanner: RequestScanner::default(),
            input,
            consumed: 0,
            out: Vec::new(),
            phase: Phase::Requests,
            waiting: None,
            client_has_left: false,
            output_moved: Instant::now(),
            quiet: None,
            moved: None,
        }
    }
}

/// Counts a handshake that a fault of Redwall's own ends.
struct Unfinished {
    worker: Rc<Worker>,
    index: usize,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(shard) = self.worker.shard.database(self.index)
        {
            shard.handshake(HandshakeOutcome::Internal);
        }
    }
}

/// Counts a connection's end, also when a fault of Redwall's own ends it.
struct CloseCounter {
    worker: Rc<Worker>,
    index: usize,
    reason: Cell<Option<CloseReason>>,
}

impl Drop for CloseCounter {
    fn drop(&mut self) {
        if let Some(shard) = self.worker.shard.database(self.index) {
            shard.closed(self.reason.get().unwrap_or(CloseReason::Internal));
        }
    }
}

#[cfg(test)]
mod tests;
