//! URLs of requests (RFC 3986): where they lead, and where a redirect leads from there.

use super::RequestError;
use hyper::Uri;
use hyper::header::HeaderValue;

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 64 << 10;
const NO_SCHEME: &str = "must start with http:// or https://";

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) is_secure: bool,
    /// Whether its scheme is one of WebSockets.
    pub(super) is_websocket: bool,
    /// A name or an address, IPv6 in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The header `host`: with the port where it is not that of the scheme.
    pub(super) authority: HeaderValue,
    /// Path and query.
    pub(super) origin_form: Uri,
}

impl Target {
    /// Reads a URL. What may not stand in one is percent-encoded; a fragment is left out.
    pub(super) fn parse(url: &str) -> Result<Self, RequestError> {
        let refused = |reason| RequestError::Url {
            url: url.chars().take(200).collect(),
            reason,
        };
        if url.len() > URL_BYTES_MAX {
            return Err(refused("it is too long"));
        }
        let plain = url.split('#').next().unwrap_or("").trim();
        let Some((scheme, _)) = plain.split_once("://") else {
            return Err(refused(NO_SCHEME));
        };
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return Err(refused(NO_SCHEME));
        }
        let uri: Uri = escaped(plain)
            .parse()
            .map_err(|_| refused("it is malformed"))?;
        let authority = uri.authority().ok_or_else(|| refused("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused(
                "a name and password in it are not sent; use the header Authorization",
            ));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err(refused("it names no host"));
        }
        let usual = if is_secure { 443 } else { 80 };
        let behind = authority.as_str().strip_prefix(authority.host());
        let port = match behind.and_then(|behind| behind.strip_prefix(':')) {
            None | Some("") => usual,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| refused("it is malformed"))?,
        };
        let named = match port == usual {
            true => host.clone(),
            false => format!("{host}:{port}"),
        };
        let path = uri
            .path_and_query()
            .map_or("/", hyper::http::uri::PathAndQuery::as_str);
        let path = if path.starts_with('?') {
            format!("/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self {
            is_secure,
            is_websocket: false,
            port,
            authority: HeaderValue::from_str(&named).map_err(|_| refused("it is malformed"))?,
            origin_form: path.parse().map_err(|_| refused("it is malformed"))?,
            host,
        })
    }

    /// Reads a URL that may also be that of a WebSocket (RFC 6455 3).
    pub(super) fn parse_opening(url: &str) -> Result<Self, RequestError> {
        let split = url.trim().split_once("://");
        let scheme = match split
            .map(|(scheme, _)| scheme.to_ascii_lowercase())
            .as_deref()
        {
            Some("ws") => "http",
            Some("wss") => "https",
            _ => return Self::parse(url),
        };
        let rest = split.map_or("", |(_, rest)| rest);
        let target = Self::parse(&format!("{scheme}://{rest}"))?;
        Ok(Self {
            is_websocket: true,
            ..target
        })
    }

    /// The host without the brackets of an address.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Where a reference leads from here (RFC 3986 5.2).
    pub(super) fn join(&self, reference: &str) -> Result<Self, RequestError> {
        let scheme = if self.is_secure { "https" } else { "http" };
        let root = format!("{scheme}://{}", self.authority.to_str().unwrap_or(""));
        if reference.contains("://") && !reference.starts_with(['/', '?', '.']) {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            return Self::parse(&format!("{scheme}:{reference}"));
        }
        let path = self.origin_form.path();
        let (reference, query) = match reference.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (reference, String::new()),
        };
        let full = match reference {
            "" => path.to_owned(),
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            relative => {
                let (folder, _) = path.rsplit_once('/').unwrap_or(("", ""));
                format!("{folder}/{relative}")
            }
        };
        Self::parse(&format!("{root}{}{query}", without_dots(&full)))
    }

    /// Whether both are of one server, as far as secrets are concerned.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.is_secure, &self.host, self.port) == (other.is_secure, &other.host, other.port)
    }

    /// As a text again.
    pub(super) fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        let authority = self.authority.to_str().unwrap_or("");
        format!("{scheme}://{authority}{}", self.origin_form)
    }
}

/// RFC 3986 5.2.4
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// What may not stand in a URL, percent-encoded.
fn escaped(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Target::parse(url) {
            Ok(target) => format!("{} {}:{}", target.url(), target.host, target.port),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn urls_are_read() {
        for (url, expected) in [
            ("http://Example.org", "http://example.org/ example.org:80"),
            (
                "HTTPS://example.org:443/a?b#c",
                "https://example.org/a?b example.org:443",
            ),
            (
                "http://[::1]:8080?q=a b",
                "http://[::1]:8080/?q=a%20b [::1]:8080",
            ),
            ("http://h/ü/{x}", "http://h/%C3%BC/%7Bx%7D h:80"),
            (
                "ftp://h",
                "Invalid URL 'ftp://h': must start with http:// or https://",
            ),
            ("http://", "Invalid URL 'http://': it is malformed"),
            (
                "http://a:b@h/",
                "Invalid URL 'http://a:b@h/': a name and password in it are not sent; use the header Authorization",
            ),
            (
                "http://h:99999/",
                "Invalid URL 'http://h:99999/': it is malformed",
            ),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn websockets_have_schemes_of_their_own() {
        let target = Target::parse_opening("WSS://[::1]/a?b").unwrap();
        assert!(target.is_websocket && target.is_secure);
        assert_eq!((target.bare_host(), target.port), ("::1", 443));
        let target = Target::parse_opening("ws://h").unwrap();
        assert_eq!((target.url().as_str(), target.port), ("http://h/", 80));
        assert!(!Target::parse_opening("http://h").unwrap().is_websocket);
        assert!(Target::parse("ws://h").is_err());
    }

    #[test]
    fn references_lead_on() {
        let base = Target::parse("http://h:81/a/b?c").unwrap();
        for (reference, expected) in [
            ("https://o/x", "https://o/x"),
            ("//o/x", "http://o/x"),
            ("/x?y", "http://h:81/x?y"),
            ("x", "http://h:81/a/x"),
            ("../x", "http://h:81/x"),
            ("../../../x/.", "http://h:81/x/"),
            ("?z", "http://h:81/a/b?z"),
            ("", "http://h:81/a/b"),
        ] {
            assert_eq!(base.join(reference).unwrap().url(), expected, "{reference}");
        }
        assert!(base.join("ftp://x/").is_err());
    }
}
