use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, KeyPair, SanType};
use x509_parser::pem::parse_x509_pem;

use super::super::testing::{Ca, NOW, client_ca, client_params, params, provider, unix};
use super::super::verifier::{ClientVerifier, Demand};
use super::*;
use crate::admission::certificate::{NameField, Pattern};

fn self_signed(params: CertificateParams) -> CertificateDer<'static> {
    params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .clone()
}

fn texts(names: &[Name]) -> Vec<&str> {
    names
        .iter()
        .map(|name| match name {
            Name::Text(text) => text.as_str(),
            Name::Unreadable(fault) => match fault {
                NameFault::Control => "<control>",
                NameFault::Encoding => "<encoding>",
                NameFault::StringType => "<string type>",
            },
        })
        .collect()
}

/// A subject alternative name extension out of raw (tag, bytes) names.
fn alternative_names(names: &[(u8, &[u8])]) -> CustomExtension {
    let mut content = Vec::new();
    for (tag, bytes) in names {
        content.extend([0x80 | tag, u8::try_from(bytes.len()).unwrap()]);
        content.extend(*bytes);
    }
    let mut sequence = vec![0x30, u8::try_from(content.len()).unwrap()];
    sequence.extend(content);
    CustomExtension::from_oid_content(&[2, 5, 29, 17], sequence)
}

#[test]
fn all_four_kinds_of_names_are_read() {
    let mut params = params("alice");
    params.subject_alt_names = vec![
        SanType::DnsName("alice.clients.corp".try_into().unwrap()),
        SanType::URI("spiffe://corp/alice".try_into().unwrap()),
        SanType::Rfc822Name("alice@corp".try_into().unwrap()),
        SanType::IpAddress("10.0.0.1".parse().unwrap()),
    ];
    let names = names(&self_signed(params)).unwrap();
    assert_eq!(texts(&names.common), ["alice"]);
    assert_eq!(texts(&names.dns), ["alice.clients.corp"]);
    assert_eq!(texts(&names.uris), ["spiffe://corp/alice"]);
    assert_eq!(texts(&names.emails), ["alice@corp"]);
}

#[test]
fn common_names_of_deceptive_types_are_unreadable() {
    let bmp: DnValue = DnValue::BmpString("alice".try_into().unwrap());
    let teletex = DnValue::TeletexString("alice".try_into().unwrap());
    let universal = DnValue::UniversalString("alice".try_into().unwrap());
    let printable = DnValue::PrintableString("alice".try_into().unwrap());
    let cases = [
        (bmp, "<string type>"),
        (teletex, "<string type>"),
        (universal, "<string type>"),
        (printable, "alice"),
        (DnValue::Utf8String("alice\0.evil".to_owned()), "<control>"),
        (DnValue::Utf8String("ali\nce".to_owned()), "<control>"),
        (DnValue::Utf8String("ali\u{9b}ce".to_owned()), "<control>"),
        (DnValue::Utf8String("älice".to_owned()), "älice"),
    ];
    for (value, wanted) in cases {
        let mut params = params("x");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, value.clone());
        assert_eq!(
            texts(&names(&self_signed(params)).unwrap().common),
            [wanted],
            "{value:?}"
        );
    }
}

#[test]
fn alternative_names_that_arent_plain_ascii_are_unreadable() {
    let mut params = params("x");
    params.custom_extensions = vec![alternative_names(&[
        (1, b"alice@corp\0"),
        (2, b"\xff\xfe"),
        (2, "ä.corp".as_bytes()),
        (6, b"spiffe://corp/a\x1b"),
        (6, b"spiffe://corp/a"),
    ])];
    let names = names(&self_signed(params)).unwrap();
    assert_eq!(texts(&names.emails), ["<control>"]);
    assert_eq!(texts(&names.dns), ["<encoding>", "<encoding>"]);
    assert_eq!(texts(&names.uris), ["<control>", "spiffe://corp/a"]);
}

