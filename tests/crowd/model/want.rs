//! What the answer to each request must be.

use redwall::resp::Protocol;

use super::{Model, Strictness, Transaction};
use crate::field;
use crate::op::Op;
use crate::reply::{self, array, bulk, integer, null, null_array, shown};
use crate::tag::Tag;

/// What an answer must be.
pub(super) enum Want {
    Exactly(Vec<u8>),
    Beginning(String),
    /// A value of a client, or none.
    ValueOf(usize),
    /// What HELLO tells of the connection.
    Hello,
    /// The number of the connection, for the first time.
    FirstId,
    /// What a list was given for this client, or nothing if it never was.
    Pushed(Vec<u8>),
}

impl Model {
    pub(super) fn compare(&mut self, want: Want, answer: &[u8]) -> Result<(), String> {
        match want {
            Want::Exactly(wanted) => is(&wanted, answer),
            Want::Beginning(wanted) => begins(&wanted, answer),
            Want::ValueOf(client) => {
                let of = reply::content(answer).and_then(Tag::of_value);
                match of {
                    Some(tag) if tag.client == client => Ok(()),
                    None if answer == null(self.protocol) => Ok(()),
                    _ => Err(format!("not a value of {client}: {}", shown(answer))),
                }
            }
            Want::Hello => self.is_hello(answer),
            Want::FirstId => {
                self.id = reply::number(answer);
                self.id
                    .map(|_| ())
                    .ok_or_else(|| format!("not a number: {}", shown(answer)))
            }
            Want::Pushed(wanted) => match self.strictness {
                Strictness::RefusalsTaken | Strictness::TimeoutsTaken
                    if answer == null_array(self.protocol) =>
                {
                    Ok(())
                }
                _ => is(&wanted, answer),
            },
        }
    }

    fn is_hello(&self, answer: &[u8]) -> Result<(), String> {
        let (head, number) = match self.protocol {
            Protocol::Resp2 => ("*14\r\n", 2),
            Protocol::Resp3 => ("%7\r\n", 3),
        };
        let id = self.id.unwrap_or_default();
        let told = format!("$5\r\nproto\r\n:{number}\r\n$2\r\nid\r\n:{id}\r\n");
        begins(head, answer)?;
        match String::from_utf8_lossy(answer).contains(&told) {
            true => Ok(()),
            false => Err(format!("got {}, without {told:?}", shown(answer))),
        }
    }

    /// What the answer to `op` must be, which has then taken effect.
    pub(super) fn want(&mut self, op: Op) -> Want {
        match op {
            Op::Begin
            | Op::Set { .. }
            | Op::Swap { .. }
            | Op::Get { .. }
            | Op::Several { .. }
            | Op::Take { .. }
            | Op::Delete { .. }
            | Op::Keep { .. }
            | Op::Kept
            | Op::Rate { .. }
            | Op::Rated
            | Op::Count
            | Op::EvalCount
            | Op::Note { .. }
            | Op::Show { .. }
            | Op::Peek { .. } => self.want_of_data(op),
            Op::Trespass { .. }
            | Op::Forbidden
            | Op::Script
            | Op::Unknown { .. }
            | Op::Arity
            | Op::SelectTooHigh
            | Op::Nonsense
            | Op::BreakTheLine => self.want_of_refused(op),
            _ => self.want_of_connection(op),
        }
    }

    fn want_of_data(&mut self, op: Op) -> Want {
        let (protocol, database) = (self.protocol, self.database);
        Want::Exactly(match op {
            Op::Begin => {
                self.base[database] = self.me.base(self.life);
                ok()
            }
            Op::Show { .. } => ok(),
            Op::Set { slot, tag, len } => {
                self.write(slot, tag, len);
                ok()
            }
            Op::Swap { slot, tag, len } => {
                let before = self.read(slot);
                self.write(slot, tag, len);
                before
            }
            Op::Get { slot } => self.read(slot),
            Op::Several { slots } => array(&slots.map(|slot| self.read(slot))),
            Op::Take { slot } => {
                let before = self.read(slot);
                self.remove(slot);
                before
            }
            Op::Delete { slot } => integer(self.remove(slot)),
            Op::Keep { tag } => integer(usize::from(self.kept.insert(database, tag).is_none())),
            Op::Kept => {
                let kept = self.kept.get(&database);
                let pair = kept.map(|tag| [bulk(b"f"), bulk(tag.to_string().as_bytes())]);
                reply::map(pair, protocol)
            }
            Op::Rate { tag } => {
                let before = self.rated.insert(database, tag.number);
                integer(usize::from(before.is_none()))
            }
            Op::Rated => match self.rated.get(&database) {
                Some(number) => reply::double(*number, protocol),
                None => null(protocol),
            },
            Op::Count | Op::EvalCount => {
                self.counted[database] += 1;
                integer(self.base[database] + self.counted[database])
            }
            Op::Note { number } => {
                self.noted[database].push(number);
                integer(self.noted[database].len())
            }
            Op::Peek { client } => return Want::ValueOf(client),
            _ => unreachable!("{op:?}"),
        })
    }

