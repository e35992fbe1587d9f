//! Which addresses may connect: an allow list, a deny list, and the switch `private_only`.
//!
//! The lists are flattened once into sorted segments, each with its verdict, so that a look-up is one binary search and
//! no rule can be forgotten or asked in the wrong order. A deny entry wins over every allow entry, however long its prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// Why an address was refused; also the metric's `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No allow entry contains it. An empty allow list refuses everyone so.
    NotAllowed,
    /// A deny entry contains it.
    Denied,
    /// It is allowed, but neither RFC 1918, RFC 4193 nor loopback, and `private_only` is on.
    NotPrivate,
}

impl Refusal {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Denied => "denied",
            Self::NotPrivate => "not_private",
        }
    }
}

/// Whether an allowed address must also be private (RFC 1918, RFC 4193 or loopback).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateOnly {
    /// Any allowed address may connect.
    Off,
    /// Only private ones may. Grants nothing by itself.
    On,
}

/// The admission rule of one database.
#[derive(Clone, Debug)]
pub struct Admission {
    set: CidrSet,
    private_only: PrivateOnly,
}

impl Admission {
    /// Admits what an entry of `allow` contains and no entry of `deny` does.
    pub fn new(allow: &[IpNet], deny: &[IpNet], private_only: PrivateOnly) -> Self {
        Self {
            set: CidrSet::new(allow, deny),
            private_only,
        }
    }

    /// Judges `address`, of which an IPv4-mapped IPv6 form is read as the IPv4 address.
    ///
    /// # Errors
    /// The reason for which it is refused.
    pub fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        match self.set.verdict(address) {
            Verdict::NotAllowed => Err(Refusal::NotAllowed),
            Verdict::Denied => Err(Refusal::Denied),
            Verdict::Allowed => match self.private_only {
                PrivateOnly::On if !is_private(address) => Err(Refusal::NotPrivate),
                PrivateOnly::On | PrivateOnly::Off => Ok(()),
            },
        }
    }
}

/// What the lists say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In an allow entry and in no deny entry.
    Allowed,
    /// In a deny entry.
    Denied,
    /// In neither.
    NotAllowed,
}

/// An allow list and a deny list, flattened.
#[derive(Clone, Debug)]
pub struct CidrSet {
    v4: Segments<u32>,
    v6: Segments<u128>,
}

impl CidrSet {
    /// Flattens the lists. Host bits of an entry are ignored. An IPv6 entry within `::ffff:0:0/96` is read as the IPv4
    /// network that it maps, since addresses are; a wider one (`::/0`) stands for IPv6 addresses only.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let entries = allow
            .iter()
            .map(|net| (*net, List::Allow))
            .chain(deny.iter().map(|net| (*net, List::Deny)));
        for (net, list) in entries {
            match unmapped(net) {
                IpNet::V4(net) => {
                    let last = net.broadcast().to_bits();
                    v4.push(Edge::opens(net.network().to_bits(), list));
                    v4.extend(last.checked_add(1).map(|end| Edge::closes(end, list)));
                }
                IpNet::V6(net) => {
                    let last = net.broadcast().to_bits();
                    v6.push(Edge::opens(net.network().to_bits(), list));
                    v6.extend(last.checked_add(1).map(|end| Edge::closes(end, list)));
                }
            }
        }
        Self {
            v4: Segments::sweep(v4),
            v6: Segments::sweep(v6),
        }
    }

    /// What the lists say of `address`, which must be canonical.
    pub fn verdict(&self, address: IpAddr) -> Verdict {
        match address {
            IpAddr::V4(address) => self.v4.at(address.to_bits()),
            IpAddr::V6(address) => self.v6.at(address.to_bits()),
        }
    }
}

/// The IPv4 network that `net` maps, where it maps one.
fn unmapped(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(address) = v6.network().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(address, prefix)
    {
        return IpNet::V4(v4);
    }
    net
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Allow,
    Deny,
}

/// A place where an entry begins or has just ended.
struct Edge<N> {
    at: N,
    list: List,
    step: i64,
}

