//! Which hosts and ports a program may connect to.

use std::net::IpAddr;

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

    /// Whether a program may connect to nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Some(targets) if targets.is_empty())
    }
}

/// A pattern `host:port`. The host is a name, an address (IPv6 in brackets), `*`, or `*.` and a domain whose subdomains are meant; the port a number or `*`.
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

impl Targets {
    fn has(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|granted| granted != port) {
            return false;
        }
        let name = || host.to_ascii_lowercase();
        match &self.host {
            Hosts::Every => true,
            Hosts::Address(granted) => address(host) == Some(*granted),
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
        ] {
            assert!(has(pattern, host, port), "{pattern} {host} {port}");
        }
        for (pattern, host, port) in [
            ("example.org:443", "example.org", 80),
            ("example.org:443", "example.org.evil", 443),
            ("*.example.org:443", "example.org", 443),
            ("*.example.org:443", "badexample.org", 443),
            ("127.0.0.1:*", "localhost", 80),
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
        ] {
            assert!(text.parse::<Targets>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_granted_by_default() {
        assert!(Outbound::default().is_empty());
        assert!(!Outbound::default().grants("localhost", 80));
        assert!(Outbound::All.grants("localhost", 80));
    }
}
