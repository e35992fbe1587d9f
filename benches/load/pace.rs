//! Moments at a fixed rate, from a thread that sleeps: tokio's own timer goes in steps of a millisecond.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Lets the kernel wake this thread, and those it starts from now on, when they wanted and not up to 50 us later. Where that can't be
/// set, lateness shows it.
pub(crate) fn wake_in_time() {
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
}

/// `rate` moments a second, from now on, as they were meant, however late this is. They end with the receiver.
pub(crate) fn moments(rate: u32) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    let (start, interval) = (Instant::now(), Duration::from_secs(1) / rate.max(1));
    std::thread::spawn(move || {
        let mut due = start;
        loop {
            due += interval;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}
