//! What a revocation list of 100,000 entries adds to the verification of a client's certificate: the promise is less than 5 us.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a benchmark that can't go on has failed"
)]

#[path = "../tests/bed/mod.rs"]
mod bed;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use bed::{Authority, Purpose};
use criterion::{Criterion, criterion_group, criterion_main};
use redwall::client::authority::ClientCa;
use redwall::client::{ClientVerifier, Demand};
use redwall::load::pem::PemFile;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};

const ENTRIES: u64 = 100_000;

fn verifier(own: &Authority, crl: Option<&Path>) -> ClientVerifier {
    let read = |path: &Path| PemFile::new("file", std::fs::read(path).unwrap(), None);
    let ca = ClientCa {
        name: "own".to_owned(),
        certificates: read(&own.file()).certificates().unwrap(),
        crls: crl.map_or_else(Vec::new, |crl| read(crl).crls().unwrap()),
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    ClientVerifier::new(&[ca], Demand::Required, Duration::ZERO, &provider).unwrap()
}

fn verification(criterion: &mut Criterion) {
    let own = Authority::new("own");
    let alice = own.issue("alice", Purpose::Client);
    let leaf = CertificateDer::from_pem_file(&alice.cert).unwrap();
    let crl = own.revoke_many(1, &[], ENTRIES);
    let now = UnixTime::now();
    let mut group = criterion.benchmark_group("client certificate");
    for (name, crl) in [
        ("without a CRL", None),
        ("with a CRL of 100,000", Some(&crl)),
    ] {
        let verifier = verifier(&own, crl.map(|crl| crl.as_path()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| verifier.verify(black_box(&leaf), &[], now).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, verification);
criterion_main!(benches);
