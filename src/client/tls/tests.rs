//! Whatever a client sends, in whatever pieces: rustls is never driven into a panic, and what comes out is what went in.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ServerConfig, SupportedProtocolVersion};

use super::bare::{self, FORGED};
use super::*;
use crate::client::testing::{self, Ca, Clock, NOW, client_ca, client_params, params};
use crate::client::verifier::{ClientVerifier, Demand};

/// One of the ways in which a client and Redwall may talk.
#[derive(Clone)]
struct Way {
    name: &'static str,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn server_config(
    ca: &Ca,
    provider: CryptoProvider,
    version: &'static SupportedProtocolVersion,
    asks: bool,
) -> ServerConfig {
    let own = ca.issue(&params("localhost"));
    let trusted = [client_ca("dev", &[ca.der()], &[])];
    let verifier =
        ClientVerifier::new(&trusted, Demand::Required, Duration::ZERO, &provider).unwrap();
    ServerConfig::builder_with_details(Arc::new(provider), Clock::at(NOW))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(match asks {
            true => Arc::new(verifier),
            false => WebPkiClientVerifier::no_client_auth(),
        })
        .with_single_cert(vec![own.cert.clone()], own.key_der())
        .unwrap()
}

fn way(
    name: &'static str,
    provider: CryptoProvider,
    version: &'static SupportedProtocolVersion,
    certificate: bool,
) -> Way {
    way_between(name, provider.clone(), provider, version, certificate)
}

fn way_between(
    name: &'static str,
    own: CryptoProvider,
    clients: CryptoProvider,
    version: &'static SupportedProtocolVersion,
    certificate: bool,
) -> Way {
    let ca = Ca::new("dev");
    let shown = ca.issue(&client_params("alice", 7));
    let chain = certificate.then(|| (vec![shown.cert.clone()], shown.key_der()));
    let mut client = testing::client_config_with(clients, chain, &[version]);
    client.resumption = Resumption::disabled();
    Way {
        name,
        server: Arc::new(server_config(&ca, own, version, certificate)),
        client: Arc::new(client),
    }
}

fn ways() -> [Way; 6] {
    let provider = || (*testing::provider()).clone();
    let ring = || CryptoProvider {
        cipher_suites: rustls::crypto::ring::DEFAULT_CIPHER_SUITES.to_vec(),
        ..provider()
    };
    [
        way("1.2", provider(), &TLS12, false),
        way("1.2 with certificate", provider(), &TLS12, true),
        way("1.3", provider(), &TLS13, false),
        way("1.3 with certificate", provider(), &TLS13, true),
        // Redwall's side by the other library; see `load/provider.rs`.
        way_between("1.2 by ring", ring(), provider(), &TLS12, false),
        way_between("1.3 by ring", ring(), provider(), &TLS13, true),
    ]
}

/// A client, Redwall's side, and the wire between them.
struct Peers {
    client: ClientConnection,
    server: Tls,
    /// What the client has sent and the server hasn't received.
    wire: Vec<u8>,
    delivered: usize,
    /// Place on the wire, counted from the beginning, of the byte that is changed under way.
    flip: Option<usize>,
    /// Plaintext that the server got.
    plain: Vec<u8>,
    /// Plaintext that the client got.
    heard: Vec<u8>,
}

impl Peers {
    fn new(way: &Way) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: ClientConnection::new(Arc::clone(&way.client), name).unwrap(),
            server: Tls::new(Arc::clone(&way.server)).unwrap(),
            wire: Vec::new(),
            delivered: 0,
            flip: None,
            plain: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Peers that have shaken hands.
    fn established(way: &Way) -> Self {
        let mut peers = Self::new(way);
        peers.settle(|_| usize::MAX).unwrap();
        assert!(!peers.server.is_handshaking() && !peers.client.is_handshaking());
        peers
    }

