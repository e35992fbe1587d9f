//! One client's state machine: what Redis keeps per connection is kept here, for the backend connection may change.
//!
//! Pure: requests and replies go in, actions and bytes come out. It decides what happens to a request, never how bytes travel.

mod acknowledged;
mod action;
mod block;
mod client_command;
mod exec;
mod hello;
mod login;
mod own_answer;
mod placement;
mod reply;
mod request;
mod strict;
mod subscriptions;
mod transaction;

#[cfg(test)]
mod tests;

pub use acknowledged::Before;
pub use action::{Action, Around, Denied, Forward, Handled, Internal, LoginOutcome, Wire};
pub use placement::{BULKY, Class, LARGE, Placement, Trace};
pub use reply::{PairingFault, Route};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::acl::{self, NoPass, Policy, Principal, Verdict};
use crate::command;
use crate::pairing::Turns;
use crate::resp::{Limits, OwnedRequest, Protocol, encode};
use acknowledged::Written;
use client_command::Names;
use subscriptions::Subscriptions;
use transaction::Transaction;

/// What a session is told when its connection is established. Nothing of it changes but whom the certificate proves, by
/// [`Session::on_policy`].
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The connection's number, unique in the process: what `CLIENT ID` answers.
    pub id: u64,
    /// The client's address as `CLIENT INFO` shows it.
    pub peer: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// The user that its certificate proves, if there is one.
    pub certificate_user: Option<String>,
    /// When it was established.
    pub since: Instant,
}

/// One client's session.
pub struct Session {
    beginning: Beginning,
    principal: Option<Principal>,
    /// The protocol that the client has asked for: in which its next request is answered.
    protocol: Protocol,
    /// The protocol that the backend's next frame is in: it lags behind while a HELLO is outstanding.
    spoken: Protocol,
    /// Nothing for a client that says nothing of itself.
    names: Option<Box<Names>>,
    /// The number of the selected database, as the backend last confirmed it.
    database: u32,
    /// SELECTs, and EXECs with SELECTs in them, whose replies are outstanding.
    selecting: u32,
    transaction: Transaction,
    subscriptions: Subscriptions,
    turns: Turns,
    written: Written,
}

impl Session {
    /// A session as it is right after the handshake: logged in already if the certificate alone, or `default`, suffices.
    pub fn new(beginning: Beginning, policy: &Policy) -> Self {
        Self {
            principal: at_start(policy, beginning.certificate_user.as_deref()),
            database: 0,
            selecting: 0,
            beginning,
            protocol: Protocol::Resp2,
            spoken: Protocol::Resp2,
            names: None,
            transaction: Transaction::None,
            subscriptions: Subscriptions::default(),
            turns: Turns::default(),
            written: Written::default(),
        }
    }

    /// Who the client is, once it is logged in.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Whom its certificate proves, as far as is known.
    pub fn certificate_user(&self) -> Option<&str> {
        self.beginning.certificate_user.as_deref()
    }

    /// The protocol that the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The number of the selected database, as the backend last confirmed it.
    pub fn database(&self) -> u32 {
        self.database
    }

    /// The bounds on requests: narrow before login, the user's own after it.
    pub fn limits(&self, after_login: Limits) -> Limits {
        match &self.principal {
            Some(principal) => Limits {
                max_bulk: after_login.max_bulk.min(principal.user().quota().max_value),
                ..after_login
            },
            None => Limits::BEFORE_LOGIN,
        }
    }

    /// Whether nothing is outstanding and nothing but the session itself would be lost with the backend connection.
    pub fn is_idle(&self) -> bool {
        self.turns.is_empty() && !self.needs_its_lane()
    }

    /// Whether the backend connection holds state of this client that can't be made again elsewhere.
    pub fn needs_its_lane(&self) -> bool {
        !matches!(self.transaction, Transaction::None) || !self.subscriptions.is_empty()
    }

    /// Whether the backend may take as long as it likes for a reply, as BLPOP lets it.
    pub fn is_blocked(&self) -> bool {
        self.turns.is_blocked()
    }

    /// Whether the client has the beginning of a reply and not its end.
    pub fn is_inside_reply(&self) -> bool {
        self.turns.is_inside_frame()
    }

    /// Whether the backend owes a reply.
    pub fn has_outstanding(&self) -> bool {
        self.turns.awaited() > 0
    }

    /// Replies that the backend owes, and bytes of answers that wait behind them.
    pub fn outstanding(&self) -> (usize, usize) {
        (self.turns.awaited(), self.turns.held())
    }

    /// Bytes of memory that grow with what the client asks for: answers and requests that wait, names that it subscribes to.
    pub fn held(&self) -> usize {
        self.turns.memory() + self.subscriptions.bytes()
    }

    /// Gives back the memory that is kept for what the client asks for next.
    pub fn give_back(&mut self) {
        self.turns.give_back();
    }

    /// Whether the client has heard of every request; replies may still come that it doesn't wait for.
    pub fn is_answered(&self) -> bool {
        self.turns.is_answered()
    }

