//! A session without sockets: requests are offered and a backend's bytes are routed as the driver loop does it.

mod acknowledged;
mod answers;
mod model;
mod order;
mod ordinary;
mod subscriptions;
mod taken_back;
mod transactions;

use std::time::Instant;

use super::*;
use crate::acl::{Identity, UserSource};
use crate::acl::{PasswordHash, RuleList, Vocabulary};
use crate::resp::{FrameKind, ReplyScanner};

/// The rules of `app`, who may do everything within `a:*`.
const APP: &str = "+@all ~a:* &a:*";

/// A client that is logged in as `app`, its session, and the backend's end of its lane.
struct Bed {
    policy: Policy,
    session: Session,
    scanner: ReplyScanner,
    /// What went to the backend and wasn't looked at yet.
    wire: Vec<u8>,
    /// What went to the client and wasn't looked at yet.
    out: Vec<u8>,
    lane: Open,
}

/// Whether there is a backend connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

fn user(name: &str, rules: &str) -> UserSource {
    UserSource {
        rules: RuleList::parse(rules.as_bytes(), Vocabulary::Rights).unwrap(),
        identity: Identity {
            enabled: acl::Enabled::On,
            nopass: match name {
                "default" => NoPass::Yes,
                _ => NoPass::No,
            },
            passwords: vec![PasswordHash::of(name.as_bytes())],
        },
        ..UserSource::new(name)
    }
}

fn policy(generation: u64, app: &str) -> Policy {
    let users = [user("app", app), user("root", "+@all ~* &*")];
    Policy::compile(generation, &users, &[]).unwrap()
}

fn beginning() -> Beginning {
    Beginning {
        id: 7,
        peer: "192.0.2.1:1000".parse().unwrap(),
        local: "192.0.2.2:6379".parse().unwrap(),
        certificate_user: None,
        since: Instant::now(),
    }
}

/// All that is known of a request on its way.
fn described(forward: &Forward<'_>) -> String {
    let (wire, generation) = (
        forward.bytes().escape_ascii(),
        forward.permit().generation(),
    );
    format!(
        "{wire} {generation} {:?} {:?} {:?}",
        forward.lane, forward.patience, forward.special
    )
}

impl Bed {
    /// Before login.
    fn stranger(app: &str) -> Self {
        let policy = policy(1, app);
        Self {
            session: Session::new(beginning(), &policy),
            policy,
            scanner: ReplyScanner::new(),
            wire: Vec::new(),
            out: Vec::new(),
            lane: Open::Yes,
        }
    }

    /// Logged in as `app` with these rules.
    fn with(app: &str) -> Self {
        let mut bed = Self::stranger(app);
        assert_eq!(bed.ask("AUTH app app"), "+OK ");
        bed
    }

    fn new() -> Self {
        Self::with(APP)
    }

    fn resp3() -> Self {
        let mut bed = Self::new();
        bed.ask("HELLO 3");
        bed.reply("%0 ");
        bed.heard();
        bed.sent();
        bed
    }

    /// Offers a request, written as words; says what the session made of it.
    fn offer(&mut self, line: &str) -> &'static str {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        self.offer_request(owned.as_request())
    }

    fn offer_request(&mut self, request: crate::resp::Request<'_>) -> &'static str {
        let around = Around {
            policy: &self.policy,
            backend_version: Some("7.0.15"),
            max_subscriptions: 100,
            now: Instant::now(),
        };
        let ordinary = self.session.ordinary(request, &self.policy);
        let ordinary = ordinary
            .filter(|_| request.is_whole())
            .map(|it| described(&it));
        let action = self.session.on_request(request, around, &mut self.out);
        if ordinary.is_some() {
            // What is taken for ordinary is what would have been made of it in any case.
            let Action::Forward(forward) = &action else {
                panic!("{action:?} of {}", request.bytes().escape_ascii());
            };
            assert_eq!(ordinary, Some(described(forward)));
        }
        match action {
            Action::Forward(forward) => {
                self.wire.extend_from_slice(forward.bytes());
                self.session.forwarded(forward, around.now);
                "forwarded"
            }
            Action::Wait => "wait",
            Action::Incomplete => "incomplete",
            Action::Handled(handled) => self.handled(handled),
        }
    }

    fn handled(&mut self, handled: Handled) -> &'static str {
        match handled {
            Handled::Answered { .. } => "answered",
            Handled::Denied(_) => "denied",
            Handled::Login {
                outcome: LoginOutcome::Succeeded,
            } => "login",
            Handled::Login {
                outcome: LoginOutcome::Failed,
            } => "failed login",
            Handled::Tell { internal, done } => {
                match self.lane {
                    Open::Yes => {
                        self.wire.extend_from_slice(internal.bytes());
                        self.session.told(internal, Instant::now());
                    }
                    Open::No => self.session.not_told(internal, &mut self.out),
                }
                self.handled(*done)
            }
            Handled::Reset => {
                self.scanner = ReplyScanner::new();
                "reset"
            }
            Handled::Quit => "quit",
        }
    }

    /// Offers a request and returns what the client has heard by then.
    fn ask(&mut self, line: &str) -> String {
        self.offer(line);
        self.heard()
    }

    /// What the client has heard, each line break shown as a space.
    fn heard(&mut self) -> String {
        let out = std::mem::take(&mut self.out);
        String::from_utf8(out).unwrap().replace("\r\n", " ")
    }

    /// What the backend has been sent, without lengths.
    fn sent(&mut self) -> String {
        let wire = String::from_utf8(std::mem::take(&mut self.wire)).unwrap();
        let words = wire.split("\r\n").filter(|part| !part.starts_with('$'));
        let words: Vec<&str> = words.filter(|part| !part.is_empty()).collect();
        words.join(" ")
    }

    /// The backend says `frames`, each space a line break.
    fn reply(&mut self, frames: &str) {
        self.try_reply(frames.replace(' ', "\r\n").as_bytes())
            .unwrap();
    }

    /// As the driver loop's `deliver`.
    fn try_reply(&mut self, mut bytes: &[u8]) -> Result<(), PairingFault> {
        let now = Instant::now();
        while !bytes.is_empty() {
            let step = self.scanner.advance(bytes).unwrap();
            let (piece, rest) = bytes.split_at(step.consumed);
            let frame = step.end.as_ref().or(self.scanner.current()).unwrap();
            let kind: FrameKind = frame.kind();
            if self.session.route(kind, now)? == Route::Client {
                self.out.extend_from_slice(piece);
            }
            bytes = rest;
            if let Some(frame) = &step.end {
                self.session.on_frame(frame, now, &mut self.out)?;
            }
        }
        Ok(())
    }

    /// One request with the backend's whole answer; returns what the client heard.
    fn exchange(&mut self, line: &str, reply: &str) -> String {
        assert_eq!(self.offer(line), "forwarded", "{line}");
        self.reply(reply);
        self.heard()
    }

    /// A new policy in which `app` has these rules.
    fn reload(&mut self, app: &str) -> Standing {
        self.policy = policy(self.policy.generation() + 1, app);
        let user = self.session.certificate_user().map(str::to_owned);
        self.session.on_policy(&self.policy, user)
    }
}
