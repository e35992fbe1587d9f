use std::future::poll_fn;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::backend::testing::{self, Ended};

const REQUEST: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn lane(target: &Arc<BackendTarget>) -> Lane {
    let (status, _) = testing::status(target);
    Lane::new(
        Arc::clone(target),
        status,
        Purpose::Client,
        "redwall:main:1".to_owned(),
    )
}

async fn open(lane: &mut Lane) {
    poll_fn(
        |context| match lane.poll_ready(context, Instant::now(), Protocol::Resp2, 0) {
            (Readiness::Open, _) => Poll::Ready(()),
            (Readiness::Pending, _) => Poll::Pending,
            (Readiness::Unavailable(text), fault) => panic!("{text}: {fault:?}"),
        },
    )
    .await;
}

async fn flush(lane: &mut Lane) {
    poll_fn(|context| lane.poll_flush(context)).await.unwrap();
}

/// How far a lane came before its end.
#[derive(Clone, Copy, Debug)]
enum Course {
    LoggedIn,
    Appended,
    Sent,
    Answered,
    SentAgain,
}

async fn reach(course: Course, lane: &mut Lane) {
    match course {
        Course::LoggedIn => {}
        Course::Appended => lane.append_rest(REQUEST),
        Course::Sent => {
            lane.append_rest(REQUEST);
            flush(lane).await;
        }
        Course::Answered => {
            lane.append_rest(REQUEST);
            flush(lane).await;
            lane.all_answered();
        }
        Course::SentAgain => {
            lane.append_rest(REQUEST);
            flush(lane).await;
            lane.all_answered();
            lane.append_rest(REQUEST);
            flush(lane).await;
        }
    }
}

#[tokio::test]
async fn a_lane_that_is_owed_nothing_ends_by_a_reset_and_any_other_lets_the_backend_read() {
    let (listener, target) = testing::backend().await;
    let cases = [
        (Course::LoggedIn, Ended::Reset),
        (Course::Appended, Ended::Finished),
        (Course::Sent, Ended::Finished),
        (Course::Answered, Ended::Reset),
        (Course::SentAgain, Ended::Finished),
    ];
    for (course, wanted) in cases {
        for dropped in [false, true] {
            let mut lane = lane(&target);
            let ((), stream) = tokio::join!(open(&mut lane), testing::accept(&listener));
            reach(course, &mut lane).await;
            if dropped {
                drop(lane);
            } else {
                lane.close();
            }
            let (_, ended) = testing::rest(stream).await;
            assert_eq!(ended, wanted, "{course:?}, dropped: {dropped}");
        }
    }
}

#[tokio::test]
async fn a_lane_that_is_given_up_during_its_login_ends_by_a_reset() {
    let (listener, target) = testing::backend().await;
    let mut lane = lane(&target);
    let mut stream = tokio::select! {
        () = open(&mut lane) => panic!("nobody has answered"),
        accepted = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            testing::hear(&mut stream, b"HELLO").await;
            stream
        } => accepted,
    };
    assert!(lane.is_connecting());
    lane.close();
    let mut byte = [0];
    let read = tokio::io::AsyncReadExt::read(&mut stream, &mut byte).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn another_target_is_for_the_next_connection() {
    let (old, old_target) = testing::backend().await;
    let (new, new_target) = testing::backend().await;
    let mut lane = lane(&old_target);
    // Being made.
    let connecting = poll_fn(|context| {
        let (readiness, _) = lane.poll_ready(context, Instant::now(), Protocol::Resp2, 0);
        Poll::Ready(readiness)
    });
    assert!(matches!(connecting.await, Readiness::Pending));
    lane.retarget(&new_target);
    let ((), mut stream) = tokio::join!(open(&mut lane), testing::accept(&old));
    // Open.
    lane.append_rest(REQUEST);
    flush(&mut lane).await;
    testing::hear(&mut stream, b"PING").await;
    lane.close();
    tokio::join!(open(&mut lane), async {
        let mut stream = testing::accept(&new).await;
        // Made again it must say whether it leads to the same server.
        testing::hear(&mut stream, b"INFO").await;
        stream.write_all(b"$10\r\nrun_id:a\r\n\r\n").await.unwrap();
    });
}

#[tokio::test]
async fn a_large_request_arrives_in_order_however_much_of_it_the_socket_takes() {
    let (listener, target) = testing::backend().await;
    let mut lane = lane(&target);
    let ((), mut stream) = tokio::join!(open(&mut lane), testing::accept(&listener));
    let (mut wanted, mut read) = (Vec::new(), Vec::new());
    // More than the sockets hold, while the backend reads a little now and then.
    for number in 0..400_u32 {
        let piece: Vec<u8> = (0..60_000).map(|at| (at / 7 + number) as u8).collect();
        lane.append_rest(&piece);
        wanted.extend_from_slice(&piece);
        if number == 0 {
            assert_eq!((lane.unsent(), lane.held()), (0, 0), "it isn't copied");
        }
        if number % 10 == 0 {
            let _ = lane.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
            testing::read_some(&mut stream, &mut read).await;
        }
    }
    assert!(lane.unsent() > 0);
    tokio::join!(
        flush(&mut lane),
        testing::read_to(wanted.len(), &mut stream, &mut read)
    );
    assert!(read == wanted);
}
