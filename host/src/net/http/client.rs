//! Requests of programs to servers elsewhere (runtime.md 8.1; actions.md 16): redirects, limits and time.
//!
//! Where a program may connect is decided by [`resolve`](crate::net::resolve), for every hop anew.

mod coding;
mod event_source;
pub(crate) mod followed;
mod pool;
pub(crate) mod stream;
mod target;
pub(crate) mod websocket;

use super::HEADERS_MAX;
use crate::net::connect::ConnectError;
use crate::net::tls::TlsError;
use crate::tenant::{Phase, Tenant};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
pub(crate) use pool::Client;
use pool::Connection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use target::Target;

/// Time for one request where the program does not say (runtime.md 8.1.1).
const TIME_DEFAULT: Duration = Duration::from_secs(30);
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 20;

/// What a program asks for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Redirects and the body of the response included. None for the usual; never more than the operator's.
    pub(crate) time: Option<Duration>,
}

/// What a server answers.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Until the head of the response was there.
    pub(crate) latency: Duration,
}

/// Why there is no response; shown to the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("Invalid URL '{url}': {reason}")]
    Url { url: String, reason: &'static str },
    #[error("{name} is no header that can be sent")]
    Header { name: String },
    #[error("{method} is no method")]
    Method { method: String },
    #[error("Permission denied: {host}:{port} is not granted (--connect {host}:{port} grants it)")]
    Denied { host: String, port: u16 },
    #[error("Cannot connect to {host}:{port}: {source}")]
    Connect {
        host: String,
        port: u16,
        source: ConnectError,
    },
    #[error("No secure connection to {host}:{port}: {reason}")]
    Secure {
        host: String,
        port: u16,
        reason: String,
    },
    #[error("Timeout: no answer from {url} within {} seconds", time.as_secs_f64())]
    TimedOut { url: String, time: Duration },
    #[error("the response of {url} is larger than {max} bytes")]
    TooLarge { url: String, max: usize },
    #[error("{url} answers with a body that is not {coding}: {source}")]
    Coding {
        url: String,
        coding: &'static str,
        source: std::io::Error,
    },
    #[error("{url} redirects more than {REDIRECTS_MAX} times")]
    Redirects { url: String },
    #[error("at most {max} connections for requests may be open")]
    TooMany { max: usize },
    #[error("at most {max} WebSockets may be open")]
    TooManyWebSockets { max: usize },
    #[error("{url} opens no WebSocket: {reason}")]
    Handshake { url: String, reason: String },
    #[error("the program is shutting down")]
    Draining,
    #[error("{host}:{port} does not answer as HTTP says: {source}")]
    Broken {
        host: String,
        port: u16,
        source: hyper::Error,
    },
}

impl RequestError {
    fn connect(target: &Target, source: ConnectError) -> Self {
        let (host, port) = (target.host.clone(), target.port);
        if matches!(source, ConnectError::Denied { .. }) {
            Self::Denied { host, port }
        } else {
            Self::Connect { host, port, source }
        }
    }

    /// As `SocketError` spells it.
    fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::Connect { source, .. } => source.code(),
            Self::Secure { .. } => "insecure",
            Self::TimedOut { .. } => "timed-out",
            Self::TooMany { .. } | Self::TooManyWebSockets { .. } | Self::Draining => "exhausted",
            Self::Url { .. }
            | Self::Header { .. }
            | Self::Method { .. }
            | Self::TooLarge { .. }
            | Self::Coding { .. }
            | Self::Redirects { .. }
            | Self::Handshake { .. }
            | Self::Broken { .. } => "failed",
        }
    }

    fn secure(target: &Target, reason: &dyn std::fmt::Display) -> Self {
        Self::Secure {
            host: target.host.clone(),
            port: target.port,
            reason: reason.to_string(),
        }
    }

    fn tls(target: &Target, error: &TlsError) -> Self {
        Self::secure(target, error)
    }

    fn broken(target: &Target, source: hyper::Error) -> Self {
        Self::Broken {
            host: target.host.clone(),
            port: target.port,
            source,
        }
    }
}

/// Sends a request and waits for the whole response. An answer of any status is no error.
///
/// # Errors
/// [`RequestError`].
pub(crate) async fn request(
    tenant: &Arc<Tenant>,
    request: Request,
) -> Result<Response, RequestError> {
    if tenant.is_in(Phase::Closing) {
        return Err(RequestError::Draining);
    }
    let max = tenant.settings.limits.request_time_max;
    let time = request.time.unwrap_or(TIME_DEFAULT).min(max);
    let url = request.url.clone();
    let answered = tokio::time::timeout(time, follow(tenant, request)).await;
    let answered = answered.unwrap_or(Err(RequestError::TimedOut { url, time }));
    if let Err(error) = &answered {
        tracing::debug!(tenant = %tenant.id, %error, "request failed");
    }
    answered
}

