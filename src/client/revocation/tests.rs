use std::time::Instant;

use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope};
use rustls::pki_types::CertificateRevocationListDer;

use super::super::testing::{Ca, NOW, client_ca, client_params, date, provider, unix};
use super::super::verifier::{ClientVerifier, Demand};
use super::*;

fn verifier(ca: &Ca, crls: &[CertificateRevocationListDer<'static>]) -> ClientVerifier {
    let cas = [client_ca("corp", &[ca.der()], crls)];
    ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &provider()).unwrap()
}

fn point(uri: &str) -> CrlDistributionPoint {
    CrlDistributionPoint {
        uris: vec![uri.to_owned()],
    }
}

fn scoped(ca: &Ca, uri: &str, scope: Option<CrlScope>) -> CertificateRevocationListDer<'static> {
    let mut params = ca.crl_params([66]);
    params.issuing_distribution_point = Some(CrlIssuingDistributionPoint {
        distribution_point: point(uri),
        scope,
    });
    ca.sign_crl(&params)
}

fn status(
    ca: &Ca,
    crl: CertificateRevocationListDer<'static>,
    serial: u64,
    uri: Option<&str>,
) -> &'static str {
    let mut params = client_params("alice", serial);
    params.crl_distribution_points = uri.map(point).into_iter().collect();
    let leaf = ca.issue(&params).cert;
    match verifier(ca, &[crl]).verify(&leaf, &[], unix(NOW)) {
        Ok(_) => "good",
        Err(fault) => fault.label(),
    }
}

#[test]
fn a_partial_crl_speaks_only_for_its_own_part() {
    let ca = Ca::new("Root");
    let (here, there) = ("http://crl.corp/1", "http://crl.corp/2");
    let cases = [
        (None, None, 1, "good"),
        (None, Some(here), 1, "good"),
        (None, Some(there), 1, "unknown_revocation_status"),
        (Some(CrlScope::UserCertsOnly), Some(here), 1, "good"),
        (
            Some(CrlScope::CaCertsOnly),
            Some(here),
            1,
            "unknown_revocation_status",
        ),
        (
            Some(CrlScope::CaCertsOnly),
            None,
            1,
            "unknown_revocation_status",
        ),
        (None, Some(here), 66, "revoked"),
        (None, Some(there), 66, "revoked"),
    ];
    for (scope, uri, serial, wanted) in cases {
        assert_eq!(
            status(&ca, scoped(&ca, here, scope), serial, uri),
            wanted,
            "{scope:?} {uri:?} {serial}"
        );
    }
    assert_eq!(status(&ca, ca.crl([66]), 1, Some(there)), "good");
}

#[test]
fn a_serial_is_compared_as_a_number() {
    let (short, padded) = (Serial::of(&[0x80]), Serial::of(&[0, 0, 0x80]));
    assert!(short.is_some() && short == padded);
    assert_ne!(Serial::of(&[1]), Serial::of(&[1, 0]));
    assert!(Serial::of(&[0xff; 20]).is_some());
    assert!(Serial::of(&[0x00; 21]).is_some());
    assert!(Serial::of(&[0x01; 21]).is_none());
    assert!(Serial::of(&[]).is_some());
}

#[test]
fn a_serial_that_no_crl_could_list_is_refused_where_crls_count() {
    let ca = Ca::new("Root");
    let mut params = client_params("alice", 1);
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x7f; 21]));
    let leaf = ca.issue(&params).cert;
    let judged = verifier(&ca, &[ca.crl([])]).verify(&leaf, &[], unix(NOW));
    assert_eq!(judged, Err(VerifyFault::SerialTooLong));
}

#[test]
fn every_cut_of_a_crl_is_refused_without_a_panic() {
    let ca = Ca::new("Root");
    let whole = ca.crl([1, 2, 3]).to_vec();
    for end in 0..whole.len() {
        let cas = [client_ca(
            "corp",
            &[ca.der()],
            &[whole[..end].to_vec().into()],
        )];
        let built = ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &provider());
        assert!(built.is_err(), "cut at {end}");
    }
    for flipped in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 1;
        let cas = [client_ca("corp", &[ca.der()], &[bytes.into()])];
        let built = ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &provider());
        assert!(built.is_err(), "flipped at {flipped}");
    }
}

#[test]
fn a_renewed_crl_beside_the_old_one_keeps_the_status_known() {
    let ca = Ca::new("Root");
    let mut old = ca.crl_params([7]);
    old.next_update = date(NOW - 1);
    let crls = [ca.sign_crl(&old), ca.crl([])];
    let verifier = verifier(&ca, &crls);
    let judged = |serial| {
        verifier.verify(
            &ca.issue(&client_params("alice", serial)).cert,
            &[],
            unix(NOW),
        )
    };
    assert!(judged(8).is_ok());
    assert!(
        matches!(judged(7), Err(VerifyFault::Revoked { .. })),
        "what an old CRL revoked stays revoked"
    );
    assert_eq!(verifier.revocations().expiries().count(), 2);
}

#[test]
fn crls_of_ca_certificates_too_are_found_by_their_key() {
    let (old, new) = (Ca::new("Root"), Ca::new("Root"));
    let cas = [client_ca(
        "corp",
        &[old.der(), new.der()],
        &[old.crl([7]), new.crl([8])],
    )];
    let verifier =
        ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &provider()).unwrap();
    let revoked = |ca: &Ca, serial| {
        let leaf = ca.issue(&client_params("alice", serial)).cert;
        matches!(
            verifier.verify(&leaf, &[], unix(NOW)),
            Err(VerifyFault::Revoked { .. })
        )
    };
    assert!(revoked(&old, 7) && revoked(&new, 8) && !revoked(&old, 8) && !revoked(&new, 7));
}

/// The handshake of a good client with 100,000 certificates revoked: nothing in it may grow with their number.
#[test]
fn a_hundred_thousand_entries_are_searched_by_halves() {
    let ca = Ca::new("Root");
    let verifier = verifier(&ca, &[ca.crl((0..100_000).map(|serial| serial * 2))]);
    let revocations = verifier.revocations();
    assert_eq!(revocations.len(), 100_000);
    assert!(revocations.entries.is_sorted());

    let entries: Vec<Entry> = (0..100_000u64)
        .map(|serial| Entry {
            issuer: 0,
            serial: Serial::of(&serial.to_be_bytes()).unwrap(),
        })
        .collect();
    let start = Instant::now();
    let found = entries
        .iter()
        .filter(|entry| revocations.lists(**entry))
        .count();
    let each = start.elapsed() / 100_000;
    assert_eq!(found, 50_000);
    assert!(each < Duration::from_micros(5), "{each:?} a look-up");
}
