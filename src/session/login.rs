//! Before login, and AUTH at any time. A failed AUTH changes nothing.

use super::Session;
use super::action::{Action, Around, Handled, LoginOutcome};
use crate::acl::{self, AuthFault, NoPass, Principal};
use crate::command::{Call, ClassifyFault};
use crate::resp::{Request, encode};

/// Redis's text for anything but AUTH, HELLO, QUIT and RESET before login.
pub(super) const NO_AUTH: &str = "NOAUTH Authentication required.";

impl Session {
    /// Only AUTH, HELLO, QUIT and RESET are answered before login; even whether a command exists isn't told.
    pub(super) fn before_login<'r>(
        &mut self,
        classified: Result<Call<'r>, ClassifyFault>,
        request: Request<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match classified {
            Ok(call) => match call.spec.name {
                "auth" => self.on_auth(call, around, out),
                "hello" => self.on_hello(call, around, out),
                "quit" => self.quit(out),
                "reset" => self.on_reset(around, out),
                _ => self.no_auth(out),
            },
            Err(fault) if is_wrong_arity_of_login(request) => {
                self.turns
                    .answer(out, |out| encode::error(out, fault.message(&request)));
                Action::Handled(Handled::Answered { row: None })
            }
            Err(_) => self.no_auth(out),
        }
    }

    fn no_auth<'r>(&mut self, out: &mut Vec<u8>) -> Action<'r> {
        self.turns.answer(out, |out| encode::error(out, NO_AUTH));
        Action::Handled(Handled::Answered { row: None })
    }

    /// AUTH with a password, or with a user's name and a password.
    pub(super) fn on_auth<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let request = call.request;
        let (name, password) = match (request.arg(1), request.arg(2), request.len()) {
            (Some(password), None, 2) => (b"default".as_slice(), password),
            (Some(name), Some(password), 3) => (name, password),
            _ => return self.refuse(call, "ERR syntax error", out),
        };
        if request.len() == 2
            && around
                .policy
                .user("default")
                .is_some_and(|user| user.nopass() == NoPass::Yes)
        {
            return self.refuse(
                call,
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
                out,
            );
        }
        match self.prove(name, password, around) {
            Ok(principal) => {
                self.principal = Some(principal);
                self.turns.answer(out, |out| encode::simple(out, "OK"));
                Action::Handled(Handled::Login {
                    outcome: LoginOutcome::Succeeded,
                })
            }
            Err(AuthFault) => self.login_failed(out),
        }
    }

    /// The principal that name and password, with the client's certificate, prove.
    pub(super) fn prove(
        &self,
        name: &[u8],
        password: &[u8],
        around: Around<'_>,
    ) -> Result<Principal, AuthFault> {
        // A name that isn't text is nobody's, and costs as much time as any other.
        let name = std::str::from_utf8(name).unwrap_or_default();
        acl::authenticate(
            around.policy,
            self.beginning.certificate_user.as_deref(),
            name,
            password,
        )
    }

    pub(super) fn login_failed<'r>(&mut self, out: &mut Vec<u8>) -> Action<'r> {
        self.turns
            .answer(out, |out| encode::error(out, AuthFault::WIRE_TEXT));
        Action::Handled(Handled::Login {
            outcome: LoginOutcome::Failed,
        })
    }
}

/// A client that can't log in because it counts AUTH's arguments wrongly should be told so.
fn is_wrong_arity_of_login(request: Request<'_>) -> bool {
    request
        .arg(0)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"auth"))
}
