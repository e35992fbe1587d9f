use super::*;
use crate::backend::testing;

#[tokio::test]
async fn nobody_asks_for_anything_on_a_lane_that_is_being_given_up_for_want_of_use() {
    let idle = Duration::from_secs(60);
    let (connected, _backend) = testing::connected().await;
    let now = Instant::now();
    let mut open = Shared::new(connected, Kept::Nothing, now);
    give_up_if_unused(&mut open, now + idle, idle);
    assert!(open.is_open());
    give_up_if_unused(&mut open, now + 2 * idle, idle);
    assert!(!open.is_open());
}
