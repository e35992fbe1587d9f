use super::*;
use crate::backend::testing;

#[tokio::test]
async fn nobody_asks_for_anything_on_a_lane_that_is_being_given_up_for_want_of_use() {
    let idle = Duration::from_secs(60);
    let (listener, target) = testing::backend().await;
    let (status, _metrics) = testing::status(&target);
    let login = Login {
        protocol: Protocol::Resp2,
        number: 0,
        name: "lane",
    };
    let (connected, _backend) = tokio::join!(
        connect(&target, &status, Purpose::Client, login),
        testing::accept(&listener)
    );
    let now = Instant::now();
    let mut open = Shared::new(connected.unwrap(), Kept::Nothing, now);
    give_up_if_unused(&mut open, now + idle, idle);
    assert!(open.is_open());
    give_up_if_unused(&mut open, now + 2 * idle, idle);
    assert!(!open.is_open());
}
