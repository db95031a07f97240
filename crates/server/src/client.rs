//! Who a request is from.

use std::net::{IpAddr, Ipv4Addr};

use hyper::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use model::Message;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection, as the socket knows it. In the extensions of each request that came over one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) is_tls: bool,
}

impl Peer {
    /// IPv4 addresses that come over an IPv6 socket are IPv4 addresses.
    pub(crate) fn new(address: IpAddr, is_tls: bool) -> Self {
        Self {
            address: address.to_canonical(),
            is_tls,
        }
    }
}

impl Default for Peer {
    /// A request without a connection is from this program itself.
    fn default() -> Self {
        Self::new(Ipv4Addr::LOCALHOST.into(), false)
    }
}

/// Who a request is from: the peer, or whom a trusted proxy names. In the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// What limits are counted by, see [`network_of`].
    pub(crate) network: IpNet,
    /// Whether the client's own connection is encrypted, be it to us or to a trusted proxy.
    pub(crate) is_secure: bool,
    /// A program of this machine that speaks for itself, and not a proxy for others.
    pub(crate) is_local: bool,
}

impl Client {
    /// The peer, unless it is a trusted proxy that names somebody else. Headers of anybody else are not looked at, nor
    /// are `X-Forwarded-Host` (`--base-url` says the name) and `Forwarded`: a proxy that writes one of `Forwarded` and
    /// `X-Forwarded-For` passes on what the client wrote into the other, so only one may count.
    pub(crate) fn new(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let direct = Self {
            network: network_of(peer.address),
            is_secure: peer.is_tls,
            is_local: peer.address.is_loopback(),
        };
        if !contains(trusted, peer.address) {
            return direct;
        }
        Self {
            network: forwarded_for(headers, trusted).map_or(direct.network, network_of),
            is_secure: is_forwarded_secure(headers).unwrap_or(direct.is_secure),
            is_local: direct.is_local && !headers.keys().any(is_of_proxies),
        }
    }
}

/// Whether a proxy adds a header: one is enough, since a client may have another one taken out.
fn is_of_proxies(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-")
        || matches!(name.as_str(), "forwarded" | "via" | "x-real-ip")
}

/// What one party has: an IPv4 address; the /64 of an IPv6 address, within which a host takes any address it likes.
pub(crate) fn network_of(address: IpAddr) -> IpNet {
    const IPV6_PREFIX: u8 = 64;
    match IpNet::from(address) {
        IpNet::V6(host) => IpNet::new_assert(host.addr().into(), IPV6_PREFIX).trunc(),
        host @ IpNet::V4(_) => host,
    }
}

pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// A network or a single address that was given by the operator.
///
/// # Errors
/// When it is neither.
pub fn parse_network(text: &str) -> Result<IpNet, Message> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse().or_else(|_| single());
    network.map_err(|_| Message::new("server.network").with("text", text))
}

/// The last address that is not a trusted proxy: what stands before it was written by whoever has that address. When
/// all are trusted, the first. `None` when there is none or the one that counts is no address.
fn forwarded_for(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut first = None;
    for line in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for text in line.to_str().ok()?.rsplit(',') {
            let address = address(text.trim())?;
            if !contains(trusted, address) {
                return Some(address);
            }
            first = Some(address);
        }
    }
    first
}

/// An address; some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<std::net::SocketAddr>().ok()?.ip());
    let plain = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(plain.to_canonical())
}

