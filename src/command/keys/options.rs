//! Rows with keys among their options. Each option counts once: where one stands twice, servers take now the first, now the last
//! for the key to check, and not always the same one to work on.

use super::value::Lower;
use super::{KeyFault, first, one};
use crate::command::grammar::Slot;
use crate::command::spec::{Access, KeyUse};
use crate::resp::Request;

/// Whether a SORT may have a destination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Allowed,
    Refused,
}

/// Whether a read of streams belongs to a consumer group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    None,
    Needed,
}

/// Walks the options of a request, and remembers which have been seen.
struct Options<'a, 'r> {
    request: &'a Request<'r>,
    at: usize,
    seen: u16,
}

impl<'a, 'r> Options<'a, 'r> {
    fn new(request: &'a Request<'r>, at: usize) -> Self {
        Self {
            request,
            at,
            seen: 0,
        }
    }

    /// The next option in lower case, and its index; `None` behind the last argument.
    fn next(&mut self) -> Option<(Lower, usize)> {
        let index = self.at;
        let option = self.request.arg(index)?;
        self.at += 1;
        Some((Lower::of(option), index))
    }

    /// Marks the option at `index` as seen; options that exclude each other share a `bit`.
    fn once(&mut self, bit: u32, index: usize) -> Result<(), KeyFault> {
        if self.seen >> bit & 1 == 1 {
            return Err(KeyFault::RepeatedOption { index });
        }
        self.seen |= 1 << bit;
        Ok(())
    }

    /// Steps over `count` values of the option at `index`; returns the index of the first.
    fn values(&mut self, count: usize, index: usize) -> Result<usize, KeyFault> {
        let first = self.at;
        self.at += count;
        if self.at > self.request.len() {
            return Err(KeyFault::UnknownOption { index });
        }
        Ok(first)
    }
}

/// `COPY source destination [DB number] [REPLACE]`
pub(super) fn copy(request: &Request<'_>, sink: &mut impl FnMut(KeyUse)) -> Result<(), KeyFault> {
    one(request, first(Access::Read), sink)?;
    let destination = Slot {
        index: 2,
        access: Access::Write,
    };
    one(request, destination, sink)?;
    let mut options = Options::new(request, 3);
    while let Some((option, index)) = options.next() {
        match option.as_bytes() {
            b"db" => {
                options.once(0, index)?;
                options.values(1, index)?;
            }
            b"replace" => options.once(1, index)?,
            _ => return Err(KeyFault::UnknownOption { index }),
        }
    }
    Ok(())
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern]... [ASC|DESC] [ALPHA] [STORE destination]`
pub(super) fn sort(
    request: &Request<'_>,
    store: Store,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    one(request, first(Access::Read), sink)?;
    let mut options = Options::new(request, 2);
    while let Some((option, index)) = options.next() {
        match option.as_bytes() {
            b"by" => {
                options.once(0, index)?;
                options.values(1, index)?;
            }
            b"limit" => {
                options.once(1, index)?;
                options.values(2, index)?;
            }
            b"get" => {
                options.values(1, index)?;
            }
            b"asc" | b"desc" => options.once(2, index)?,
            b"alpha" => options.once(3, index)?,
            b"store" if store == Store::Allowed => {
                options.once(4, index)?;
                let index = options.values(1, index)?;
                let access = Access::Write;
                sink(KeyUse { index, access });
            }
            _ => return Err(KeyFault::UnknownOption { index }),
        }
    }
    Ok(())
}

/// Whether a SORT reads keys that it doesn't name. As on the servers any GET does, even `GET #`, and BY does if its pattern holds
/// an asterisk. Looks at every word, whether it stands for an option or for a value.
pub(super) fn sorts_by_others(request: &Request<'_>) -> bool {
    (2..request.len()).any(|index| {
        let word = request.arg(index).unwrap_or(&[]);
        let pattern = request.arg(index + 1).unwrap_or(b"*");
        word.eq_ignore_ascii_case(b"get")
            || (word.eq_ignore_ascii_case(b"by") && pattern.contains(&b'*'))
    })
}