impl<N> Edge<N> {
    fn opens(at: N, list: List) -> Self {
        Self { at, list, step: 1 }
    }

    fn closes(at: N, list: List) -> Self {
        Self { at, list, step: -1 }
    }
}

/// Segments of the whole address space: segment `i` reaches from `starts[i]` up to `starts[i + 1]` and has `verdicts[i]`.
/// Invariant: `starts` rises strictly, neighbours differ in their verdict; below `starts[0]` nothing is allowed.
#[derive(Clone, Debug)]
struct Segments<N> {
    starts: Box<[N]>,
    verdicts: Box<[Verdict]>,
}

impl<N: Copy + Ord> Segments<N> {
    fn sweep(mut edges: Vec<Edge<N>>) -> Self {
        edges.sort_unstable_by_key(|edge| edge.at);
        let (mut starts, mut verdicts) = (Vec::new(), Vec::new());
        let (mut allows, mut denies) = (0, 0);
        let mut current = Verdict::NotAllowed;
        for group in edges.chunk_by(|a, b| a.at == b.at) {
            for edge in group {
                match edge.list {
                    List::Allow => allows += edge.step,
                    List::Deny => denies += edge.step,
                }
            }
            let verdict = match (denies, allows) {
                (0, 0) => Verdict::NotAllowed,
                (0, _) => Verdict::Allowed,
                (_, _) => Verdict::Denied,
            };
            if verdict != current {
                starts.push(group[0].at);
                verdicts.push(verdict);
                current = verdict;
            }
        }
        Self {
            starts: starts.into_boxed_slice(),
            verdicts: verdicts.into_boxed_slice(),
        }
    }

    fn at(&self, address: N) -> Verdict {
        let after = self.starts.partition_point(|start| *start <= address);
        match after.checked_sub(1) {
            Some(segment) => self.verdicts[segment],
            None => Verdict::NotAllowed,
        }
    }
}

