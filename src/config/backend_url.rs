//! The backend's address as a URL: `redis://`, `rediss://` or `unix://`, read strictly.

use std::net::Ipv6Addr;
use std::path::PathBuf;

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAddress {
    /// A host and port; a name is resolved at each connect.
    Tcp {
        /// A DNS name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A Unix socket, by its path; not absolute: relative to the folder of the configuration file.
    Unix(PathBuf),
}

/// Whether the connection to the backend is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// A backend's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackendUrl {
    pub(crate) address: BackendAddress,
    pub(crate) transport: Transport,
    pub(crate) user: Option<String>,
}

/// Why a URL is refused, in words: what it is or has, and what was expected. Never a part of it.
pub(crate) type UrlFault = (&'static str, &'static str);

pub(crate) const URL: &str =
    "\"redis://HOST:PORT\", \"rediss://HOST:PORT\" or \"unix:///PATH/OF/SOCKET\"";

/// Reads a backend's URL. The port is 6379 where none is written.
pub(crate) fn parse(text: &str) -> Result<BackendUrl, UrlFault> {
    let (scheme, rest) = text.split_once("://").ok_or(("is not a URL", URL))?;
    if rest.contains('?') {
        return Err((
            "has query parameters",
            "a URL without `?`: every option is a key of its own",
        ));
    }
    if rest.contains('#') {
        return Err(("has a fragment", "a URL without `#`"));
    }
    let transport = match scheme {
        "redis" => Transport::Plain,
        "rediss" => Transport::Tls,
        "unix" => return unix(rest),
        _ => return Err(("has an unknown scheme", URL)),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err((
            "has a path",
            "a URL that ends after the port: clients choose their database number themselves",
        ));
    }
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(parse_user(user)?), place),
        None => (None, authority),
    };
    let (host, port) = parse_place(place)?;
    Ok(BackendUrl {
        address: BackendAddress::Tcp { host, port },
        transport,
        user,
    })
}

fn unix(path: &str) -> Result<BackendUrl, UrlFault> {
    if path.is_empty() || path.ends_with('/') {
        return Err(("has no path of a socket", "\"unix:///PATH/OF/SOCKET\""));
    }
    let path = percent_decode(path).ok_or((
        "has a `%` that is not followed by two hexadecimal digits",
        "a `%` written as `%25`",
    ))?;
    // Linux: sun_path holds 108 bytes with its NUL.
    if path.len() > 107 {
        return Err(("has a path that is too long", "at most 107 bytes"));
    }
    Ok(BackendUrl {
        address: BackendAddress::Unix(PathBuf::from(path)),
        transport: Transport::Plain,
        user: None,
    })
}

fn parse_user(text: &str) -> Result<String, UrlFault> {
    if text.contains(':') {
        return Err((
            "has a password",
            "the password in `password = { file = \"...\" }` or `{ env = \"...\" }`",
        ));
    }
    percent_decode(text)
        .filter(|user| !user.is_empty() && !user.contains(char::is_whitespace))
        .ok_or((
            "has a user that can't be read",
            "a user's name, percent-encoded",
        ))
}

fn parse_place(text: &str) -> Result<(String, u16), UrlFault> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(BAD_HOST)?;
            address.parse::<Ipv6Addr>().map_err(|_| BAD_HOST)?;
            (address, port)
        }
        None => match text.find(':') {
            Some(colon) => text.split_at(colon),
            None => (text, ""),
        },
    };
    if !text.starts_with('[') && !is_host(host) {
        return Err(BAD_HOST);
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 6379,
        None => return Err(BAD_PORT),
        Some(digits) => digits
            .parse::<u16>()
            .ok()
            .filter(|port| *port != 0 && digits.bytes().all(|digit| digit.is_ascii_digit()))
            .ok_or(BAD_PORT)?,
    };
    Ok((host.to_owned(), port))
}

const BAD_HOST: UrlFault = (
    "has a host that can't be read",
    "a DNS name, an IPv4 address, or an IPv6 address in brackets",
);
const BAD_PORT: UrlFault = ("has a port that can't be read", "a port from 1 to 65535");

/// Letters, digits, `-`, `_` and single dots between labels.
pub(crate) fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    text.len() <= 253 && text.split('.').all(label)
}

/// `%41` as `A`; `None` where a `%` stands alone, or the result is not UTF-8 or has a control character.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_url_is_taken_apart() {
        let cases = [
            (
                "redis://127.0.0.1:6379",
                "127.0.0.1",
                6379,
                Transport::Plain,
                None,
            ),
            ("redis://redis", "redis", 6379, Transport::Plain, None),
            ("redis://redis/", "redis", 6379, Transport::Plain, None),
            (
                "rediss://cache.example.com:6380",
                "cache.example.com",
                6380,
                Transport::Tls,
                None,
            ),
            (
                "rediss://[2001:db8::1]",
                "2001:db8::1",
                6379,
                Transport::Tls,
                None,
            ),
            ("redis://[::1]:7000", "::1", 7000, Transport::Plain, None),
            (
                "redis://svc%40x@h",
                "h",
                6379,
                Transport::Plain,
                Some("svc@x"),
            ),
        ];
        for (text, host, port, transport, user) in cases {
            let (host, user) = (host.to_owned(), user.map(str::to_owned));
            let address = BackendAddress::Tcp { host, port };
            let url = BackendUrl {
                address,
                transport,
                user,
            };
            assert_eq!(parse(text), Ok(url), "{text}");
        }
        let unix = parse("unix:///run/redis%20a.sock").unwrap().address;
        assert_eq!(
            unix,
            BackendAddress::Unix(PathBuf::from("/run/redis a.sock"))
        );
    }

    #[test]
    fn a_url_that_readers_take_differently_is_refused() {
        let cases = [
            ("127.0.0.1:6379", "is not a URL"),
            ("http://h", "has an unknown scheme"),
            ("REDIS://h", "has an unknown scheme"),
            ("redis://u:p@h", "has a password"),
            ("redis://:p@h", "has a password"),
            ("redis://@h", "has a user that can't be read"),
            ("redis://%zz@h", "has a user that can't be read"),
            ("redis://%0a@h", "has a user that can't be read"),
            ("redis://h/3", "has a path"),
            ("redis://h?db=1", "has query parameters"),
            ("redis://h#insecure", "has a fragment"),
            ("redis://h:0", "has a port that can't be read"),
            ("redis://h:+1", "has a port that can't be read"),
            ("redis://h:65536", "has a port that can't be read"),
            ("redis://h:", "has a port that can't be read"),
            ("redis://[::1]6379", "has a port that can't be read"),
            ("redis://[::1", "has a host that can't be read"),
            ("redis://::1", "has a host that can't be read"),
            ("redis://", "has a host that can't be read"),
            ("redis://a b", "has a host that can't be read"),
            ("redis://a..b", "has a host that can't be read"),
            ("unix:///", "has no path of a socket"),
        ];
        for (text, what) in cases {
            assert_eq!(parse(text).map_err(|(what, _)| what), Err(what), "{text}");
        }
    }
}
