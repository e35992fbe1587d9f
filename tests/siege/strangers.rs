//! Attackers who can't log in: silence, slowness, mazes, plaintext, floods, addresses that aren't let in. Each kind has addresses of its
//! own.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Siege;
use crate::bed::certificates;
use crate::field::{AUTHORITY, from, withdrawn};
use crate::peer::{Crowd, Peer, dial, is_ended, is_timeout, reset};

/// What an attacker does once; tells how many were met with what the attack is met with.
type Strike = Box<dyn FnMut(&Siege) -> io::Result<u64> + Send>;

/// One kind of attack.
pub struct Attack {
    name: &'static str,
    /// What attackers of this kind are met with.
    met_with: &'static str,
    /// Strikes a second, in a whole siege.
    pace: u32,
    strike: Strike,
}

/// What an attack came to.
#[derive(Clone, Copy, Debug)]
pub struct Struck {
    pub name: &'static str,
    pub strikes: u64,
    pub met_with: &'static str,
    pub met: u64,
}

impl Attack {
    /// `strike` says how many were met with `met_with`.
    pub fn new(
        (name, met_with): (&'static str, &'static str),
        pace: u32,
        strike: impl FnMut(&Siege) -> io::Result<u64> + Send + 'static,
    ) -> Self {
        Self {
            name,
            met_with,
            pace,
            strike: Box::new(strike),
        }
    }

    /// Goes on until the siege is over. What an attacker doesn't succeed in is its own matter.
    pub fn go_on(mut self, siege: &Siege) -> Struck {
        let between = Duration::from_secs(1) * siege.scale.calm / self.pace;
        let (mut strikes, mut met) = (0, 0);
        let mut due = Instant::now();
        while !siege.is_over() {
            if let Ok(some) = (self.strike)(siege) {
                strikes += 1;
                met += some;
            }
            // What was missed isn't made up for.
            due = (due + between).max(Instant::now());
            siege.pause(due - Instant::now());
        }
        Struck {
            name: self.name,
            strikes,
            met_with: self.met_with,
            met,
        }
    }
}

/// All kinds.
pub fn attacks(siege: &Siege) -> Vec<Attack> {
    vec![
        silence(),
        byte_by_byte(siege),
        one_byte_records(siege),
        maze(),
        no_login(),
        plaintext(),
        flood(from(6, 0)),
        flood(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        not_let_in(),
    ]
}

/// Connections that say nothing at all, from eight addresses.
fn silence() -> Attack {
    let mut crowd = Crowd::of(500);
    let mut turn = 0_u8;
    Attack::new(("silent connects", "put out"), 300, move |siege| {
        turn = turn.wrapping_add(1);
        crowd.add(dial(from(1, turn % 8), siege.field.address())?);
        Ok(crowd.ended(4))
    })
}

/// A ClientHello as it goes over the wire.
fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// Twenty connections that send a ClientHello a byte at a time.
fn byte_by_byte(siege: &Siege) -> Attack {
    let hello = hello(&siege.field.configs.plain);
    let mut slow: Vec<(TcpStream, usize)> = Vec::new();
    Attack::new(("ClientHello byte by byte", "put out"), 50, move |siege| {
        if slow.len() < 20 {
            slow.push((dial(from(2, 0), siege.field.address())?, 0));
        }
        let before = slow.len();
        slow.retain_mut(|(socket, sent)| {
            let byte = hello[*sent..]
                .first()
                .map_or(&[0][..], std::slice::from_ref);
            *sent = (*sent + 1).min(hello.len());
            socket.write_all(byte).is_ok() && !is_ended(socket)
        });
        Ok((before - slow.len()) as u64)
    })
}

/// Each byte of a handshake in a record of its own: a ClientHello at once, or one that never ends.
fn one_byte_records(siege: &Siege) -> Attack {
    let hello = hello(&siege.field.configs.plain);
    let record = |byte: &u8| [22, 3, 1, 0, 1, *byte];
    let whole: Vec<u8> = hello[5..].iter().flat_map(record).collect();
    let endless: Vec<u8> = [1, 0, 0xff, 0xff]
        .iter()
        .chain(&[3; 20_000])
        .flat_map(record)
        .collect();
    let mut turn = 0_u8;
    let name = ("ClientHello in one-byte records", "answered or put out");
    Attack::new(name, 20, move |siege| {
        turn = turn.wrapping_add(1);
        let mut socket = dial(from(2, 1), siege.field.address())?;
        let bytes = if turn.is_multiple_of(2) {
            &whole
        } else {
            &endless
        };
        // Who sends without end is cut off while it sends.
        let sent = socket.write_all(bytes);
        let mut byte = [0];
        let heard = socket.read(&mut byte);
        reset(socket);
        match (sent, heard) {
            (_, Err(error)) if is_timeout(&error) => Ok(0),
            (_, _) => Ok(1),
        }
    })
}

/// A client's certificate behind `depth` false authorities, all of the name of the true one.
fn false_chain(depth: usize) -> Arc<ClientConfig> {
    let authority = || {
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, AUTHORITY);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
    };
    let authorities: Vec<_> = (0..depth).map(|_| authority()).collect();
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "alice");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let leaf = parameters.signed_by(&key, &authorities[0]).unwrap();
    let mut chain = vec![leaf.der().clone()];
    chain.extend(authorities.iter().map(|authority| authority.der().clone()));
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(certificates().join("ca.crt")).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    Arc::new(config.unwrap())
}

