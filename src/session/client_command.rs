//! CLIENT: name, library and number of the connection are the session's own; the backend never hears of them.

use super::Session;
use super::action::{Action, Around, Handled};
use crate::command::Call;
use crate::resp::{Protocol, encode};

/// Most bytes of a connection's or a library's name. Redis has no bound but that of a bulk string.
const MAX_NAME: usize = 1024;

/// What a client calls itself, and its library.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_version: Vec<u8>,
}

impl Session {
    /// Answers one subcommand of CLIENT.
    pub(super) fn on_client<'r>(
        &mut self,
        call: Call<'r>,
        around: Around<'_>,
        out: &mut Vec<u8>,
    ) -> Action<'r> {
        let row = Some(call.spec.id);
        match call.spec.name {
            "client|id" => {
                let id = self.beginning.id;
                self.turns.answer(out, |out| {
                    encode::integer(out, i64::try_from(id).unwrap_or(i64::MAX))
                });
            }
            "client|getname" => {
                let name = self
                    .names
                    .as_ref()
                    .map_or_else(Vec::new, |names| names.name.clone());
                let protocol = self.protocol;
                self.turns.answer(out, |out| match name.is_empty() {
                    true => encode::null(out, protocol),
                    false => encode::bulk(out, &name),
                });
            }
            "client|setname" => match self.set_name(call.request.arg(2).unwrap_or_default()) {
                Ok(()) => self.turns.answer(out, |out| encode::simple(out, "OK")),
                Err(text) => self.turns.answer(out, |out| encode::error(out, text)),
            },
            "client|setinfo" => return self.set_info(call, out),
            "client|info" => {
                if let Err(denied) = self.evaluate(call, around, out) {
                    return denied.into();
                }
                let (line, protocol) = (self.info_line(around), self.protocol);
                self.turns
                    .answer(out, |out| encode::verbatim(out, &line, protocol));
            }
            _ => return self.refuse_by_name(call, around, out),
        }
        Action::Handled(Handled::Answered { row })
    }

    /// Takes a connection name, as CLIENT SETNAME and HELLO SETNAME give it; an empty one takes the name away.
    ///
    /// # Errors
    /// The text that the client gets.
    pub(super) fn set_name(&mut self, name: &[u8]) -> Result<(), &'static str> {
        if !is_plain(name) {
            return Err("ERR Client names cannot contain spaces, newlines or special characters.");
        }
        if name.len() > MAX_NAME {
            return Err("ERR client name is longer than 1024 bytes");
        }
        self.names.get_or_insert_default().name = name.to_vec();
        Ok(())
    }

    fn set_info<'r>(&mut self, call: Call<'r>, out: &mut Vec<u8>) -> Action<'r> {
        let option = call.request.arg(2).unwrap_or_default();
        let value = call.request.arg(3).unwrap_or_default();
        let (field, name): (fn(&mut Names) -> &mut Vec<u8>, _) =
            if option.eq_ignore_ascii_case(b"lib-name") {
                (|names| &mut names.lib_name, "lib-name")
            } else if option.eq_ignore_ascii_case(b"lib-ver") {
                (|names| &mut names.lib_version, "lib-ver")
            } else {
                let option = String::from_utf8_lossy(&option[..option.len().min(64)]).into_owned();
                return self.refuse(call, &format!("ERR Unrecognized option '{option}'"), out);
            };
        if !is_plain(value) || value.len() > MAX_NAME {
            return self.refuse(
                call,
                &format!("ERR {name} cannot contain spaces, newlines or special characters."),
                out,
            );
        }
        *field(self.names.get_or_insert_default()) = value.to_vec();
        self.turns.answer(out, |out| encode::simple(out, "OK"));
        Action::Handled(Handled::Answered {
            row: Some(call.spec.id),
        })
    }

    /// The line of CLIENT INFO, with the fields of Redis 7.0 that Redwall keeps.
    fn info_line(&self, around: Around<'_>) -> String {
        let nothing = Names::default();
        let names = self.names.as_deref().unwrap_or(&nothing);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (channels, patterns, shards) = self.subscriptions.counts();
        let age = around
            .now
            .saturating_duration_since(self.beginning.since)
            .as_secs();
        format!(
            "id={} addr={} laddr={} name={} age={age} db={} sub={channels} psub={patterns} ssub={shards} multi={} user={} lib-name={} lib-ver={} resp={}\n",
            self.beginning.id,
            self.beginning.peer,
            self.beginning.local,
            text(&names.name),
            self.database,
            if self.transaction.is_queuing() { 0 } else { -1 },
            self.principal
                .as_ref()
                .map_or("(none)", |principal| principal.user().name()),
            text(&names.lib_name),
            text(&names.lib_version),
            match self.protocol {
                Protocol::Resp2 => 2,
                Protocol::Resp3 => 3,
            },
        )
    }
}

/// Printable ASCII without spaces, as Redis wants names.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}
