//! The HTTP server of a program: connections, requests to operations, responses (runtime.md 4).

mod body;
pub(crate) mod client;
mod contract;
mod cors;
mod file;
mod payload;
mod routing;
pub(super) mod shared;

use crate::config::{ContractChecks, Limits};
use crate::conn::Connection;
use crate::console::Stream;
use crate::engine::feature_set::{FeatureSet, HttpResponse, Request};
use crate::engine::state::Scope;
use crate::failure::Failure;
use crate::kept::Kept;
use crate::life::Claim;
use crate::net::counted::{Counted, Standing};
use crate::net::event_stream::EventStream;
use crate::net::intake::Part;
use crate::net::listener;
use crate::net::listener::succession;
use crate::net::tls::{self, TlsError};
use crate::net::transport::Transport;
use crate::net::websocket::{self, Place, Upgrade};
use crate::observe::limit::Limit;
use crate::observe::traffic::Protocol;
use crate::route::Routes;
use crate::tenant::{Phase, Slot, Tenant};
use arc_swap::ArcSwap;
use body::ReadError;
use bytes::Bytes;
pub(crate) use contract::{Contracts, contracts};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use payload::{Payload, Unsent};
pub(crate) use routing::Operations;
use routing::{Found, Route};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Port where neither the program nor its contract names one (runtime.md 4.1.1).
const DEFAULT_PORT: u16 = 8080;
/// Headers of one request.
const HEADERS_MAX: usize = 200;
/// Requests under way on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// How often it is looked whether the peer takes what is sent, in the time that it may take nothing.
const STALL_LOOKS: u32 = 4;

type Answer = Response<Payload>;

/// The open HTTP server of a tenant.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    /// What was asked for; the system may have chosen the port.
    asked: SocketAddr,
    /// Whether the start of a program has opened it.
    at_start: bool,
    closed: CancellationToken,
    /// For connections that are to be secured.
    secure: Option<Arc<ArcSwap<ServerConfig>>>,
}

impl Server {
    /// Stops accepting; connections end after the request under way.
    pub(crate) fn stop_accepting(&self) {
        self.closed.cancel();
    }

    /// What was asked for when it was opened.
    pub(crate) fn asked(&self) -> SocketAddr {
        self.asked
    }

    /// Whether the start of a program has opened it.
    pub(crate) fn is_of_start(&self) -> bool {
        self.at_start
    }

    /// Whether it accepts.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Why the HTTP server does not start; shown to the program as the cause of the failed statement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("Cannot start the http-server on port {port}: {source}")]
    Bind { port: u16, source: std::io::Error },
    #[error("Cannot start the http-server on port {port}: {source}")]
    Secure { port: u16, source: TlsError },
    #[error("port {port} is not granted")]
    Port { port: u16 },
    #[error("at most {max} listeners may be open")]
    TooMany { max: usize },
    #[error("the program is shutting down")]
    Draining,
}