/// Chains of eight, and of as many as are looked at.
fn maze() -> Attack {
    let chains = [false_chain(8), false_chain(4)];
    let mut turn = 0_u8;
    Attack::new(("mazes of certificates", "refused"), 60, move |siege| {
        turn = turn.wrapping_add(1);
        let socket = dial(from(3, turn % 2), siege.field.address())?;
        let Ok(mut peer) = Peer::shake(socket, &chains[usize::from(turn % 2)]) else {
            return Ok(1);
        };
        match peer.ask(&["PING"]) {
            Ok(answer) => {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                siege.fault(format!("a false certificate was answered {answer:?}"));
                Ok(0)
            }
            Err(error) if is_timeout(&error) => Ok(0),
            Err(_) => {
                reset(peer.into_socket());
                Ok(1)
            }
        }
    })
}

/// Handshakes that are completed and followed by nothing.
fn no_login() -> Attack {
    let mut crowd = Crowd::of(60);
    let mut turn = 0_u8;
    let name = ("handshakes without a login", "put out");
    Attack::new(name, 30, move |siege| {
        turn = turn.wrapping_add(1);
        let ended = crowd.ended(8);
        let socket = dial(from(4, turn % 2), siege.field.address())?;
        crowd.add(Peer::shake(socket, &siege.field.configs.plain)?.into_socket());
        Ok(ended)
    })
}

/// What isn't TLS.
fn plaintext() -> Attack {
    const WORDS: [&[u8]; 4] = [
        b"PING\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x80\x2e\x01\x00\x02",
    ];
    let mut turn = 0_u8;
    Attack::new(("plaintext and HTTP", "turned away"), 60, move |siege| {
        turn = turn.wrapping_add(1);
        let mut socket = dial(from(5, 0), siege.field.address())?;
        socket.write_all(WORDS[usize::from(turn) % WORDS.len()])?;
        let mut heard = Vec::new();
        let ended = socket.read_to_end(&mut heard);
        if heard.starts_with(b"+PONG") {
            siege.fault("plaintext was served".to_owned());
        }
        match ended {
            Err(error) if is_timeout(&error) => Ok(0),
            Ok(_) | Err(_) => Ok(1),
        }
    })
}

/// Bursts of connects from one address, which end by a reset or are left to themselves.
fn flood(from: IpAddr) -> Attack {
    let name = match from {
        IpAddr::V4(_) => ("bursts of 60 connects, IPv4", "put out"),
        IpAddr::V6(_) => ("bursts of 60 connects, one /64", "put out"),
    };
    let mut crowd = Crowd::of(60);
    Attack::new(name, 8, move |siege| {
        let to = match from {
            IpAddr::V4(_) => siege.field.address(),
            IpAddr::V6(_) => siege.field.ipv6,
        };
        let ended = crowd.ended(60);
        crowd.scatter();
        for _ in 0..60 {
            crowd.add(dial(from, to)?);
        }
        Ok(ended)
    })
}

/// From addresses that are denied, that are in no list, and that only one of the configurations lets in.
fn not_let_in() -> Attack {
    let addresses = [from(12, 0), from(250, 0), withdrawn(1)];
    let mut turn = 0_u8;
    Attack::new(("addresses not let in", "refused"), 60, move |siege| {
        turn = turn.wrapping_add(1);
        let which = usize::from(turn) % addresses.len();
        let socket = dial(addresses[which], siege.field.address())?;
        if which == 2 {
            reset(socket);
            return Ok(0);
        }
        match Peer::shake(socket, &siege.field.configs.plain) {
            Ok(_) => {
                siege.fault(format!("{} was let in", addresses[which]));
                Ok(0)
            }
            Err(error) if is_timeout(&error) => Ok(0),
            Err(_) => Ok(1),
        }
    })
}
