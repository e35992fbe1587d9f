//! Connections of good clients and of attackers, and crowds of them.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

pub use crate::bed::{Peer, dial_for, is_timeout, request, reset};

/// Connects as an attacker, who has no time to lose.
pub fn dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    dial_for(Duration::from_secs(1), from, to)
}

/// Whether the server has ended a connection. What it has said is read away.
pub fn is_ended(mut socket: &TcpStream) -> bool {
    if socket.set_nonblocking(true).is_err() {
        return true;
    }
    let mut bytes = [0; 4096];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Connections that are kept open for as long as the server keeps them.
pub struct Crowd {
    sockets: VecDeque<TcpStream>,
    most: usize,
}

impl Crowd {
    pub fn of(most: usize) -> Self {
        Self {
            sockets: VecDeque::new(),
            most,
        }
    }

    /// Adds one; the oldest goes where there are too many.
    pub fn add(&mut self, socket: TcpStream) {
        self.sockets.push_back(socket);
        if self.sockets.len() > self.most
            && let Some(oldest) = self.sockets.pop_front()
        {
            reset(oldest);
        }
    }

    /// Looks at some of them, at the oldest first, and lets go of those that the server has ended; returns how many these were.
    pub fn ended(&mut self, looks: usize) -> u64 {
        let mut ended = 0;
        for _ in 0..looks.min(self.sockets.len()) {
            match self.sockets.pop_front() {
                Some(socket) if is_ended(&socket) => ended += 1,
                Some(socket) => self.sockets.push_back(socket),
                None => {}
            }
        }
        ended
    }

    /// Resets all of them.
    pub fn scatter(&mut self) {
        self.sockets.drain(..).for_each(reset);
    }
}
