//! What each of the two libraries takes to seal a TLS 1.3 record of AES-256-GCM and to open it again, by rustls's own record layer:
//! the reason for the choice in `load/provider.rs`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark ends where what it needs is missing"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use redwall::load::provider::Records;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::{CipherSuite, ContentType, ProtocolVersion, SupportedCipherSuite};

/// That of the program: where a record lies in its page matters to some processors.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes before a record's content.
const HEADER: usize = 5;

fn both_ends(records: Records) -> (Box<dyn MessageEncrypter>, Box<dyn MessageDecrypter>) {
    let suites = records.provider().cipher_suites;
    let wanted = CipherSuite::TLS13_AES_256_GCM_SHA384;
    let suite = suites.iter().find(|suite| suite.suite() == wanted).unwrap();
    let SupportedCipherSuite::Tls13(suite) = suite else {
        panic!("{wanted:?} belongs to TLS 1.3");
    };
    let key = || AeadKey::from([7; 32]);
    let iv = || Iv::new([9; 12]);
    (
        suite.aead_alg.encrypter(key(), iv()),
        suite.aead_alg.decrypter(key(), iv()),
    )
}

fn seal(encrypter: &mut dyn MessageEncrypter, content: &[u8], number: u64) -> Vec<u8> {
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(content),
    };
    encrypter.encrypt(message, number).unwrap().encode()
}

fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    for size in [64, 1 << 10, 16 << 10] {
        for records in [Records::AwsLc, Records::Ring] {
            let (mut encrypter, mut decrypter) = both_ends(records);
            let content = vec![b'v'; size];
            // From 0 on, and never twice: aws-lc-rs insists.
            let mut number = 0;
            group.bench_function(format!("{size}, {}", records.library()), |bencher| {
                bencher.iter(|| {
                    let mut record = seal(&mut *encrypter, black_box(&content), number);
                    let message = InboundOpaqueMessage::new(
                        ContentType::ApplicationData,
                        ProtocolVersion::TLSv1_2,
                        &mut record[HEADER..],
                    );
                    let opened = decrypter.decrypt(message, number).unwrap();
                    assert_eq!(opened.payload.len(), size);
                    number += 1;
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