#[test]
fn two_alternative_name_extensions_prove_nothing() {
    let mut params = params("x");
    params.custom_extensions = vec![
        alternative_names(&[(6, b"spiffe://corp/a")]),
        alternative_names(&[(6, b"spiffe://corp/b")]),
    ];
    assert!(names(&self_signed(params)).is_none());
}

fn by_uri() -> [CertificateMapping; 1] {
    [CertificateMapping {
        field: NameField::SanUri,
        pattern: Pattern::template("spiffe://corp/{user}").unwrap(),
        ca: None,
    }]
}

fn seen(ca: &Ca, verifier: &ClientVerifier, uri: &str, serial: u64) -> Seen {
    use rustls::server::danger::ClientCertVerifier;
    let mut params = client_params("x", serial);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let leaf = ca.issue(&params).cert;
    let _ = verifier.verify_client_cert(&leaf, &[], unix(NOW));
    super::super::verifier::take_seen().unwrap()
}

#[test]
fn only_a_verified_certificate_of_this_very_connection_proves_a_user() {
    let ca = Ca::new("Root");
    let cas = [client_ca("corp", &[ca.der()], &[ca.crl([66])])];
    let verifier = ClientVerifier::new(
        &cas,
        Demand::Required,
        std::time::Duration::ZERO,
        &provider(),
    )
    .unwrap();
    let alice = seen(&ca, &verifier, "spiffe://corp/alice", 1);
    let bob = seen(&ca, &verifier, "spiffe://corp/bob", 2);
    let revoked = seen(&ca, &verifier, "spiffe://corp/mallory", 66);
    assert_eq!(
        prove(&by_uri(), &alice, alice.leaf()),
        Ok(Some("alice".to_owned()))
    );
    assert_eq!(
        prove(&by_uri(), &alice, bob.leaf()),
        Err(IdentityFault::OtherCertificate)
    );
    assert_eq!(
        prove(&by_uri(), &revoked, revoked.leaf()),
        Err(IdentityFault::NotVerified)
    );
    assert!(
        super::super::verifier::take_seen().is_none(),
        "it is taken once"
    );
}

#[test]
fn a_subject_made_to_forge_log_lines_stays_one_short_field() {
    let mut params = params("x");
    params.distinguished_name.push(
        DnType::OrganizationName,
        "a\nERROR banned 10.0.0.1\x1b[2J\"".to_owned(),
    );
    params
        .distinguished_name
        .push(DnType::OrganizationalUnitName, "long".repeat(3000));
    let facts = CertificateFacts::of(&self_signed(params)).unwrap();
    for text in [&facts.subject, &facts.issuer] {
        assert!(
            text.len() <= 256 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{text}"
        );
        assert!(
            text.contains("\\nERROR") && text.contains("\\x1b[2J\\\""),
            "{text}"
        );
    }
    assert!(CertificateFacts::of(b"junk").is_none());
}

/// Certificates only; their keys were thrown away.
const RSA_1024: &str = include_str!("../../../tests/certificates/rsa-1024.pem");
const RSA_PSS: &str = include_str!("../../../tests/certificates/rsa-pss.pem");
const ED448: &str = include_str!("../../../tests/certificates/ed448.pem");
const SECP256K1: &str = include_str!("../../../tests/certificates/secp256k1.pem");

#[test]
fn keys_that_nothing_can_be_verified_with_are_named() {
    let unsupported = |kind: &str| KeyKind::Unsupported {
        kind: kind.to_owned(),
    };
    let cases = [
        (RSA_1024, KeyKind::Rsa { bits: 1024 }),
        (RSA_PSS, unsupported("RSASSA-PSS; want rsaEncryption")),
        (ED448, unsupported("Ed448")),
        (SECP256K1, unsupported("elliptic curve 1.3.132.0.10")),
    ];
    for (pem, wanted) in cases {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
        assert_eq!(key_kind(pem.parse_x509().unwrap().public_key()), wanted);
    }
}
