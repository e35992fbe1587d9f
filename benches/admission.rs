//! What admission costs at accept: the CIDR look-up among many prefixes and the books of half-open connections.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use redwall::admission::slots::{Decision, SlotLimits, Slots};
use redwall::admission::{Admission, PrivateOnly};

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

criterion_group!(benches, lookups, flood);
criterion_main!(benches);
