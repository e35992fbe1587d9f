//! What admission costs: the CIDR look-up among many prefixes and the books of half-open connections at accept, and the
//! client certificate at the handshake, with a CRL of many entries and with none.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(
    clippy::expect_used,
    reason = "a bench that can't be set up should stop"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use redwall::admission::slots::{Decision, SlotLimits, Slots};
use redwall::admission::{Admission, PrivateOnly};
use redwall::client::authority::{ClientCa, Found};
use redwall::client::verifier::{ClientVerifier, Demand};
use redwall::load::tls::provider;
use rustls::pki_types::{CertificateDer, UnixTime};

/// A fixed pseudo-random sequence (xorshift), so that two runs measure the same thing.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state)
    })
}

/// `count` prefixes of /16 to /32 (IPv4) or /32 to /128 (IPv6), one in eight of them denied.
fn admission(count: usize, family: &str) -> Admission {
    let nets: Vec<IpNet> = numbers()
        .take(count)
        .filter_map(|n| match family {
            "ipv4" => IpNet::new(
                Ipv4Addr::from_bits(n as u32).into(),
                16 + (n >> 40) as u8 % 17,
            )
            .ok(),
            _ => IpNet::new(ipv6(n).into(), 32 + (n >> 40) as u8 % 97).ok(),
        })
        .collect();
    let (deny, allow) = nets.split_at(count / 8);
    Admission::new(allow, deny, PrivateOnly::Off)
}

fn ipv6(n: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits((u128::from(n) << 64) | u128::from(n.rotate_left(23)))
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit");
    for family in ["ipv4", "ipv6"] {
        for count in [10, 1_000, 100_000] {
            let admission = admission(count, family);
            let addresses: Vec<IpAddr> = numbers()
                .step_by(2)
                .take(4096)
                .map(|n| match family {
                    "ipv4" => Ipv4Addr::from_bits((n >> 3) as u32).into(),
                    _ => ipv6(n ^ 0xff).into(),
                })
                .collect();
            let mut next = addresses.iter().cycle();
            group.bench_function(BenchmarkId::new(family, count), |b| {
                b.iter(|| {
                    next.next()
                        .map(|address| admission.admit(black_box(*address)))
                })
            });
        }
    }
    group.bench_function("build/100000", |b| b.iter(|| admission(100_000, "ipv4")));
    group.finish();
}

/// Every newcomer pushes out a half-open connection: the most that a stranger can make admission do.
fn flood(c: &mut Criterion) {
    let mut slots = Slots::new(SlotLimits {
        connections: 20_000,
        per_address: 1_000,
        half_open: 4_096,
        half_open_per_address: 64,
        ipv6_prefix: 64,
    });
    let mut sources = numbers();
    c.bench_function("slots/flood", |b| {
        b.iter(|| {
            let source = sources.next().unwrap_or_default();
            match slots.admit(Ipv4Addr::from_bits(source as u32).into()) {
                Decision::Admit(slot) | Decision::AdmitAndEvict { slot, .. } => black_box(slot),
                Decision::Refuse(refusal) => unreachable!("{refusal:?}"),
            }
        })
    });
}

/// A development CA, a client's certificate, and a CRL that revokes `revoked` others.
fn verifier(revoked: u64) -> (ClientVerifier, CertificateDer<'static>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = || KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key()).expect("a CA");
    let mut client = CertificateParams::default();
    client.serial_number = Some(SerialNumber::from(revoked + 1));
    let leaf = client.signed_by(&key(), &ca).expect("a certificate");
    let now = time::OffsetDateTime::now_utc();
    let crl = CertificateRevocationListParams {
        this_update: now - time::Duration::DAY,
        next_update: now + time::Duration::DAY,
        crl_number: SerialNumber::from(1u64),
        issuing_distribution_point: None,
        revoked_certs: (0..revoked).map(|serial| revocation(serial, now)).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let crl = crl.signed_by(&ca).expect("a CRL").der().clone();
    let found = |origin: &str| origin.to_owned();
    let cas = [ClientCa {
        name: "ca".to_owned(),
        certificates: vec![Found {
            item: ca.der().clone(),
            origin: found("ca"),
        }],
        crls: (revoked > 0)
            .then(|| Found {
                item: crl,
                origin: found("crl"),
            })
            .into_iter()
            .collect(),
    }];
    let verifier = ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &provider())
        .expect("sound files");
    (verifier, leaf.der().clone())
}

fn revocation(serial: u64, now: time::OffsetDateTime) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: now - time::Duration::DAY,
        reason_code: None,
        invalidity_date: None,
    }
}

fn client_certificates(c: &mut Criterion) {
    let mut group = c.benchmark_group("client_certificate");
    for revoked in [0, 1, 100_000] {
        let (verifier, leaf) = verifier(revoked);
        group.bench_function(BenchmarkId::new("crl_entries", revoked), |b| {
            b.iter(|| {
                verifier
                    .verify(&leaf, &[], UnixTime::now())
                    .expect("a good client")
            })
        });
    }
    group.finish();
}

criterion_group!(benches, lookups, flood, client_certificates);
criterion_main!(benches);