    fn send_what_the_client_has(&mut self) {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.wire).unwrap();
        }
    }

    /// Delivers up to `most` bytes to the server and its answer to the client.
    fn deliver(&mut self, most: usize) -> Result<Progress, TlsFault> {
        let len = most.clamp(1, self.wire.len());
        let mut piece: Vec<u8> = self.wire.drain(..len).collect();
        if let Some(byte) = self
            .flip
            .and_then(|flip| piece.get_mut(flip.checked_sub(self.delivered)?))
        {
            *byte ^= 1 << (self.delivered % 8);
        }
        self.delivered += len;
        let mut sealed = Vec::new();
        let before = self.plain.len();
        let mut joined = [self.server.partial(), &piece].concat();
        let progress = self
            .server
            .advance(&mut joined, &mut self.plain, &mut sealed);
        if self.plain.len() > before {
            assert!(
                !self.server.is_handshaking(),
                "plaintext out of a handshake"
            );
        }
        self.receive(&sealed);
        progress
    }

    /// What the server has sent reaches the client, which may have failed already.
    fn receive(&mut self, mut sealed: &[u8]) {
        while !sealed.is_empty()
            && self
                .client
                .read_tls(&mut sealed)
                .is_ok_and(|count| count > 0)
        {
            if self.client.process_new_packets().is_err() {
                break;
            }
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = self.client.reader().read(&mut buffer) {
                self.heard.extend_from_slice(&buffer[..count]);
            }
        }
        self.send_what_the_client_has();
    }

    /// Delivers in pieces until neither side has anything left.
    fn settle(&mut self, mut piece: impl FnMut(usize) -> usize) -> Result<Progress, TlsFault> {
        let mut progress = Progress::Open;
        self.send_what_the_client_has();
        while !self.wire.is_empty() {
            progress = self.deliver(piece(self.delivered))?;
        }
        Ok(progress)
    }

    fn client_says(&mut self, mut bytes: &[u8]) {
        use std::io::Write;
        while !bytes.is_empty() {
            let written = self.client.writer().write(bytes).unwrap();
            bytes = &bytes[written..];
            self.send_what_the_client_has();
        }
    }

    fn server_says(&mut self, bytes: &[u8]) -> Result<(), TlsFault> {
        let mut sealed = Vec::new();
        let said = self.server.seal(bytes, &mut sealed);
        self.receive(&sealed);
        said
    }

    /// After a fault nothing goes any more, and nothing panics.
    fn assert_dead(&mut self) {
        let mut sealed = Vec::new();
        assert!(self.server.seal(b"x", &mut sealed).is_err());
        assert!(self.server.close(&mut sealed).is_err());
        let before = self.plain.len();
        let again = self
            .server
            .advance(&mut [0x17; 40], &mut self.plain, &mut sealed);
        assert!(again.is_err() && sealed.is_empty() && self.plain.len() == before);
    }
}

/// A stream of numbers that is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// What the client says in a whole life: small, larger than a record, and after each renewal of its keys.
const SAID: [usize; 5] = [5, 40_000, 1, 16 * 1024, 300];

/// Plays a life with pieces that `piece` chooses; the server speaks between them.
fn live(
    peers: &mut Peers,
    version: Option<rustls::ProtocolVersion>,
    mut piece: impl FnMut(usize) -> usize,
) -> Result<(Vec<u8>, Vec<u8>), TlsFault> {
    let (mut said, mut answered) = (Vec::new(), Vec::new());
    peers.settle(&mut piece)?;
    for len in SAID {
        if peers.client.is_handshaking() {
            break;
        }
        said.extend(text(len));
        peers.client_says(&text(len));
        if version == Some(rustls::ProtocolVersion::TLSv1_3) {
            peers.client.refresh_traffic_keys().unwrap();
        }
        peers.send_what_the_client_has();
        while !peers.wire.is_empty() {
            let size = piece(peers.delivered);
            peers.deliver(size)?;
            if size.is_multiple_of(3) && answered.len() < 100_000 {
                let answer = text(size.min(20_000));
                peers.server_says(&answer)?;
                answered.extend(answer);
            }
        }
    }
    peers.client.send_close_notify();
    let progress = peers.settle(&mut piece)?;
    assert!(
        progress == Progress::PeerClosed || peers.client.is_handshaking() || peers.flip.is_some()
    );
    peers.server_says(b"last words")?;
    answered.extend(b"last words");
    let mut sealed = Vec::new();
    peers.server.close(&mut sealed)?;
    peers.receive(&sealed);
    Ok((said, answered))
}

