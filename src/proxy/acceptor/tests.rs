use std::net::{Ipv4Addr, TcpStream};

use super::*;

fn limits(output_timeout: Duration, send_buffer: usize) -> ClientLimits {
    ClientLimits {
        login_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(30),
        output_timeout,
        max_bulk: 1 << 20,
        max_held_request: 1 << 20,
        max_in_flight: 16,
        max_subscriptions: 16,
        soft_output: 1 << 20,
        hard_output: 1 << 20,
        max_uploads: 1 << 20,
        upload_timeout: Duration::from_secs(10),
        send_buffer,
    }
}

fn accepted(listener: &std::net::TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    loop {
        match listener.accept() {
            Ok((socket, _)) => return (client, socket),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn an_accepted_socket_has_what_was_set_on_its_listener() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let strict = limits(Duration::from_secs(90), 32 << 10);
    let listener = listen(address, Families::Both, &strict).unwrap();
    let (_client, socket) = accepted(&listener);
    let socket = SockRef::from(&socket);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert!(socket.tcp_keepalive_time().unwrap() <= Duration::from_secs(60));
    let user_timeout = socket.tcp_user_timeout().unwrap().unwrap();
    assert!(user_timeout >= strict.output_timeout, "{user_timeout:?}");
    // The kernel doubles what it is asked for, to have room for its own book-keeping.
    assert_eq!(socket.send_buffer_size().unwrap(), 64 << 10);
}

#[test]
fn new_limits_are_for_those_who_connect_from_then_on() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = listen(
        address,
        Families::Both,
        &limits(Duration::from_secs(60), 32 << 10),
    )
    .unwrap();
    let (_old_client, old) = accepted(&listener);
    set_inherited(&listener, &limits(Duration::from_secs(600), 64 << 10)).unwrap();
    let (_client, new) = accepted(&listener);
    let options = |socket: &TcpStream| {
        let socket = SockRef::from(socket);
        let user_timeout = socket.tcp_user_timeout().unwrap().unwrap();
        (user_timeout.as_secs(), socket.send_buffer_size().unwrap())
    };
    assert_eq!(options(&old), (70, 64 << 10));
    assert_eq!(options(&new), (610, 128 << 10));
}

#[test]
fn the_kernel_never_gives_a_client_up_before_redwall_does() {
    for seconds in [0, 1, 60, 3_600] {
        let limits = limits(Duration::from_secs(seconds), 32 << 10);
        assert!(user_timeout(&limits) >= limits.output_timeout);
        assert!(user_timeout(&limits) >= KEEPALIVE);
    }
}

#[test]
fn an_error_that_is_not_one_connections_own_is_followed_by_a_rest() {
    let cases = [
        (Errno::MFILE, AcceptFault::Shortage),
        (Errno::NFILE, AcceptFault::Shortage),
        (Errno::NOBUFS, AcceptFault::Shortage),
        (Errno::NOMEM, AcceptFault::Shortage),
        (Errno::CONNABORTED, AcceptFault::Connection),
        (Errno::PERM, AcceptFault::Connection),
        (Errno::INVAL, AcceptFault::Other),
        (Errno::BADF, AcceptFault::Other),
    ];
    for (errno, fault) in cases {
        assert_eq!(fault_of(&errno.into()), fault, "{errno:?}");
    }
    assert_eq!(fault_of(&io::Error::other("?")), AcceptFault::Other);
}