/// `None` when the nearest proxy does not say or says something else.
fn is_forwarded_secure(headers: &HeaderMap) -> Option<bool> {
    let line = headers.get_all(X_FORWARDED_PROTO).iter().next_back()?;
    match line.to_str().ok()?.rsplit(',').next()?.trim() {
        scheme if scheme.eq_ignore_ascii_case("https") => Some(true),
        scheme if scheme.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(name, value);
        }
        headers
    }

    fn networks(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|n| parse_network(n).unwrap()).collect()
    }

    fn peer(address: &str) -> Peer {
        Peer::new(address.parse().unwrap(), false)
    }

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let trusted = networks(&["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);
        for (from, forwarded, client) in [
            // Anybody can write the header.
            ("198.51.100.7", &["203.0.113.9"][..], "198.51.100.7/32"),
            ("127.0.0.2", &["203.0.113.9"], "127.0.0.2/32"),
            // A trusted proxy.
            ("127.0.0.1", &["203.0.113.9"], "203.0.113.9/32"),
            ("::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9/32"),
            ("127.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9/32"),
            ("127.0.0.1", &["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
            ("fd00::1", &["[2001:db8:1:2::1]:443"], "2001:db8:1:2::/64"),
            ("fd00::1", &["[2001:db8:1:2::1]"], "2001:db8:1:2::/64"),
            ("10.1.2.3", &["203.0.113.9:55000"], "203.0.113.9/32"),
            // What the client itself wrote stands on the left.
            ("10.1.2.3", &["1.1.1.1, 203.0.113.9"], "203.0.113.9/32"),
            ("10.1.2.3", &["nonsense,203.0.113.9"], "203.0.113.9/32"),
            ("10.1.2.3", &["1.1.1.1", "203.0.113.9"], "203.0.113.9/32"),
            // A chain of proxies.
            (
                "127.0.0.1",
                &["1.1.1.1, 203.0.113.9, 10.9.9.9", "10.8.8.8"],
                "203.0.113.9/32",
            ),
            ("127.0.0.1", &["10.9.9.9, 10.8.8.8"], "10.9.9.9/32"),
            // Malformed: the peer counts.
            ("10.1.2.3", &[], "10.1.2.3/32"),
            ("10.1.2.3", &[""], "10.1.2.3/32"),
            ("10.1.2.3", &["unknown"], "10.1.2.3/32"),
            ("10.1.2.3", &["203.0.113.9,"], "10.1.2.3/32"),
            ("10.1.2.3", &["203.0.113.9, nonsense"], "10.1.2.3/32"),
            ("10.1.2.3", &["203.0.113.9, ї"], "10.1.2.3/32"),
            ("10.1.2.3", &["203.0.113.256"], "10.1.2.3/32"),
        ] {
            let lines: Vec<_> = forwarded.iter().map(|v| (X_FORWARDED_FOR, *v)).collect();
            let made = Client::new(peer(from), &headers(&lines), &trusted);
            assert_eq!(made.network.to_string(), client, "{from} {forwarded:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_that_the_connection_is_secure() {
        let trusted = networks(&["127.0.0.1"]);
        for (from, is_tls, scheme, is_secure) in [
            ("198.51.100.7", false, Some("https"), false),
            ("198.51.100.7", true, Some("http"), true),
            ("127.0.0.1", false, Some("https"), true),
            ("127.0.0.1", false, Some("HTTPS"), true),
            ("127.0.0.1", false, Some("http, https"), true),
            ("127.0.0.1", false, Some("https, http"), false),
            ("127.0.0.1", true, Some("http"), false),
            ("127.0.0.1", false, Some("wss"), false),
            ("127.0.0.1", true, Some(""), true),
            ("127.0.0.1", true, None, true),
            ("127.0.0.1", false, None, false),
        ] {
            let lines: Vec<_> = scheme
                .iter()
                .map(|value| (X_FORWARDED_PROTO, *value))
                .collect();
            let peer = Peer::new(from.parse().unwrap(), is_tls);
            let client = Client::new(peer, &headers(&lines), &trusted);
            assert_eq!(client.is_secure, is_secure, "{from} {is_tls} {scheme:?}");
        }
    }

    #[test]
    fn other_headers_of_proxies_are_not_read() {
        let forwarded = HeaderName::from_static("forwarded");
        let lines = [(forwarded, "for=203.0.113.9;proto=https")];
        let client = Client::new(
            peer("127.0.0.1"),
            &headers(&lines),
            &networks(&["127.0.0.1"]),
        );
        let direct = Client::new(peer("127.0.0.1"), &HeaderMap::new(), &[]);
        assert_eq!(
            (client.network, client.is_secure),
            (direct.network, direct.is_secure)
        );
        assert!(!client.is_local, "it speaks for somebody");
    }

    #[test]
    fn a_program_of_this_machine_is_local_until_it_speaks_for_others() {
        let named = headers(&[(X_FORWARDED_FOR, "203.0.113.9")]);
        let trusted = networks(&["127.0.0.1"]);
        let is_local =
            |from, headers: &HeaderMap, trusted| Client::new(peer(from), headers, trusted).is_local;
        assert!(is_local("127.0.0.1", &HeaderMap::new(), &[]));
        assert!(is_local("::1", &HeaderMap::new(), &[]));
        assert!(is_local("127.0.0.1", &HeaderMap::new(), &trusted));
        assert!(!is_local("127.0.0.1", &named, &trusted));
        let of_a_proxy = headers(&[(X_FORWARDED_PROTO, "http")]);
        assert!(!is_local("127.0.0.1", &of_a_proxy, &trusted));
        assert!(!is_local("10.0.0.1", &HeaderMap::new(), &[]));
    }

    #[test]
    fn networks_are_given_with_or_without_a_length() {
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("::1", "::1/128"),
            ("fd00::/8", "fd00::/8"),
        ] {
            assert_eq!(parse_network(text).unwrap().to_string(), network);
        }
        for bad in ["", "10.0.0.0/33", "proxy.example.ua", "10.0.0", "*"] {
            assert!(parse_network(bad).is_err(), "{bad}");
        }
    }
}