#[test]
fn whatever_the_pieces_everything_arrives_exactly_once_in_both_directions() {
    for way in ways() {
        for seed in 1..25 {
            let mut dice = Dice(seed * 7919);
            let mut peers = Peers::new(&way);
            let version = way_version(&way);
            let largest = [1, 2, 3, 5, 40, 900, 5000, 70_000][seed as usize % 8];
            let (said, answered) = live(&mut peers, version, |_| 1 + dice.below(largest)).unwrap();
            assert!(peers.plain == said, "{} seed {seed}", way.name);
            assert!(peers.heard == answered, "{} seed {seed}", way.name);
            assert!(peers.server.is_peer_closed());
            assert_eq!(peers.server.held(), 0, "nothing is held after the end");
        }
    }
}

fn way_version(way: &Way) -> Option<rustls::ProtocolVersion> {
    Peers::established(way).server.version()
}

/// The bytes of a client's handshake.
fn handshake_len(way: &Way) -> usize {
    Peers::established(way).delivered
}

#[test]
fn a_handshake_cut_in_two_at_any_byte_is_the_same_handshake() {
    for way in ways() {
        let len = handshake_len(&way);
        for cut in 1..len {
            let mut peers = Peers::new(&way);
            let piece = |delivered: usize| match delivered < cut {
                true => cut - delivered,
                false => usize::MAX,
            };
            peers.settle(piece).unwrap();
            assert!(!peers.server.is_handshaking(), "{} cut at {cut}", way.name);
            peers.client_says(b"hello");
            peers.settle(piece).unwrap();
            assert_eq!(peers.plain, b"hello");
        }
    }
}

#[test]
fn a_changed_bit_anywhere_is_no_panic_and_never_another_plaintext() {
    for way in ways() {
        let version = way_version(&way);
        let len = handshake_len(&way) + 200;
        let mut refused = 0;
        for (turn, flip) in (0..len).step_by(3).enumerate() {
            let mut peers = Peers::new(&way);
            peers.flip = Some(flip);
            let mut dice = Dice(flip as u64 + 1);
            let largest = [1, 7, 100, 70_000][turn % 4];
            let lived = live(&mut peers, version, |_| 1 + dice.below(largest));
            let whole: Vec<u8> = SAID.iter().flat_map(|len| text(*len)).collect();
            assert!(whole.starts_with(&peers.plain), "{} at {flip}", way.name);
            if lived.is_err() {
                refused += 1;
                peers.assert_dead();
            }
        }
        assert!(refused > len / 3 / 2, "{}: only {refused}", way.name);
    }
}

#[test]
fn what_is_no_tls_at_all_is_no_panic() {
    let way = &ways()[3];
    let mut dice = Dice(42);
    for _ in 0..2000 {
        let mut peers = Peers::new(way);
        let len = 1 + dice.below(600);
        peers.wire = (0..len).map(|_| dice.below(256) as u8).collect();
        if dice.below(2) == 0 {
            // Something that looks like a record, so that it gets past the first look.
            let size = (dice.below(700) as u16).to_be_bytes();
            let head = [
                20 + dice.below(5) as u8,
                3,
                1 + dice.below(3) as u8,
                size[0],
                size[1],
            ];
            peers.wire.splice(0..0, head);
        }
        let largest = 1 + dice.below(300);
        while !peers.wire.is_empty() {
            if peers.deliver(1 + dice.below(largest)).is_err() {
                peers.assert_dead();
                break;
            }
        }
        assert!(peers.server.is_handshaking() && peers.plain.is_empty());
    }
}

