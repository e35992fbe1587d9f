//! `redwall certs`: a certificate authority, a server's certificate and clients' certificates, for development.
//!
//! Everything is made in memory first and written last; what exists is never overwritten, and a failure leaves nothing
//! half made. The CA's key is written too, so these certificates are worth as much as the folder's permissions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// Makes a development CA with server and client certificates (P-256). Never overwrites a file.
#[derive(Args, Debug)]
pub struct CertsArgs {
    /// Folder to write to; made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Further DNS name or IP address of the server, beside localhost, 127.0.0.1 and ::1. May be repeated.
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Client to make a certificate for: CN=NAME, SAN URI spiffe://redwall.local/NAME. May be repeated.
    #[arg(long = "client", value_name = "NAME")]
    pub clients: Vec<String>,
    /// Days until the certificates and the CRL expire.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
}

/// The trust domain of the clients' SPIFFE ids.
const TRUST_DOMAIN: &str = "redwall.local";

/// Why nothing was made.
#[derive(Debug)]
enum CertsFault {
    ClientName(String),
    ServerName(String),
    Exists(PathBuf),
    Generate(rcgen::Error),
    Write { path: PathBuf, error: io::Error },
}

impl std::fmt::Display for CertsFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClientName(name) => write!(
                f,
                "the client name {name:?} can't be used: want 1 to 64 letters, digits, `-`, `_` and `.`, not `.` first, each name once"
            ),
            Self::ServerName(name) => write!(
                f,
                "the server name {name:?} is neither a DNS name nor an IP address"
            ),
            Self::Exists(path) => {
                write!(f, "{} exists already, nothing was written", path.display())
            }
            Self::Generate(error) => write!(f, "a certificate can't be made: {error}"),
            Self::Write { path, error } => {
                write!(f, "{} can't be written: {error}", path.display())
            }
        }
    }
}

impl From<rcgen::Error> for CertsFault {
    fn from(error: rcgen::Error) -> Self {
        Self::Generate(error)
    }
}

/// Runs the subcommand: exit code 0 with the files' names on standard output, 2 where a name can't be used, else 1.
pub fn run(args: &CertsArgs) -> ExitCode {
    let written = make(args, OffsetDateTime::now_utc()).and_then(|files| {
        write_all(&args.out, &files)?;
        Ok(files)
    });
    match written {
        Ok(files) => {
            let lines: String = files
                .iter()
                .map(|file| format!("{}\n", args.out.join(&file.name).display()))
                .collect();
            // The files are there, whether or not somebody reads their names.
            let _ = io::stdout().write_all(lines.as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            let _ = writeln!(io::stderr(), "error: {fault}");
            match fault {
                CertsFault::ClientName(_) | CertsFault::ServerName(_) => ExitCode::from(2),
                CertsFault::Exists(_) | CertsFault::Generate(_) | CertsFault::Write { .. } => {
                    ExitCode::FAILURE
                }
            }
        }
    }
}

/// A file to be written.
struct NewFile {
    name: String,
    text: Zeroizing<String>,
    mode: u32,
}

impl NewFile {
    fn public(name: impl Into<String>, text: String) -> Self {
        Self {
            name: name.into(),
            text: Zeroizing::new(text),
            mode: 0o644,
        }
    }

    fn key(name: impl Into<String>, key: &KeyPair) -> Self {
        Self {
            name: name.into(),
            text: Zeroizing::new(key.serialize_pem()),
            mode: 0o600,
        }
    }
}

/// From when to when everything is valid. It begins an hour ago, for clocks that are late.
#[derive(Clone, Copy)]
struct Life {
    from: OffsetDateTime,
    until: OffsetDateTime,
}

fn make(args: &CertsArgs, now: OffsetDateTime) -> Result<Vec<NewFile>, CertsFault> {
    let CertsArgs {
        out: _,
        names,
        clients,
        days,
    } = args;
    check_clients(clients)?;
    let life = Life {
        from: now - Duration::HOUR,
        until: now + Duration::days(i64::from(*days)),
    };
    let ca = CertifiedIssuer::self_signed(authority(life), KeyPair::generate()?)?;
    let mut files = vec![
        NewFile::public("ca.crt", ca.pem()),
        NewFile::key("ca.key", ca.key()),
        NewFile::public("ca.crl", empty_crl(life).signed_by(&ca)?.pem()?),
    ];
    let key = KeyPair::generate()?;
    files.push(NewFile::public(
        "server.crt",
        server(life, names)?.signed_by(&key, &ca)?.pem(),
    ));
    files.push(NewFile::key("server.key", &key));
    for name in clients {
        let key = KeyPair::generate()?;
        let cert = client(life, name)?.signed_by(&key, &ca)?;
        files.push(NewFile::public(format!("client-{name}.crt"), cert.pem()));
        files.push(NewFile::key(format!("client-{name}.key"), &key));
    }
    Ok(files)
}

fn check_clients(clients: &[String]) -> Result<(), CertsFault> {
    for (index, name) in clients.iter().enumerate() {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let once = !clients[..index].contains(name);
        if !(plain && once && (1..=64).contains(&name.len()) && !name.starts_with('.')) {
            return Err(CertsFault::ClientName(name.clone()));
        }
    }
    Ok(())
}

fn params(life: Life, common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = life.from;
    params.not_after = life.until;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority(life: Life) -> CertificateParams {
    let mut params = params(life, "Redwall development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server(life: Life, names: &[String]) -> Result<CertificateParams, CertsFault> {
    let mut params = params(life, "Redwall development server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let given = ["localhost", "127.0.0.1", "::1"]
        .into_iter()
        .chain(names.iter().map(String::as_str));
    for name in given {
        let san = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(dns_name(name)?),
        };
        if !params.subject_alt_names.contains(&san) {
            params.subject_alt_names.push(san);
        }
    }
    Ok(params)
}

/// A DNS name, whose first label may be a wildcard.
fn dns_name(name: &str) -> Result<rcgen::string::Ia5String, CertsFault> {
    let fault = || CertsFault::ServerName(name.to_owned());
    let host = name.strip_prefix("*.").unwrap_or(name);
    rustls::pki_types::DnsName::try_from(host).map_err(|_| fault())?;
    name.try_into().map_err(|_| fault())
}

fn client(life: Life, name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(life, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let id = format!("spiffe://{TRUST_DOMAIN}/{name}");
    params.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
    Ok(params)
}

fn empty_crl(life: Life) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: life.from,
        next_update: life.until,
        crl_number: SerialNumber::from(1u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

/// Writes every file or none: the first that exists stops it before anything is written, and a failure takes back what
/// was written.
fn write_all(folder: &Path, files: &[NewFile]) -> Result<(), CertsFault> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CertsFault::Write { path, error }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed(folder))?;
    for file in files {
        let path = folder.join(&file.name);
        if path.symlink_metadata().is_ok() {
            return Err(CertsFault::Exists(path));
        }
    }
    for (index, file) in files.iter().enumerate() {
        let path = folder.join(&file.name);
        if let Err(error) = write_new(&path, file) {
            for written in &files[..index] {
                // What can't be taken back either is said by the first fault's own path.
                let _ = fs::remove_file(folder.join(&written.name));
            }
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists => CertsFault::Exists(path),
                _ => CertsFault::Write { path, error },
            });
        }
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed(folder))
}

/// Writes a file that mustn't be there yet; one that was only partly written is removed.
fn write_new(path: &Path, file: &NewFile) -> io::Result<()> {
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(file.mode)
        .open(path)?;
    let written = new
        .write_all(file.text.as_bytes())
        .and_then(|()| new.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

#[cfg(test)]
mod tests;