/// Whether `address` is private: RFC 1918, RFC 4193 or loopback.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::is_private(&v4) || v4.is_loopback(),
        IpAddr::V6(v6) => Ipv6Addr::is_unique_local(&v6) || v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn admission(allow: &[&str], deny: &[&str], private_only: PrivateOnly) -> Admission {
        Admission::new(&nets(allow), &nets(deny), private_only)
    }

    fn judged(admission: &Admission, address: &str) -> Result<(), Refusal> {
        admission.admit(address.parse().unwrap())
    }

    #[test]
    fn an_empty_allow_list_denies_everyone() {
        let none = admission(&[], &[], PrivateOnly::Off);
        for address in [
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "255.255.255.255",
            "2001:db8::1",
        ] {
            assert_eq!(
                judged(&none, address),
                Err(Refusal::NotAllowed),
                "{address}"
            );
        }
    }

    #[test]
    fn deny_wins_whatever_the_prefix_length() {
        let wide_deny = admission(&["10.1.2.3/32"], &["10.0.0.0/8"], PrivateOnly::Off);
        assert_eq!(judged(&wide_deny, "10.1.2.3"), Err(Refusal::Denied));
        let narrow_deny = admission(&["10.0.0.0/8"], &["10.1.2.3/32"], PrivateOnly::Off);
        assert_eq!(judged(&narrow_deny, "10.1.2.3"), Err(Refusal::Denied));
        assert_eq!(judged(&narrow_deny, "10.1.2.4"), Ok(()));
    }

    #[test]
    fn a_mapped_address_is_judged_as_the_ipv4_address() {
        let v4 = admission(&["10.0.0.0/8"], &["10.9.0.0/16"], PrivateOnly::Off);
        assert_eq!(judged(&v4, "::ffff:10.1.1.1"), Ok(()));
        assert_eq!(judged(&v4, "::ffff:10.9.1.1"), Err(Refusal::Denied));
        let mapped_entry = admission(&["0.0.0.0/0"], &["::ffff:10.0.0.0/104"], PrivateOnly::Off);
        assert_eq!(judged(&mapped_entry, "10.1.1.1"), Err(Refusal::Denied));
        assert_eq!(judged(&mapped_entry, "11.1.1.1"), Ok(()));
    }

    #[test]
    fn all_of_ipv6_does_not_let_ipv4_in() {
        let v6 = admission(&["::/0"], &[], PrivateOnly::Off);
        assert_eq!(
            judged(&v6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            Ok(())
        );
        assert_eq!(judged(&v6, "8.8.8.8"), Err(Refusal::NotAllowed));
        assert_eq!(judged(&v6, "::ffff:8.8.8.8"), Err(Refusal::NotAllowed));
    }

    #[test]
    fn private_only_takes_away_and_grants_nothing() {
        let world = admission(&["0.0.0.0/0", "::/0"], &[], PrivateOnly::On);
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "::1",
            "fd00::1",
        ] {
            assert_eq!(judged(&world, address), Ok(()), "{address}");
        }
        for address in [
            "9.255.255.255",
            "172.32.0.1",
            "169.254.1.1",
            "8.8.8.8",
            "fe80::1",
            "2001:db8::1",
        ] {
            assert_eq!(
                judged(&world, address),
                Err(Refusal::NotPrivate),
                "{address}"
            );
        }
        let nobody = admission(&[], &[], PrivateOnly::On);
        assert_eq!(judged(&nobody, "10.0.0.1"), Err(Refusal::NotAllowed));
    }

    #[test]
    fn the_edges_of_the_address_space_belong_to_their_network() {
        let ends = admission(&["0.0.0.0/32", "255.255.255.255/32"], &[], PrivateOnly::Off);
        assert_eq!(judged(&ends, "0.0.0.0"), Ok(()));
        assert_eq!(judged(&ends, "0.0.0.1"), Err(Refusal::NotAllowed));
        assert_eq!(judged(&ends, "255.255.255.254"), Err(Refusal::NotAllowed));
        assert_eq!(judged(&ends, "255.255.255.255"), Ok(()));
    }

    /// What the flattened set must agree with: every entry asked in turn.
    fn scanned(allow: &[IpNet], deny: &[IpNet], address: IpAddr) -> Verdict {
        if deny.iter().any(|net| net.contains(&address)) {
            Verdict::Denied
        } else if allow.iter().any(|net| net.contains(&address)) {
            Verdict::Allowed
        } else {
            Verdict::NotAllowed
        }
    }

    /// Networks crowded into one corner, so that they nest, touch and repeat.
    fn crowded() -> impl Strategy<Value = IpNet> {
        let v4 = (0u32..512, 20u8..=32).prop_map(|(low, prefix)| {
            let address = Ipv4Addr::from_bits(0x0a00_0000 | low);
            IpNet::new(address.into(), prefix).unwrap()
        });
        let v6 = (0u128..512, 116u8..=128).prop_map(|(low, prefix)| {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | low);
            IpNet::new(address.into(), prefix).unwrap()
        });
        let any = (any::<u32>(), 0u8..=32).prop_map(|(bits, prefix)| {
            IpNet::new(Ipv4Addr::from_bits(bits).into(), prefix).unwrap()
        });
        prop_oneof![4 => v4, 4 => v6, 1 => any]
    }

    proptest! {
        #[test]
        fn the_flattened_set_agrees_with_a_linear_scan(
            allow in proptest::collection::vec(crowded(), 0..20),
            deny in proptest::collection::vec(crowded(), 0..20),
            low in 0u32..1024,
            far in any::<u32>(),
        ) {
            let set = CidrSet::new(&allow, &deny);
            let addresses: [IpAddr; 3] = [
                Ipv4Addr::from_bits(0x0a00_0000 | low).into(),
                Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(low)).into(),
                Ipv4Addr::from_bits(far).into(),
            ];
            for address in addresses {
                prop_assert_eq!(set.verdict(address), scanned(&allow, &deny, address), "{}", address);
            }
        }
    }
}