#[test]
fn an_endless_handshake_is_not_held() {
    let way = &ways()[3];
    let mut peers = Peers::new(way);
    // A ClientHello of 64 KiB, in records of one byte.
    let mut bytes = vec![1, 0, 0xff, 0xff];
    bytes.resize(64 * 1024, 0);
    peers.wire = bytes
        .iter()
        .flat_map(|byte| [22, 3, 1, 0, 1, *byte])
        .collect();
    let mut most = 0;
    let fault = loop {
        match peers.deliver(1000) {
            Ok(_) => most = most.max(peers.server.held()),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, TlsFault::HandshakeTooLarge), "{fault}");
    assert!(most <= 2 * MAX_HANDSHAKE_BYTES, "{most}");
    peers.assert_dead();
}

#[test]
fn commands_that_come_with_the_last_bytes_of_a_handshake_may_be_long() {
    for way in &ways() {
        let mut peers = Peers::new(way);
        let commands = text(60 * 1024);
        peers.client_says(&commands);
        // All that the client has to say at a time arrives at once.
        peers.settle(|_| usize::MAX).unwrap();
        assert!(peers.plain == commands, "{}", peers.plain.len());
    }
}

#[test]
fn early_data_is_never_plaintext() {
    let ca = Ca::new("dev");
    let provider = || (*testing::provider()).clone();
    let mut generous = server_config(&ca, provider(), &TLS13, false);
    generous.max_early_data_size = 16 * 1024;
    let mut own = server_config(&ca, provider(), &TLS13, false);
    own.session_storage = Arc::clone(&generous.session_storage);
    let mut client = testing::client_config(None, &[&TLS13]);
    client.enable_early_data = true;
    let mut way = Way {
        name: "1.3",
        server: Arc::new(generous),
        client: Arc::new(client),
    };
    let mut first = Peers::established(&way);
    first.server_says(b"a ticket comes with this").unwrap();
    way.server = Arc::new(own);
    let mut peers = Peers::new(&way);
    use std::io::Write;
    let mut early = peers
        .client
        .early_data()
        .expect("the client may send early data");
    early.write_all(b"FLUSHALL\r\n").unwrap();
    peers.settle(|_| 10).unwrap();
    assert!(!peers.server.is_handshaking());
    peers.client_says(b"PING\r\n");
    peers.settle(|_| 10).unwrap();
    assert_eq!(peers.plain, b"PING\r\n");
}

/// A record as it stands on the wire under a suite that encrypts nothing.
fn record(version: rustls::ProtocolVersion, kind: u8, payload: &[u8]) -> Vec<u8> {
    let (kind, payload) = match version {
        rustls::ProtocolVersion::TLSv1_3 => (23, [payload, &[kind]].concat()),
        _ => (kind, payload.to_vec()),
    };
    let size = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3, size[0], size[1]], payload.as_slice()].concat()
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 1];

fn bare_ways() -> [(rustls::ProtocolVersion, Way); 2] {
    [
        (
            rustls::ProtocolVersion::TLSv1_2,
            way("1.2", bare::provider(), &TLS12, false),
        ),
        (
            rustls::ProtocolVersion::TLSv1_3,
            way("1.3", bare::provider(), &TLS13, false),
        ),
    ]
}

#[test]
fn a_record_between_the_pieces_of_a_message_is_the_end_and_no_panic() {
    for (version, way) in bare_ways() {
        let mut peers = Peers::established(&way);
        peers.wire = record(version, HANDSHAKE, &KEY_UPDATE[..2]);
        peers.deliver(usize::MAX).unwrap();
        peers.server_says(b"+PONG\r\n").unwrap();
        peers.wire = record(version, DATA, b"PING\r\n");
        peers.deliver(usize::MAX).unwrap_err();
        peers.assert_dead();
        assert_eq!(peers.heard, b"+PONG\r\n");
    }
}

