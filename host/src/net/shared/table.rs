//! From the host name and the path of a request to a tenant: the rules of one shared listener, replaced whole when a configuration is.
//!
//! The host decides first, so that nobody else answers under a name that a tenant has: one that is written out, then `*.example.org`, then any. Among the paths of that host the longest one wins; none is looked for elsewhere. A lookup allocates nothing.

use super::Place;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name of a host (RFC 1035 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Segments of a path that is routed.
const SEGMENTS_MAX: usize = 16;
/// Longest path that is routed, in bytes.
const PATH_BYTES_MAX: usize = 1024;

/// The hosts of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// This one, in lower case.
    Exact(String),
    /// Those with one label before this, as certificates mean it: `*.example.org`.
    Under(String),
    /// Those that no other route names.
    Any,
}

/// The paths of a route: `/` for all, `/api` for it and what is below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPrefix(String);

/// A text that names no hosts or no paths.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no host.
    #[error(
        "{text:?} names no host: write \"example.org\", \"*.example.org\" or \"*\", without a port"
    )]
    Host {
        /// The text.
        text: String,
    },
    /// It is no path.
    #[error(
        "{text:?} is no path to route: write \"/api\", at most {SEGMENTS_MAX} segments, none of them empty"
    )]
    Path {
        /// The text.
        text: String,
    },
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (is_wild, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let is_label = |label: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(fits)
        };
        let is_address = name.starts_with('[') && name.ends_with(']') && !is_wild;
        if name.len() > HOST_BYTES_MAX || !(is_address || name.split('.').all(is_label)) {
            return Err(PatternError::Host {
                text: text.to_owned(),
            });
        }
        let name = name.to_ascii_lowercase();
        Ok(match is_wild {
            true => Self::Under(name),
            false => Self::Exact(name),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Under(name) => write!(f, "*.{name}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl FromStr for PathPrefix {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_segment = |segment: &str| {
            let fits = |byte: u8| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(fits)
        };
        let segments = path.strip_prefix('/').unwrap_or_default().split('/');
        let is_path = text.starts_with('/')
            && text.len() <= PATH_BYTES_MAX
            && path.matches('/').count() <= SEGMENTS_MAX;
        if is_path && (path.is_empty() || segments.into_iter().all(is_segment)) {
            Ok(Self(path.to_owned()))
        } else {
            Err(PatternError::Path {
                text: text.to_owned(),
            })
        }
    }
}

impl PathPrefix {
    /// Whether it stands for all paths.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_all() {
            true => "/",
            false => &self.0,
        })
    }
}

/// Where the paths of a host lead.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// Which certificate proves the host.
    pub(crate) certificate: usize,
    by_prefix: HashMap<Box<str>, Entry>,
    /// Segments of the longest prefix.
    segments_max: usize,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Arc<Place>,
    /// Bytes to take off the path.
    pub(crate) strip: usize,
}

impl Paths {
    /// False if the prefix leads somewhere already.
    fn enter(&mut self, prefix: &PathPrefix, entry: Entry) -> bool {
        let segments = prefix.0.matches('/').count();
        self.segments_max = self.segments_max.max(segments);
        let before = self.by_prefix.insert(prefix.0.as_str().into(), entry);
        before.is_none()
    }

    /// The entry of the longest prefix that the path is or is below.
    pub(crate) fn find(&self, path: &str) -> Option<&Entry> {
        let mut ends = [0; SEGMENTS_MAX + 1];
        let mut count = 1;
        let slashes = path.bytes().enumerate().skip(1);
        let slashes = slashes.filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        let slashes = slashes.chain(std::iter::once(path.len()));
        for (slot, end) in ends.iter_mut().skip(1).zip(slashes).take(self.segments_max) {
            *slot = end;
            count += 1;
        }
        let ends = ends.iter().take(count).rev();
        let mut prefixes = ends.filter_map(|end| path.get(..*end));
        prefixes.find_map(|prefix| self.by_prefix.get(prefix))
    }
}

/// The rules.
#[derive(Debug, Default)]
pub(crate) struct Table {
    exact: HashMap<Box<str>, Paths>,
    under: HashMap<Box<str>, Paths>,
    any: Option<Paths>,
}

impl Table {
    /// Enters a rule; false if the same host and path lead somewhere already.
    pub(crate) fn enter(
        &mut self,
        host: &HostPattern,
        certificate: usize,
        prefix: &PathPrefix,
        entry: Entry,
    ) -> bool {
        let paths = match host {
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            HostPattern::Under(name) => self.under.entry(name.as_str().into()).or_default(),
            HostPattern::Any => self.any.get_or_insert_default(),
        };
        paths.certificate = certificate;
        paths.enter(prefix, entry)
    }

