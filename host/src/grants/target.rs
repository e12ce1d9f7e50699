//! Which hosts and ports a program may connect to.

use super::range;
use std::net::{IpAddr, SocketAddr};

/// Name of the machine itself (RFC 6761 6.3).
const LOCALHOST: &str = "localhost";

/// What a program may connect to.
#[derive(Debug, Clone)]
pub enum Outbound {
    /// Everything.
    All,
    /// What one of these matches.
    Some(Vec<Targets>),
}

impl Default for Outbound {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Outbound {
    /// Whether a program may connect there. Names are compared as they are given, before they are resolved.
    pub(crate) fn grants(&self, host: &str, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Some(targets) => targets.iter().any(|target| target.has(host, port)),
        }
    }

    /// Whether a program may connect to an address that `host` stands for: one that is not public must be named by a pattern, because whoever owns a name may let it stand for any address.
    pub(crate) fn reaches(&self, host: &str, address: SocketAddr) -> bool {
        match self {
            Self::All => true,
            Self::Some(_) if range::is_public(address.ip()) => true,
            Self::Some(targets) => targets.iter().any(|target| target.names(host, address)),
        }
    }

    /// Whether a program may connect to nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Some(targets) if targets.is_empty())
    }
}

/// A pattern `host:port`. The host is a name, an address (IPv6 in brackets), a network `10.0.0.0/8`, `*`, or `*.` and a domain whose subdomains are meant; the port a number or `*`. Addresses of loopback, private and other ranges that are not public are granted only by an address, a network or the name `localhost`, whatever names stand for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    host: Hosts,
    /// None is every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Every,
    Address(IpAddr),
    /// Its first address, and how many bits of it count.
    Network(IpAddr, u8),
    /// In small letters.
    Name(String),
    /// In small letters, with the dot.
    Below(String),
}

/// A text that is no pattern of hosts and ports.
#[derive(Debug, thiserror::Error)]
#[error("{pattern:?} is not of the form host:port, with `*` for any port, any host, or `*.domain`")]
pub struct TargetError {
    pattern: String,
}

impl std::fmt::Display for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Hosts::Every => f.write_str("*")?,
            Hosts::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Hosts::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Hosts::Network(IpAddr::V6(first), bits) => write!(f, "[{first}]/{bits}")?,
            Hosts::Network(IpAddr::V4(first), bits) => write!(f, "{first}/{bits}")?,
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Below(domain) => write!(f, "*{domain}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

impl std::str::FromStr for Targets {
    type Err = TargetError;

    fn from_str(pattern: &str) -> Result<Self, TargetError> {
        parse(pattern).ok_or_else(|| TargetError {
            pattern: pattern.to_owned(),
        })
    }
}

fn parse(pattern: &str) -> Option<Targets> {
    let (host, port) = pattern.rsplit_once(':')?;
    let port = match port {
        "*" => None,
        port => Some(port.parse().ok().filter(|port| *port > 0)?),
    };
    let name = host.to_ascii_lowercase();
    let is_name = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !name.is_empty() && name.bytes().all(fits)
    };
    if let Some(host) = network(host) {
        return Some(Targets { host, port });
    }
    let host = match (address(host), name.strip_prefix('*')) {
        (Some(address), _) => Hosts::Address(address),
        (None, Some("")) => Hosts::Every,
        (None, Some(domain)) if domain.starts_with('.') && is_name(domain) => {
            Hosts::Below(domain.to_owned())
        }
        (None, None) if is_name(&name) => Hosts::Name(name),
        (None, _) => return None,
    };
    Some(Targets { host, port })
}

/// An address, in brackets or not; one of IPv4 that is written as one of IPv6 is one of IPv4.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address: IpAddr = inner.unwrap_or(host).parse().ok()?;
    Some(address.to_canonical())
}

/// `10.0.0.0/8`, or `[fd00::/8]`.
fn network(host: &str) -> Option<Hosts> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let (first, bits) = inner.unwrap_or(host).split_once('/')?;
    let (first, bits) = (first.parse::<IpAddr>().ok()?, bits.parse().ok()?);
    let most = if first.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(Hosts::Network(first, bits))
}

