//! From a request of HTTP/1.1 to a WebSocket (RFC 6455 4.2; runtime.md 5.1, 5.2).

use crate::tenant::{Tenant, WebSocketSlot};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, StatusCode, Version};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Path where neither the program nor the operator names one.
const DEFAULT_PATH: &str = "/ws";
/// The version of the protocol.
const VERSION: &str = "13";
/// Sixteen bytes in Base64.
const KEY_BYTES: usize = 24;
/// Subprotocols of a program.
const PROTOCOLS_MAX: usize = 32;

/// What a program has said of its WebSockets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configuration {
    path: Option<String>,
    /// In the order of preference.
    protocols: Vec<String>,
}

/// What a program said of its WebSockets that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigureError {
    #[error("the path of WebSockets begins with `/`: {path:?} does not")]
    Path { path: String },
    #[error("{name:?} cannot name a subprotocol: use letters, digits and `-._`")]
    Protocol { name: String },
    #[error("at most {PROTOCOLS_MAX} subprotocols can be spoken")]
    TooMany,
}

impl Configuration {
    /// Takes over what is given.
    pub(crate) fn change(
        &mut self,
        path: Option<String>,
        protocols: Option<Vec<String>>,
    ) -> Result<(), ConfigureError> {
        if let Some(path) = path.as_ref().filter(|path| !path.starts_with('/')) {
            return Err(ConfigureError::Path { path: path.clone() });
        }
        if let Some(protocols) = protocols {
            if protocols.len() > PROTOCOLS_MAX {
                return Err(ConfigureError::TooMany);
            }
            if let Some(name) = protocols.iter().find(|name| !is_token(name)) {
                return Err(ConfigureError::Protocol { name: name.clone() });
            }
            self.protocols = protocols;
        }
        if path.is_some() {
            self.path = path;
        }
        Ok(())
    }

    /// Whether WebSockets are accepted at `path`.
    pub(crate) fn accepts(&self, path: &str, is_used: bool) -> bool {
        let default = is_used.then_some(DEFAULT_PATH);
        self.path.as_deref().or(default) == Some(path)
    }

    /// The subprotocol that both sides speak.
    fn agree(&self, headers: &HeaderMap) -> Option<&str> {
        let spoken = |name: &&String| has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, name);
        self.protocols.iter().find(spoken).map(String::as_str)
    }
}

/// RFC 9110 5.6.2
fn is_token(name: &str) -> bool {
    let other = b"!#$%&'*+-.^_`|~";
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || other.contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Whether one of the comma-separated words of a header is `word`, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// Whether a request asks for a WebSocket.
pub(crate) fn requested<B>(request: &hyper::Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, &header::UPGRADE, "websocket")
        && has_token(headers, &header::CONNECTION, "upgrade")
}

/// An agreed upgrade, carried out when the response has left.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) on: OnUpgrade,
    pub(crate) path: Arc<str>,
    pub(crate) slot: WebSocketSlot,
}