/// Opens the HTTP server. One that is open goes on beside it until the program ends; the start of a version that is to replace another takes over what is open on the same port.
pub(crate) fn start(scope: &Scope, port: Option<u16>) -> Result<u16, StartError> {
    let (tenant, life) = (&scope.tenant, &scope.life);
    if tenant.is_in(Phase::Draining) {
        return Err(StartError::Draining);
    }
    if let Some(address) = tenant.settings.http_through {
        return Ok(shared::attach(tenant, life, address));
    }
    let contract = scope.routes().and_then(|routes| routes.http.port());
    let wanted = port.or(contract).unwrap_or(DEFAULT_PORT);
    let port = match tenant.settings.http_port_override {
        Some(port) => port,
        None if tenant.settings.grants.ports.grants(wanted) => wanted,
        None => return Err(StartError::Port { port: wanted }),
    };
    let refused = |source| StartError::Bind { port, source };
    let asked = SocketAddr::new(tenant.settings.bind, port);
    if let Some(open) = succession::server_on(tenant, life, asked) {
        return Ok(open.address.port());
    }
    let max = tenant.settings.limits.listeners_max;
    if tenant.listeners.load(Ordering::Acquire) >= max {
        return Err(StartError::TooMany { max });
    }
    // Looked at before they are read, so that no later change is missed.
    let written = tenant.settings.tls.as_ref().map(tls::written);
    let secure = tenant.settings.tls.as_ref().map(tls::server).transpose();
    let secure = secure.map_err(|source| StartError::Secure { port, source })?;
    let socket = listener::bind(asked, false).map_err(refused)?;
    let server = Arc::new(Server {
        address: socket.local_addr().map_err(refused)?,
        asked,
        at_start: life.is_starting(),
        closed: tenant.draining.child_token(),
        secure: secure.map(|config| Arc::new(ArcSwap::from_pointee(config))),
    });
    renew(tenant, &server, written);
    let port = server.address.port();
    tenant.http.lock().push(Arc::clone(&server));
    tenant.listeners.fetch_add(1, Ordering::AcqRel);
    if life.is_succeeding() {
        life.claims.lock().servers.insert(asked, Claim::Opened);
    }
    tenant.console.write(
        Stream::Output,
        &format!("HTTP Server started on port {port}"),
    );
    let (accepting, life) = (Arc::clone(tenant), Arc::clone(life));
    tenant.tasks.spawn(async move {
        if !life.is_admitted().await {
            server.stop_accepting();
        }
        let closed = server.closed.clone();
        let admit = |stream, remote| admit(&accepting, &server, stream, remote);
        listener::accept(&accepting, &closed, &socket, admit, |_| ()).await;
    });
    Ok(port)
}

/// Has new connections show a certificate that has taken the place of the one that the server began with; those that are open go on.
fn renew(tenant: &Arc<Tenant>, server: &Arc<Server>, written: Option<tls::Written>) {
    let files = tenant.settings.tls.clone().zip(written);
    let Some(((files, written), config)) = files.zip(server.secure.clone()) else {
        return;
    };
    let (owner, closed) = (Arc::clone(tenant), server.closed.clone());
    tenant.tasks.spawn(async move {
        let tell = |error: &TlsError| {
            let text = format!("the new certificate is not used: {error}");
            owner.console.write(Stream::Error, &text);
        };
        closed
            .run_until_cancelled(tls::follow(&files, written, &config, tell))
            .await;
    });
}

/// Stops listening; requests under way are answered.
pub(crate) fn stop(tenant: &Tenant) {
    let servers = std::mem::take(&mut *tenant.http.lock());
    if servers.is_empty() {
        return;
    }
    servers.iter().for_each(|server| server.stop_accepting());
    tenant.console.write(Stream::Output, "HTTP Server stopped");
}

/// Starts the task of a new connection, or closes it at once when the tenant has too many.
fn admit(tenant: &Arc<Tenant>, server: &Arc<Server>, stream: TcpStream, remote: SocketAddr) {
    let Some(slot) = Slot::inbound(tenant, Protocol::Http) else {
        return;
    };
    slot.opened();
    let (tenant, server) = (Arc::clone(tenant), Arc::clone(server));
    let tasks = tenant.tasks.clone();
    tasks.spawn(async move {
        if let Some(upgrade) = serve(&tenant, &server, stream, remote).await {
            websocket::open(&tenant, upgrade, slot, remote, server.address.port()).await;
        }
    });
}

/// What the requests of one connection have in common.
struct Peer {
    remote: SocketAddr,
    /// That of the server.
    port: u16,
    /// Whether requests wait for one another.
    is_sequential: bool,
    /// The WebSocket that the connection is to become.
    agreed: Mutex<Option<Upgrade>>,
    /// The response that stays open, where requests wait for one another.
    stream: Standing,
    /// The responses that are being sent, where requests do not wait for one another.
    unsent: Unsent,
}

