use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion};

use super::*;
use crate::client::fault::HandshakeFault;
use crate::client::testing::{
    Ca, Clock, DAY, NOW, Pair, client_config as client, client_params, handshake, params, unix,
};
use crate::client::verifier::take_seen;
use crate::config::Severity;

const ALL: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];
const OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

fn pem(label: &str, der: &[u8]) -> String {
    // 57 bytes are one line of 76 characters.
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(57) {
        for group in line.chunks(3) {
            let bits = group
                .iter()
                .fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place <= group.len() {
                    char::from(digit)
                } else {
                    '='
                });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn file(name: &str, blocks: &[(&str, &[u8])]) -> PemFile {
    let text: String = blocks.iter().map(|(label, der)| pem(label, der)).collect();
    PemFile::new(name, text.into_bytes(), Some(0o600))
}

fn certificates(name: &str, chain: &[CertificateDer<'static>]) -> PemFile {
    let blocks: Vec<(&str, &[u8])> = chain
        .iter()
        .map(|der| ("CERTIFICATE", der.as_ref()))
        .collect();
    file(name, &blocks)
}

fn key_file(name: &str, key: &KeyPair) -> PemFile {
    file(name, &[("PRIVATE KEY", &key.serialize_der())])
}

fn server_params(names: &[&str]) -> CertificateParams {
    let mut params = params("server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names
        .iter()
        .map(|n| SanType::DnsName((*n).try_into().unwrap()))
        .collect();
    params
}

fn shown(pair: &Pair) -> CertificateSource {
    CertificateSource {
        certificate: certificates("server.crt", std::slice::from_ref(&pair.cert)),
        key: key_file("server.key", &pair.key),
    }
}

fn source(certificates: Vec<CertificateSource>) -> TlsSource {
    TlsSource {
        certificates,
        client_cas: Vec::new(),
        client_certificates: ClientCertificates::Off,
        crl_grace: Duration::ZERO,
        min_version: TlsVersion::Tls12,
    }
}

fn plain(ca: &Ca) -> TlsSource {
    source(vec![shown(&ca.issue(&server_params(&["redis.example"])))])
}

fn mutual(ca: &Ca, crls: Vec<PemFile>) -> TlsSource {
    let ca_file = certificates("ca.crt", &[ca.der()]);
    TlsSource {
        client_cas: vec![CaSource {
            name: "corp".to_owned(),
            pem: ca_file,
            crls,
        }],
        client_certificates: ClientCertificates::Required,
        ..plain(ca)
    }
}

/// A configuration whose clock stands at [`NOW`], or where it is set.
fn built(source: &TlsSource, clock: &Arc<Clock>) -> Arc<ServerConfig> {
    let tls = server_config(source, unix(NOW)).unwrap();
    let mut config = (*tls.config).clone();
    config.time_provider = Arc::clone(clock) as Arc<dyn rustls::time_provider::TimeProvider>;
    Arc::new(config)
}

fn faults(source: &TlsSource) -> Vec<TlsProblem> {
    server_config(source, unix(NOW))
        .unwrap_err()
        .into_iter()
        .map(|fault| fault.problem)
        .collect()
}

fn with_certificate(
    pair: &Pair,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    Arc::new(client(
        Some((vec![pair.cert.clone()], pair.key_der())),
        versions,
    ))
}

#[test]
fn an_expired_certificate_is_refused_also_after_a_first_good_session() {
    let ca = Ca::new("Corp Root");
    let clock = Clock::at(NOW);
    let server = built(&mutual(&ca, Vec::new()), &clock);
    for versions in [ALL, OLD] {
        clock.set(NOW);
        let client = with_certificate(&ca.issue(&client_params("alice", 1)), versions);
        for _ in 0..2 {
            let (session, _) = handshake(&server, &client, "redis.example").unwrap();
            assert_eq!(
                session.handshake_kind(),
                Some(HandshakeKind::Full),
                "nothing is resumed"
            );
            assert!(take_seen().unwrap().trusted().is_some());
        }
        clock.set(NOW + 31 * DAY);
        let error = handshake(&server, &client, "redis.example").unwrap_err();
        let seen = take_seen().unwrap();
        let explained = HandshakeFault::explain(&error, seen.fault());
        assert_eq!(explained.label, "expired");
        assert!(seen.facts().unwrap().subject.contains("alice"));
    }
}

/// The same client against the same server without client certificates does resume: the test above can fail.
#[test]
fn without_client_certificates_sessions_are_resumed() {
    let server = built(&plain(&Ca::new("Corp Root")), &Clock::at(NOW));
    let client = Arc::new(client(None, ALL));
    let kinds: Vec<_> = (0..2)
        .map(|_| {
            handshake(&server, &client, "redis.example")
                .unwrap()
                .0
                .handshake_kind()
        })
        .collect();
    assert_eq!(
        kinds,
        [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]
    );
}

#[test]
fn a_revoked_certificate_is_refused_and_explained() {
    let ca = Ca::new("Corp Root");
    let crl = file("corp.crl", &[("X509 CRL", &ca.crl([66]))]);
    let server = built(&mutual(&ca, vec![crl]), &Clock::at(NOW));
    let outcome = |serial| {
        let client = with_certificate(&ca.issue(&client_params("alice", serial)), ALL);
        let outcome = handshake(&server, &client, "redis.example").map(drop);
        let seen = take_seen().unwrap();
        outcome.map_err(|error| HandshakeFault::explain(&error, seen.fault()).label)
    };
    assert_eq!(outcome(1), Ok(()));
    assert_eq!(outcome(66), Err("revoked"));
}

#[test]
fn who_has_no_certificate_or_a_strangers_is_refused_where_one_is_required() {
    let (ca, stranger) = (Ca::new("Corp Root"), Ca::new("Stranger"));
    let mut given = mutual(&ca, Vec::new());
    let nobody = Arc::new(client(None, ALL));
    let mallory = with_certificate(&stranger.issue(&client_params("admin", 1)), ALL);
    let outcome = |given: &TlsSource, client| {
        let outcome = handshake(&built(given, &Clock::at(NOW)), client, "redis.example");
        let seen = take_seen();
        outcome.map(drop).map_err(|error| {
            HandshakeFault::explain(&error, seen.as_ref().and_then(|seen| seen.fault())).label
        })
    };
    assert_eq!(outcome(&given, &nobody), Err("no_certificate"));
    assert_eq!(outcome(&given, &mallory), Err("unknown_ca"));
    given.client_certificates = ClientCertificates::Optional;
    assert_eq!(outcome(&given, &nobody), Ok(()));
    assert_eq!(
        outcome(&given, &mallory),
        Err("unknown_ca"),
        "what is shown must be sound"
    );
}

/// The DNS names of the certificate that a client is shown.
fn shown_to(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, name: &str) -> String {
    let (_, client) = handshake(server, client, name).unwrap();
    let leaf = &client.peer_certificates().unwrap()[0];
    match &crate::client::identity::names(leaf).unwrap().dns[0] {
        crate::admission::certificate::Name::Text(text) => text.clone(),
        crate::admission::certificate::Name::Unreadable(fault) => panic!("{fault}"),
    }
}

#[test]
fn the_certificate_shown_follows_the_name_asked_for_and_there_is_always_one() {
    let ca = Ca::new("Corp Root");
    let given = [
        &["default.example"][..],
        &["*.cache.example"],
        &["a.cache.example"],
    ];
    let given = given
        .iter()
        .map(|names| shown(&ca.issue(&server_params(names))))
        .collect();
    let server = built(&source(given), &Clock::at(NOW));
    let with_name = Arc::new(client(None, ALL));
    let mut nameless = client(None, ALL);
    nameless.enable_sni = false;
    let nameless = Arc::new(nameless);
    let cases = [
        (&with_name, "default.example", "default.example"),
        (&with_name, "b.cache.example", "*.cache.example"),
        (&with_name, "a.cache.example", "a.cache.example"),
        (&with_name, "A.Cache.Example", "a.cache.example"),
        (&with_name, "unknown.example", "default.example"),
        (&with_name, "127.0.0.1", "default.example"),
        (&nameless, "a.cache.example", "default.example"),
    ];
    for (client, name, wanted) in cases {
        assert_eq!(shown_to(&server, client, name), wanted, "{name}");
    }
}

#[test]
fn a_client_that_offers_only_another_protocol_is_not_turned_away() {
    let server = built(&plain(&Ca::new("Corp Root")), &Clock::at(NOW));
    let mut http = client(None, ALL);
    http.alpn_protocols = vec![b"h2".to_vec()];
    assert!(handshake(&server, &Arc::new(http), "redis.example").is_ok());
}

#[test]
fn tls_1_2_takes_the_suite_without_a_record_limit_against_the_clients_order() {
    let server = built(&plain(&Ca::new("Corp Root")), &Clock::at(NOW));
    // The library's own order begins with AES-GCM.
    let (session, _) = handshake(&server, &Arc::new(client(None, OLD)), "redis.example").unwrap();
    let suite = session.negotiated_cipher_suite().unwrap();
    assert_eq!(suite.version().version, ProtocolVersion::TLSv1_2);
    assert!(format!("{suite:?}").contains("CHACHA20"), "{suite:?}");
    let rustls::SupportedCipherSuite::Tls12(suite) = suite else {
        panic!("{suite:?}")
    };
    assert_eq!(suite.common.confidentiality_limit, u64::MAX);
}

#[test]
fn tls_1_3_agrees_on_the_post_quantum_hybrid() {
    let server = built(&plain(&Ca::new("Corp Root")), &Clock::at(NOW));
    let (session, _) = handshake(&server, &Arc::new(client(None, ALL)), "redis.example").unwrap();
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = session.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.max_early_data_size, 0);
}

#[test]
fn an_old_client_is_refused_where_tls_1_3_is_the_minimum() {
    let given = TlsSource {
        min_version: TlsVersion::Tls13,
        ..plain(&Ca::new("Corp Root"))
    };
    let server = built(&given, &Clock::at(NOW));
    let error = handshake(&server, &Arc::new(client(None, OLD)), "redis.example").unwrap_err();
    assert_eq!(
        HandshakeFault::explain(&error, None).label,
        "protocol_version"
    );
}

#[test]
fn a_key_must_be_that_of_the_first_certificate() {
    let ca = Ca::new("Corp Root");
    let (mine, other) = (
        ca.issue(&server_params(&["a"])),
        ca.issue(&server_params(&["b"])),
    );
    let given = |chain: &[CertificateDer<'static>], key| {
        source(vec![CertificateSource {
            certificate: certificates("server.crt", chain),
            key: key_file("server.key", key),
        }])
    };
    let key = "server.key".to_owned();
    assert_eq!(
        faults(&given(std::slice::from_ref(&mine.cert), &other.key)),
        [TlsProblem::KeyMismatch { key }]
    );
    let reversed = given(&[ca.der(), mine.cert.clone()], &mine.key);
    assert_eq!(faults(&reversed), [TlsProblem::LeafNotFirst { place: 2 }]);
    let stray = given(&[mine.cert.clone(), Ca::new("Stray Root").der()], &mine.key);
    assert!(
        matches!(&faults(&stray)[..], [TlsProblem::ChainOrder { next, .. }] if next.contains("Stray Root"))
    );
    assert!(server_config(&given(&[mine.cert.clone(), ca.der()], &mine.key), unix(NOW)).is_ok());
}

#[test]
fn what_peers_would_refuse_is_refused_with_its_cause() {
    let ca = Ca::new("Corp Root");
    let some = ca.issue(&server_params(&["a"]));
    let given = |pem: &[u8]| {
        source(vec![CertificateSource {
            certificate: PemFile::new("server.crt", pem.to_vec(), None),
            key: key_file("server.key", &some.key),
        }])
    };
    let unsupported = |kind: &str| TlsProblem::KeyUnsupported(kind.to_owned());
    let cases: [(&[u8], TlsProblem); 4] = [
        (
            include_bytes!("../../../tests/certificates/version-1.pem"),
            TlsProblem::OldVersion,
        ),
        (
            include_bytes!("../../../tests/certificates/rsa-1024.pem"),
            unsupported("RSA of 1024 bits"),
        ),
        (
            include_bytes!("../../../tests/certificates/rsa-pss.pem"),
            unsupported("RSASSA-PSS; want rsaEncryption"),
        ),
        (
            include_bytes!("../../../tests/certificates/ed448.pem"),
            unsupported("Ed448"),
        ),
    ];
    for (pem, wanted) in cases {
        assert_eq!(faults(&given(pem)), [wanted]);
    }
    let for_clients = source(vec![shown(&ca.issue(&client_params("x", 1)))]);
    assert_eq!(
        faults(&for_clients),
        [TlsProblem::WrongPurpose {
            lacks: "serverAuth"
        }]
    );
    let mut not_a_key = shown(&some);
    not_a_key.key = file("server.key", &[("PRIVATE KEY", b"junk")]);
    assert_eq!(
        faults(&source(vec![not_a_key])),
        [TlsProblem::KeyUnreadable]
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let ca = Ca::new("Corp Root");
    let empty = || PemFile::new("empty.pem", Vec::new(), None);
    let mut given = mutual(&ca, vec![empty()]);
    given.certificates[0].certificate = empty();
    given.certificates[0].key = empty();
    let leaf = ca.issue(&client_params("alice", 1)).cert;
    given.client_cas.push(CaSource {
        name: "corp".to_owned(),
        pem: certificates("leaf.crt", &[leaf]),
        crls: vec![],
    });
    let wanted = [
        TlsProblem::Empty,
        TlsProblem::Empty,
        TlsProblem::Empty,
        TlsProblem::CaNameTwice,
    ];
    assert_eq!(faults(&given), wanted);
    given.client_cas.remove(0);
    let found = server_config(&given, unix(NOW)).unwrap_err();
    assert_eq!(
        found.last().unwrap().to_string(),
        "leaf.crt: isn't a CA certificate (basicConstraints lacks CA:TRUE), want the issuer's"
    );
    given.client_cas.clear();
    assert!(faults(&given).contains(&TlsProblem::NoClientCa));
    assert_eq!(faults(&source(Vec::new())), [TlsProblem::NoCertificate]);
}

fn warnings(tls: &ServerTls) -> Vec<String> {
    let warnings = tls
        .notes
        .iter()
        .filter(|note| note.severity == Severity::Warning);
    warnings
        .map(|note| format!("{}: {}", note.origin, note.text))
        .collect()
}

#[test]
fn what_is_sound_but_unwise_is_warned_of() {
    let ca = Ca::new("Corp Root");
    let fine = server_config(&plain(&ca), unix(NOW)).unwrap();
    assert_eq!(warnings(&fine), [""; 0]);
    assert_eq!(
        fine.notes[0].text,
        "valid for 30 days, until 2026-01-31T00:00:00Z"
    );

    let mut wide = plain(&ca);
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_3072).unwrap();
    let mut nameless = server_params(&[]);
    nameless.not_after = crate::client::testing::date(NOW + 3 * DAY);
    let cert = nameless.signed_by(&key, &ca.0).unwrap().der().clone();
    let key = pem("PRIVATE KEY", &key.serialize_der()).into_bytes();
    wide.certificates = vec![CertificateSource {
        certificate: certificates("server.crt", &[cert]),
        key: PemFile::new("server.key", key, Some(0o644)),
    }];
    let found = warnings(&server_config(&wide, unix(NOW)).unwrap());
    let wanted = [
        "RSA of 3072 bits",
        "file mode is 0644",
        "names no DNS name",
        "expires in 3 days",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (text, wanted) in found.iter().zip(wanted) {
        assert!(text.contains(wanted), "{text}");
    }
}

/// A reload that takes rights away must not be refused because a certificate has ended meanwhile.
#[test]
fn expired_certificates_and_crls_are_warnings_and_no_faults() {
    let ca = Ca::new("Corp Root");
    let crl = file("corp.crl", &[("X509 CRL", &ca.crl([66]))]);
    let tls = server_config(&mutual(&ca, vec![crl]), unix(NOW + 40 * DAY)).unwrap();
    let expired = warnings(&tls)
        .into_iter()
        .filter(|text| text.contains("expired at"))
        .count();
    assert_eq!((expired, tls.expiries.len()), (3, 3));
}

#[test]
fn a_ca_without_a_crl_is_said_plainly() {
    let (corp, partner) = (Ca::new("Corp Root"), Ca::new("Partner Root"));
    let mut given = mutual(&corp, Vec::new());
    let none = server_config(&given, unix(NOW)).unwrap();
    assert!(
        none.notes
            .iter()
            .any(|note| note.severity == Severity::Warning && note.text.starts_with("has no CRL"))
    );
    given.client_cas[0].crls = vec![file("corp.crl", &[("X509 CRL", &corp.crl([]))])];
    let pem = certificates("partner.crt", &[partner.der()]);
    given.client_cas.push(CaSource {
        name: "partner".to_owned(),
        pem,
        crls: Vec::new(),
    });
    let found = warnings(&server_config(&given, unix(NOW)).unwrap());
    assert!(
        matches!(&found[..], [one] if one.contains("Partner Root") && one.contains("is refused")),
        "{found:?}"
    );
}

fn backend(ca: &Ca, server_name: &str, certificate: Option<CertificateSource>) -> BackendTlsSource {
    BackendTlsSource {
        ca: certificates("backend-ca.crt", &[ca.der()]),
        certificate,
        server_name: server_name.to_owned(),
        min_version: TlsVersion::Tls12,
    }
}

#[test]
fn a_backend_is_verified_by_its_ca_and_its_name() {
    let (ca, stranger) = (Ca::new("Corp Root"), Ca::new("Corp Root"));
    let mut redis = server_params(&["redis.example"]);
    redis
        .subject_alt_names
        .push(SanType::IpAddress("10.0.0.1".parse().unwrap()));
    let clock = Clock::at(NOW);
    let asks = TlsSource {
        certificates: vec![shown(&ca.issue(&redis))],
        ..mutual(&ca, Vec::new())
    };
    let server = built(&asks, &clock);
    let pair = ca.issue(&client_params("redwall", 1));
    let dial = |ca: &Ca, name: &str| {
        let tls = client_config(&backend(ca, name, Some(shown(&pair))), unix(NOW)).unwrap();
        let mut config = (*tls.config).clone();
        config.time_provider = Arc::clone(&clock) as Arc<dyn rustls::time_provider::TimeProvider>;
        handshake(&server, &Arc::new(config), &tls.server_name.to_str()).is_ok()
    };
    assert!(dial(&ca, "redis.example") && dial(&ca, "10.0.0.1"));
    assert!(
        !dial(&ca, "other.example") && !dial(&ca, "10.0.0.2") && !dial(&stranger, "redis.example")
    );
}

#[test]
fn a_backends_ca_is_told_from_others_whatever_else_is_new() {
    let (ca, other) = (Ca::new("Corp Root"), Ca::new("Corp Root"));
    let pair = shown(&ca.issue(&client_params("redwall", 1)));
    let digest = |ca: &Ca, pair| {
        client_config(&backend(ca, "redis.example", pair), unix(NOW))
            .unwrap()
            .ca
    };
    assert_eq!(digest(&ca, None), digest(&ca, Some(pair)));
    assert_ne!(digest(&ca, None), digest(&other, None));
}

#[test]
fn a_backend_configuration_reports_its_faults_at_once() {
    let ca = Ca::new("Corp Root");
    let server_only = shown(&ca.issue(&server_params(&["a"])));
    let mut given = backend(&ca, "not a name", Some(server_only));
    given.ca = certificates("leaf.crt", &[ca.issue(&server_params(&["a"])).cert]);
    let problems: Vec<_> = client_config(&given, unix(NOW))
        .unwrap_err()
        .into_iter()
        .map(|f| f.problem)
        .collect();
    let wanted = [
        TlsProblem::Authority(crate::client::authority::Problem::NotACa),
        TlsProblem::ServerName,
        TlsProblem::WrongPurpose {
            lacks: "clientAuth",
        },
    ];
    assert_eq!(problems, wanted);
}

#[test]
fn the_pem_writer_of_these_tests_is_read_back() {
    let der: Vec<u8> = (0..=255).collect();
    for len in [0, 1, 2, 3, 57, 58, 256] {
        let text = pem("CERTIFICATE", &der[..len]);
        assert_eq!(
            CertificateDer::from_pem_slice(text.as_bytes())
                .unwrap()
                .as_ref(),
            &der[..len]
        );
    }
}
