//! Clients of every sort: what they offer, ask for and show, and what is said of those that can't be served.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use crate::bed::{
    Authority, Backend, Client, Config, Issued, Purpose, Redwall, TempDir, certificates,
};

/// Runs OpenSSL, and returns what it says.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is here: scripts/need.sh installs it");
    // One that was refused may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// OpenSSL's own client: what it says of the handshake, and what AUTH, PING and QUIT are answered. Each comes from an address of
/// its own, because one address has only so many lines in the log.
fn s_client(server: SocketAddr, host: u8, options: &[&str]) -> String {
    let from = IpAddr::from(Ipv4Addr::new(127, 0, 24, host));
    let (server, from) = (server.to_string(), format!("{from}:0"));
    let fixed = ["s_client", "-connect", &server, "-bind", &from, "-ign_eof"];
    let commands = "AUTH app app\r\nPING\r\nQUIT\r\n";
    openssl(&[&fixed, options].concat(), commands)
}

/// A CA of OpenSSL's making, which issues for keys of kinds that only OpenSSL makes.
struct OpenSslCa(TempDir);

impl OpenSslCa {
    fn new() -> Self {
        let ca = Self(TempDir::new("openssl"));
        let (key, cert) = (ca.text("ca.key"), ca.text("ca.crt"));
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let more = [
            "-nodes", "-subj", "/CN=corp", "-keyout", &key, "-out", &cert,
        ];
        openssl(&[&["req", "-x509"], &curve[..], &more].concat(), "");
        ca
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn issue(&self, name: &str, usage: &str, algorithm: &[&str]) -> Issued {
        let path = |ending: &str| self.text(&format!("{name}.{ending}"));
        let (key, request, cert) = (path("key"), path("csr"), path("crt"));
        let usage = self
            .0
            .write("usage", &format!("extendedKeyUsage={usage}\n"));
        let (usage, subject) = (usage.display().to_string(), format!("/CN={name}"));
        let (ca, ca_key) = (self.text("ca.crt"), self.text("ca.key"));
        let generate = ["genpkey", "-out", &key, "-algorithm"];
        openssl(&[&generate, algorithm].concat(), "");
        let ask = [
            "req", "-new", "-key", &key, "-subj", &subject, "-out", &request,
        ];
        openssl(&ask, "");
        let sign = [
            "x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key,
        ];
        let more = ["-days", "9", "-extfile", &usage, "-out", &cert];
        let said = openssl(&[&sign[..], &more].concat(), "");
        let (cert, key) = (self.file(&format!("{name}.crt")), PathBuf::from(key));
        assert!(
            std::fs::metadata(&cert).is_ok_and(|file| file.len() > 0),
            "{said}"
        );
        Issued { cert, key }
    }
}

/// Shows a certificate whether it suits the server or not, and signs by another key.
#[derive(Debug)]
struct Brazen(Arc<CertifiedKey>);

impl ResolvesClientCert for Brazen {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn brazen(shown: &Issued) -> Arc<ClientConfig> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = rcgen::KeyPair::generate().unwrap().serialize_der();
    let key = PrivateKeyDer::try_from(key).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certificate = CertificateDer::from_pem_file(&shown.cert).unwrap();
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(certificates().join("ca.crt")).unwrap();
    roots.add(ca).unwrap();
    let shown = Arc::new(CertifiedKey::new(vec![certificate], key));
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Brazen(shown)));
    Arc::new(config)
}

/// One line says both.
fn said_of_one(redwall: &Redwall, cause: &str, remedy: &str) {
    redwall.wait_for_log(cause);
    let log = redwall.log();
    let line = log.lines().find(|line| line.contains(cause)).unwrap();
    assert!(
        line.contains("TLS handshake failed") && line.contains(remedy),
        "{line}"
    );
}

