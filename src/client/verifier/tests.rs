use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, GeneralSubtree, NameConstraints as Constraints,
};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

use super::super::authority::Problem;
use super::super::fault::Purpose;
use super::super::testing::{
    Ca, DAY, NOW, Pair, ca_params, client_ca, client_params, date, provider, unix,
};
use super::*;

fn verifier(cas: &[ClientCa]) -> ClientVerifier {
    ClientVerifier::new(cas, Demand::Required, Duration::ZERO, &provider()).unwrap()
}

fn problems(cas: &[ClientCa]) -> Vec<Problem> {
    let faults =
        ClientVerifier::new(cas, Demand::Required, Duration::ZERO, &provider()).unwrap_err();
    faults.into_iter().map(|fault| fault.problem).collect()
}

fn judged(
    verifier: &ClientVerifier,
    pair: &Pair,
    intermediates: &[&Ca],
) -> Result<Trusted, VerifyFault> {
    let intermediates: Vec<_> = intermediates.iter().map(|ca| ca.der()).collect();
    verifier.verify(&pair.cert, &intermediates, unix(NOW))
}

fn label(outcome: Result<Trusted, VerifyFault>) -> &'static str {
    outcome.map_or_else(|fault| fault.label(), |_| "believed")
}

/// Parameters of a CA that may only give out names under `constraint`.
fn constrained(common_name: &str, constraint: GeneralSubtree) -> CertificateParams {
    let mut params = ca_params(common_name);
    params.name_constraints = Some(Constraints {
        permitted_subtrees: vec![constraint],
        excluded_subtrees: Vec::new(),
    });
    params
}

#[test]
fn the_matched_ca_is_reported_by_its_configured_name() {
    let (corp, partner) = (Ca::new("Corp Root"), Ca::new("Partner Root"));
    let verifier = verifier(&[
        client_ca("corp", &[corp.der()], &[]),
        client_ca("partner", &[partner.der()], &[]),
    ]);
    for (ca, name) in [(&corp, "corp"), (&partner, "partner")] {
        let trusted = judged(&verifier, &ca.issue(&client_params("alice", 1)), &[]).unwrap();
        assert_eq!((&*trusted.ca, trusted.client_cas), (name, 2));
        assert_eq!(trusted.constraints, NameConstraints::Absent);
        assert_eq!(trusted.valid_until, NOW + 30 * DAY);
    }
}

#[test]
fn a_certificate_of_a_stranger_with_the_same_ca_name_is_refused() {
    let (corp, stranger) = (Ca::new("Corp Root"), Ca::new("Corp Root"));
    let other = Ca::new("Other Root");
    let verifier = verifier(&[client_ca("corp", &[corp.der()], &[])]);
    let cases = [
        (&corp, "believed"),
        (&stranger, "bad_signature"),
        (&other, "unknown_ca"),
    ];
    for (ca, wanted) in cases {
        assert_eq!(
            label(judged(
                &verifier,
                &ca.issue(&client_params("alice", 1)),
                &[]
            )),
            wanted
        );
    }
}

#[test]
fn an_expired_certificate_and_an_expired_ca_are_told_apart() {
    let mut old_root = ca_params("Old Root");
    old_root.not_after = date(NOW - DAY);
    let (corp, old) = (Ca::new("Corp Root"), Ca::with(old_root));
    let verifier = verifier(&[
        client_ca("corp", &[corp.der()], &[]),
        client_ca("old", &[old.der()], &[]),
    ]);
    let mut late = client_params("late", 1);
    late.not_after = date(NOW - 1);
    let mut early = client_params("early", 2);
    early.not_before = date(NOW + 1);
    let cases = [
        (corp.issue(&late), "expired"),
        (corp.issue(&early), "not_yet_valid"),
        (old.issue(&client_params("fine", 3)), "ca_expired"),
        (corp.issue(&client_params("fine", 4)), "believed"),
    ];
    for (pair, wanted) in cases {
        assert_eq!(label(judged(&verifier, &pair, &[])), wanted);
    }
}

#[test]
fn a_certificate_for_servers_only_is_refused_with_its_cause() {
    let corp = Ca::new("Corp Root");
    let verifier = verifier(&[client_ca("corp", &[corp.der()], &[])]);
    let cases = [
        (ExtendedKeyUsagePurpose::ServerAuth, Purpose::ServerOnly),
        (ExtendedKeyUsagePurpose::Any, Purpose::Any),
        (ExtendedKeyUsagePurpose::CodeSigning, Purpose::Other),
    ];
    for (usage, purpose) in cases {
        let mut params = client_params("alice", 1);
        params.extended_key_usages = vec![usage];
        assert_eq!(
            judged(&verifier, &corp.issue(&params), &[]),
            Err(VerifyFault::WrongPurpose { purpose })
        );
    }
    let ca_itself = verifier.verify(&corp.der(), &[], unix(NOW));
    assert_eq!(ca_itself, Err(VerifyFault::CaAsClient));
}

