//! Attackers who get past the handshake: guesses of passwords, garbage, and a user that has a login and takes what it can.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::Siege;
use crate::field::from;
use crate::peer::{Crowd, Peer, dial, is_timeout, request, reset};
use crate::strangers::Attack;

/// All kinds.
pub fn attacks() -> Vec<Attack> {
    vec![
        wrong_passwords(),
        garbage(),
        replies_unread(),
        stalled_upload(),
        hoard(),
    ]
}

fn connect(siege: &Siege, from: IpAddr) -> io::Result<Peer> {
    Peer::shake(
        dial(from, siege.field.address())?,
        &siege.field.configs.plain,
    )
}

/// The user `hog` has a login like any other.
fn log_in(siege: &Siege, from: IpAddr) -> io::Result<Peer> {
    let mut peer = connect(siege, from)?;
    match peer.ask(&["AUTH", "hog", "hog"])?.as_slice() {
        b"+OK\r\n" => Ok(peer),
        answer => Err(io::Error::other(
            String::from_utf8_lossy(answer).into_owned(),
        )),
    }
}

/// Five guesses a connection, at users of all kinds.
fn wrong_passwords() -> Attack {
    let users = ["app", "bob", "alice", "hog", "nobody"];
    Attack::new(("wrong passwords", "WRONGPASS"), 20, move |siege| {
        let mut peer = connect(siege, from(7, 0))?;
        let mut refused = 0;
        for user in users {
            let answer = peer.ask(&["AUTH", user, "guess"])?;
            if !answer.starts_with(b"-WRONGPASS") {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                siege.fault(format!(
                    "a wrong password of {user} was answered {answer:?}"
                ));
            }
            refused += 1;
        }
        reset(peer.into_socket());
        Ok(refused)
    })
}

/// What isn't RESP, before login and behind a command after it.
fn garbage() -> Attack {
    let long = vec![b'A'; 100_000];
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut turn = 0_usize;
    Attack::new(
        ("garbage after the handshake", "put out"),
        20,
        move |siege| {
            turn += 1;
            let random: Vec<u8> = (0..2_000)
                .map(|_| {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    noise as u8
                })
                .collect();
            let kinds: [&[u8]; 5] = [
                b"*99999999999\r\n",
                b"*1\r\n$-7\r\nx\r\n",
                b"*2\r\n$3\r\nGET\r\n+x\r\n",
                &long,
                &random,
            ];
            let mut peer = match turn % 2 {
                0 => connect(siege, from(8, 0))?,
                _ => {
                    let mut peer = log_in(siege, from(8, 0))?;
                    peer.send(&request(&["PING"]))?;
                    peer
                }
            };
            // It may be put out before all of it is sent.
            let _ = peer.send(kinds[turn % kinds.len()]);
            let _ = peer.socket().shutdown(std::net::Shutdown::Write);
            match peer.until_closed() {
                Ok(_) => Ok(1),
                Err(_) => Ok(0),
            }
        },
    )
}

/// Asks for a large value, never reads, and goes on asking: some for so much that too much is held of it, others for little, so that
/// their time runs out.
fn replies_unread() -> Attack {
    let many = request(&["GET", "hog:big"]).repeat(400);
    let few = request(&["GET", "hog:big"]).repeat(8);
    let mut hogs: Vec<(bool, Peer)> = Vec::new();
    let mut turn = 0_usize;
    let name = ("large replies never read", "put out");
    Attack::new(name, 20, move |siege| {
        if hogs.len() < 40 {
            turn += 1;
            let peer = log_in(siege, from(9, 0))?;
            peer.socket()
                .set_write_timeout(Some(Duration::from_millis(2)))?;
            hogs.push((turn.is_multiple_of(2), peer));
        }
        let before = hogs.len();
        hogs.retain_mut(|(wants_much, peer)| {
            let bytes = if *wants_much { &many } else { &few };
            match peer.send(bytes) {
                Ok(()) => true,
                Err(error) => is_timeout(&error),
            }
        });
        Ok((before - hogs.len()) as u64)
    })
}

/// Announces a value of 512 MiB and sends none of it.
fn stalled_upload() -> Attack {
    let announced = b"*3\r\n$3\r\nSET\r\n$8\r\nhog:much\r\n$536870912\r\nxxxxxxxx";
    let mut crowd = Crowd::of(6);
    Attack::new(
        ("uploads of 512 MiB that stall", "refused or put out"),
        4,
        move |siege| {
            let ended = crowd.ended(6);
            let mut peer = log_in(siege, from(10, 0))?;
            peer.send(announced)?;
            match peer.answer() {
                Err(error) if is_timeout(&error) => {
                    crowd.add(peer.into_socket());
                    Ok(ended)
                }
                Ok(_) | Err(_) => Ok(ended + 1),
            }
        },
    )
}

/// Logs in as often as it can from one address, eight times a strike, and stays.
fn hoard() -> Attack {
    let mut crowd = Crowd::of(100);
    let name = ("logins beyond an address's cap", "refused");
    Attack::new(name, 40, move |siege| {
        let mut refused = 0;
        for _ in 0..8 {
            match log_in(siege, from(11, 0)) {
                Ok(peer) => crowd.add(peer.into_socket()),
                // Nobody is let in for now.
                Err(error) if is_timeout(&error) => break,
                Err(_) => refused += 1,
            }
        }
        Ok(refused)
    })
}
