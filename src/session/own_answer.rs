//! What Redwall answers itself: commands that concern only the connection, which is Redwall's to keep.
//!
//! A short list is answered to everybody who is logged in, whatever the rules say, because client libraries fail without
//! it and it reveals nothing: PING, ECHO, SELECT of the database one is in, HELLO, RESET, QUIT, COMMAND (one's own rows),
//! CLIENT SETNAME, GETNAME, SETINFO and ID. Everything else here is judged first.

use std::sync::Arc;

use super::Session;
use super::action::{Action, Around, Handled};
use super::request::selected;
use crate::answer;
use crate::command::{Call, ClassifyFault, CommandSpec};
use crate::resp::encode;

impl Session {
    /// Answers a command that is Redwall's own, or says by name that it isn't to be had.
    pub(super) fn answer_own<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match call.spec.name {
            "quit" => return self.quit(out),
            "reset" => return self.on_reset(around, out),
            _ => {}
        }
        if self.transaction.is_queuing() {
            return self.own_in_transaction(call, around, out);
        }
        let row = Some(call.spec.id);
        match call.spec.name {
            "ping" if call.request.len() > 2 => {
                let fault = ClassifyFault::WrongArity { spec: call.spec };
                self.unknown(fault, call.request, out)
            }
            "ping" => {
                self.pong(call, out);
                Action::Handled(Handled::Answered { row })
            }
            "echo" => {
                let text = call.request.arg(1).unwrap_or_default();
                self.turns.answer(out, |out| encode::bulk(out, text));
                Action::Handled(Handled::Answered { row })
            }
            "select" if self.selecting == 0 && selected(call) == Some(self.database) => {
                self.turns.answer(out, |out| encode::simple(out, "OK"));
                Action::Handled(Handled::Answered { row })
            }
            "select" => self.judge(call, around, out),
            "auth" => self.on_auth(call, around, out),
            "hello" => self.on_hello(call, around, out),
            "command"
            | "command|count"
            | "command|list"
            | "command|info"
            | "command|docs"
            | "command|getkeys"
            | "command|getkeysandflags"
            | "command|help" => self.on_command(call, out),
            "acl|whoami" | "acl|cat" => self.on_acl(call, around, out),
            name if name.starts_with("client|") => self.on_client(call, around, out),
            _ => self.refuse_by_name(call, around, out),
        }
    }

    /// In a transaction the commands that a backend can queue go there, if the rules allow them; the others are refused.
    fn own_in_transaction<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match call.spec.name {
            "ping" | "echo" | "select" => self.judge(call, around, out),
            _ => self.refuse(call, "ERR Command not allowed inside a transaction", out),
        }
    }

    fn pong(&mut self, call: Call<'_>, out: &mut Vec<u8>) {
        let text = call.request.arg(1);
        let subscribed = self.is_held_to_subscribing();
        self.turns.answer(out, |out| match (subscribed, text) {
            (true, text) => {
                encode::array(out, 2);
                encode::bulk(out, b"pong");
                encode::bulk(out, text.unwrap_or_default());
            }
            (false, Some(text)) => encode::bulk(out, text),
            (false, None) => encode::simple(out, "PONG"),
        });
    }

    /// QUIT: the replies before it come first, but for those that would come too late.
    pub(super) fn quit<'r>(&mut self, out: &mut Vec<u8>) -> Action<'r> {
        if !self.turns.is_answered() || self.turns.is_inside_frame() {
            return Action::Wait;
        }
        encode::simple(out, "OK");
        Action::Handled(Handled::Quit)
    }

    /// RESET: the replies before it come first, then nothing of the session is left, nor of its backend connection.
    pub(super) fn on_reset<'r>(&mut self, around: Around<'_>, out: &mut Vec<u8>) -> Action<'r> {
        if !self.turns.is_empty() {
            return Action::Wait;
        }
        self.reset(around.policy);
        encode::simple(out, "RESET");
        Action::Handled(Handled::Reset)
    }

    fn on_command<'r>(&mut self, call: Call<'r>, out: &mut Vec<u8>) -> Action<'r> {
        let protocol = self.protocol;
        if let Some(user) = self
            .principal
            .as_ref()
            .map(|principal| Arc::clone(principal.user()))
        {
            let allowed = |spec: &CommandSpec| user.may_use(spec);
            self.turns.answer(out, |out| {
                answer::command::write(out, &call, protocol, &allowed)
            });
        }
        Action::Handled(Handled::Answered {
            row: Some(call.spec.id),
        })
    }

    fn on_acl<'r>(&mut self, call: Call<'r>, around: Around<'_>, out: &mut Vec<u8>) -> Action<'r> {
        if let Err(denied) = self.evaluate(call, around, out) {
            return denied.into();
        }
        match (call.spec.name, &self.principal) {
            ("acl|whoami", Some(principal)) => {
                let user = Arc::clone(principal.user());
                self.turns
                    .answer(out, |out| encode::bulk(out, user.name().as_bytes()));
            }
            _ if call.request.len() > 3 => {
                return self.refuse(
                    call,
                    "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.",
                    out,
                );
            }
            _ => self
                .turns
                .answer(out, |out| answer::acl::cat(out, call.request.arg(2))),
        }
        Action::Handled(Handled::Answered {
            row: Some(call.spec.id),
        })
    }

    /// A command that would have to be Redwall's, and that Redwall doesn't have: the policy is asked first, so that a
    /// client isn't told more than a server would tell it.
    pub(super) fn refuse_by_name<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        match self.evaluate(call, around, out) {
            Ok(_) => self.refuse(
                call,
                &format!("ERR '{}' is not available through Redwall", call.spec.name),
                out,
            ),
            Err(denied) => denied.into(),
        }
    }
}