static SIGNATURE_CHECKS: AtomicUsize = AtomicUsize::new(0);

/// Counts how often the path search checks a signature.
#[derive(Debug)]
struct Counting(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Counting {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        SIGNATURE_CHECKS.fetch_add(1, Ordering::SeqCst);
        self.0.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

fn counting_provider() -> CryptoProvider {
    let mut provider = (*provider()).clone();
    let counted = provider.signature_verification_algorithms.all.iter();
    let counted = counted.map(|known| {
        &*Box::leak(Box::new(Counting(*known))) as &dyn SignatureVerificationAlgorithm
    });
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
        all: Box::leak(counted.collect::<Vec<_>>().into_boxed_slice()),
        mapping: provider.signature_verification_algorithms.mapping,
    };
    provider
}

#[test]
fn a_maze_of_intermediates_is_refused_before_any_signature_is_checked() {
    let corp = Ca::new("Corp Root");
    let cas = [client_ca("corp", &[corp.der()], &[])];
    let verifier =
        ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &counting_provider()).unwrap();
    // All of one name, that of the root too, so that each could have signed each other and the root each of them.
    let maze: Vec<_> = (0..8).map(|_| Ca::new("Corp Root").der()).collect();
    let leaf = Ca::new("Corp Root").issue(&client_params("alice", 1)).cert;

    let short = verifier.verify(&leaf, &maze[..MAX_INTERMEDIATES], unix(NOW));
    assert!(
        short.is_err() && SIGNATURE_CHECKS.swap(0, Ordering::SeqCst) > 0,
        "the search was entered"
    );

    let long = verifier.verify(&leaf, &maze[..=MAX_INTERMEDIATES], unix(NOW));
    assert_eq!(
        long,
        Err(VerifyFault::TooManyIntermediates {
            found: MAX_INTERMEDIATES + 1
        })
    );
    let fat = vec![CertificateDer::from(vec![0; MAX_CHAIN_BYTES])];
    let large = verifier.verify(&leaf, &fat, unix(NOW));
    assert_eq!(
        large,
        Err(VerifyFault::ChainTooLarge {
            found: MAX_CHAIN_BYTES + leaf.len()
        })
    );
    assert_eq!(SIGNATURE_CHECKS.load(Ordering::SeqCst), 0);

    // Nor do the operator's own intermediates multiply the ways: each signature is checked once.
    let sub = corp.sub(ca_params("Corp Sub"));
    let cas = [client_ca("corp", &[corp.der(), sub.der()], &[])];
    let verifier =
        ClientVerifier::new(&cas, Demand::Required, Duration::ZERO, &counting_provider()).unwrap();
    let maze: Vec<_> = (0..MAX_INTERMEDIATES)
        .map(|_| Ca::new("Corp Sub").der())
        .collect();
    let leaf = Ca::new("Corp Sub").issue(&client_params("alice", 1)).cert;
    assert!(verifier.verify(&leaf, &maze, unix(NOW)).is_err());
    let signatures = 1 + 1 + MAX_INTERMEDIATES;
    assert!(SIGNATURE_CHECKS.load(Ordering::SeqCst) <= signatures);
}

#[test]
fn name_constraints_of_the_path_are_reported_where_they_are() {
    let dns = || GeneralSubtree::DnsName("clients.corp".to_owned());
    let (free, bound) = (
        Ca::new("Free Root"),
        Ca::with(constrained("Bound Root", dns())),
    );
    let sub = free.sub(constrained("Bound Sub", dns()));
    let plain_sub = bound.sub(ca_params("Plain Sub"));
    let verifier = verifier(&[
        client_ca("free", &[free.der()], &[]),
        client_ca("bound", &[bound.der()], &[]),
    ]);
    let admin = client_params("admin", 1);
    let cases = [
        (free.issue(&admin), vec![], NameConstraints::Absent),
        (
            sub.issue(&admin),
            vec![&sub],
            NameConstraints::InIntermediate,
        ),
        (bound.issue(&admin), vec![], NameConstraints::InAnchor),
        (
            plain_sub.issue(&admin),
            vec![&plain_sub],
            NameConstraints::InAnchor,
        ),
    ];
    for (pair, intermediates, wanted) in cases {
        assert_eq!(
            judged(&verifier, &pair, &intermediates)
                .unwrap()
                .constraints,
            wanted
        );
    }
}

