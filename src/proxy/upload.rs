//! Large values on their way to a backend: their announced bytes are charged to budgets, their user's and everybody's, before they
//! are forwarded, because a server sets aside the announced length at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::vital::intact;

/// So many bytes must arrive within the database's `upload_timeout`, and so many again: whoever is slower keeps its share of the
/// budget from others.
const LEAST_PROGRESS: usize = 64 * 1024;

/// What is on its way to one backend.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<InUse>);

#[derive(Debug, Default)]
struct InUse {
    all: u64,
    /// By the names of users, those only who have some.
    users: HashMap<Box<str>, u64>,
}

/// How much may be on its way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    /// Of all users together.
    pub(super) all: u64,
    /// Of one.
    pub(super) user: u64,
}

/// Which budget has no room for that many more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    All,
    User,
}

impl Exceeded {
    /// What the client is told.
    pub(super) fn client_text(self) -> &'static str {
        match self {
            Self::All => "ERR too many bytes of large values are on their way to the backend",
            Self::User => {
                "ERR too many bytes of this user's large values are on their way to the backend"
            }
        }
    }
}

impl Uploads {
    /// Takes `more` bytes for a user, or nothing.
    fn charge(&self, user: &str, more: u64, most: Most) -> Result<(), Exceeded> {
        let mut in_use = intact(self.0.lock());
        let taken = |taken: u64, most: u64| taken.checked_add(more).filter(|sum| *sum <= most);
        let all = taken(in_use.all, most.all).ok_or(Exceeded::All)?;
        let before = in_use.users.get(user).copied().unwrap_or(0);
        let own = taken(before, most.user).ok_or(Exceeded::User)?;
        in_use.all = all;
        in_use.users.insert(user.into(), own);
        Ok(())
    }

    fn give_back(&self, user: &str, bytes: u64) {
        let mut in_use = intact(self.0.lock());
        in_use.all -= bytes;
        if let Some(own) = in_use.users.get_mut(user) {
            *own -= bytes;
            if *own == 0 {
                in_use.users.remove(user);
            }
        }
    }
}

/// A large request's share of the budgets; given back when dropped.
#[derive(Debug)]
pub(super) struct Upload {
    uploads: Arc<Uploads>,
    user: Box<str>,
    most: Most,
    charged: u64,
    /// Bytes that have arrived since then.
    arrived: usize,
    since: Instant,
}

impl Upload {
    /// Charges `announced` bytes of a user's.
    pub(super) fn begin(
        uploads: &Arc<Uploads>,
        user: &str,
        most: Most,
        announced: u64,
        now: Instant,
    ) -> Result<Self, Exceeded> {
        let mut upload = Self {
            uploads: Arc::clone(uploads),
            user: user.into(),
            most,
            charged: 0,
            arrived: 0,
            since: now,
        };
        upload.grow_to(announced)?;
        Ok(upload)
    }

    /// The request turns out to announce more.
    pub(super) fn grow_to(&mut self, announced: u64) -> Result<(), Exceeded> {
        let more = announced.saturating_sub(self.charged);
        if more > 0 {
            self.uploads.charge(&self.user, more, self.most)?;
            self.charged += more;
        }
        Ok(())
    }
}

impl Upload {
    /// More of it has arrived.
    pub(super) fn arrived(&mut self, bytes: usize, now: Instant) {
        self.arrived += bytes;
        if self.arrived >= LEAST_PROGRESS {
            self.excuse(now);
        }
    }

    /// Its time begins anew: it isn't the client's fault that nothing arrives.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.arrived = 0;
        self.since = now;
    }

    /// When it is too slow, if no more arrives.
    pub(super) fn deadline(&self, allowed: Duration) -> Instant {
        self.since + allowed
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.uploads.give_back(&self.user, self.charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most { all: 100, user: 80 };

    #[test]
    fn who_sends_a_byte_now_and_then_is_too_slow_and_who_goes_on_is_not() {
        let (start, allowed) = (Instant::now(), Duration::from_secs(10));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut upload = Upload::begin(&Arc::default(), "a", MOST, 60, start).unwrap();
        for second in 1..10 {
            upload.arrived(1, at(second));
        }
        assert_eq!(upload.deadline(allowed), at(10));
        upload.arrived(LEAST_PROGRESS, at(9));
        assert_eq!(upload.deadline(allowed), at(19));
        upload.excuse(at(15));
        assert_eq!(upload.deadline(allowed), at(25));
    }

    #[test]
    fn announced_bytes_are_taken_before_they_arrive_and_given_back_at_the_end() {
        let uploads = Arc::new(Uploads::default());
        let begin =
            |user, announced| Upload::begin(&uploads, user, MOST, announced, Instant::now());
        let mut first = begin("a", 60).unwrap();
        assert_eq!(begin("a", 21).unwrap_err(), Exceeded::User);
        assert_eq!(begin("b", 41).unwrap_err(), Exceeded::All);
        let second = begin("b", 20).unwrap();
        first.grow_to(80).unwrap();
        assert_eq!(first.grow_to(81), Err(Exceeded::All));
        drop(second);
        assert_eq!(first.grow_to(81), Err(Exceeded::User));
        let taken = || intact(uploads.0.lock()).all;
        assert_eq!(taken(), 80, "what is refused takes nothing");
        drop(first);
        assert_eq!((taken(), intact(uploads.0.lock()).users.len()), (0, 0));
    }
}
