//! WAIT after writes on other connections: what becomes of it when the backend won't be told of those.

use super::*;

/// Whether WAIT may go now.
fn offer_wait(bed: &mut Bed) -> Before {
    let owned = OwnedRequest::new(&["WAIT", "1", "0"]);
    let around = Around {
        policy: &bed.policy,
        backend_version: Some("7.0.15"),
        max_subscriptions: 100,
        now: Instant::now(),
    };
    match bed
        .session
        .on_request(owned.as_request(), around, &mut bed.out)
    {
        Action::Forward(forward) => bed.session.before(&forward),
        Action::Wait | Action::Incomplete | Action::Handled(_) => panic!("WAIT is permitted"),
    }
}

/// What a client is told that has written elsewhere, when the backend answers so to what makes its connection know of that;
/// `None` if WAIT goes.
fn told_when_the_backend_says(reply: &str) -> Option<&'static str> {
    let mut bed = Bed::new();
    bed.session.written = Written::Elsewhere;
    let Before::Tell(internal) = offer_wait(&mut bed) else {
        panic!("the connection has to be told");
    };
    bed.session.told(internal, Instant::now());
    assert!(matches!(offer_wait(&mut bed), Before::Wait));
    bed.try_reply(format!("{reply}\r\n").as_bytes()).unwrap();
    assert_eq!(bed.heard(), "", "the client asked for none of that");
    match offer_wait(&mut bed) {
        Before::Nothing => None,
        Before::Refused(text) => {
            let again = offer_wait(&mut bed);
            assert!(matches!(again, Before::Tell(_)), "the next try is another");
            Some(text)
        }
        Before::Tell(_) | Before::Wait => panic!("the backend has answered"),
    }
}

#[test]
fn wait_that_cannot_be_answered_for_now_is_told_the_real_cause_and_not_that_a_right_is_missing() {
    let cases = [
        (
            "-NOPERM this user has no permissions",
            "ERR the backend did not let",
            "+swapdb",
        ),
        ("-BUSY Redis is busy running a script", "BUSY ", ""),
        ("-LOADING Redis is loading the dataset", "LOADING ", ""),
        ("-MASTERDOWN Link with MASTER is down", "MASTERDOWN ", ""),
        (
            "-READONLY You can't write against a replica",
            "ERR WAIT",
            "replica",
        ),
        (
            "-MISCONF Errors writing to the AOF file",
            "ERR the backend takes no writes",
            "",
        ),
        (
            "-NOREPLICAS Not enough good replicas",
            "ERR the backend takes no writes",
            "",
        ),
        ("-ERR something else", "ERR the backend did not let", ""),
    ];
    for (reply, begins, holds) in cases {
        let told = told_when_the_backend_says(reply).expect(reply);
        assert!(
            told.starts_with(begins) && told.contains(holds),
            "{reply}: {told}"
        );
        assert_eq!(
            told.contains("+swapdb"),
            holds == "+swapdb",
            "{reply}: {told}"
        );
    }
    assert_eq!(told_when_the_backend_says("+OK"), None);
}