impl Peer {
    fn new(remote: SocketAddr, port: u16, is_sequential: bool) -> Self {
        Self {
            remote,
            port,
            is_sequential,
            agreed: Mutex::default(),
            stream: Standing::default(),
            unsent: Unsent::default(),
        }
    }

    /// Looks whether the peer takes what is sent, until it does not for `limit`.
    async fn stalled(&self, limit: Duration) {
        if self.is_sequential {
            // Nothing else is written meanwhile: the stream itself sees that.
            return std::future::pending().await;
        }
        let mut looks = tokio::time::interval(limit / STALL_LOOKS);
        while !self.unsent.has_stalled(limit) {
            looks.tick().await;
        }
    }

    /// Ready when the response that stays open is to end at once. Its body cannot say so while nothing of it can be written.
    fn poll_cut_off(&self) -> Poll<()> {
        let stream = self.stream.lock();
        let is_cut_off =
            |stream: &Arc<Connection>| stream.is_open() && stream.outbound.is_aborted();
        match stream.as_ref().is_some_and(is_cut_off) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// HTTP/1.1, or HTTP/2 with prior knowledge, until the peer or the server ends it, or it becomes a WebSocket.
async fn serve(
    tenant: &Arc<Tenant>,
    server: &Server,
    stream: TcpStream,
    remote: SocketAddr,
) -> Option<Upgrade> {
    let limits = &tenant.settings.limits;
    let closed = &server.closed;
    let secure = server.secure.as_ref().map(|config| config.load_full());
    let (stream, is_http2) = tokio::select! {
        () = closed.cancelled() => return None,
        begun = begin(limits, secure, stream) => match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::debug!(tenant = %tenant.id, %remote, %error, "no HTTP began");
                return None;
            }
        },
    };
    // Small responses must not wait for the acknowledgement of earlier ones.
    stream.send_at_once();
    let builder = builder(limits, is_http2);
    let peer = Arc::new(Peer::new(remote, server.address.port(), !is_http2));
    let service = service_fn(|request| {
        let (tenant, peer) = (Arc::clone(tenant), Arc::clone(&peer));
        async move {
            Ok::<Answer, Infallible>(match shared::host(&request) {
                Ok(_) => answer(&tenant, request, &peer).await,
                Err((status, error)) => refusal(status, error),
            })
        }
    });
    let stream = TokioIo::new(Counted::new(stream, tenant, limits, &peer.stream));
    let connection = builder.serve_connection_with_upgrades(stream, service);
    let mut connection = std::pin::pin!(connection);
    let mut is_ending = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = closed.cancelled(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = poll_fn(|_| peer.poll_cut_off()) => return None,
            () = peer.stalled(limits.http_write_time_max) => {
                tenant.counters.hit(Limit::HttpWriteTime);
                return None;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(tenant = %tenant.id, %remote, %error, "HTTP connection ended early");
    }
    peer.agreed.lock().take()
}

/// How HTTP is spoken within `limits`.
fn builder(limits: &Limits, is_http2: bool) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if is_http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        // Whoever has asked all it wants to may end its direction (RFC 9112 9.6). That it has gone is found out by answering.
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.http_idle_time_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.http_header_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits.http_header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.http_idle_time_max);
    builder
}

/// Secures a connection if it is to be, and finds out whether it speaks HTTP/2. Whoever connects and says nothing, or half a word, must not hold the connection for ever.
async fn begin(
    limits: &Limits,
    secure: Option<Arc<ServerConfig>>,
    stream: TcpStream,
) -> std::io::Result<(Transport, bool)> {
    let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    let Some(config) = secure else {
        let begun = tokio::time::timeout(limits.http_idle_time_max, begins_http2(&stream));
        let is_http2 = begun.await.map_err(late)??;
        return Ok((Transport::Plain(stream), is_http2));
    };
    let shaken = tokio::time::timeout(
        limits.tls_handshake_time_max,
        TlsAcceptor::from(config).accept(stream),
    );
    let stream = shaken.await.map_err(late)??;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
    Ok((Transport::Tls(Box::new(stream.into())), is_http2))
}