/// Whether the first bits of two addresses of one kind are the same.
fn is_inside(first: IpAddr, bits: u8, address: IpAddr) -> bool {
    let differ = match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            u128::from(first.to_bits() ^ address.to_bits()) << 96
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => first.to_bits() ^ address.to_bits(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differ.leading_zeros() >= u32::from(bits)
}

impl Targets {
    /// Whether it names an address itself, or the machine.
    fn names(&self, host: &str, target: SocketAddr) -> bool {
        let ip = target.ip().to_canonical();
        self.port.is_none_or(|granted| granted == target.port())
            && match &self.host {
                Hosts::Address(granted) => *granted == ip,
                Hosts::Network(first, bits) => is_inside(*first, *bits, ip),
                Hosts::Name(granted) => {
                    granted == LOCALHOST && host.eq_ignore_ascii_case(granted) && ip.is_loopback()
                }
                Hosts::Every | Hosts::Below(_) => false,
            }
    }

    fn has(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|granted| granted != port) {
            return false;
        }
        let name = || host.to_ascii_lowercase();
        match &self.host {
            Hosts::Every => true,
            Hosts::Address(granted) => address(host) == Some(*granted),
            Hosts::Network(first, bits) => {
                address(host).is_some_and(|address| is_inside(*first, *bits, address))
            }
            Hosts::Name(granted) => name() == *granted,
            Hosts::Below(domain) => name()
                .strip_suffix(domain.as_str())
                .is_some_and(|sub| !sub.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(pattern: &str, host: &str, port: u16) -> bool {
        pattern.parse::<Targets>().unwrap().has(host, port)
    }

    #[test]
    fn patterns_match_hosts_and_ports() {
        for (pattern, host, port) in [
            ("example.org:443", "Example.ORG", 443),
            ("example.org:*", "example.org", 1),
            ("*:80", "anything", 80),
            ("*:*", "::1", 9),
            ("*.example.org:443", "a.b.example.org", 443),
            ("[::1]:9000", "::1", 9000),
            ("[::1]:9000", "[0:0::1]", 9000),
            ("127.0.0.1:9000", "::ffff:127.0.0.1", 9000),
            ("10.0.0.0/8:*", "10.1.2.3", 5),
            ("0.0.0.0/0:*", "1.2.3.4", 5),
            ("[fd00::/8]:443", "fd12::1", 443),
        ] {
            assert!(has(pattern, host, port), "{pattern} {host} {port}");
        }
        for (pattern, host, port) in [
            ("example.org:443", "example.org", 80),
            ("example.org:443", "example.org.evil", 443),
            ("*.example.org:443", "example.org", 443),
            ("*.example.org:443", "badexample.org", 443),
            ("127.0.0.1:*", "localhost", 80),
            ("10.0.0.0/8:*", "11.1.2.3", 5),
            ("10.0.0.0/8:*", "::a01:203", 5),
        ] {
            assert!(!has(pattern, host, port), "{pattern} {host} {port}");
        }
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in [
            "",
            "host",
            ":80",
            "host:",
            "host:0",
            "host:70000",
            "a b:80",
            "*x:80",
            "http://host:80",
            "10.0.0.0/33:80",
            "host/8:80",
        ] {
            assert!(text.parse::<Targets>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_not_public_are_granted_by_their_patterns_only() {
        let reaches = |pattern: &str, host: &str, address: &str| {
            let granted = Outbound::Some(vec![pattern.parse().unwrap()]);
            granted.reaches(host, address.parse().unwrap())
        };
        for (pattern, host, address) in [
            ("*:*", "example.org", "93.184.215.14:80"),
            ("localhost:80", "LocalHost", "127.0.0.1:80"),
            ("127.0.0.1:80", "whatever", "127.0.0.1:80"),
            ("127.0.0.0/8:*", "whatever", "[::ffff:127.0.0.2]:80"),
            ("[::1]:80", "localhost", "[::1]:80"),
        ] {
            assert!(reaches(pattern, host, address), "{pattern} {address}");
        }
        for (pattern, host, address) in [
            ("*:*", "localhost", "127.0.0.1:80"),
            ("example.org:*", "example.org", "10.0.0.1:80"),
            ("localhost:80", "localhost", "10.0.0.1:80"),
            ("localhost:80", "other", "127.0.0.1:80"),
            ("127.0.0.1:81", "localhost", "127.0.0.1:80"),
        ] {
            assert!(!reaches(pattern, host, address), "{pattern} {address}");
        }
        assert!(Outbound::All.reaches("h", "10.0.0.1:1".parse().unwrap()));
    }

    #[test]
    fn nothing_is_granted_by_default() {
        assert!(Outbound::default().is_empty());
        assert!(!Outbound::default().grants("localhost", 80));
        assert!(Outbound::All.grants("localhost", 80));
    }
}