    fn want_of_refused(&self, op: Op) -> Want {
        let user = self.me.user();
        let may_not = |command: &str| {
            let text =
                format!("-NOPERM User {user} has no permissions to run the '{command}' command");
            Want::Beginning(text)
        };
        match op {
            Op::Trespass { .. } => {
                Want::Exactly(b"-NOPERM No permissions to access a key\r\n".to_vec())
            }
            Op::Forbidden => may_not("config|set"),
            Op::Script => may_not("eval"),
            Op::Unknown { tag } => Want::Beginning(format!("-ERR unknown command '{tag}'")),
            Op::Arity => {
                let text = b"-ERR wrong number of arguments for 'get' command\r\n";
                Want::Exactly(text.to_vec())
            }
            Op::SelectTooHigh => Want::Beginning("-ERR DB index is out of range".to_owned()),
            Op::Nonsense => Want::Beginning("-ERR Protocol error".to_owned()),
            Op::BreakTheLine => Want::Beginning("-BROKEN line".to_owned()),
            _ => unreachable!("{op:?}"),
        }
    }

    fn want_of_connection(&mut self, op: Op) -> Want {
        let protocol = self.protocol;
        let held = self.listening.is_some() && protocol == Protocol::Resp2;
        Want::Exactly(match op {
            Op::Echo { tag } => bulk(tag.to_string().as_bytes()),
            Op::Ping if held => array(&[bulk(b"pong"), bulk(b"")]),
            Op::Ping => b"+PONG\r\n".to_vec(),
            Op::PingText { tag } if held => {
                array(&[bulk(b"pong"), bulk(tag.to_string().as_bytes())])
            }
            Op::PingText { tag } => bulk(tag.to_string().as_bytes()),
            Op::Id => match self.id {
                Some(id) => integer(id),
                None => return Want::FirstId,
            },
            Op::AskName => match self.name {
                Some(tag) => bulk(tag.to_string().as_bytes()),
                None => null(protocol),
            },
            Op::Name { tag } => {
                self.name = Some(tag);
                ok()
            }
            Op::Whoami => bulk(self.me.user().as_bytes()),
            Op::Hello { protocol } => {
                self.protocol = field::protocol(protocol);
                return Want::Hello;
            }
            _ => return self.want_of_lane(op),
        })
    }

    /// What moves the client between connections.
    fn want_of_lane(&mut self, op: Op) -> Want {
        let protocol = self.protocol;
        Want::Exactly(match op {
            Op::Select { number } => {
                self.database = number;
                ok()
            }
            Op::Watch { slot } => {
                self.watched.push((self.database, slot));
                ok()
            }
            Op::Multi => {
                self.transaction = Some(Transaction::default());
                ok()
            }
            Op::Unwatch => {
                self.unwatch();
                ok()
            }
            // MULTI was refused.
            Op::Exec => b"-ERR EXEC without MULTI\r\n".to_vec(),
            Op::Discard => b"-ERR DISCARD without MULTI\r\n".to_vec(),
            Op::Pause { .. } => null_array(protocol),
            Op::Await { tag } => {
                let list = self.me.key(self.life, &format!("q{}", tag.number));
                let wanted = array(&[bulk(&list), bulk(tag.to_string().as_bytes())]);
                return Want::Pushed(wanted);
            }
            Op::Wait => integer(0),
            Op::Eval { tag } => {
                let key = self.me.key(self.life, "n");
                array(&[bulk(&key), bulk(tag.to_string().as_bytes())])
            }
            Op::Reset => {
                self.reset();
                b"+RESET\r\n".to_vec()
            }
            Op::Subscribe { tag } => {
                self.listening = Some(tag);
                let channel = bulk(&self.channel(tag));
                reply::told(&[bulk(b"subscribe"), channel, integer(1)], protocol)
            }
            Op::Unsubscribe { tag } => {
                self.listening = None;
                let channel = bulk(&self.channel(tag));
                reply::told(&[bulk(b"unsubscribe"), channel, integer(0)], protocol)
            }
            Op::Auth | Op::Flush | Op::Quit => ok(),
            _ => unreachable!("{op:?}"),
        })
    }
}

fn ok() -> Vec<u8> {
    b"+OK\r\n".to_vec()
}

pub(super) fn is(wanted: &[u8], answer: &[u8]) -> Result<(), String> {
    match answer == wanted {
        true => Ok(()),
        false => Err(format!("got {}, not {}", shown(answer), shown(wanted))),
    }
}

pub(super) fn begins(wanted: &str, answer: &[u8]) -> Result<(), String> {
    match answer.starts_with(wanted.as_bytes()) {
        true => Ok(()),
        false => Err(format!("got {}, not {wanted:?}...", shown(answer))),
    }
}
