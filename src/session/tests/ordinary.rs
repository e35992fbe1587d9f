//! Which requests are ordinary. That what is taken for one is what it would be in any case, each request of the other tests shows.

use super::*;

impl Bed {
    fn is_ordinary(&self, line: &str) -> bool {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        let forward = self.session.ordinary(owned.as_request(), &self.policy);
        forward.is_some()
    }
}

#[test]
fn a_permitted_request_that_may_share_a_lane_is_ordinary() {
    let bed = Bed::new();
    for line in ["GET a:1", "set a:1 v", "MGET a:1 a:2"] {
        assert!(bed.is_ordinary(line), "{line}");
    }
}

#[test]
fn what_is_forbidden_unknown_answered_changed_or_needs_its_lane_is_not() {
    let bed = Bed::new();
    for line in [
        "GET b:1",
        "MGET a:1 b:1",
        "GET",
        "NO a:1",
        "PING",
        "INFO",
        "MULTI",
        "BLPOP a:1 0",
        "XREAD STREAMS a:1 0",
        "SUBSCRIBE a:1",
        "EVAL x 0",
    ] {
        assert!(!bed.is_ordinary(line), "{line}");
    }
}

#[test]
fn nothing_is_before_login_while_blocked_or_while_subscribed() {
    assert!(!Bed::stranger(APP).is_ordinary("GET a:1"));
    for line in ["BLPOP a:1 0", "SUBSCRIBE a:1"] {
        let mut bed = Bed::new();
        assert_eq!(bed.offer(line), "forwarded");
        assert!(!bed.is_ordinary("GET a:1"), "{line}");
    }
}

#[test]
fn nothing_is_by_rights_that_have_been_taken_away() {
    let mut bed = Bed::new();
    assert!(bed.is_ordinary("GET a:1"));
    bed.reload("+@all ~b:* &a:*");
    assert!(!bed.is_ordinary("GET a:1"));
    assert!(bed.is_ordinary("GET b:1"));
    // The session hasn't taken this one over yet.
    bed.policy = policy(bed.policy.generation() + 1, APP);
    assert!(!bed.is_ordinary("GET b:1"));
}
