use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;

use super::*;
use crate::config::{ClientCertificates, Severity, TlsVersion};
use crate::load::pem::PemFile;
use crate::load::tls::{CaSource, CertificateSource, TlsSource, server_config};

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("redwall-certs-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Another process of this number may have left it.
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn args(folder: &Folder, names: &[&str], clients: &[&str]) -> CertsArgs {
    CertsArgs {
        out: folder.0.clone(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        clients: clients.iter().map(|name| (*name).to_owned()).collect(),
        days: 90,
    }
}

fn made(args: &CertsArgs) -> Result<(), CertsFault> {
    write_all(&args.out, &make(args, OffsetDateTime::now_utc())?)
}

fn read(folder: &Folder, name: &str) -> PemFile {
    let path = folder.0.join(name);
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    PemFile::new(name, fs::read(&path).unwrap(), Some(mode))
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

#[test]
fn what_is_made_is_a_configuration_without_a_warning() {
    let folder = Folder::new();
    made(&args(
        &folder,
        &["redis.example", "10.0.0.1", "localhost", "*.redis.example"],
        &["alice", "bob"],
    ))
    .unwrap();
    let source = TlsSource {
        certificates: vec![CertificateSource {
            certificate: read(&folder, "server.crt"),
            key: read(&folder, "server.key"),
        }],
        client_cas: vec![CaSource {
            name: "dev".to_owned(),
            pem: read(&folder, "ca.crt"),
            crls: vec![read(&folder, "ca.crl")],
        }],
        client_certificates: ClientCertificates::Required,
        crl_grace: std::time::Duration::ZERO,
        min_version: TlsVersion::Tls12,
    };
    let tls = server_config(&source, now()).unwrap();
    let warnings: Vec<_> = tls
        .notes
        .iter()
        .filter(|note| note.severity == Severity::Warning)
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");

    let verifier = tls.verifier.unwrap();
    for name in ["alice", "bob"] {
        let leaf = read(&folder, &format!("client-{name}.crt"))
            .certificates()
            .unwrap()
            .remove(0)
            .item;
        assert!(verifier.verify(&leaf, &[], now()).is_ok());
        let names = crate::client::identity::names(&leaf).unwrap();
        assert_eq!(format!("{:?}", names.common), format!("[Text({name:?})]"));
        assert_eq!(
            format!("{:?}", names.uris),
            format!("[Text(\"spiffe://redwall.local/{name}\")]")
        );
    }
}

#[test]
fn keys_are_readable_by_their_owner_alone() {
    let folder = Folder::new();
    made(&args(&folder, &[], &["alice"])).unwrap();
    let wanted = [
        "ca.crl",
        "ca.crt",
        "ca.key",
        "client-alice.crt",
        "client-alice.key",
        "server.crt",
        "server.key",
    ];
    assert_eq!(folder.names(), wanted);
    for name in folder.names() {
        let mode = fs::metadata(folder.0.join(&name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        if name.ends_with(".key") {
            assert_eq!(mode, 0o600, "{name}");
        }
    }
}

#[test]
fn a_file_that_exists_is_named_and_nothing_is_written() {
    let folder = Folder::new();
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("client-bob.key"), "precious").unwrap();
    let fault = made(&args(&folder, &[], &["alice", "bob"])).unwrap_err();
    assert!(
        fault.to_string().contains("client-bob.key exists already"),
        "{fault}"
    );
    assert_eq!(folder.names(), ["client-bob.key"]);
    assert_eq!(
        fs::read_to_string(folder.0.join("client-bob.key")).unwrap(),
        "precious"
    );
}

#[test]
fn a_dangling_link_counts_as_a_file_that_exists() {
    let folder = Folder::new();
    fs::create_dir_all(&folder.0).unwrap();
    std::os::unix::fs::symlink("/nonexistent/elsewhere", folder.0.join("server.key")).unwrap();
    assert!(matches!(
        made(&args(&folder, &[], &[])),
        Err(CertsFault::Exists(_))
    ));
    assert_eq!(folder.names(), ["server.key"]);
}

#[test]
fn names_that_would_leave_the_folder_or_deceive_are_refused() {
    let folder = Folder::new();
    for name in [
        "",
        "../alice",
        ".hidden",
        "a/b",
        "a b",
        "a\n",
        "ä",
        &"x".repeat(65),
    ] {
        assert!(
            matches!(
                made(&args(&folder, &[], &[name])),
                Err(CertsFault::ClientName(_))
            ),
            "{name:?}"
        );
    }
    assert!(matches!(
        made(&args(&folder, &[], &["a", "a"])),
        Err(CertsFault::ClientName(_))
    ));
    for name in ["", "not a name", "a..b", "*.*.x", "10.0.0.1/8"] {
        assert!(
            matches!(
                made(&args(&folder, &[name], &[])),
                Err(CertsFault::ServerName(_))
            ),
            "{name:?}"
        );
    }
    assert!(
        !folder.0.exists(),
        "nothing is written where a name is refused"
    );
}

#[test]
fn a_failure_takes_back_what_was_written() {
    let folder = Folder::new();
    let mut files = make(&args(&folder, &[], &[]), OffsetDateTime::now_utc()).unwrap();
    // A name that only fails when it is opened.
    files.push(NewFile::public("x".repeat(300), String::new()));
    assert!(matches!(
        write_all(&folder.0, &files),
        Err(CertsFault::Write { .. })
    ));
    assert!(folder.names().is_empty());
}
