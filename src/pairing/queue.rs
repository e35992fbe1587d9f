//! Whose replies come next on a connection that many clients use: first in, first out, and nobody is ever taken out.
//!
//! A client that has gone keeps its places; what comes for it is read and dropped by whoever delivers. Redwall's own fences stand
//! in the same queue.

use std::collections::VecDeque;

/// Places for which memory is kept when none is taken.
const KEPT_PLACES: usize = 1024;

/// Who a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn<'q, O> {
    /// A client.
    Owner(&'q O),
    /// A client, and it answers EXEC: what it is says whether the connection is still as it should be.
    Exec(&'q O),
    /// Nobody any more: its client asks again elsewhere.
    Nobody,
    /// Redwall itself: it asked for an echo, to see that replies are still in step.
    Fence,
}

#[derive(Debug)]
enum Place<O> {
    Owner { owner: O, replies: u32 },
    Exec { owner: O },
    Nobody,
    Fence,
}

/// The replies that a backend owes on one connection, oldest first.
#[derive(Debug)]
pub struct Queue<O> {
    places: VecDeque<Place<O>>,
    replies: usize,
}

impl<O> Default for Queue<O> {
    fn default() -> Self {
        Self {
            places: VecDeque::new(),
            replies: 0,
        }
    }
}

impl<O> Queue<O> {
    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Replies that are owed, fences included.
    pub fn len(&self) -> usize {
        self.replies
    }

    /// Whose the next reply is; `None` if none is owed.
    pub fn head(&self) -> Option<Turn<'_, O>> {
        self.places.front().map(|place| match place {
            Place::Owner { owner, .. } => Turn::Owner(owner),
            Place::Exec { owner } => Turn::Exec(owner),
            Place::Nobody => Turn::Nobody,
            Place::Fence => Turn::Fence,
        })
    }

    /// A fence has been appended.
    pub fn expect_fence(&mut self) {
        self.replies += 1;
        self.places.push_back(Place::Fence);
    }

    /// Whose the next reply is doesn't wait for it any more. It still comes. One to EXEC is waited for in any case.
    pub fn disown(&mut self) {
        match self.places.front_mut() {
            Some(Place::Owner { replies, .. }) if *replies > 1 => {
                *replies -= 1;
                self.places.push_front(Place::Nobody);
            }
            Some(place @ Place::Owner { .. }) => *place = Place::Nobody,
            Some(Place::Exec { .. } | Place::Nobody | Place::Fence) | None => {}
        }
    }

    /// Everybody who has a reply coming; some more than once.
    pub fn owners(&self) -> impl Iterator<Item = &O> {
        self.places.iter().filter_map(|place| match place {
            Place::Owner { owner, .. } | Place::Exec { owner } => Some(owner),
            Place::Nobody | Place::Fence => None,
        })
    }
}

impl<O: Clone + PartialEq> Queue<O> {
    /// How many replies are the next client's before its last one: each ends as [`Done::One`], and none is EXEC's.
    #[inline]
    pub fn in_a_row(&self) -> usize {
        match self.places.front() {
            Some(Place::Owner { replies, .. }) => *replies as usize - 1,
            Some(Place::Exec { .. } | Place::Nobody | Place::Fence) | None => 0,
        }
    }

    /// So many of those that are [in a row](Queue::in_a_row) have fully arrived.
    #[inline]
    pub fn ended_in_a_row(&mut self, count: usize) {
        debug_assert!(count <= self.in_a_row(), "the last of them ends its place");
        if let Some(Place::Owner { replies, .. }) = self.places.front_mut() {
            *replies -= count as u32;
            self.replies -= count;
        }
    }

    /// The next reply has fully arrived.
    pub fn ended(&mut self) -> Done<O> {
        match self.places.front_mut() {
            None => return Done::Fence,
            Some(Place::Owner { replies, .. }) if *replies > 1 => {
                *replies -= 1;
                self.replies -= 1;
                return Done::One;
            }
            Some(Place::Owner { .. } | Place::Exec { .. } | Place::Nobody | Place::Fence) => {}
        }
        self.replies -= 1;
        let place = self.places.pop_front();
        if self.places.is_empty() && self.places.capacity() > KEPT_PLACES {
            self.places = VecDeque::new();
        }
        match place {
            Some(Place::Owner { owner, .. }) => match self.places.front() {
                Some(Place::Exec { owner: next }) if *next == owner => Done::One,
                Some(_) | None => Done::Owner(owner),
            },
            Some(Place::Exec { owner }) => Done::Exec(owner),
            Some(Place::Nobody) => Done::Nobody,
            Some(Place::Fence) | None => Done::Fence,
        }
    }

    /// EXEC of `owner`, behind its whole transaction, has been appended.
    pub fn expect_exec(&mut self, owner: &O) {
        self.replies += 1;
        self.places.push_back(Place::Exec {
            owner: owner.clone(),
        });
    }

    /// A request of `owner` has been appended: its reply is the last to come.
    #[inline(always)]
    pub fn expect(&mut self, owner: &O) {
        self.replies += 1;
        if let Some(Place::Owner {
            owner: last,
            replies,
        }) = self.places.back_mut()
            && last == owner
        {
            *replies += 1;
            return;
        }
        self.places.push_back(Place::Owner {
            owner: owner.clone(),
            replies: 1,
        });
    }
}

