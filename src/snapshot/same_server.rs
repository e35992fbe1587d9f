//! Whether a reload left a backend what it was: the connections of its clients stay only then.

use sha2::{Digest, Sha256};

use super::{BackendTarget, BackendTls};

/// Stands for the CA certificates by which a backend is verified: equal digests, equal trust. Their order, and what else
/// their file says, makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaDigest([u8; 32]);

impl CaDigest {
    /// The digest of these certificates, each in DER.
    pub fn of<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all: Vec<[u8; 32]> = certificates
            .into_iter()
            .map(|der| Sha256::digest(der).into())
            .collect();
        all.sort_unstable();
        all.dedup();
        Self(Sha256::digest(all.concat()).into())
    }
}

impl BackendTarget {
    /// Whether `other` leads to the same server, verified by the same trust, as the same service user: then a connection
    /// to the one is as good as a connection to the other. The password, the certificate that Redwall shows and the
    /// bounds on connecting make no difference: they were right when it was made, and the next one takes the new.
    pub fn is_same_server(&self, other: &Self) -> bool {
        let Self {
            address,
            tls,
            user,
            password: _,
            connect_timeout: _,
            max_connects_per_second: _,
        } = self;
        let named = |user: &Option<String>| user.as_deref().unwrap_or("default").to_owned();
        let same_trust = match (tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(two)) => one.is_same_trust(two),
            (None, Some(_)) | (Some(_), None) => false,
        };
        *address == other.address && same_trust && named(user) == named(&other.user)
    }
}

impl BackendTls {
    fn is_same_trust(&self, other: &Self) -> bool {
        let Self {
            config: _,
            server_name,
            ca,
        } = self;
        *server_name == other.server_name && *ca == other.ca
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::client::testing;
    use crate::config::Secret;
    use crate::snapshot::BackendAddress;

    fn tcp(host: &str, port: u16) -> BackendAddress {
        let host = host.to_owned();
        BackendAddress::Tcp { host, port }
    }

    fn tls(server_name: &'static str, ca: &[&[u8]]) -> BackendTls {
        BackendTls {
            config: Arc::new(testing::client_config(None, rustls::ALL_VERSIONS)),
            server_name: server_name.try_into().unwrap(),
            ca: CaDigest::of(ca.iter().copied()),
        }
    }

    fn target() -> BackendTarget {
        BackendTarget {
            address: tcp("redis.example", 6379),
            tls: Some(tls("redis.example", &[b"one", b"two"])),
            user: Some("redwall".to_owned()),
            password: Some(Secret::new(b"first".to_vec())),
            connect_timeout: Duration::from_secs(2),
            max_connects_per_second: 2_000,
        }
    }

    #[test]
    fn a_backend_is_another_when_its_place_its_trust_or_its_user_is() {
        type Change = fn(&mut BackendTarget);
        let cases: [(&str, Change, bool); 14] = [
            ("nothing", |_| {}, true),
            (
                "password",
                |it| it.password = Some(Secret::new(b"second".to_vec())),
                true,
            ),
            (
                "time-out",
                |it| it.connect_timeout = Duration::from_secs(3),
                true,
            ),
            ("pace", |it| it.max_connects_per_second = 1, true),
            (
                "certificate shown, CAs in another order",
                |it| it.tls = Some(tls("redis.example", &[b"two", b"one", b"two"])),
                true,
            ),
            ("host", |it| it.address = tcp("other.example", 6379), false),
            ("port", |it| it.address = tcp("redis.example", 6380), false),
            (
                "socket",
                |it| it.address = BackendAddress::Unix("redis.sock".into()),
                false,
            ),
            ("no TLS any more", |it| it.tls = None, false),
            (
                "name of the certificate",
                |it| it.tls = Some(tls("other.example", &[b"one", b"two"])),
                false,
            ),
            (
                "a CA less",
                |it| it.tls = Some(tls("redis.example", &[b"one"])),
                false,
            ),
            (
                "a CA more",
                |it| it.tls = Some(tls("redis.example", &[b"one", b"two", b"three"])),
                false,
            ),
            ("user", |it| it.user = Some("other".to_owned()), false),
            ("no user", |it| it.user = None, false),
        ];
        for (name, change, wanted) in cases {
            let mut changed = target();
            change(&mut changed);
            assert_eq!(target().is_same_server(&changed), wanted, "{name}");
            assert_eq!(changed.is_same_server(&target()), wanted, "{name}");
        }
    }

    #[test]
    fn no_user_and_the_default_user_are_the_same() {
        let unnamed = BackendTarget {
            user: None,
            ..target()
        };
        let named = BackendTarget {
            user: Some("default".to_owned()),
            ..target()
        };
        assert!(unnamed.is_same_server(&named));
    }

    #[test]
    fn certificates_that_only_look_alike_when_joined_have_another_digest() {
        let joined = CaDigest::of([b"onetwo".as_slice()]);
        assert_ne!(joined, CaDigest::of([b"one".as_slice(), b"two"]));
        assert_ne!(CaDigest::of([b"on".as_slice(), b"etwo"]), joined);
    }
}