#[test]
fn a_name_outside_the_constraints_is_refused() {
    let root = Ca::new("Root");
    let sub = root.sub(constrained(
        "Sub",
        GeneralSubtree::DnsName("clients.corp".to_owned()),
    ));
    let verifier = verifier(&[client_ca("corp", &[root.der()], &[])]);
    let mut params = client_params("alice", 1);
    params.subject_alt_names = vec![rcgen::SanType::DnsName("alice.evil".try_into().unwrap())];
    assert_eq!(
        judged(&verifier, &sub.issue(&params), &[&sub]),
        Err(VerifyFault::NameConstraints)
    );
}

#[test]
fn a_clients_missing_intermediate_is_found_in_the_operators_file() {
    let root = Ca::new("Root");
    let sub = root.sub(ca_params("Sub"));
    let pair = sub.issue(&client_params("alice", 1));
    let alone = verifier(&[client_ca("corp", &[root.der()], &[])]);
    assert_eq!(judged(&alone, &pair, &[]), Err(VerifyFault::UnknownCa));
    let both = verifier(&[client_ca("corp", &[root.der(), sub.der()], &[])]);
    assert_eq!(label(judged(&both, &pair, &[])), "believed");
    assert_eq!(both.client_cas(), 1);
}

#[test]
fn an_intermediate_alone_in_its_file_is_an_anchor() {
    let root = Ca::new("Root");
    let sub = root.sub(ca_params("Sub"));
    let verifier = verifier(&[client_ca("team", &[sub.der()], &[])]);
    assert_eq!(
        label(judged(
            &verifier,
            &sub.issue(&client_params("alice", 1)),
            &[]
        )),
        "believed"
    );
    assert_eq!(
        judged(&verifier, &root.issue(&client_params("alice", 1)), &[]),
        Err(VerifyFault::UnknownCa)
    );
}

#[test]
fn revoked_unknown_and_expired_status_are_refused() {
    let (corp, partner) = (Ca::new("Corp Root"), Ca::new("Partner Root"));
    let crls = [corp.crl([7, 9])];
    let cas = [
        client_ca("corp", &[corp.der()], &crls),
        client_ca("partner", &[partner.der()], &[]),
    ];
    let verifier = verifier(&cas);
    let good = corp.issue(&client_params("good", 8));
    let cases = [
        (&corp, 7, "revoked"),
        (&corp, 8, "believed"),
        (&corp, 9, "revoked"),
        (&partner, 7, "unknown_revocation_status"),
    ];
    for (ca, serial, wanted) in cases {
        let pair = ca.issue(&client_params("alice", serial));
        assert_eq!(
            label(judged(&verifier, &pair, &[])),
            wanted,
            "serial {serial}"
        );
    }
    assert_eq!(verifier.without_crl().len(), 1);
    assert_eq!(
        label(verifier.verify(&good.cert, &[], unix(NOW + DAY - 1))),
        "believed"
    );
    assert_eq!(
        label(verifier.verify(&good.cert, &[], unix(NOW + DAY))),
        "crl_expired"
    );
}

#[test]
fn an_expired_crl_counts_for_the_configured_grace_and_revokes_for_ever() {
    let corp = Ca::new("Corp Root");
    let cas = [client_ca("corp", &[corp.der()], &[corp.crl([7])])];
    let grace = Duration::from_secs(2 * DAY);
    let verifier = ClientVerifier::new(&cas, Demand::Required, grace, &provider()).unwrap();
    let (good, bad) = (
        corp.issue(&client_params("good", 8)),
        corp.issue(&client_params("bad", 7)),
    );
    let cases = [
        (3 * DAY - 1, "believed", "revoked"),
        (3 * DAY, "crl_expired", "revoked"),
    ];
    for (later, of_good, of_bad) in cases {
        assert_eq!(
            label(verifier.verify(&good.cert, &[], unix(NOW + later))),
            of_good
        );
        assert_eq!(
            label(verifier.verify(&bad.cert, &[], unix(NOW + later))),
            of_bad
        );
    }
}