#[test]
fn a_key_update_in_pieces_lets_replies_through() {
    let (version, way) = &bare_ways()[1];
    for sizes in [[1, 1, 1, 1, 1].as_slice(), &[4, 1], &[1, 4], &[2, 3], &[5]] {
        let mut peers = Peers::established(way);
        let mut rest = KEY_UPDATE.as_slice();
        let mut expected = Vec::new();
        for size in sizes {
            let (piece, behind) = rest.split_at(*size);
            rest = behind;
            peers.wire = record(*version, HANDSHAKE, piece);
            while !peers.wire.is_empty() {
                peers.deliver(3).unwrap();
                peers.server_says(b"message").unwrap();
                expected.extend(b"message");
            }
        }
        peers.wire = record(*version, DATA, b"PING\r\n");
        peers.deliver(usize::MAX).unwrap();
        assert_eq!((peers.plain, peers.heard), (b"PING\r\n".to_vec(), expected));
        assert_eq!(peers.server.held(), 0);
    }
}

#[test]
fn a_message_in_ever_more_pieces_is_not_held() {
    for (version, way) in bare_ways() {
        let mut peers = Peers::established(&way);
        let head = [24, 0, 0xff, 0xff];
        peers.wire = record(version, HANDSHAKE, &head);
        (0..60_000).for_each(|_| peers.wire.extend(record(version, HANDSHAKE, b"x")));
        let fault = loop {
            if let Err(fault) = peers.deliver(16 * 1024) {
                break fault;
            }
            assert!(peers.server.held() <= 64 * 1024);
        };
        assert!(matches!(fault, TlsFault::MessageTooLarge), "{fault}");
        peers.assert_dead();
    }
}

#[test]
fn records_of_the_largest_size_pass_and_larger_ones_do_not() {
    for (version, way) in bare_ways() {
        for piece in [1, 4096, usize::MAX] {
            let mut peers = Peers::established(&way);
            for _ in 0..3 {
                peers.wire.extend(record(version, DATA, &text(MAX_RECORD)));
            }
            while !peers.wire.is_empty() {
                peers.deliver(piece).unwrap();
            }
            assert_eq!(peers.plain.len(), 3 * MAX_RECORD);
            peers.wire = record(version, DATA, &text(MAX_RECORD + 1));
            while peers.deliver(piece).is_ok() {}
            assert_eq!(peers.plain.len(), 3 * MAX_RECORD);
            peers.assert_dead();
        }
    }
}

#[test]
fn what_comes_behind_the_goodbye_is_not_read() {
    for (version, way) in bare_ways() {
        let mut peers = Peers::established(&way);
        peers.wire = record(version, DATA, b"before");
        peers.wire.extend(record(version, ALERT, &[1, 0]));
        peers.wire.extend(record(version, DATA, b"behind"));
        assert_eq!(peers.deliver(usize::MAX).unwrap(), Progress::PeerClosed);
        peers.wire = record(version, DATA, b"later");
        assert_eq!(peers.deliver(usize::MAX).unwrap(), Progress::PeerClosed);
        assert_eq!(peers.plain, b"before");
        peers.server_says(b"answer").unwrap();
        assert_eq!(peers.heard, b"answer");
        peers.server.close(&mut Vec::new()).unwrap();
    }
}

#[test]
fn renegotiation_is_refused_and_a_second_try_is_the_end() {
    let (version, way) = &bare_ways()[0];
    let mut peers = Peers::established(way);
    let mut hello = vec![1, 0, 0, 43, 3, 3];
    hello.extend([0; 33]);
    hello.extend([0, 2, 0xc0, 0x2b, 1, 0, 0, 0]);
    for outcome in [true, false] {
        peers.wire = record(*version, HANDSHAKE, &hello);
        assert_eq!(peers.deliver(usize::MAX).is_ok(), outcome);
        if outcome {
            peers.wire = record(*version, DATA, b"PING\r\n");
            peers.deliver(usize::MAX).unwrap();
            peers.server_says(b"+PONG\r\n").unwrap();
        }
    }
    assert_eq!(peers.plain, b"PING\r\n");
    peers.assert_dead();
}