/// One request on the way, as redirects change it.
struct Hop {
    target: Target,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

async fn follow(tenant: &Arc<Tenant>, mut request: Request) -> Result<Response, RequestError> {
    let begun = Instant::now();
    let is_asked = coding::ask(&mut request);
    let (connection, response, target) = opened(tenant, request).await?;
    let mut response = whole(tenant, &target, begun, connection, response).await?;
    if is_asked {
        coding::decode(&mut response, &target, tenant).await?;
    }
    Ok(response)
}

/// The head of a response, where redirects have led, and the connection that carries its body.
async fn opened(
    tenant: &Arc<Tenant>,
    request: Request,
) -> Result<(Connection, hyper::Response<Incoming>, Target), RequestError> {
    let method =
        Method::from_bytes(request.method.as_bytes()).map_err(|_| RequestError::Method {
            method: request.method.clone(),
        })?;
    let mut hop = Hop {
        target: Target::parse(&request.url)?,
        method,
        headers: headers(&request.headers)?,
        body: request.body,
    };
    for _ in 0..=REDIRECTS_MAX {
        let (connection, response) = exchange(tenant, &hop).await?;
        if !hop.redirect(&response)? {
            return Ok((connection, response, hop.target));
        }
    }
    Err(RequestError::Redirects { url: request.url })
}

impl Hop {
    /// Whether the response leads elsewhere; if so, this becomes the request there (RFC 9110 15.4).
    fn redirect(&mut self, response: &hyper::Response<Incoming>) -> Result<bool, RequestError> {
        let status = response.status();
        let keeps = matches!(
            status,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        let others = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::FOUND,
            StatusCode::SEE_OTHER,
        ];
        let location = response.headers().get(header::LOCATION);
        let Some(location) = location.and_then(|location| location.to_str().ok()) else {
            return Ok(false);
        };
        if !keeps && !others.contains(&status) {
            return Ok(false);
        }
        let next = self.target.join(location)?;
        if !next.is_same_origin(&self.target) {
            // Whatever proves who asks was meant for the first server.
            self.headers.remove(header::AUTHORIZATION);
            self.headers.remove(header::COOKIE);
        }
        let becomes_get = status == StatusCode::SEE_OTHER || self.method == Method::POST;
        if !keeps && becomes_get && self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(header::CONTENT_TYPE);
        }
        self.target = next;
        Ok(true)
    }
}

/// Sends a request on a connection that is open, else on a new one.
async fn exchange(
    tenant: &Arc<Tenant>,
    hop: &Hop,
) -> Result<(Connection, hyper::Response<Incoming>), RequestError> {
    loop {
        let (mut connection, reused) = tenant.client.connect(tenant, &hop.target).await?;
        match connection.send(hop.wire()).await {
            Ok(response) => return Ok((connection, response)),
            // The server may close a connection that waits at the moment at which it is used again (RFC 9112 9.3.1). What it has not answered may be sent again if that changes nothing.
            Err(error)
                if reused
                    && (error.is_canceled()
                        || (hop.method.is_idempotent() && !error.is_parse())) => {}
            Err(error) => return Err(RequestError::broken(&hop.target, error)),
        }
    }
}

impl Hop {
    fn wire(&self) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.origin_form.clone();
        *request.headers_mut() = self.headers.clone();
        request
            .headers_mut()
            .insert(header::HOST, self.target.authority.clone());
        request
    }
}

/// Headers that belong to the connection, or say which server is meant, and are not the program's.
const OWN_HEADERS: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
];

/// Headers that the host adds to those of the program: what is accepted, how it may be compressed, the last event of a stream.
const HEADERS_ADDED_MAX: usize = 4;

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, RequestError> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, text) in pairs {
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(text),
        );
        let refused = || RequestError::Header { name: name.clone() };
        let (Ok(known), Ok(text)) = parsed else {
            return Err(refused());
        };
        if headers.len() >= HEADERS_MAX + HEADERS_ADDED_MAX {
            return Err(refused());
        }
        if !OWN_HEADERS.contains(&known) {
            headers.append(known, text);
        }
    }
    Ok(headers)
}

/// Reads the body, gives the connection back.
async fn whole(
    tenant: &Arc<Tenant>,
    target: &Target,
    begun: Instant,
    connection: Connection,
    response: hyper::Response<Incoming>,
) -> Result<Response, RequestError> {
    let latency = begun.elapsed();
    let (head, incoming) = response.into_parts();
    let max = tenant.settings.limits.request_answer_bytes_max;
    let too_large = || RequestError::TooLarge {
        url: target.url(),
        max,
    };
    let body = match Limited::new(incoming, max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => return Err(RequestError::broken(target, *error)),
            Err(_) => return Err(too_large()),
        },
    };
    tenant.client.give_back(target, connection).await;
    Ok(Response {
        status: head.status.as_u16(),
        headers: super::texts(&head.headers),
        body: body.into(),
        latency,
    })
}
