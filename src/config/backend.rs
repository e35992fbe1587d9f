//! `[database.backend]`: the Redis or Valkey behind a database.

use std::time::Duration;

use super::backend_url::{self, BackendAddress, BackendUrl, Transport, URL, is_host};
use super::document::{Section, Table, Value};
use super::position::Placed;
use super::reference::{FileRef, SecretSource, file, secret};
use super::tls::CertificatePair;
use super::units::duration;

pub(crate) const BACKEND: Section = Section {
    path: "[database.backend]",
    keys: &[
        "url",
        "user",
        "password",
        "ca",
        "cert",
        "key",
        "server_name",
        "connect_timeout",
        "max_connects_per_second",
        "request_timeout",
        "lost_replies",
    ],
};

/// How the backend's certificate is verified, and what is shown to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// PEM file with the CAs that may have issued its certificate.
    pub ca: FileRef,
    /// What is shown if it asks.
    pub client: Option<CertificatePair>,
    /// The name or address that its certificate must hold.
    pub server_name: String,
}

/// What becomes of a client when a backend connection breaks that owed it replies, and held nothing else of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReplies {
    /// It is closed, as it would be by a server: its library knows that nobody can say what was done.
    Close,
    /// It hears an error in place of each, and goes on.
    Error,
}

pub(crate) const LOST_REPLIES: [(&str, LostReplies); 2] =
    [("close", LostReplies::Close), ("error", LostReplies::Error)];

/// `[database.backend]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it is.
    pub address: Placed<BackendAddress>,
    /// TLS, always verified; `None` for `redis://` and `unix://`.
    pub tls: Option<BackendTls>,
    /// The service user; `None`: the default user.
    pub user: Option<String>,
    /// Its password; there is one wherever there is a user.
    pub password: Option<SecretSource>,
    /// How long connecting may take, TLS and login included.
    pub connect_timeout: Duration,
    /// Most connections that are opened to it in a second, for all clients together.
    pub max_connects_per_second: u32,
    /// How long a request that doesn't block may wait for its reply.
    pub request_timeout: Duration,
    /// What becomes of a client whose replies are lost with a connection.
    pub lost_replies: LostReplies,
}

impl Backend {
    /// How long connecting may take, where nothing is written.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
    /// Most connections opened in a second, where nothing is written: a backend's one thread logs in several times as many.
    pub const MAX_CONNECTS_PER_SECOND: u32 = 2_000;
    /// How long a reply may take, where nothing is written.
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    pub(crate) fn parse(value: &Value<'_>) -> Option<Self> {
        let table = value.table(&BACKEND)?;
        let url = table.need("url", URL).and_then(|value| url(&value));
        let password = table.option("password", secret);
        let user = table.option("user", user);
        let timeout = Duration::from_millis(1)..=Duration::from_secs(3_600);
        let connect_timeout = table.or("connect_timeout", Self::CONNECT_TIMEOUT, |value| {
            duration(value, timeout.clone())
        });
        let max_connects_per_second = table.or(
            "max_connects_per_second",
            Self::MAX_CONNECTS_PER_SECOND,
            |value| value.number(1..=1_000_000),
        );
        let request_timeout = table.or("request_timeout", Self::REQUEST_TIMEOUT, |value| {
            duration(value, timeout.clone())
        });
        let lost_replies = table.or("lost_replies", LostReplies::Close, |value| {
            value.word(&LOST_REPLIES)
        });
        let tls_keys = TlsKeys::parse(&table);
        let url = url?;
        let tls = tls_keys?.agree(&table, &url.value);
        let user = one_user(&table, url.value.user, user?);
        let (user, password) = (user?, password?);
        if user.is_some() && password.is_none() {
            let what = "the service user has no password";
            table.fault(
                table.at,
                what,
                "`password = { file = \"...\" }` or `{ env = \"...\" }`",
            );
            return None;
        }
        Some(Self {
            address: Placed::new(url.value.address, url.at),
            tls: tls?,
            user,
            password,
            connect_timeout: connect_timeout?,
            max_connects_per_second: max_connects_per_second?,
            request_timeout: request_timeout?,
            lost_replies: lost_replies?,
        })
    }
}

fn url(value: &Value<'_>) -> Option<Placed<BackendUrl>> {
    match backend_url::parse(value.text(URL)?) {
        Ok(url) => Some(Placed::new(url, value.at())),
        Err((what, expected)) => value.refuse(what, expected),
    }
}

fn user(value: &Value<'_>) -> Option<String> {
    let expected = "the name of a user of the backend, without spaces";
    let user = value.text(expected)?;
    if user.contains(char::is_whitespace) {
        return value.refuse("has a space", expected);
    }
    Some(user.to_owned())
}

fn one_user(
    table: &Table<'_>,
    in_url: Option<String>,
    written: Option<String>,
) -> Option<Option<String>> {
    if in_url.is_some() && written.is_some() {
        let at = table.key_at("user").unwrap_or(table.at);
        let what = "the service user stands in `url` and in `user`";
        table.fault(at, what, "one of them");
        return None;
    }
    Some(in_url.or(written))
}

/// The keys that only `rediss://` takes.
struct TlsKeys {
    ca: Option<FileRef>,
    cert: Option<FileRef>,
    key: Option<FileRef>,
    server_name: Option<String>,
}

impl TlsKeys {
    fn parse(table: &Table<'_>) -> Option<Self> {
        let ca = table.option("ca", file);
        let cert = table.option("cert", file);
        let key = table.option("key", file);
        let server_name = table.option("server_name", server_name);
        Some(Self {
            ca: ca?,
            cert: cert?,
            key: key?,
            server_name: server_name?,
        })
    }

    fn agree(self, table: &Table<'_>, url: &BackendUrl) -> Option<Option<BackendTls>> {
        let host = match (&url.transport, &url.address) {
            (Transport::Tls, BackendAddress::Tcp { host, .. }) => host.clone(),
            (Transport::Tls | Transport::Plain, _) => return refuse_tls_keys(table).map(|()| None),
        };
        let Some(ca) = self.ca else {
            let what = "`ca` is missing: the certificate of a rediss:// backend is always verified";
            table.fault(table.at, what, "the path of a PEM file with its CA");
            return None;
        };
        let client = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some(CertificatePair { cert, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                table.fault(
                    table.at,
                    "`cert` and `key` need each other",
                    "both or neither",
                );
                return None;
            }
        };
        Some(Some(BackendTls {
            ca,
            client,
            server_name: self.server_name.unwrap_or(host),
        }))
    }
}

/// A key that would do nothing is a fault: its writer believes that the connection is encrypted.
fn refuse_tls_keys(table: &Table<'_>) -> Option<()> {
    let mut sound = Some(());
    for key in ["ca", "cert", "key", "server_name"] {
        if let Some(at) = table.key_at(key) {
            let what = format!("`{key}` is given, but the backend is not rediss://");
            table.fault(at, what, "a `url` that begins with `rediss://`");
            sound = None;
        }
    }
    sound
}

fn server_name(value: &Value<'_>) -> Option<String> {
    let expected = "a DNS name or an IP address";
    let name = value.text(expected)?;
    if !is_host(name) && name.parse::<std::net::Ipv6Addr>().is_err() {
        return value.refuse("is not the name of a host", expected);
    }
    Some(name.to_owned())
}
