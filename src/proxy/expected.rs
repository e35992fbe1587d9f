//! How much a shared lane has coming in all, judged by what came last: a server closes a connection that has it write more than
//! `client-output-buffer-limit`, and with it everybody's replies.
//!
//! What each client may have coming is bounded for itself; many who each keep to that are bounded here.

/// Bytes of replies that all clients together may have coming from one shared lane: half of the least limit that is common, 16 MB,
/// because replies grow.
const MOST: u64 = 8 * 1024 * 1024;

/// Bytes of a reply that adds little to any number of large ones.
const SMALL: u64 = 4 * 1024;

/// What is known of a lane's replies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    /// Bytes of one, on the average of a read; the largest such average of late, forgotten by and by.
    reply: u64,
    /// Bytes that have come since the last end of one.
    coming_in: u64,
}

impl Expected {
    /// `received` bytes have come, and in them the ends of `ended` replies.
    pub(super) fn on_received(&mut self, received: usize, ended: usize) {
        self.coming_in += received as u64;
        if let Some(average) = self.coming_in.checked_div(ended as u64) {
            self.reply = average.max(self.reply - self.reply / 8);
            self.coming_in = 0;
        }
    }

    /// Whether another may be asked for where so many are owed. One always may.
    pub(super) fn has_room_beside(self, owed: usize) -> bool {
        owed == 0 || self.reply.saturating_mul(owed as u64) < MOST
    }

    /// The same of one who was sent `reply` bytes at most of late: small ones are asked for however large others' are.
    pub(super) fn has_room_for(self, reply: u64, owed: usize) -> bool {
        reply <= SMALL || self.has_room_beside(owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn a_lane_of_large_replies_is_asked_for_few_and_one_of_small_ones_for_as_many_as_come() {
        let mut expected = Expected::default();
        assert!(expected.has_room_beside(1_000_000), "nothing is known yet");
        for _ in 0..3 {
            expected.on_received(64 * KIB, 0);
        }
        expected.on_received(64 * KIB, 1);
        assert!(expected.has_room_beside(31));
        assert!(!expected.has_room_beside(32), "of 256 KiB each");
        assert!(!expected.has_room_for(SMALL + 1, 32));
        assert!(expected.has_room_for(SMALL, 1_000_000));
        for _ in 0..100 {
            expected.on_received(50 * KIB, 10_000);
        }
        assert!(expected.has_room_beside(100_000));
    }

    #[test]
    fn however_large_the_replies_are_one_can_be_asked_for_and_replies_without_ends_change_nothing()
    {
        let mut expected = Expected::default();
        expected.on_received(usize::MAX / 2, 0);
        assert!(expected.has_room_beside(1_000));
        expected.on_received(1, 1);
        assert!(expected.has_room_beside(0));
        assert!(!expected.has_room_beside(1));
    }
}
