//! What an idle client costs: there may be ten thousand of them.

use super::*;

fn size_of_future<F>(_: fn(Rc<Worker>, Accepted) -> F) -> usize {
    size_of::<F>()
}

/// The bounds are an allocator's size classes. The counts of an `Rc` and the flag of a `RefCell` come with a connection; its runtime adds
/// some 100 bytes to a task, in steps of 128. Memory that TLS holds for itself comes on top.
#[test]
fn a_client_that_is_merely_there_takes_little_memory() {
    let connection = 2 * size_of::<usize>() + size_of::<RefCell<Connection>>();
    assert!(connection <= 896, "a connection has {connection} bytes");
    let client = size_of::<Client>();
    assert!(client <= 1280, "its socket and TLS have {client}");
    let task = size_of_future(serve);
    assert!(task <= 152, "its task has {task}");
}