/// Certificates that are refused for their key or their purpose.
fn refuses_certificates(redwall: &Redwall, ca: &OpenSslCa) {
    let kind = "issue the certificate for a P-256, P-384 or Ed25519 key";
    let by_name = "with extendedKeyUsage clientAuth";
    let cases = [
        (
            ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
            "clientAuth",
            "RSA key has 1024 bits",
            kind,
        ),
        (
            ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
            "clientAuth",
            "RSASSA-PSS",
            kind,
        ),
        (
            ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "anyExtendedKeyUsage",
            "anyExtendedKeyUsage",
            by_name,
        ),
    ];
    for (name, (algorithm, usage, cause, remedy)) in ["small", "pss", "any"].iter().zip(cases) {
        let shown = ca.issue(name, usage, &algorithm);
        turned_away(redwall, &shown);
        said_of_one(redwall, cause, remedy);
    }
    let ed448 = ca.issue("goldilocks", "clientAuth", &["ED448"]);
    turned_away(redwall, &ed448);
    said_of_one(redwall, "(Ed448)", kind);
    // OpenSSL's own client keeps such a certificate to itself, and so the log can only guess.
    let (cert, key) = (
        ed448.cert.display().to_string(),
        ed448.key.display().to_string(),
    );
    let said = s_client(redwall.address, 9, &["-cert", &cert, "-key", &key]);
    assert!(!said.contains("PONG"), "{said}");
    said_of_one(
        redwall,
        "the client showed no certificate",
        "Ed448, RSA-PSS",
    );
}

fn turned_away(redwall: &Redwall, shown: &Issued) {
    // With TLS 1.3 a client learns only after its own end of the handshake that it was refused.
    if let Ok(mut client) = Client::with_config(redwall.address, brazen(shown)) {
        assert_eq!(client.until_closed(), "");
    }
}

/// Offers that have nothing in common with Redwall's.
fn refuses_offers(redwall: &Redwall) {
    let cases: [(&[&str], &str, &str); 5] = [
        (
            &["-tls1_2", "-cipher", "AES128-SHA:AES128-GCM-SHA256"],
            "offers no cipher suite",
            "only static RSA, DHE or CBC ones",
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
            "offers no cipher suite",
            "only static RSA, DHE or CBC ones",
        ),
        (
            &["-tls1_2", "-curves", "X448"],
            "offers no key exchange group",
            "X25519, P-256 or P-384",
        ),
        (
            &["-tls1_2", "-sigalgs", "RSA+SHA256"],
            "can't verify a signature",
            "add a certificate with an RSA or P-256 key",
        ),
        (
            &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
            "speaks no version of TLS",
            "TLS 1.2 or 1.3",
        ),
    ];
    for (host, (options, cause, remedy)) in (10..).zip(cases) {
        let said = s_client(redwall.address, host, options);
        assert!(!said.contains("PONG"), "{said}");
        said_of_one(redwall, cause, remedy);
    }
}

/// Certificates to show: a default, one for a wildcard and one for an exact name below it, each with a subject to know it by.
fn shown(own: &Authority) -> String {
    let names = [
        ("default", "default.example"),
        ("wild", "*.wild.example"),
        ("exact", "exact.wild.example"),
    ];
    let pairs = names.map(|(subject, name)| {
        let Issued { cert, key } = own.issue_with(subject, Purpose::Server, |parameters| {
            parameters.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
        });
        format!("{{ cert = {cert:?}, key = {key:?} }}")
    });
    pairs.join(", ")
}

#[test]
fn clients_of_every_sort_get_in_or_are_told_why_not_and_what_to_do() {
    let backend = Backend::start();
    let (own, ca) = (Authority::new("own"), OpenSslCa::new());
    let config = Config::new(&backend.url());
    let certs = certificates().display();
    let dev = format!("{{ cert = \"{certs}/server.crt\", key = \"{certs}/server.key\" }}");
    let redwall = Redwall::start(&config.text().replace(&dev, &shown(&own)));
    let cases: [(&[&str], &str); 7] = [
        (&["-alpn", "h2"], "default"),
        (&["-noservername"], "default"),
        (&["-servername", "127.0.0.1"], "default"),
        (&["-servername", "other.example"], "default"),
        (&["-servername", "any.wild.example"], "wild"),
        (&["-servername", "Exact.Wild.example"], "exact"),
        (&["-servername", "any.wild.example", "-tls1_2"], "wild"),
    ];
    for (options, subject) in cases {
        let said = s_client(redwall.address, 1, options);
        assert!(said.contains("+PONG"), "{options:?}: {said}");
        // Its spaces differ from version to version.
        let subject = format!("subject=CN={subject}\n");
        assert!(
            said.replace(' ', "").contains(&subject),
            "{options:?}: {said}"
        );
    }
    let text = config.text().replace(
        "client_certificates = \"optional\"",
        "client_certificates = \"required\"",
    );
    let trusted = format!("{certs}/ca.crt\"");
    let redwall = Redwall::start(&text.replace(&trusted, &format!("{}\"", ca.text("ca.crt"))));
    refuses_certificates(&redwall, &ca);
    refuses_offers(&redwall);
}