    /// The paths of a host, whose name may be in any case and end with a dot; without a name those of any host.
    pub(crate) fn host(&self, name: Option<&str>) -> Option<&Paths> {
        let name = name.map(|name| name.strip_suffix('.').unwrap_or(name));
        let mut bytes = [0; HOST_BYTES_MAX];
        let Some((name, bytes)) = name.and_then(|name| Some((name, bytes.get_mut(..name.len())?)))
        else {
            return self.any.as_ref();
        };
        bytes.copy_from_slice(name.as_bytes());
        bytes.make_ascii_lowercase();
        let name = std::str::from_utf8(bytes).unwrap_or_default();
        let under = || self.under.get(name.split_once('.')?.1);
        let found = self.exact.get(name).or_else(under);
        found.or(self.any.as_ref())
    }
}

/// The host of an authority, without the port.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // An address of IPv6 has colons, but none behind its bracket.
        Some((host, port)) if !port.contains(']') => host,
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::TenantId;

    fn table(rules: &[(&str, &str, &str)]) -> Table {
        let mut table = Table::default();
        for (host, path, tenant) in rules {
            let place = Arc::new(Place::new(TenantId::new(tenant).unwrap()));
            let entry = Entry { place, strip: 0 };
            assert!(table.enter(&host.parse().unwrap(), 0, &path.parse().unwrap(), entry));
        }
        table
    }

    fn found(table: &Table, host: Option<&str>, path: &str) -> String {
        let found = table.host(host).and_then(|paths| paths.find(path));
        found.map_or_else(|| "-".to_owned(), |entry| entry.place.id.to_string())
    }

    #[test]
    fn the_closest_host_and_then_the_longest_path_win() {
        let table = table(&[
            ("*", "/", "any"),
            ("*.example.org", "/", "wild"),
            ("a.example.org", "/api", "api"),
            ("a.example.org", "/api/v2/", "newer"),
            ("b.example.org", "/", "b"),
            ("[::1]", "/", "address"),
        ]);
        for (host, path, tenant) in [
            ("a.example.org", "/api", "api"),
            ("A.Example.ORG.", "/api/", "api"),
            ("a.example.org", "/api/v1", "api"),
            ("a.example.org", "/api/v2", "newer"),
            ("a.example.org", "/api/v2/x/y/z", "newer"),
            ("a.example.org", "/api/v22", "api"),
            ("a.example.org", "/apix", "-"),
            ("a.example.org", "//api", "-"),
            ("a.example.org", "/", "-"),
            ("a.example.org", "/%61pi", "-"),
            ("b.example.org", "/anything", "b"),
            ("b.example.org", "*", "b"),
            ("b.example.org", "", "b"),
            ("c.example.org", "/", "wild"),
            ("x.c.example.org", "/", "any"),
            ("example.org", "/", "any"),
            ("[::1]", "/", "address"),
        ] {
            assert_eq!(found(&table, Some(host), path), tenant, "{host}{path}");
        }
        assert_eq!(found(&table, None, "/x"), "any");
        assert_eq!(found(&table, Some(&"x".repeat(300)), "/x"), "any");
    }

    #[test]
    fn hosts_that_nobody_serves_are_not_found() {
        let table = table(&[("a.example.org", "/", "a")]);
        assert!(table.host(Some("b.example.org")).is_none());
        assert!(table.host(None).is_none());
    }

    #[test]
    fn the_same_rule_stands_once() {
        let mut table = table(&[("a.example.org", "/api/", "a")]);
        let place = Arc::new(Place::new(TenantId::default()));
        let entry = Entry { place, strip: 0 };
        let host = "A.example.org".parse().unwrap();
        assert!(!table.enter(&host, 0, &"/api".parse().unwrap(), entry));
    }

    #[test]
    fn patterns_are_checked() {
        for text in ["", "a..b", "a b", "http://a", "a:80", "*.*.b", "ä.example"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        for text in ["", "api", "//", "/a//b", "/a?b", "/a/../b", "/a%2f", "/a b"] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
        let deep = "/a".repeat(SEGMENTS_MAX + 1);
        assert!(deep.parse::<PathPrefix>().is_err());
        for (text, shown) in [("/", "/"), ("/a/", "/a"), ("/a/b", "/a/b")] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn ports_are_no_part_of_hosts() {
        for (authority, host) in [
            ("a.example:80", "a.example"),
            ("a.example", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }
}
