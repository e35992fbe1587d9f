//! Which requests may be asked again: those of which nobody can tell that they were asked twice.

use super::*;

#[test]
fn only_a_read_that_is_all_that_there_is_may_be_asked_again() {
    let cases: [(&[&str], bool); 9] = [
        (&["GET a:k"], true),
        (&["LRANGE a:k 0 -1"], true),
        (&["GETDEL a:k"], false),
        (&["SET a:k v"], false),
        (&["GET a:k", "GET a:l"], false),
        (&["GET a:k", "SET a:k v"], false),
        (&["GET a:k", "NOSUCH"], false),
        (&["GET a:k", "GET x:k"], false),
        (&["WATCH a:l", "GET a:k"], false),
    ];
    for (requests, may) in cases {
        let mut bed = Bed::new();
        for request in requests {
            bed.offer(request);
        }
        let before = bed.session.outstanding();
        assert_eq!(bed.session.take_back(), may, "{requests:?}");
        let after = if may { (0, 0) } else { before };
        assert_eq!(bed.session.outstanding(), after, "{requests:?}");
    }
}

#[test]
fn what_was_taken_back_is_owed_no_longer_and_what_comes_next_does_not_wait_for_it() {
    let mut bed = Bed::new();
    bed.offer("GET a:k");
    assert!(bed.session.take_back());
    assert!(bed.session.is_idle());
    assert_eq!(bed.session.reply_deadline(std::time::Duration::ZERO), None);
    assert!(bed.ask("NOSUCH").starts_with("-ERR unknown command"));
    assert!(!bed.session.take_back());
    assert_eq!(bed.exchange("GET a:k", "$1 v "), "$1 v ");
}

#[test]
fn a_read_of_which_the_client_has_the_beginning_is_never_asked_again() {
    let mut bed = Bed::new();
    bed.offer("GET a:k");
    bed.session.on_shared_beginning(Instant::now());
    assert!(!bed.session.take_back());
    assert_eq!(bed.session.outstanding(), (1, 0));
}

#[test]
fn a_read_of_one_who_watches_keys_or_listens_to_channels_is_never_asked_again() {
    for (first, reply) in [
        ("WATCH a:l", "+OK "),
        ("SUBSCRIBE a:c", ">3 $9 subscribe $3 a:c :1 "),
    ] {
        let mut bed = Bed::resp3();
        bed.exchange(first, reply);
        bed.offer("GET a:k");
        assert!(!bed.session.take_back(), "{first}");
    }
}
