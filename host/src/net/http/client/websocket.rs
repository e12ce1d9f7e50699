//! WebSockets that programs open (RFC 6455 4.1): the handshake over a connection of its own, and what becomes of it.

use super::target::Target;
use super::{Request, RequestError, TIME_DEFAULT, headers};
use crate::conn::Origin;
use crate::conn::id::SocketId;
use crate::life::Life;
use crate::net::connect::ConnectError;
use crate::net::frame::Framing;
use crate::net::listener::succession;
use crate::net::transport::Transport;
use crate::net::{connect, tcp};
use crate::tenant::{Phase, Slot, Tenant, WebSocketSlot};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Headers of the handshake, which are not the program's.
const OWN_HEADERS: [HeaderName; 4] = [
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_ACCEPT,
];

/// Opens a WebSocket under a name of the directory, empty for none, and starts its task. A failure is also an event.
///
/// # Errors
/// [`RequestError`].
pub(crate) async fn open(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    request: Request,
    name: &str,
) -> Result<SocketId, RequestError> {
    let target = Target::parse_opening(&request.url)?;
    let asked = connect::Request {
        host: target.bare_host().to_owned(),
        port: target.port,
        name: name.to_owned(),
        framing: Framing::Raw,
        half_close: false,
        time: request.time,
    };
    let path = target.origin_form.path().to_owned();
    if let Some(open) = succession::websocket_of(tenant, life, &asked, &path) {
        return Ok(open.id);
    }
    let opened = enter(tenant, life, &target, &request, &asked).await;
    if let Err(error) = &opened {
        connect::failed(tenant, &asked, error.code(), error);
    }
    opened
}

async fn enter(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    target: &Target,
    request: &Request,
    asked: &connect::Request,
) -> Result<SocketId, RequestError> {
    if tenant.is_in(Phase::Draining) {
        return Err(RequestError::Draining);
    }
    let refused = |error| RequestError::connect(target, error);
    let slot = Slot::outbound(tenant).map_err(refused)?;
    let max = tenant.settings.limits.websockets_max;
    let websocket = WebSocketSlot::take(tenant).ok_or(RequestError::TooManyWebSockets { max })?;
    let (stream, received) = shake(tenant, target, request).await?;
    let path = target.origin_form.path().to_owned();
    let at = connect::target(asked);
    let origin = Origin::outbound_websocket(&asked.name, at, target.port, path);
    let owner = Arc::clone(tenant);
    let serve = |connection| {
        slot.opened();
        tcp::serve_websocket(owner, connection, stream, (slot, websocket), received)
    };
    connect::enter(tenant, life, (&asked.name, origin), serve)
        .map_err(|error| RequestError::connect(target, ConnectError::Enter(error)))
}

/// Connects and agrees on a WebSocket, within the time that the program gives or the usual; what came behind the handshake is answered too.
pub(super) async fn shake(
    tenant: &Arc<Tenant>,
    target: &Target,
    request: &Request,
) -> Result<(Transport, Bytes), RequestError> {
    let max = tenant.settings.limits.request_time_max;
    let time = request.time.unwrap_or(TIME_DEFAULT).min(max);
    let url = request.url.clone();
    let shaken = tokio::time::timeout(time, agree(tenant, target, request)).await;
    shaken.unwrap_or(Err(RequestError::TimedOut { url, time }))
}

async fn agree(
    tenant: &Arc<Tenant>,
    target: &Target,
    request: &Request,
) -> Result<(Transport, Bytes), RequestError> {
    let mut given = headers(&request.headers)?;
    for name in OWN_HEADERS {
        given.remove(name);
    }
    let transport = tenant.client.transport(tenant, target).await?;
    let limits = &tenant.settings.limits;
    let broken = |error| RequestError::broken(target, error);
    let handshake = http1::Builder::new()
        .max_headers(super::HEADERS_MAX)
        .max_buf_size(limits.http_header_bytes_max)
        .handshake(TokioIo::new(transport))
        .await;
    let (mut sender, connection) = handshake.map_err(broken)?;
    // It ends with the upgrade, or with the sender.
    tokio::spawn(connection.with_upgrades());
    let key = generate_key();
    let asked = given.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
    let wire = upgrade(target, given, &key);
    let mut response = sender.send_request(wire).await.map_err(broken)?;
    check(&response, &key, asked.as_ref()).map_err(|reason| RequestError::Handshake {
        url: request.url.clone(),
        reason,
    })?;
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(broken)?;
    match upgraded.downcast::<TokioIo<Transport>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(_) => Err(RequestError::Handshake {
            url: request.url.clone(),
            reason: "the connection was lost".to_owned(),
        }),
    }
}

fn upgrade(target: &Target, given: HeaderMap, key: &str) -> hyper::Request<Empty<Bytes>> {
    let mut request = hyper::Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = target.origin_form.clone();
    *request.headers_mut() = given;
    let headers = request.headers_mut();
    headers.insert(header::HOST, target.authority.clone());
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    request
}

/// RFC 6455 4.1, what the client looks at.
fn check(
    response: &hyper::Response<Incoming>,
    key: &str,
    asked: Option<&HeaderValue>,
) -> Result<(), String> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("the server answers {}", status.as_u16()));
    }
    let headers = response.headers();
    let says = |name: &HeaderName, wanted: &str| {
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    let proof = headers.get(header::SEC_WEBSOCKET_ACCEPT);
    let is_proven = proof.is_some_and(|proof| *proof == derive_accept_key(key.as_bytes()));
    if !says(&header::UPGRADE, "websocket") || !is_proven {
        return Err("the server does not speak WebSocket".to_owned());
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the server wants an extension that nobody has offered".to_owned());
    }
    let Some(spoken) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) else {
        return Ok(());
    };
    let offered = asked.and_then(|asked| asked.to_str().ok()).unwrap_or("");
    match offered.split(',').any(|name| *spoken == name.trim()) {
        true => Ok(()),
        false => Err("the server wants a subprotocol that nobody has offered".to_owned()),
    }
}