    /// The requests whose replies are overdue are answered with `text`, and what comes for them is dropped. Returns how many they were.
    ///
    /// # Errors
    /// The session can't go on so: its state at the backend is unknown, or the client has the beginning of a reply. So many were answered.
    pub fn answer_overdue(
        &mut self,
        text: &str,
        allowed: Duration,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<usize, usize> {
        if self.needs_its_lane() {
            return Err(0);
        }
        self.turns
            .answer_overdue(allowed, now, out, |out| encode::error(out, text))
    }

    /// The backend connection is gone with the replies that it owed: each request is answered with `text`. False, and nothing is changed,
    /// if the session can't go on so.
    pub fn answer_lost(&mut self, text: &str, out: &mut Vec<u8>) -> bool {
        !self.needs_its_lane() && self.turns.answer_lost(out, |out| encode::error(out, text))
    }

    /// Since when nothing has come from the backend although replies are late; `None` if none is.
    pub fn late_since(&self) -> Option<Instant> {
        self.turns.late_since()
    }

    /// Nothing comes from the backend any more: the oldest request of which the client hasn't heard is answered with `text`, and the
    /// session ends. A client that has the beginning of a reply is told nothing: it would take it for the rest.
    pub fn give_up(&mut self, text: &str, out: &mut Vec<u8>) {
        let turns = std::mem::take(&mut self.turns);
        if !turns.is_inside_frame() && !turns.is_answered() {
            encode::error(out, text);
        }
    }

    /// The request that was forwarded last was cut off on its way: its reply will never come.
    pub fn cut_off(&mut self) {
        self.turns.cut_off();
    }

    /// Forgets the request that is under way, if the client may ask again and nobody notices: it only reads, nothing of its reply has
    /// come, and nothing of the client's lies behind it. Says whether it was forgotten.
    #[must_use]
    pub fn take_back(&mut self) -> bool {
        let may_be_asked_again = self.turns.only().is_some_and(|only| {
            let row = only.row.and_then(command::row);
            let only_reads = row.is_some_and(|row| row.flags.has(command::flags::bits::READONLY));
            only_reads && only.is_ordinary()
        });
        if may_be_asked_again && !self.needs_its_lane() {
            self.turns.cut_off();
            return true;
        }
        false
    }

    /// It isn't the backend's fault that the oldest request has no reply yet: its time begins anew.
    pub fn excuse(&mut self, now: Instant) {
        self.turns.excuse(now);
    }

    /// When the backend must have answered the oldest request, given how long it may take.
    pub fn reply_deadline(&self, allowed: Duration) -> Option<Instant> {
        self.turns.deadline(allowed)
    }

    /// The policy has changed: whether this client may still be here. Its rights are looked up again at its next command; a
    /// transaction of commands that were judged by other rights fails, as do those of Redis when EXEC judges them again.
    ///
    /// `certificate_user` is whom its certificate proves as of now.
    pub fn on_policy(&mut self, policy: &Policy, certificate_user: Option<String>) -> Standing {
        self.beginning.certificate_user = certificate_user;
        let Some(before) = &self.principal else {
            return Standing::Unchanged;
        };
        let renewed = before.renewed(policy, self.beginning.certificate_user.as_deref());
        let Some(principal) = renewed else {
            return Standing::Revoked;
        };
        let same = principal.user().has_same_rights(before.user());
        let user = Arc::clone(principal.user());
        self.principal = Some(principal);
        if same {
            return Standing::Unchanged;
        }
        self.transaction.refuse();
        match self.subscriptions.names().all(|(command, name)| {
            let request = OwnedRequest::new(&[command.as_bytes(), name]);
            command::classify(request.as_request())
                .is_ok_and(|call| matches!(policy.evaluate(&user, call), Verdict::Allow(_)))
        }) {
            true => Standing::Changed,
            false => Standing::Revoked,
        }
    }

    /// RESET: everything but the connection itself is as at the beginning.
    fn reset(&mut self, policy: &Policy) {
        self.principal = at_start(policy, self.beginning.certificate_user.as_deref());
        self.protocol = Protocol::Resp2;
        self.spoken = Protocol::Resp2;
        if let Some(names) = &mut self.names {
            names.name.clear();
        }
        self.database = 0;
        self.transaction = Transaction::None;
        self.subscriptions = Subscriptions::default();
    }
}

/// Who a client is before it has said a word: its certificate's user, or `default` where that needs no password.
fn at_start(policy: &Policy, certificate_user: Option<&str>) -> Option<Principal> {
    let certified = certificate_user.and_then(|user| acl::identify(policy, user));
    certified.or_else(|| {
        policy
            .user("default")
            .filter(|user| user.nopass() == NoPass::Yes)?;
        acl::authenticate(policy, certificate_user, "default", b"").ok()
    })
}

/// Whether a client may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may, with the same rights.
    Unchanged,
    /// It may, with other rights: what is half-way to the backend was judged by those that it had.
    Changed,
    /// Its user is gone, switched off, or proved by other means now, or it listens to what it may no longer hear.
    Revoked,
}