#[test]
fn revocation_is_asked_for_every_certificate_of_the_path() {
    let root = Ca::new("Root");
    let mut params = ca_params("Sub");
    params.serial_number = Some(rcgen::SerialNumber::from(70u64));
    let sub = root.sub(params);
    let pair = sub.issue(&client_params("alice", 1));
    let known = [root.der(), sub.der()];
    let verdict = |crls: &[_]| {
        label(judged(
            &verifier(&[client_ca("corp", &known, crls)]),
            &pair,
            &[&sub],
        ))
    };
    assert_eq!(verdict(&[root.crl([]), sub.crl([])]), "believed");
    assert_eq!(verdict(&[root.crl([70]), sub.crl([])]), "revoked");
    assert_eq!(verdict(&[root.crl([]), sub.crl([1])]), "revoked");
    assert_eq!(
        verdict(&[root.crl([1]), sub.crl([70])]),
        "believed",
        "serials are each issuer's own"
    );
    assert_eq!(verdict(&[root.crl([])]), "unknown_revocation_status");
    assert_eq!(verdict(&[sub.crl([])]), "unknown_revocation_status");
}

#[test]
fn a_crl_is_believed_only_with_the_signature_of_its_own_ca() {
    let (corp, twin, partner) = (
        Ca::new("Corp Root"),
        Ca::new("Corp Root"),
        Ca::new("Partner Root"),
    );
    let of = |ca: &Ca, crl| problems(&[client_ca("corp", &[ca.der()], &[crl])]);
    assert!(matches!(
        &of(&corp, twin.crl([]))[..],
        [Problem::CrlSignature { .. }]
    ));
    assert!(matches!(
        &of(&corp, partner.crl([]))[..],
        [Problem::CrlOfAnother { .. }]
    ));
    let mut cut = corp.crl([7]).to_vec();
    cut.pop();
    assert!(matches!(
        &of(&corp, cut.into())[..],
        [Problem::CrlMalformed(_)]
    ));
}

#[test]
fn a_ca_that_may_not_sign_crls_is_told_so() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut unable = ca_params("Unable Root");
    unable.key_usages.pop();
    let cert = unable.self_signed(&key).unwrap().der().clone();
    let corp = Ca(rcgen::CertifiedIssuer::self_signed(ca_params("Unable Root"), key).unwrap());
    let found = problems(&[client_ca("corp", &[cert], &[corp.crl([])])]);
    assert!(
        matches!(&found[..], [Problem::CrlNotAllowed { .. }]),
        "{found:?}"
    );
}

#[test]
fn one_key_under_two_ca_names_is_refused() {
    let corp = Ca::new("Corp Root");
    let cas = [
        client_ca("corp", &[corp.der()], &[]),
        client_ca("partner", &[corp.der()], &[]),
    ];
    assert_eq!(
        problems(&cas),
        [Problem::InTwoCas {
            other: "corp".to_owned()
        }]
    );
    let twice = [client_ca("corp", &[corp.der(), corp.der()], &[])];
    assert_eq!(verifier(&twice).client_cas(), 1);
}

#[test]
fn what_can_sign_nothing_is_no_client_ca() {
    let corp = Ca::new("Corp Root");
    let leaf = corp.issue(&client_params("alice", 1)).cert;
    let mut silent = ca_params("Silent Root");
    silent.key_usages.remove(0);
    let silent = Ca::with(silent).der();
    let cas = [
        client_ca("leaf", &[leaf], &[]),
        client_ca("silent", &[silent], &[]),
        client_ca("empty", &[], &[]),
        client_ca("junk", &[CertificateDer::from(vec![1, 2, 3])], &[]),
    ];
    let wanted = [
        Problem::NotACa,
        Problem::MayNotSign,
        Problem::NoCertificate,
        Problem::Malformed,
    ];
    assert_eq!(problems(&cas), wanted);
}

/// Certificates only; their keys were thrown away.
const VERSION_1: &[u8] = include_bytes!("../../../tests/certificates/version-1.pem");
const RSA_1024: &[u8] = include_bytes!("../../../tests/certificates/rsa-1024.pem");
const ED448: &[u8] = include_bytes!("../../../tests/certificates/ed448.pem");

#[test]
fn certificates_that_would_fail_later_with_a_riddle_are_refused_by_name() {
    use rustls::pki_types::pem::PemObject;
    let corp = Ca::new("Corp Root");
    let verifier = verifier(&[client_ca("corp", &[corp.der()], &[])]);
    let ed448 = VerifyFault::UnsupportedKey {
        kind: "Ed448".to_owned(),
    };
    let cases = [
        (VERSION_1, VerifyFault::OldVersion),
        (RSA_1024, VerifyFault::WeakRsa { bits: 1024 }),
        (ED448, ed448),
    ];
    for (pem, wanted) in cases {
        let leaf = CertificateDer::from_pem_slice(pem).unwrap();
        assert_eq!(verifier.verify(&leaf, &[], unix(NOW)), Err(wanted));
    }
}
