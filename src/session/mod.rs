//! One client's state machine: what Redis keeps per connection is kept here, for the backend connection may change.
//!
//! Pure: requests and replies go in, actions and bytes come out. It decides what happens to a request, never how bytes travel.

mod client_command;
mod hello;
mod login;
mod own_answer;
mod reply;
mod request;
mod subscriptions;
mod transaction;

pub use reply::{PairingFault, Route};
pub use request::{Action, Around, Denied, Forward, Handled, Internal, LoginOutcome, Wire};

use std::time::{Duration, Instant};

use crate::acl::{self, NoPass, Policy, Principal};
use crate::pairing::Turns;
use crate::resp::{Limits, Protocol, encode};
use subscriptions::Subscriptions;
use transaction::Transaction;

/// What a session is told when its connection is established; nothing of it ever changes.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The connection's number, unique in the process: what `CLIENT ID` answers.
    pub id: u64,
    /// The client's address as `CLIENT INFO` shows it.
    pub peer: String,
    /// The address that it connected to.
    pub local: String,
    /// The user that its certificate proves, if there is one.
    pub certificate_user: Option<String>,
    /// When it was established.
    pub since: Instant,
}

/// One client's session.
pub struct Session {
    beginning: Beginning,
    principal: Option<Principal>,
    protocol: Protocol,
    name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_version: Vec<u8>,
    /// The number of the selected database, as the backend last confirmed it.
    database: u32,
    /// SELECTs whose replies are outstanding.
    selecting: u32,
    transaction: Transaction,
    subscriptions: Subscriptions,
    turns: Turns,
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
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_version: Vec::new(),
            transaction: Transaction::None,
            subscriptions: Subscriptions::default(),
            turns: Turns::default(),
        }
    }

    /// Who the client is, once it is logged in.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// The protocol that the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The number of the selected database, as the backend last confirmed it.
    pub fn database(&self) -> u32 {
        self.database
    }

    /// The bounds on requests: narrow before login.
    pub fn limits(&self, after_login: Limits) -> Limits {
        match self.principal {
            Some(_) => after_login,
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

    /// Replies that the backend owes, and bytes of answers that wait behind them.
    pub fn outstanding(&self) -> (usize, usize) {
        (self.turns.awaited(), self.turns.held())
    }

    /// Nothing comes from the backend any more: the oldest request that it owes a reply is answered with `text`, and the
    /// session ends.
    pub fn give_up(&mut self, text: &str, out: &mut Vec<u8>) {
        self.turns = Turns::default();
        encode::error(out, text);
    }

    /// When the backend must have answered the oldest request, given how long it may take.
    pub fn reply_deadline(&self, allowed: Duration) -> Option<Instant> {
        self.turns.deadline(allowed)
    }

    /// The policy has changed: whether this client may still be here. Its rights are looked up again at its next command.
    pub fn on_policy(&mut self, policy: &Policy) -> Standing {
        let Some(principal) = &self.principal else {
            return Standing::Stays;
        };
        match principal.renewed(policy, self.beginning.certificate_user.as_deref()) {
            Some(principal) => {
                self.principal = Some(principal);
                Standing::Stays
            }
            None => Standing::Revoked,
        }
    }

    /// RESET: everything but the connection itself is as at the beginning.
    fn reset(&mut self, policy: &Policy) {
        self.principal = at_start(policy, self.beginning.certificate_user.as_deref());
        self.protocol = Protocol::Resp2;
        self.name.clear();
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
    /// It may.
    Stays,
    /// Its user is gone, switched off, or proved by other means now.
    Revoked,
}