/// `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT n [ANY]] [ASC|DESC] [STORE key|STOREDIST
/// key]`, and GEORADIUSBYMEMBER with one argument less before its options.
pub(super) fn georadius(
    request: &Request<'_>,
    from: usize,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    one(request, first(Access::Read), sink)?;
    let mut options = Options::new(request, from);
    while let Some((option, index)) = options.next() {
        match option.as_bytes() {
            b"withcoord" => options.once(0, index)?,
            b"withdist" => options.once(1, index)?,
            b"withhash" => options.once(2, index)?,
            b"count" => {
                options.once(3, index)?;
                options.values(1, index)?;
            }
            b"any" => options.once(4, index)?,
            b"asc" | b"desc" => options.once(5, index)?,
            b"store" | b"storedist" => {
                options.once(6, index)?;
                let index = options.values(1, index)?;
                let access = Access::Write;
                sink(KeyUse { index, access });
            }
            _ => return Err(KeyFault::UnknownOption { index }),
        }
    }
    Ok(())
}

/// `XREAD [COUNT n] [BLOCK ms] STREAMS key... id...`, and XREADGROUP with `GROUP group consumer` and `NOACK`.
pub(super) fn streams(
    request: &Request<'_>,
    group: Group,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    let mut options = Options::new(request, 1);
    let mut grouped = Group::None;
    while let Some((option, index)) = options.next() {
        match option.as_bytes() {
            b"count" => {
                options.once(0, index)?;
                options.values(1, index)?;
            }
            b"block" => {
                options.once(1, index)?;
                options.values(1, index)?;
            }
            b"group" if group == Group::Needed => {
                options.once(2, index)?;
                options.values(2, index)?;
                grouped = Group::Needed;
            }
            b"noack" if group == Group::Needed => options.once(3, index)?,
            b"streams" if grouped == group => return stream_keys(request, options.at, sink),
            b"streams" => return Err(KeyFault::MissingOption { option: "GROUP" }),
            _ => return Err(KeyFault::UnknownOption { index }),
        }
    }
    Err(KeyFault::MissingOption { option: "STREAMS" })
}

/// As many keys as ids up to the end, from argument `from` on. XREADGROUP writes to its group, but servers ask for the
/// right to read alone, and so do we.
fn stream_keys(
    request: &Request<'_>,
    from: usize,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    let rest = request.len() - from;
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(KeyFault::Unpaired);
    }
    for index in from..from + rest / 2 {
        let access = Access::Read;
        sink(KeyUse { index, access });
    }
    Ok(())
}

/// `MIGRATE host port key|"" database timeout [COPY] [REPLACE] [AUTH password|AUTH2 user password] [KEYS key...]`
pub(super) fn migrate(
    request: &Request<'_>,
    sink: &mut impl FnMut(KeyUse),
) -> Result<(), KeyFault> {
    let access = Access::ReadWrite;
    let single = request.arg(3).ok_or(KeyFault::TooFewArguments)?;
    if !single.is_empty() {
        sink(KeyUse { index: 3, access });
    }
    let mut options = Options::new(request, 6);
    while let Some((option, index)) = options.next() {
        match option.as_bytes() {
            b"copy" => options.once(0, index)?,
            b"replace" => options.once(1, index)?,
            b"auth" => {
                options.once(2, index)?;
                options.values(1, index)?;
            }
            b"auth2" => {
                options.once(2, index)?;
                options.values(2, index)?;
            }
            b"keys" if single.is_empty() && options.at < request.len() => {
                for index in options.at..request.len() {
                    sink(KeyUse { index, access });
                }
                return Ok(());
            }
            _ => return Err(KeyFault::UnknownOption { index }),
        }
    }
    if single.is_empty() {
        return Err(KeyFault::MissingOption { option: "KEYS" });
    }
    Ok(())
}
