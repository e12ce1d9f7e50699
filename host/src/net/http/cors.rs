//! Pages of other origins that may use the server (Fetch 3.2): the operator says which, the host answers for the program.

use super::{Answer, Operations, StatusCode};
use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;

/// How long browsers remember a preflight, in seconds.
const PREFLIGHT_SECONDS: u32 = 600;
/// Names of headers that a page asks for, in bytes.
const ASKED_BYTES_MAX: usize = 4096;

/// What a page may do.
pub(super) struct Allowed {
    origin: HeaderValue,
    /// Cookies and the like; never where every page may ask.
    credentials: bool,
}

/// Whether the page that a request comes from may ask.
pub(super) fn allowed(origins: &[String], headers: &HeaderMap) -> Option<Allowed> {
    let origin = headers.get(header::ORIGIN)?;
    if origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes() && known != "*")
    {
        return Some(Allowed {
            origin: origin.clone(),
            credentials: true,
        });
    }
    origins.iter().any(|known| known == "*").then(|| Allowed {
        origin: HeaderValue::from_static("*"),
        credentials: false,
    })
}

/// Whether a browser asks for leave before it sends the request itself.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The methods that the path takes, and the headers that are asked for.
pub(super) fn preflight(allowed: &Allowed, head: &Parts, operations: &Operations) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    let methods = operations.methods(head.uri.path()).join(", ");
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    let asked = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    if let Some(asked) = asked.filter(|asked| asked.len() <= ASKED_BYTES_MAX) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from(PREFLIGHT_SECONDS),
    );
    if allowed.credentials {
        headers.append(
            header::VARY,
            HeaderValue::from_static("Access-Control-Request-Headers"),
        );
    }
    answer
}

/// Says in a response who may read it. What a program says of that does not count: the operator decides.
pub(super) fn mark(allowed: Option<&Allowed>, origins: &[String], headers: &mut HeaderMap) {
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    if origins.iter().any(|known| known != "*") {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(allowed) = allowed else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin.clone());
    if allowed.credentials {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}
