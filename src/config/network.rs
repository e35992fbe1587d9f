//! Addresses to listen on and networks to admit.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use super::document::Value;
use super::position::Placed;

const NETWORK: &str = "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or a single address";
const LISTEN: &str = "an address with a port, such as \"0.0.0.0:6379\" or \"[::]:6379\"";

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// It can't be read as one.
    Unreadable,
    /// It has bits set beyond its prefix; the network that it lies in.
    HostBits(IpNet),
    /// It is an IPv4 network in IPv6 clothes, which no client's address ever matches; the IPv4 network.
    MappedIpv4(IpNet),
}

impl NetworkFault {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Unreadable => "is not a network",
            Self::HostBits(_) => "has bits set beyond its prefix",
            Self::MappedIpv4(_) => "is an IPv4 network written as IPv6",
        }
    }

    pub(crate) fn expected(self) -> String {
        match self {
            Self::Unreadable => NETWORK.to_owned(),
            Self::HostBits(network) | Self::MappedIpv4(network) => format!("`{network}`"),
        }
    }
}

/// Reads `10.0.0.0/8` or a bare address, which is a /32 or a /128.
pub(crate) fn parse_network(text: &str) -> Result<IpNet, NetworkFault> {
    let network = read_network(text).ok_or(NetworkFault::Unreadable)?;
    if let Some(mapped) = mapped_ipv4(network) {
        return Err(NetworkFault::MappedIpv4(mapped));
    }
    if network != network.trunc() {
        return Err(NetworkFault::HostBits(network.trunc()));
    }
    Ok(network)
}

/// `ipnet`'s own parser takes `010.0.0.0/08`, which others read as octal.
fn read_network(text: &str) -> Option<IpNet> {
    let Some((address, prefix)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    let length = prefix.parse::<u8>().ok()?;
    let canonical = length.to_string() == prefix;
    IpNet::new(address.parse().ok()?, length)
        .ok()
        .filter(|_| canonical)
}

/// The IPv4 network that `::ffff:a.b.c.d/96+n` means.
fn mapped_ipv4(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = network else { return None };
    let prefix = v6.prefix_len().checked_sub(96)?;
    let v4 = Ipv4Net::new(v6.addr().to_ipv4_mapped()?, prefix).ok()?;
    Some(IpNet::V4(v4.trunc()))
}

/// A network that stands as a value.
pub(crate) fn network(value: &Value<'_>) -> Option<IpNet> {
    match parse_network(value.text(NETWORK)?) {
        Ok(network) => Some(network),
        Err(fault) => value.refuse(fault.what(), fault.expected()),
    }
}

/// An address and port to listen on.
pub(crate) fn listen(value: &Value<'_>) -> Option<Placed<SocketAddr>> {
    let Ok(address) = value.text(LISTEN)?.parse::<SocketAddr>() else {
        return value.refuse("is not an address to listen on", LISTEN);
    };
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    if canonical.ip() != address.ip() {
        let what = "is an IPv4 address written as IPv6";
        return value.refuse(what, format!("`{canonical}`"));
    }
    Some(Placed::new(address, value.at()))
}

/// Whether only processes of this machine can reach the address.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

/// The list of addresses that a table's key holds.
pub(crate) fn listen_list(
    table: &super::document::Table<'_>,
    key: &'static str,
) -> Option<Vec<Placed<SocketAddr>>> {
    table.list(key, LISTEN, listen)
}

/// The list of networks that a table's key holds.
pub(crate) fn network_list(
    table: &super::document::Table<'_>,
    key: &'static str,
) -> Option<Vec<IpNet>> {
    table.list(key, NETWORK, network)
}

/// Refuses addresses of the table's `key` that are not on loopback unless they are written again under `again`, and
/// addresses under `again` that say nothing.
pub(crate) fn said_twice(
    table: &super::document::Table<'_>,
    open: &[Placed<SocketAddr>],
    again: &[Placed<SocketAddr>],
    keys: [&'static str; 2],
) -> Option<()> {
    let [key, again_key] = keys;
    let listed = |list: &[Placed<SocketAddr>], entry: &Placed<SocketAddr>| {
        list.iter().any(|other| other.value == entry.value)
    };
    let mut sound = Some(());
    for entry in open {
        if !is_loopback(&entry.value) && !listed(again, entry) {
            let what = format!("`{key}` is off loopback and without TLS");
            let expected =
                format!("a loopback address, or the same address again in `{again_key}`");
            table.fault(entry.at, what, expected);
            sound = None;
        }
    }
    for entry in again {
        if !listed(open, entry) {
            let what = format!("`{again_key}` repeats no address");
            table.fault(entry.at, what, format!("an address that stands in `{key}`"));
            sound = None;
        }
    }
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_strictly() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let cases = [
            ("10.0.0.0/8", Ok(net("10.0.0.0/8"))),
            ("10.1.2.3", Ok(net("10.1.2.3/32"))),
            ("2001:db8::1", Ok(net("2001:db8::1/128"))),
            ("0.0.0.0/0", Ok(net("0.0.0.0/0"))),
            ("::/0", Ok(net("::/0"))),
            ("10.1.2.3/8", Err(NetworkFault::HostBits(net("10.0.0.0/8")))),
            (
                "2001:db8::1/32",
                Err(NetworkFault::HostBits(net("2001:db8::/32"))),
            ),
            (
                "::ffff:10.0.0.0/104",
                Err(NetworkFault::MappedIpv4(net("10.0.0.0/8"))),
            ),
            (
                "::ffff:10.1.2.3",
                Err(NetworkFault::MappedIpv4(net("10.1.2.3/32"))),
            ),
            ("010.0.0.0/8", Err(NetworkFault::Unreadable)),
            ("10.0.0/8", Err(NetworkFault::Unreadable)),
            ("10.0.0.0/33", Err(NetworkFault::Unreadable)),
            ("10.0.0.0/+8", Err(NetworkFault::Unreadable)),
            ("10.0.0.0/08", Err(NetworkFault::Unreadable)),
            (" 10.0.0.0/8", Err(NetworkFault::Unreadable)),
            ("fe80::1%eth0", Err(NetworkFault::Unreadable)),
            ("", Err(NetworkFault::Unreadable)),
            ("*", Err(NetworkFault::Unreadable)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_network(text), expected, "{text}");
        }
    }
}
