//! Which addresses may be called. Pure.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6, RFC 6052 and 8215 (NAT64), RFC 3056
//! (6to4), and the metadata services that clouds document.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What kind of address a name leads to. Only [`Public`](AddressClass::Public) may be called unless an
/// administrator allowed more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    Loopback,
    Private,
    LinkLocal,
    /// Hands out credentials of the machine to whoever asks: never called, whatever is allowed.
    Metadata,
    Multicast,
    /// Documentation, benchmarks, the unspecified address, transition mechanisms and what nobody assigned.
    Reserved,
}

impl AddressClass {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Loopback => "this machine itself",
            Self::Private => "a private network",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud metadata service",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
        }
    }
}

pub fn classify(ip: IpAddr) -> AddressClass {
    match ip {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

/// AWS, GCP, Azure and most others; ECS tasks; Alibaba; Oracle; Azure's wire server.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

fn classify_v4(ip: Ipv4Addr) -> AddressClass {
    if METADATA_V4.contains(&ip) {
        return AddressClass::Metadata;
    }
    match ip.octets() {
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [192, 168, ..] => AddressClass::Private,
        [172, b, ..] if (16..32).contains(&b) => AddressClass::Private,
        // Shared space behind carriers' NAT, also used by overlay networks.
        [100, b, ..] if (64..128).contains(&b) => AddressClass::Private,
        [169, 254, ..] => AddressClass::LinkLocal,
        [224..=239, ..] => AddressClass::Multicast,
        [0, ..] | [240..=255, ..] => AddressClass::Reserved,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            AddressClass::Reserved
        }
        _ => AddressClass::Public,
    }
}

fn classify_v6(ip: Ipv6Addr) -> AddressClass {
    // AWS's metadata service over IPv6.
    if ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
        return AddressClass::Metadata;
    }
    if ip.is_loopback() {
        return AddressClass::Loopback;
    }
    if ip.is_unspecified() {
        return AddressClass::Reserved;
    }
    if let Some(v4) = embedded_v4(ip) {
        return classify_v4(v4);
    }
    match ip.segments()[0] {
        0xfc00..=0xfdff => AddressClass::Private,
        // Link-local, and the site-local space that was withdrawn but is still routed in places.
        0xfe80..=0xfebf => AddressClass::LinkLocal,
        0xfec0..=0xfeff => AddressClass::Private,
        0xff00..=0xffff => AddressClass::Multicast,
        // 2000::/3 is all that is assigned for the open network; a few blocks of it are special.
        0x2000..=0x3fff if !is_special_unicast(ip) => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// The IPv4 address that a packet to this one would reach: mapped (`::ffff:a.b.c.d`), compatible
/// (`::a.b.c.d`), NAT64 (`64:ff9b::a.b.c.d`) and 6to4 (`2002:aabb:ccdd::`).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |s: [u16; 8]| {
        let [a, b] = s[6].to_be_bytes();
        let [c, d] = s[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        s @ ([0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _]) => {
            Some(last(s))
        }
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Teredo and the other protocol assignments (2001::/23), and documentation (2001:db8::/32, 3fff::/20).
fn is_special_unicast(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x2001, second, ..] => second < 0x200 || second == 0xdb8,
        [0x3fff, second, ..] => second < 0x1000,
        _ => false,
    }
}

/// Why an address may not be called; shown to the person who configured it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("'{0}' is not an address that can be read")]
    Unreadable(String),
    #[error("only http and https are called, not '{0}'")]
    Scheme(String),
    #[error("an address must not carry a user name or password")]
    Credentials,
    #[error("{host} leads to {ip}, {}; an administrator can allow it with FAULTLINE_OUTBOUND_ALLOW", class.label())]
    Address { host: String, ip: IpAddr, class: AddressClass },
    #[error("{0} has no address")]
    Unresolved(String),
}

/// What an administrator allowed beyond public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    hosts: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

