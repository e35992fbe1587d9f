use http_body_util::BodyExt;

use super::*;
use crate::snapshot::{ProcessLimits, Snapshot};

fn status() -> Status {
    let metrics = Arc::new(Metrics::new(&[]).unwrap());
    let snapshot = Snapshot {
        generation: 1,
        process: ProcessLimits {
            max_memory: 0,
            max_clients: 1,
            drain_timeout: Duration::ZERO,
        },
        databases: Vec::new(),
    };
    Status {
        door: Arc::new(Door::new(&snapshot, Arc::clone(&metrics))),
        metrics,
        databases: Vec::new(),
        draining: Arc::default(),
    }
}

fn body(response: Response<Full<Bytes>>) -> (StatusCode, String) {
    let status = response.status();
    let collected = response.into_body().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let bytes = runtime.unwrap().block_on(collected).unwrap().to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn a_worker_that_stands_still_makes_the_process_unhealthy_and_is_named() {
    let status = status();
    let shards = [status.metrics.shard(), status.metrics.shard()];
    // Heartbeats are kept in milliseconds from the worker's start, which lies before this.
    let now = Instant::now();
    let ok = (StatusCode::OK, "ok\n".to_owned());
    assert_eq!(body(status.health(now)), ok);
    assert_eq!(body(status.health(now + Duration::from_secs(4))), ok);
    let later = now + Duration::from_secs(10);
    shards[0].event_loop().beat(later);
    assert_eq!(
        body(status.health(later)),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "worker 1 stands still for 10 s\n".to_owned()
        )
    );
    shards[1].event_loop().beat(later);
    assert_eq!(body(status.health(later)), ok);
}