/// What a client may do that has read the source.
#[derive(Clone, Debug)]
enum Step {
    Record(u8, Vec<u8>),
    Raw(Vec<u8>),
    Seal(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let payload = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..12),
        2 => Just(KEY_UPDATE.to_vec()),
        2 => (1usize..5).prop_map(|len| KEY_UPDATE[..len].to_vec()),
        2 => (1usize..5).prop_map(|len| KEY_UPDATE[len..].to_vec()),
        1 => Just([KEY_UPDATE, KEY_UPDATE].concat()),
        1 => Just([KEY_UPDATE.as_slice(), &KEY_UPDATE[..3]].concat()),
        1 => Just(FORGED.to_vec()),
        1 => Just(vec![1, 0]),
        1 => Just(vec![1, 90]),
        1 => Just(vec![2, 40]),
        1 => Just(vec![1, 0, 0, 0]),
        1 => Just(vec![4, 0, 0, 2, 0, 0]),
        1 => (0usize..17_000).prop_map(text),
    ];
    let kind = prop_oneof![4 => Just(HANDSHAKE), 3 => Just(DATA), 2 => Just(ALERT), 1 => 19u8..26];
    prop_oneof![
        8 => (kind, payload).prop_map(|(kind, payload)| Step::Record(kind, payload)),
        1 => proptest::collection::vec(any::<u8>(), 1..30).prop_map(Step::Raw),
        4 => (0usize..40_000).prop_map(Step::Seal),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_order_of_records_and_replies_is_a_panic(
        which in 0usize..2,
        steps in proptest::collection::vec(step(), 1..30),
        piece in prop_oneof![Just(1usize), Just(5), Just(64), Just(usize::MAX)],
    ) {
        thread_local! { static WAYS: [(rustls::ProtocolVersion, Way); 2] = bare_ways(); }
        let (version, way) = WAYS.with(|ways| ways[which].clone());
        let mut peers = Peers::established(&way);
        let mut failed = false;
        let mut closed = false;
        for step in steps {
            match step {
                Step::Record(kind, payload) => peers.wire.extend(record(version, kind, &payload)),
                Step::Raw(bytes) => peers.wire.extend(bytes),
                Step::Seal(len) => {
                    let sealed = peers.server_says(&text(len));
                    prop_assert_eq!(sealed.is_err(), failed);
                }
                Step::Close => {
                    // rustls says at most one goodbye; that a second one is harmless is all that is asked.
                    let _ = peers.server.close(&mut Vec::new());
                    closed = true;
                }
            }
            if closed {
                break;
            }
            while !peers.wire.is_empty() {
                if peers.deliver(piece).is_err() {
                    failed = true;
                }
            }
            if failed {
                peers.assert_dead();
            }
        }
    }
}

#[test]
fn a_tls_1_2_connection_is_worn_out_before_its_keys_are() {
    let way = way("1.2", bare::provider_with_limit(1024), &TLS12, false);
    let mut peers = Peers::established(&way);
    let mut sent = 0;
    while !peers.server.is_worn_out() {
        peers.server_says(&text(16 * 1024 + 1)).unwrap();
        sent += 2;
    }
    assert_eq!(sent, 1024 - 4);
    // What can't be put off still goes; then rustls ends it, and nothing panics.
    peers.server_says(b"urgent").unwrap();
    while peers.server_says(b"more").is_ok() {
        sent += 1;
    }
    assert!(sent <= 1024);
    peers.assert_dead();
    let end = peers.client.reader().read(&mut [0; 1]);
    assert_eq!(end.ok(), Some(0), "the client is told goodbye");
}

#[test]
fn what_has_no_limit_of_records_is_never_worn_out() {
    let unlimited = CryptoProvider {
        cipher_suites: vec![TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256],
        ..(*testing::provider()).clone()
    };
    let way12 = way("1.2", unlimited, &TLS12, false);
    let mut chacha = Peers::established(&way12);
    chacha.server.records_out = 1 << 40;
    assert!(
        !chacha.server.is_worn_out(),
        "ChaCha20-Poly1305 has no limit"
    );
    let way13 = way("1.3", bare::provider_with_limit(64), &TLS13, false);
    let mut renewed = Peers::established(&way13);
    for _ in 0..1000 {
        renewed.server_says(b"0123456789").unwrap();
        assert!(!renewed.server.is_worn_out());
    }
    assert_eq!(
        renewed.heard.len(),
        10_000,
        "TLS 1.3 renews its keys by itself"
    );
}