impl Policy {
    /// Reads a comma-separated list of host names, addresses and networks (`10.0.0.0/8`), as
    /// `FAULTLINE_OUTBOUND_ALLOW` holds it. `Err` names the piece that is none of these.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut policy = Self::default();
        for piece in list.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            policy.add(piece)?;
        }
        Ok(policy)
    }

    fn add(&mut self, piece: &str) -> Result<(), String> {
        let refuse = || format!("'{piece}' is neither a host name, an address nor a network");
        if let Ok(ip) = piece.parse::<IpAddr>() {
            self.networks.push((ip, if ip.is_ipv4() { 32 } else { 128 }));
        } else if let Some((base, bits)) = piece.split_once('/') {
            let base: IpAddr = base.parse().map_err(|_| refuse())?;
            let bits: u8 = bits.parse().map_err(|_| refuse())?;
            if bits > if base.is_ipv4() { 32 } else { 128 } {
                return Err(refuse());
            }
            self.networks.push((base, bits));
        } else {
            let host = Host::parse(piece).map_err(|_| refuse())?;
            self.hosts.push(host.to_string().to_lowercase());
        }
        Ok(())
    }

    /// Whether `host`, which resolved to `ip`, may be called.
    pub fn check(&self, host: &str, ip: IpAddr) -> Result<(), Refusal> {
        let class = classify(ip);
        let is_allowed = match class {
            AddressClass::Public => true,
            AddressClass::Metadata => false,
            _ => {
                let named = host.trim_end_matches('.').to_lowercase();
                self.hosts.contains(&named) || self.networks.iter().any(|net| contains(*net, ip))
            }
        };
        if is_allowed { Ok(()) } else { Err(Refusal::Address { host: host.to_owned(), ip, class }) }
    }

    /// Checks all that can be known without asking the name service: scheme, credentials, and the
    /// address when it is written as one (in whatever notation: `http://0x7f.1/` is 127.0.0.1).
    pub fn check_url(&self, text: &str) -> Result<Url, Refusal> {
        let url = Url::parse(text.trim()).map_err(|_| Refusal::Unreadable(text.to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        match url.host() {
            Some(Host::Ipv4(ip)) => self.check(&ip.to_string(), ip.into())?,
            Some(Host::Ipv6(ip)) => self.check(&ip.to_string(), ip.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err(Refusal::Unreadable(text.to_owned())),
        }
        Ok(url)
    }
}

fn contains((base, bits): (IpAddr, u8), ip: IpAddr) -> bool {
    // A mapped address is the IPv4 one in disguise, for the network list too.
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    };
    match (base, ip) {
        (IpAddr::V4(base), IpAddr::V4(ip)) => prefix_matches(base.to_bits().into(), ip.to_bits().into(), 32, bits),
        (IpAddr::V6(base), IpAddr::V6(ip)) => prefix_matches(base.to_bits(), ip.to_bits(), 128, bits),
        _ => false,
    }
}

/// Compares the first `bits` of two numbers that are `width` bits wide.
fn prefix_matches(a: u128, b: u128, width: u8, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (width - bits) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(text: &str) -> AddressClass {
        classify(text.parse().expect("an address"))
    }

    #[test]
    fn addresses_are_classified() {
        let table = [
            (
                AddressClass::Public,
                vec![
                    "1.1.1.1",
                    "93.184.216.34",
                    "172.32.0.1",
                    "172.15.255.255",
                    "100.63.0.1",
                    "100.128.0.1",
                    "2606:4700::1111",
                    "2001:4860:4860::8888",
                    "64:ff9b::101:101",
                    "::ffff:8.8.8.8",
                ],
            ),
            (
                AddressClass::Loopback,
                vec![
                    "127.0.0.1",
                    "127.255.0.3",
                    "::1",
                    "::ffff:127.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::1",
                    "::127.0.0.1",
                ],
            ),
            (
                AddressClass::Private,
                vec![
                    "10.1.2.3",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.0.1",
                    "100.64.0.1",
                    "fc00::1",
                    "fd12::1",
                    "fec0::1",
                    "::ffff:10.0.0.1",
                    "64:ff9b::a00:1",
                    "2002:c0a8:1::",
                ],
            ),
            (AddressClass::LinkLocal, vec!["169.254.1.1", "fe80::1", "febf::1"]),
            (
                AddressClass::Metadata,
                vec![
                    "169.254.169.254",
                    "169.254.170.2",
                    "100.100.100.200",
                    "192.0.0.192",
                    "168.63.129.16",
                    "fd00:ec2::254",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                ],
            ),
            (AddressClass::Multicast, vec!["224.0.0.1", "239.255.255.250", "ff02::1"]),
            (
                AddressClass::Reserved,
                vec![
                    "0.0.0.0",
                    "0.1.2.3",
                    "255.255.255.255",
                    "240.0.0.1",
                    "192.0.2.1",
                    "198.51.100.7",
                    "203.0.113.9",
                    "198.18.0.1",
                    "192.88.99.1",
                    "::",
                    "2001:db8::1",
                    "2001::1",
                    "3fff::1",
                    "100::1",
                    "64:ff9b:1::1",
                    "5f00::1",
                    "4000::1",
                ],
            ),
        ];
        for (expected, addresses) in table {
            for address in addresses {
                assert_eq!(class(address), expected, "{address}");
            }
        }
    }

    proptest! {
        /// However an IPv4 address is dressed up as IPv6, it is judged as itself.
        #[test]
        fn embedding_never_launders_an_address(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let plain = classify(v4.into());
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            prop_assert_eq!(classify(v4.to_ipv6_mapped().into()), plain);
            prop_assert_eq!(classify(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into()), plain);
            prop_assert_eq!(classify(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1).into()), plain);
        }

        #[test]
        fn an_allowed_network_holds_exactly_its_addresses(base in any::<u32>(), other in any::<u32>(), bits in 0u8..=32) {
            let inside = |x: u32| bits == 0 || x >> (32 - bits) == base >> (32 - bits);
            let net = (IpAddr::from(Ipv4Addr::from_bits(base)), bits);
            prop_assert!(contains(net, Ipv4Addr::from_bits(base).into()));
            prop_assert_eq!(contains(net, Ipv4Addr::from_bits(other).into()), inside(other));
        }
    }

    #[test]
    fn disguised_addresses_in_urls_are_seen_through() {
        let policy = Policy::default();
        for url in [
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://[::1]:8080/",
            "http://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data/",
            "http://0/",
        ] {
            assert!(matches!(policy.check_url(url), Err(Refusal::Address { .. })), "{url}");
        }
        assert!(matches!(policy.check_url("file:///etc/passwd"), Err(Refusal::Scheme(_))));
        assert!(matches!(policy.check_url("gopher://example.org/"), Err(Refusal::Scheme(_))));
        assert_eq!(policy.check_url("https://user:secret@example.org/"), Err(Refusal::Credentials));
        assert!(policy.check_url("not a url").is_err());
        assert!(policy.check_url("https://hooks.example.org/x").is_ok());
    }

    #[test]
    fn an_administrator_may_allow_more_but_never_metadata() {
        let policy = Policy::parse("10.0.0.0/8, 127.0.0.1, fd00::/8, Chat.Internal").expect("a list");
        let check = |host: &str, ip: &str| policy.check(host, ip.parse().expect("an address")).is_ok();
        assert!(check("x", "10.2.3.4") && check("x", "127.0.0.1") && check("x", "fd01::5"));
        assert!(check("x", "::ffff:10.2.3.4"));
        assert!(check("chat.internal.", "192.168.7.7"));
        assert!(!check("x", "127.0.0.2") && !check("x", "192.168.7.7") && !check("x", "fd00:ec2::254"));
        let all = Policy::parse("0.0.0.0/0").expect("a list");
        assert!(all.check("x", "169.254.169.254".parse().expect("an address")).is_err());
        for wrong in ["10.0.0.0/33", "a/b", "10.0.0.0/x", "exa mple"] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }
}
