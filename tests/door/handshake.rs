//! What a client's certificate may not cost, and whom it may not prove.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, GeneralSubtree, IsCa, KeyPair,
    NameConstraints,
};
use redwall::client::authority::{ClientCa, Found};
use redwall::client::{ClientVerifier, Demand, VerifyFault};
use redwall::load::pem::PemFile;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer,
    SignatureVerificationAlgorithm, UnixTime,
};

use crate::bed::{
    Authority, Backend, Client, Config, Issued, Purpose, Redwall, TempDir, certificates, config_of,
    config_with_chain, program,
};

/// Signature checks of this thread.
static CHECKS: AtomicUsize = AtomicUsize::new(0);

/// Counts how often a signature is checked.
#[derive(Debug)]
struct Counting(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Counting {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        CHECKS.fetch_add(1, Ordering::SeqCst);
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
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let known = provider.signature_verification_algorithms;
    let counted = known.all.iter().map(|known| {
        &*Box::leak(Box::new(Counting(*known))) as &dyn SignatureVerificationAlgorithm
    });
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
        all: Box::leak(counted.collect::<Vec<_>>().into_boxed_slice()),
        mapping: known.mapping,
    };
    provider
}

/// How often `work` checks a signature, and what comes of it. One at a time: the counter is everybody's.
fn checks<T>(work: impl FnOnce() -> T) -> (usize, T) {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = CHECKS.load(Ordering::SeqCst);
    let result = work();
    (CHECKS.load(Ordering::SeqCst) - before, result)
}

fn verifier(authority: &Authority, crl: Option<&std::path::Path>) -> ClientVerifier {
    let read = |path: &std::path::Path| PemFile::new("file", std::fs::read(path).unwrap(), None);
    let ca = ClientCa {
        name: "own".to_owned(),
        certificates: read(&authority.file()).certificates().unwrap(),
        crls: crl.map_or_else(Vec::new, |crl| read(crl).crls().unwrap()),
    };
    ClientVerifier::new(
        &[ca],
        Demand::Required,
        Duration::ZERO,
        &counting_provider(),
    )
    .unwrap()
}

fn leaf(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&issued.cert).unwrap()
}

/// Redwall that trusts `own` and knows its user alice.
fn trusting(backend: &Backend, client_ca: &str, certificates_of_alice: &str) -> Redwall {
    Redwall::start(&text(backend, client_ca, certificates_of_alice))
}

fn text(backend: &Backend, client_ca: &str, certificates_of_alice: &str) -> String {
    let mut config = Config::new(&backend.url());
    config.users += &format!(
        "[database.users.alice]\nrules = [\"+@all\", \"~a:*\"]\nrequire = \"certificate\"\ncertificates = [{certificates_of_alice}]\n"
    );
    let dev = format!(
        "client_ca = [{{ name = \"dev\", file = \"{}\" }}]",
        certificates().join("ca.crt").display()
    );
    let text = config.text();
    assert!(text.contains(&dev));
    text.replace(&dev, &format!("client_ca = [{client_ca}]"))
}

fn connect(redwall: &Redwall, issued: &Issued) -> std::io::Result<Client> {
    let config = config_of(&certificates().join("ca.crt"), Some(issued), &[]);
    Client::with_config(redwall.address, config)
}

/// Whether the certificate's holder is let in as alice.
fn is_alice(redwall: &Redwall, issued: &Issued) -> bool {
    let Ok(mut client) = connect(redwall, issued) else {
        return false;
    };
    if client.try_send(&["ACL", "WHOAMI"]).is_err() {
        return false;
    }
    client.until_closed_or_frame().contains("alice")
}

#[test]
fn a_revocation_list_of_a_hundred_thousand_costs_a_handshake_no_signature_and_lets_none_of_them_in()
{
    let own = Authority::new("own");
    let (good, lost) = (
        own.issue("alice", Purpose::Client),
        own.issue("alice", Purpose::Client),
    );
    let crl = own.revoke_many(1, &[&lost], 100_000);
    let (without, with) = (verifier(&own, None), checks(|| verifier(&own, Some(&crl))));
    let (at_load, with) = with;
    assert_eq!(at_load, 1, "the list's signature, once");
    let now = UnixTime::now();
    let (plain, trusted) = checks(|| without.verify(&leaf(&good), &[], now));
    assert!(trusted.is_ok());
    for _ in 0..10 {
        let (listed, trusted) = checks(|| with.verify(&leaf(&good), &[], now));
        assert!(trusted.is_ok());
        assert_eq!(listed, plain, "no signature more than without a list");
    }
    let (_, revoked) = checks(|| with.verify(&leaf(&lost), &[], now));
    assert!(
        matches!(revoked, Err(VerifyFault::Revoked { .. })),
        "{revoked:?}"
    );

    let backend = Backend::start();
    let ca = format!(
        "{{ name = \"own\", file = {:?}, crl = [{crl:?}] }}",
        own.file()
    );
    let redwall = trusting(&backend, &ca, "{ cn = \"alice\" }");
    assert!(is_alice(&redwall, &good));
    assert!(!is_alice(&redwall, &lost));
    redwall.wait_for_log("revoked");
}