/// What has ended with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done<O> {
    /// Only itself: the next one is the same client's, whose requests stood in a row.
    One,
    /// The last of those that this client asked for in a row.
    Owner(O),
    /// The same, and it was EXEC's.
    Exec(O),
    /// One that its client didn't wait for.
    Nobody,
    /// A fence, which is nobody's.
    Fence,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_in_a_row_take_one_place_and_keep_their_order() {
        let mut queue = Queue::default();
        for owner in [1, 1, 2] {
            queue.expect(&owner);
        }
        queue.expect_fence();
        queue.expect(&1);
        assert_eq!((queue.places.len(), queue.len()), (4, 5));
        let mut heard = Vec::new();
        while let Some(turn) = queue.head() {
            heard.push(match turn {
                Turn::Owner(owner) | Turn::Exec(owner) => *owner,
                Turn::Nobody | Turn::Fence => 0,
            });
            queue.ended();
        }
        assert_eq!(heard, [1, 1, 2, 0, 1]);
        assert!(queue.is_empty());
        assert_eq!(queue.replies, 0);
    }

    #[test]
    fn only_the_last_of_requests_in_a_row_gives_their_place_up() {
        let mut queue = Queue::default();
        for owner in [1, 1, 2] {
            queue.expect(&owner);
        }
        assert_eq!(queue.owners().collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(queue.ended(), Done::One);
        assert_eq!(queue.ended(), Done::Owner(1));
        assert_eq!(queue.ended(), Done::Owner(2));
    }

    #[test]
    fn a_transaction_is_one_piece_that_ends_with_exec() {
        let mut queue = Queue::default();
        queue.expect(&1);
        queue.expect(&1);
        queue.expect_exec(&1);
        queue.expect(&1);
        queue.expect(&2);
        queue.expect_exec(&1);
        let ended: Vec<_> = (0..6).map(|_| queue.ended()).collect();
        let expected = [
            Done::One,
            Done::One,
            Done::Exec(1),
            Done::Owner(1),
            Done::Owner(2),
            Done::Exec(1),
        ];
        assert_eq!(ended, expected);
    }

    #[test]
    fn the_reply_to_exec_is_looked_at_whoever_waits_for_it() {
        let mut queue = Queue::default();
        queue.expect_exec(&1);
        queue.disown();
        assert_eq!(queue.head(), Some(Turn::Exec(&1)));
        assert_eq!(queue.ended(), Done::Exec(1));
    }

    /// What the model expects next.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Next {
        Of(u8),
        Exec(u8),
        Nobody,
        Fence,
    }

    impl Next {
        fn owner(self) -> Option<u8> {
            match self {
                Self::Of(owner) | Self::Exec(owner) => Some(owner),
                Self::Nobody | Self::Fence => None,
            }
        }
    }

    proptest! {
        #[test]
        fn every_reply_comes_to_whoever_asked_in_the_order_of_asking(
            steps in prop::collection::vec((0_u8..6, 0..7), 0..200),
        ) {
            let (mut queue, mut model) = (Queue::default(), VecDeque::new());
            for (owner, step) in steps {
                let head = queue.head().map(|turn| match turn {
                    Turn::Owner(owner) => Next::Of(*owner),
                    Turn::Exec(owner) => Next::Exec(*owner),
                    Turn::Nobody => Next::Nobody,
                    Turn::Fence => Next::Fence,
                });
                prop_assert_eq!(head, model.front().copied());
                match (step, owner) {
                    (0 | 1, 0) => {
                        queue.expect_fence();
                        model.push_back(Next::Fence);
                    }
                    (0 | 1, owner) => {
                        queue.expect(&owner);
                        model.push_back(Next::Of(owner));
                    }
                    (2, owner) => {
                        queue.expect_exec(&owner);
                        model.push_back(Next::Exec(owner));
                    }
                    (3, _) => {
                        queue.disown();
                        if let Some(next @ Next::Of(_)) = model.front_mut() {
                            *next = Next::Nobody;
                        }
                    }
                    (4, at_most) => {
                        let count = queue.in_a_row().min(usize::from(at_most));
                        let first = model.front().and_then(|next: &Next| next.owner());
                        for _ in 0..count {
                            let next = model.pop_front();
                            prop_assert_eq!(next, first.map(Next::Of));
                        }
                        queue.ended_in_a_row(count);
                    }
                    _ => {
                        let ended = queue.ended();
                        let popped = model.pop_front();
                        let expected = match popped {
                            Some(Next::Exec(owner)) => Done::Exec(owner),
                            Some(Next::Nobody) => Done::Nobody,
                            Some(Next::Fence) | None => Done::Fence,
                            Some(Next::Of(owner)) if ended == Done::One => {
                                let next = model.front().and_then(|next: &Next| next.owner());
                                prop_assert_eq!(next, Some(owner), "what follows is the same client's");
                                Done::One
                            }
                            Some(Next::Of(owner)) => Done::Owner(owner),
                        };
                        prop_assert_eq!(ended, expected);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                let mut owners: Vec<u8> = model.iter().filter_map(|next| next.owner()).collect();
                owners.dedup();
                let mut waiting: Vec<u8> = queue.owners().copied().collect();
                waiting.dedup();
                prop_assert_eq!(waiting, owners);
            }
        }
    }
}
