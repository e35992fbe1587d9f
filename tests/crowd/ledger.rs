//! What must be found at the backend of a connection that is over: everything that was answered, at most once what wasn't, in the order in
//! which it was said, and nothing else.

use redwall::resp::OwnedRequest;

use crate::bed::Backend;
use crate::field::{DATABASES, Me};
use crate::model::Model;
use crate::op::Op;
use crate::reply::{content, elements, shown};

/// A note that was said and not answered.
#[derive(Clone, Copy, Debug)]
struct Unanswered {
    number: usize,
    /// A watched key can have made its transaction fail.
    may_have_failed: bool,
}

/// Whether what wasn't answered was carried out up to some point and no further. Only where nothing can have been refused on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    None,
    Possible,
}

/// What one connection's client knows at its end.
#[derive(Debug)]
pub struct Account {
    me: Me,
    life: usize,
    base: [usize; DATABASES],
    counted: [usize; DATABASES],
    noted: [Vec<usize>; DATABASES],
    perhaps_counted: usize,
    perhaps_noted: Vec<Unanswered>,
    gaps: Gaps,
}

impl Account {
    /// Closes the books: `unanswered` was said to its end, and got no answer.
    pub fn close(model: Model, unanswered: &[Op], gaps: Gaps) -> Self {
        let (counts, notes) = perhaps(&model, unanswered);
        Self {
            me: model.me,
            life: model.life,
            base: model.base,
            counted: model.counted,
            noted: model.noted,
            perhaps_counted: counts,
            perhaps_noted: notes,
            gaps,
        }
    }

    /// Asks for what stands in each database.
    fn questions(&self) -> impl Iterator<Item = OwnedRequest> {
        let [count, notes] = ["n", "log"].map(|what| self.me.key(self.life, what));
        (0..DATABASES).flat_map(move |number| {
            let number = number.to_string().into_bytes();
            [
                OwnedRequest::new(&[b"SELECT".as_slice(), &number]),
                OwnedRequest::new(&[b"GET".as_slice(), &count]),
                OwnedRequest::new(&[b"LRANGE".as_slice(), &notes, b"0", b"-1"]),
            ]
        })
    }

    fn audit(&self, answers: &[Vec<u8>]) -> Result<(), String> {
        let mut more = 0;
        let mut extra = Vec::new();
        for (database, answers) in answers.chunks(3).enumerate() {
            let count = content(&answers[1]).and_then(parse).unwrap_or_default();
            let base = match self.me.base(self.life) {
                // Its beginning wasn't answered, and was carried out.
                base if count >= base => base,
                _ => self.base[database],
            };
            let answered = base + self.counted[database];
            if count < answered {
                return Err(format!(
                    "database {database} counts {count}, {answered} was answered"
                ));
            }
            more += count - answered;
            let notes = elements(&answers[2]).ok_or_else(|| shown(&answers[2]))?;
            let notes = notes.into_iter().map(|note| parse(content(note)?));
            let notes: Vec<usize> = notes.collect::<Option<_>>().ok_or("not numbers")?;
            extra.extend(self.audit_notes(database, &notes)?);
        }
        if more > self.perhaps_counted {
            let most = self.perhaps_counted;
            return Err(format!(
                "{more} increments more than answered, of {most} without an answer"
            ));
        }
        self.audit_extra(extra)
    }

    /// Notes of one database: returns those that were not answered.
    fn audit_notes(&self, database: usize, notes: &[usize]) -> Result<Vec<usize>, String> {
        if !notes.is_sorted_by(|one, next| one < next) {
            return Err(format!(
                "notes of database {database} out of order, or twice: {notes:?}"
            ));
        }
        let answered = &self.noted[database];
        if let Some(lost) = answered.iter().find(|note| !notes.contains(note)) {
            return Err(format!(
                "note {lost} was answered and isn't in database {database}"
            ));
        }
        let extra = notes.iter().filter(|note| !answered.contains(note));
        Ok(extra.copied().collect())
    }

    fn audit_extra(&self, mut extra: Vec<usize>) -> Result<(), String> {
        extra.sort_unstable();
        let said: Vec<_> = self.perhaps_noted.iter().map(|note| note.number).collect();
        if let Some(strange) = extra.iter().find(|note| !said.contains(note)) {
            return Err(format!(
                "note {strange} stands there; without an answer are {said:?}"
            ));
        }
        let last = extra.last().copied().unwrap_or_default();
        let skipped = self.perhaps_noted.iter().find(|note| {
            note.number < last && !note.may_have_failed && !extra.contains(&note.number)
        });
        match skipped {
            Some(skipped) if self.gaps == Gaps::None => Err(format!(
                "note {} was left out and later ones carried out: {extra:?} of {said:?}",
                skipped.number
            )),
            _ => Ok(()),
        }
    }
}

fn parse(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Increments and notes that may have been carried out though they weren't answered.
fn perhaps(model: &Model, unanswered: &[Op]) -> (usize, Vec<Unanswered>) {
    let mut open = model.transaction.clone();
    let mut watches = model.watches();
    let mut done: Vec<(Op, bool)> = Vec::new();
    for op in unanswered {
        match (op, &mut open) {
            (Op::Watch { .. }, None) => watches = true,
            (Op::Multi, None) => open = Some(Default::default()),
            (Op::Exec, Some(transaction)) => {
                if !transaction.aborted {
                    done.extend(transaction.queued.iter().map(|op| (*op, watches)));
                }
                (open, watches) = (None, false);
            }
            (Op::Discard | Op::Reset, Some(_)) => (open, watches) = (None, false),
            (_, Some(transaction)) => match op {
                Op::Id
                | Op::Trespass { .. }
                | Op::Forbidden
                | Op::Script
                | Op::Unknown { .. }
                | Op::Arity => {
                    transaction.aborted = true;
                }
                _ => transaction.queued.push(*op),
            },
            (_, None) => done.push((*op, false)),
        }
    }
    let counts = done
        .iter()
        .filter(|(op, _)| matches!(op, Op::Count | Op::EvalCount));
    let notes = done.iter().filter_map(|(op, may_have_failed)| match op {
        Op::Note { number } => Some(Unanswered {
            number: *number,
            may_have_failed: *may_have_failed,
        }),
        _ => None,
    });
    (counts.count(), notes.collect())
}

/// Compares all accounts with what the backend has; returns what is wrong.
pub fn audit(backend: &Backend, accounts: &[Account]) -> Vec<String> {
    let questions: Vec<_> = accounts.iter().flat_map(Account::questions).collect();
    let answers = backend.direct("admin", 2).ask_all(&questions);
    let audits = accounts.iter().zip(answers.chunks(3 * DATABASES));
    let faults = audits.filter_map(|(account, answers)| {
        let fault = account.audit(answers).err()?;
        Some(format!(
            "client {} life {}: {fault}",
            account.me.number, account.life
        ))
    });
    faults.collect()
}