/// A self-signed CA certificate of this name, like any other of it.
fn impostor(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn a_maze_of_intermediates_of_one_name_is_turned_away_at_its_entrance() {
    let own = Authority::new("own");
    let verifier = verifier(&own, None);
    let maze: Vec<_> = (0..16).map(|_| impostor("own")).collect();
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "alice");
    let key = KeyPair::generate().unwrap();
    let leaf = parameters.signed_by(&key, &maze[0]).unwrap();
    let ders: Vec<CertificateDer<'static>> = maze.iter().map(|ca| ca.der().clone()).collect();
    for sent in [8, 16] {
        let (checked, fault) =
            checks(|| verifier.verify(leaf.der(), &ders[..sent], UnixTime::now()));
        assert!(fault.is_err());
        assert_eq!(checked, 0, "{sent} intermediates");
    }
    // As many as may be: each signature is checked once, however many ways lead through them.
    let (checked, fault) = checks(|| verifier.verify(leaf.der(), &ders[..4], UnixTime::now()));
    assert!(fault.is_err());
    assert!(checked <= 5, "{checked} checks of five signatures");

    let backend = Backend::start();
    let ca = format!("{{ name = \"own\", file = {:?} }}", own.file());
    let redwall = trusting(&backend, &ca, "{ cn = \"alice\" }");
    let chain = std::iter::once(leaf.der().clone()).chain(ders).collect();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let shown = config_with_chain(&certificates().join("ca.crt"), chain, key);
    if let Ok(mut client) = Client::with_config(redwall.address, shown) {
        assert_eq!(client.until_closed(), "");
    }
    redwall.wait_for_log("intermediates of its own path only");
}

/// An issuer that may only speak for names of `example.org`.
fn tied() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "branch");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    parameters
}

fn tied_root() -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(tied(), KeyPair::generate().unwrap()).unwrap()
}

fn constrained(root: &CertifiedIssuer<'static, KeyPair>) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::signed_by(tied(), KeyPair::generate().unwrap(), root).unwrap()
}

/// What `check` says of a configuration, and its exit code.
fn check(folder: &TempDir, text: &str) -> (Option<i32>, String) {
    let check = program()
        .args(["check", "--config"])
        .arg(folder.write("redwall.toml", text))
        .env("REDWALL_TEST_SERVICE", "service")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    (check.status.code(), said)
}

#[test]
fn a_common_name_proves_nobody_unless_the_ca_that_vouches_for_it_is_the_one_that_was_named() {
    let (corp, partners) = (Authority::new("corp"), Authority::new("partners"));
    let backend = Backend::start();
    let both = format!(
        "{{ name = \"corp\", file = {:?} }}, {{ name = \"partners\", file = {:?} }}",
        corp.file(),
        partners.file()
    );
    // Bound to one of two CAs, the other's alice is a stranger.
    let redwall = trusting(&backend, &both, "{ cn = \"alice\", ca = \"corp\" }");
    assert!(is_alice(&redwall, &corp.issue("alice", Purpose::Client)));
    assert!(!is_alice(
        &redwall,
        &partners.issue("alice", Purpose::Client)
    ));
    // Bound to none, it isn't even loaded; nor where one file holds both, or a CA that is itself bound to host names.
    let folder = TempDir::new("unbound");
    let pem = |authority: &Authority| std::fs::read_to_string(authority.file()).unwrap();
    let one_file = folder.write("both.crt", &(pem(&corp) + &pem(&partners)));
    let tied = folder.write("tied.crt", &tied_root().pem());
    let named = |file| format!("{{ name = \"corp\", file = {file:?} }}");
    for (cas, why) in [
        (&both, "`ca` is missing, and there are several client CAs"),
        (&named(one_file), "the client CA's file holds several CAs"),
        (
            &named(tied),
            "which the name constraints of its CA don't bind",
        ),
    ] {
        let (code, said) = check(&folder, &text(&backend, cas, "{ cn = \"alice\" }"));
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(why), "{said}");
        let bound = text(&backend, cas, "{ cn = \"alice\", ca = \"corp\" }");
        let (code, said) = check(&folder, &bound);
        assert_eq!(code, Some(0), "who names it has said so: {said}");
    }

    // A branch that may only speak for host names calls its holder alice: OpenSSL believes it.
    let root = impostor("root");
    let branch = constrained(&root);
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "alice");
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let alice = parameters.signed_by(&key, &branch).unwrap();
    let root_file = folder.write("root.crt", &root.pem());
    let ca = format!("{{ name = \"root\", file = {root_file:?} }}");
    let redwall = trusting(&backend, &ca, "{ cn = \"alice\" }");
    let issued = Issued {
        cert: folder.write("alice.crt", &format!("{}{}", alice.pem(), branch.pem())),
        key: folder.write("alice.key", &key.serialize_pem()),
    };
    assert!(!is_alice(&redwall, &issued));
    redwall.wait_for_log("unmapped_certificate");
}