/// Why a handshake is refused: the status and what the body says.
pub(crate) type Refused = (StatusCode, &'static str);

impl Upgrade {
    /// Checks the handshake; answers the headers of the 101 response.
    ///
    /// # Errors
    /// [`Refused`] where it is none, its origin is not welcome, or there are too many WebSockets.
    pub(crate) fn agree<B>(
        tenant: &Arc<Tenant>,
        configuration: &Mutex<Configuration>,
        request: &mut hyper::Request<B>,
    ) -> Result<(Self, HeaderMap), Refused> {
        let headers = request.headers();
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let Some(key) = key.filter(|key| is_key(key.as_bytes())) else {
            return Err((StatusCode::BAD_REQUEST, "Bad Request"));
        };
        if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&HeaderValue::from_static(VERSION)) {
            return Err((StatusCode::UPGRADE_REQUIRED, "Upgrade Required"));
        }
        if !is_welcome(&tenant.settings.websocket_origins, headers) {
            return Err((StatusCode::FORBIDDEN, "Forbidden"));
        }
        let slot = WebSocketSlot::take(tenant)
            .ok_or((StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"))?;
        let mut answer = HeaderMap::with_capacity(4);
        answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|_| (StatusCode::BAD_REQUEST, "Bad Request"))?;
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        let protocol = configuration
            .lock()
            .agree(headers)
            .map(HeaderValue::try_from);
        if let Some(Ok(protocol)) = protocol {
            answer.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let upgrade = Self {
            path: request.uri().path().into(),
            on: hyper::upgrade::on(request),
            slot,
        };
        Ok((upgrade, answer))
    }
}

/// Whether pages of the request's origin may open WebSockets. Whoever is no browser sends none and is welcome, since the header protects users of browsers only.
fn is_welcome(origins: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let is = |allowed: &String| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes());
    origins.is_empty() || origins.iter().any(is)
}

/// What a refusal adds to its response.
pub(crate) fn hint(status: StatusCode) -> Option<(HeaderName, HeaderValue)> {
    (status == StatusCode::UPGRADE_REQUIRED).then_some((
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static(VERSION),
    ))
}

/// Where a WebSocket comes from.
#[derive(Debug)]
pub(crate) struct Place {
    /// Path of the request.
    pub(crate) path: Arc<str>,
    pub(crate) remote: SocketAddr,
    /// Port of the HTTP server.
    pub(crate) port: u16,
}

/// Whether these are sixteen bytes in Base64 (RFC 6455 4.2.1).
fn is_key(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").filter(|_| key.len() == KEY_BYTES);
    digits.is_some_and(|digits| {
        digits
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(HeaderName, &str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, text)| (name.clone(), HeaderValue::from_str(text).unwrap()))
            .collect()
    }

    #[test]
    fn the_first_protocol_of_ours_that_the_client_speaks_is_taken() {
        let mut configuration = Configuration::default();
        let names = ["json", "chat"].map(str::to_owned).to_vec();
        configuration.change(None, Some(names)).unwrap();
        let asked = |text| headers(&[(header::SEC_WEBSOCKET_PROTOCOL, text)]);
        assert_eq!(configuration.agree(&asked("chat, json")), Some("json"));
        assert_eq!(configuration.agree(&asked("chat")), Some("chat"));
        assert_eq!(configuration.agree(&asked("soap")), None);
        assert_eq!(configuration.agree(&HeaderMap::new()), None);
    }

    #[test]
    fn paths_and_protocols_are_checked() {
        let mut configuration = Configuration::default();
        assert!(configuration.change(Some("rt".to_owned()), None).is_err());
        let names = vec!["a b".to_owned()];
        assert!(configuration.change(None, Some(names)).is_err());
        assert!(configuration.accepts("/ws", true) && !configuration.accepts("/ws", false));
        configuration.change(Some("/rt".to_owned()), None).unwrap();
        assert!(configuration.accepts("/rt", false) && !configuration.accepts("/ws", true));
    }

    #[test]
    fn only_browsers_of_other_origins_are_turned_away() {
        let allowed = ["https://example.org".to_owned()];
        let from = |text| headers(&[(header::ORIGIN, text)]);
        assert!(is_welcome(&allowed, &from("https://EXAMPLE.org")));
        assert!(is_welcome(&allowed, &HeaderMap::new()));
        assert!(is_welcome(&[], &from("https://elsewhere.example")));
        assert!(!is_welcome(&allowed, &from("https://elsewhere.example")));
    }

    #[test]
    fn a_request_asks_for_a_websocket_by_both_headers() {
        let request = |connection, upgrade| {
            hyper::Request::get("/ws")
                .header(header::CONNECTION, connection)
                .header(header::UPGRADE, upgrade)
                .body(())
                .unwrap()
        };
        assert!(requested(&request("keep-alive, Upgrade", "WebSocket")));
        assert!(!requested(&request("keep-alive", "websocket")));
        assert!(!requested(&request("upgrade", "h2c")));
    }
}