/// What every connection of HTTP/2 begins with (RFC 9113 3.4), as far as it tells it from HTTP/1.
const HTTP2_PREFACE: &[u8; 4] = b"PRI ";
/// Pause between looks at a beginning that is too short to tell.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);

/// Waits for the first bytes and looks at them, without taking them.
async fn begins_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut begin = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut begin).await?;
        let begin = begin.get(..length).unwrap_or_default();
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if begin.len() == HTTP2_PREFACE.len() || !HTTP2_PREFACE.starts_with(begin) {
            return Ok(begin == HTTP2_PREFACE);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// Answers a request, or agrees to a WebSocket.
async fn answer(
    tenant: &Arc<Tenant>,
    mut request: hyper::Request<Incoming>,
    peer: &Arc<Peer>,
) -> Answer {
    let Some(routes) = tenant.routes.load_full() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    if websocket::requested(&request) && takes_websockets(&routes, request.uri().path()) {
        return handshake(tenant, &routes, &mut request, &peer.agreed);
    }
    let (head, incoming) = request.into_parts();
    let allowed = cors::allowed(&tenant.settings.cors, &head.headers);
    let mut answer = if let Some(allowed) = &allowed
        && cors::is_preflight(&head)
    {
        cors::preflight(allowed, &head, &routes.http)
    } else {
        operation(tenant, &routes, peer, head, incoming).await
    };
    if !peer.is_sequential {
        peer.unsent.watch(answer.body_mut());
    }
    if !tenant.settings.cors.is_empty() {
        cors::mark(
            allowed.as_ref(),
            &tenant.settings.cors,
            answer.headers_mut(),
        );
    }
    answer
}

/// Finds the operation of a request, runs its feature set, makes the response.
async fn operation(
    tenant: &Arc<Tenant>,
    routes: &Routes,
    peer: &Arc<Peer>,
    head: Parts,
    incoming: Incoming,
) -> Answer {
    if !routes.http.has_contract() {
        return unrouted();
    }
    let mut found = match find(routes, &head) {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    if let Err(wait) = tenant.rate.take() {
        return too_many(tenant, wait);
    }
    // Taken before the body is read: bodies are what requests hold.
    let Ok(permit) = Arc::clone(&tenant.http_requests).try_acquire_owned() else {
        tenant.counters.hit(Limit::HttpRequests);
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    let mut part = Part::new(&tenant.intake);
    let limits = &tenant.settings.limits;
    let read = body::read(incoming, &head.headers, limits, &mut part).await;
    let body = match read {
        Ok(body) => body,
        Err(error) => return unread(tenant, &error),
    };
    let is_strict = tenant.settings.contract == ContractChecks::Strict;
    let contract = found.contract.clone().filter(|_| is_strict);
    if let Some(contract) = &contract
        && let Some(refused) = contract.refuse(&head, &found.parameters, &body)
    {
        return refused;
    }
    let query = head.uri.query().unwrap_or("");
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: match &contract {
            Some(contract) => contract.completed(query),
            None => query.to_owned(),
        },
        headers: match found.feature_set.entry().ignores_headers {
            true => Vec::new(),
            false => texts(&head.headers),
        },
        parameters: std::mem::take(&mut found.parameters),
        body,
    };
    let is_head = head.method == Method::HEAD;
    let (owner, peer) = (Arc::clone(tenant), Arc::clone(peer));
    let answering = async move {
        let mut answer = respond(&owner, &found, &peer, &head, request).await;
        answer.body_mut().hold(permit);
        drop(part);
        answer
    };
    let mut answer = Kept::new(&tenant.tasks, answering).await;
    if contract.is_some_and(|contract| contract.is_deprecated) {
        let marked = HeaderValue::from_static("true");
        answer.headers_mut().insert("deprecation", marked);
    }
    if is_head && let Some(length) = answer.body().size_hint().exact() {
        // The length stays: hyper keeps the header and sends no body.
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    answer
}

/// What is answered to a request whose body was not read.
fn unread(tenant: &Tenant, error: &ReadError) -> Answer {
    let (limit, status, text) = match error {
        ReadError::Crowded => (
            Limit::ReceivedBytes,
            StatusCode::SERVICE_UNAVAILABLE,
            "Service Unavailable",
        ),
        ReadError::TooLarge => (
            Limit::HttpBodyBytes,
            StatusCode::PAYLOAD_TOO_LARGE,
            "Payload Too Large",
        ),
        ReadError::TooSlow => (
            Limit::HttpBodyTime,
            StatusCode::REQUEST_TIMEOUT,
            "Request Timeout",
        ),
        ReadError::Broken => return refusal(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    tenant.counters.hit(limit);
    refusal(status, text)
}

/// What operations may have; asked for with `OPTIONS *` (RFC 9110 9.3.7).
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The operation of a request, or what is answered without one.
fn find(routes: &Routes, head: &Parts) -> Result<Found, Box<Answer>> {
    let path = head.uri.path();
    if head.method == Method::OPTIONS && path == "*" {
        return Err(Box::new(other_method(&head.method, METHODS)));
    }
    Err(Box::new(match routes.http.find(&head.method, path) {
        Route::Found(found) => return Ok(found),
        Route::OtherMethod(allowed) => other_method(&head.method, &allowed),
        Route::NotImplemented(id) => json(
            StatusCode::NOT_IMPLEMENTED,
            &serde_json::json!({ "error": "Not Implemented", "operationId": id }),
        ),
        Route::NotFound => json(
            StatusCode::NOT_FOUND,
            &serde_json::json!({ "error": "Not Found", "path": path }),
        ),
    }))
}

/// Runs the feature set of an operation: its response is whole, a file, or stays open.
async fn respond(
    tenant: &Arc<Tenant>,
    found: &Found,
    peer: &Peer,
    head: &Parts,
    request: Request,
) -> Answer {
    let place = || Place {
        path: head.uri.path().into(),
        remote: peer.remote,
        port: peer.port,
    };
    let stream = found.streams.then(|| EventStream::open(tenant, place()));
    let stream = match stream.transpose() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(tenant = %tenant.id, %error, "stream of events refused");
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
        }
    };
    let connection = stream
        .as_ref()
        .map(|stream| Arc::clone(stream.connection()));
    let mut response = match found.feature_set.request(request, connection).await {
        Ok(response) => response,
        Err(failure) => return failed(tenant, &found.feature_set, &failure),
    };
    if let Some(file) = response.file.take() {
        return file::answer(file, response, (&head.method, &head.headers)).await;
    }
    if found.streams && StatusCode::from_u16(response.status).is_ok_and(|code| code.is_success()) {
        // Where only the head is asked for, nothing stays open.
        let stream = stream.filter(|_| head.method != Method::HEAD);
        return streaming(peer, stream, response);
    }
    promised(tenant, found, response)
}

/// A response that stays open; without a stream one that shows how it would begin.
fn streaming(peer: &Peer, stream: Option<EventStream>, mut response: HttpResponse) -> Answer {
    response.body.clear();
    let mut answer = response_of(response);
    let headers = answer.headers_mut();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, media_type);
    let unkept = HeaderValue::from_static("no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(unkept);
    if let Some(mut stream) = stream {
        stream.begin();
        if peer.is_sequential {
            *peer.stream.lock() = Some(Arc::clone(stream.connection()));
        }
        *answer.body_mut() = Payload::events(stream);
    }
    answer
}

fn takes_websockets(routes: &Routes, path: &str) -> bool {
    let is_used = routes.manifest.websockets;
    routes.life.websocket.lock().accepts(path, is_used) || routes.names_websocket_path(path)
}

/// Agrees to a WebSocket or refuses it.
fn handshake(
    tenant: &Arc<Tenant>,
    routes: &Routes,
    request: &mut hyper::Request<Incoming>,
    agreed: &Mutex<Option<Upgrade>>,
) -> Answer {
    match Upgrade::agree(tenant, &routes.life.websocket, request) {
        Ok((upgrade, headers)) => {
            *agreed.lock() = Some(upgrade);
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *answer.headers_mut() = headers;
            answer
        }
        Err((status, error)) => {
            let mut answer = refusal(status, error);
            answer.headers_mut().extend(websocket::hint(status));
            answer
        }
    }
}

/// Marks a response that is not what the contract promises (runtime.md 4.8).
fn promised(tenant: &Tenant, found: &Found, response: HttpResponse) -> Answer {
    let code = response.status;
    let violation = found
        .contract
        .as_ref()
        .and_then(|contract| contract.violation(code, &response.body));
    let mut answer = response_of(response);
    if let Some(violation) = violation {
        let id = &found.feature_set.entry().name;
        tenant.console.write(
            Stream::Output,
            &format!(
                "[CONTRACT VIOLATION] Response for operation '{id}' (status {code}) does not match schema: {violation}"
            ),
        );
        let marked = HeaderValue::from_static("true");
        answer.headers_mut().insert("x-contract-violation", marked);
    }
    answer
}

/// RFC 6585 4: the tenant has more events than it may.
fn too_many(tenant: &Tenant, wait: Duration) -> Answer {
    tenant.counters.hit(Limit::EventsPerSecond);
    let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

/// Headers as texts; what is no text is read as Latin-1, as HTTP once said.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| match value.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    };
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

/// Headers that belong to the connection and not to the program.
const OWN_HEADERS: [HeaderName; 5] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

fn response_of(response: HttpResponse) -> Answer {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Response::new(Payload::from(Bytes::from(response.body)));
    *answer.status_mut() = status;
    for (name, text) in response.headers {
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&text),
        );
        if let (Ok(name), Ok(text)) = parsed
            && !OWN_HEADERS.contains(&name)
        {
            answer.headers_mut().append(name, text);
        }
    }
    answer
}

/// How the cause of a failure begins where a page is missing (runtime.md 8.6).
const NO_TEMPLATE: &str = "Template not found: ";

/// runtime.md 4.7: the text of the failure, on the console too.
fn failed(tenant: &Tenant, feature_set: &FeatureSet, failure: &Failure) -> Answer {
    let manifest = feature_set.manifest();
    let entry = feature_set.entry();
    feature_set.report(failure);
    if failure.cause.starts_with(NO_TEMPLATE) {
        return json(
            StatusCode::NOT_FOUND,
            &serde_json::json!({ "error": "Not Found", "message": failure.cause }),
        );
    }
    let text = if tenant.settings.terse_errors {
        failure.sentence(entry)
    } else {
        failure.describe(manifest, entry)
    };
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        &serde_json::json!({ "error": text }),
    )
}

/// RFC 9110 9.3.7, 15.5.6: what a path takes, for those who ask and those who guess wrong.
fn other_method(method: &Method, allowed: &str) -> Answer {
    let mut answer = if method == Method::OPTIONS {
        let mut answer = Answer::default();
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
    } else {
        refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    };
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}

/// runtime.md 4.1.3: a program without a contract answers every request alike.
fn unrouted() -> Answer {
    let Ok(id) = random_uuid() else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    let mut answer = json(
        StatusCode::OK,
        &serde_json::json!({ "status": "ok", "message": "Request received", "requestId": id }),
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert("x-request-id", id);
    }
    answer
}

/// RFC 9562 5.4
fn random_uuid() -> Result<String, getrandom::Error> {
    let (high, low) = (getrandom::u64()?, getrandom::u64()?);
    Ok(format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 50 | 0x8000,
        low & 0xFFFF_FFFF_FFFF
    ))
}

fn refusal(status: StatusCode, error: &str) -> Answer {
    json(status, &serde_json::json!({ "error": error }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Payload::from(Bytes::from(value.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    answer
}
