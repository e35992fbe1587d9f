//! HELLO: protocol, login and name in one request; nothing of it happens unless all of it can.

use super::Session;
use super::action::{Action, Around, Handled, Internal, LoginOutcome};
use super::strict;
use crate::acl::AuthFault;
use crate::answer::hello::{self, Hello};
use crate::command::Call;
use crate::resp::{Protocol, Request, encode};

/// What a HELLO asks for.
struct Wanted<'r> {
    protocol: Option<Protocol>,
    login: Option<(&'r [u8], &'r [u8])>,
    name: Option<&'r [u8]>,
}

impl<'r> Wanted<'r> {
    fn parse(request: Request<'r>) -> Result<Self, String> {
        let mut wanted = Self {
            protocol: None,
            login: None,
            name: None,
        };
        let Some(version) = request.arg(1) else {
            return Ok(wanted);
        };
        let version = strict::integer(version)
            .ok_or("ERR Protocol version is not an integer or out of range")?;
        wanted.protocol = Some(match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err("NOPROTO unsupported protocol version".to_owned()),
        });
        let mut index = 2;
        while let Some(option) = request.arg(index) {
            if option.eq_ignore_ascii_case(b"auth")
                && let (Some(user), Some(password)) =
                    (request.arg(index + 1), request.arg(index + 2))
            {
                wanted.login = Some((user, password));
                index += 3;
            } else if option.eq_ignore_ascii_case(b"setname")
                && let Some(name) = request.arg(index + 1)
            {
                wanted.name = Some(name);
                index += 2;
            } else {
                let option = String::from_utf8_lossy(&option[..option.len().min(64)]).into_owned();
                return Err(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
        Ok(wanted)
    }
}

impl Session {
    /// Answers HELLO.
    pub(super) fn on_hello<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let wanted = match Wanted::parse(call.request) {
            Ok(wanted) => wanted,
            Err(text) => return self.refuse(call, &text, out),
        };
        let Some(version) = around.backend_version else {
            return self.refuse(call, "ERR backend unavailable", out);
        };
        let principal = match (wanted.login, &self.principal) {
            (Some((user, password)), _) => match self.prove(user, password, around) {
                Ok(principal) => principal,
                Err(AuthFault) => return self.login_failed(out),
            },
            (None, Some(principal)) => principal.clone(),
            (None, None) => return self.hello_without_login(out),
        };
        if let Some(name) = wanted.name
            && let Err(text) = self.set_name(name)
        {
            return self.refuse(call, text, out);
        }
        self.principal = Some(principal);
        let before = self.protocol;
        self.protocol = wanted.protocol.unwrap_or(before);
        let mut answer = Vec::new();
        hello::write(
            &mut answer,
            self.protocol,
            &Hello {
                version,
                id: self.beginning.id,
            },
        );
        let done = match wanted.login {
            Some(_) => Handled::Login {
                outcome: LoginOutcome::Succeeded,
            },
            None => Handled::Answered {
                row: Some(call.spec.id),
            },
        };
        if self.protocol != before {
            return Action::Handled(Handled::Tell {
                internal: Internal::protocol(self.protocol, answer),
                done: Box::new(done),
            });
        }
        self.turns.answer(out, |out| out.extend_from_slice(&answer));
        Action::Handled(done)
    }

    fn hello_without_login<'r>(&mut self, out: &mut Vec<u8>) -> Action<'r> {
        self.turns.answer(out, |out| {
            encode::error(
                out,
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
            );
        });
        Action::Handled(Handled::Answered { row: None })
    }
}
