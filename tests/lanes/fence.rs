//! What comes on a shared connection and can't be accounted for ends everybody who uses it: whose the replies before it were can't be
//! known for certain either.

use std::time::Duration;

use crate::bed::{Backend, Client, Redwall, wait_until};
use crate::relay::{Moment, Relay};
use crate::track::{everywhere, shared};

/// Half of these are on the one worker, half on the other.
fn clients(redwall: &Redwall) -> Vec<Client> {
    let client = |number: usize| {
        let mut client = Client::login(redwall.address, "app", "app");
        let (key, value) = (format!("app:{number}"), number.to_string());
        assert_eq!(client.ask(&["SET", &key, &value]), "+OK\r\n");
        client
    };
    (0..6).map(client).collect()
}

/// What client `number` is told when it asks for what it wrote; `None` if it is closed.
fn ask_own(client: &mut Client, number: usize) -> Option<String> {
    let sent = client.try_send(&["GET", &format!("app:{number}")]);
    sent.ok().and_then(|()| client.text_or_end())
}

#[test]
fn replies_that_have_shifted_end_everybody_on_their_connection_before_long() {
    everywhere(|server| {
        let backend = Backend::start_as(server, &[]);
        // Another's reply in place of the one that Redwall asks for now and then.
        let moment = Moment::InsteadOf(b"ECHO");
        let relay = Relay::before(backend.socket(), moment, b"$7\r\nforeign\r\n");
        relay.hold_off();
        let redwall = shared(&relay.url()).start();
        let mut clients = clients(&redwall);
        wait_until("replies have shifted on both workers", || {
            relay.hold_off();
            for (number, client) in clients.iter_mut().enumerate() {
                if let Some(said) = ask_own(client, number) {
                    assert_eq!(said, format!("$1\r\n{number}\r\n"));
                }
            }
            // When none of the clients waits for anything.
            relay.go_on();
            std::thread::park_timeout(Duration::from_millis(150));
            relay.slips() == 2
        });
        for client in &mut clients {
            assert_eq!(client.until_closed(), "");
        }
    });
}

#[test]
fn what_nobody_can_have_asked_for_on_a_shared_connection_ends_everybody_on_it_and_nobody_else() {
    let strays: [&[u8]; 4] = [
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\napp:1\r\n",
        b"|1\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
        b"?nonsense\r\n",
        b"$-9\r\n",
    ];
    for stray in strays {
        eprintln!("{}", String::from_utf8_lossy(stray));
        let backend = Backend::start();
        let relay = Relay::before(backend.socket(), Moment::At(b"app:trigger"), stray);
        let redwall = shared(&relay.url()).start();
        let mut clients = clients(&redwall);
        clients[0].send(&["GET", "app:trigger"]);
        assert_eq!(clients[0].until_closed(), "");
        let mut closed = 1;
        for (number, client) in clients.iter_mut().enumerate().skip(1) {
            match ask_own(client, number) {
                Some(said) => assert_eq!(said, format!("$1\r\n{number}\r\n")),
                None => closed += 1,
            }
        }
        assert_eq!((closed, relay.slips()), (3, 1), "those of one worker");
    }
}
