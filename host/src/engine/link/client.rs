//! `aro:http/client`.

use super::wait::wait;
use super::{Interface, Pending};
use crate::conn::id::SocketId;
use crate::engine::state::GuestState;
use crate::engine::types::{WitAnswer, WitAsk, WitRequestCode, WitRequestError, WitSocket};
use crate::net::connect::ConnectError;
use crate::net::http::client::{self, Request, RequestError, stream, websocket};
use crate::observe::limit::Limit;
use crate::tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Result, StoreContextMut};

type Answer = (std::result::Result<WitAnswer, WitRequestError>,);

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("send", send)?;
    interface.func_wrap_async("open-websocket", open_websocket)?;
    interface.func_wrap("follow", follow)
}

fn request(ask: WitAsk) -> Request {
    Request {
        method: ask.method,
        url: ask.url,
        headers: ask.headers,
        body: ask.body.into(),
        time: milliseconds(ask.timeout),
    }
}

/// None for 0.
fn milliseconds(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}

type Opened = (std::result::Result<WitSocket, WitRequestError>,);

fn open_websocket<'a>(
    store: StoreContextMut<'a, GuestState>,
    (ask, name): (WitAsk, String),
) -> Pending<'a, Opened> {
    let scope = Arc::clone(&store.data().scope);
    Box::new(async move {
        let request = request(ask);
        let opening = websocket::open(&scope.tenant, &scope.life, request, &name);
        let opened = wait(store, opening).await?;
        let tenant = &scope.tenant;
        Ok((opened
            .map(SocketId::halves)
            .map_err(|error| refused(tenant, &error)),))
    })
}

fn follow(
    store: StoreContextMut<'_, GuestState>,
    (event, ask, retry): (String, WitAsk, u32),
) -> Result<(std::result::Result<(), WitRequestError>,)> {
    let scope = &store.data().scope;
    let (request, retry) = (request(ask), milliseconds(retry));
    let followed = stream::follow(&scope.tenant, &scope.life, &event, request, retry);
    Ok((followed.map_err(|error| refused(&scope.tenant, &error)),))
}

/// Counts a limit that was met, and says what is wrong.
fn refused(tenant: &Tenant, error: &RequestError) -> WitRequestError {
    if let RequestError::TooLarge { .. } = error {
        tenant.counters.hit(Limit::RequestAnswerBytes);
    } else if let RequestError::TooMany { .. } = error {
        tenant.counters.hit(Limit::RequestConnections);
    }
    WitRequestError {
        code: code(error),
        message: error.to_string(),
    }
}

fn send<'a>(store: StoreContextMut<'a, GuestState>, (ask,): (WitAsk,)) -> Pending<'a, Answer> {
    let tenant = Arc::clone(&store.data().scope.tenant);
    let request = request(ask);
    Box::new(async move {
        let answered = wait(store, client::request(&tenant, request)).await?;
        Ok((answered
            .map(|response| WitAnswer {
                status: response.status,
                headers: response.headers,
                body: response.body,
                latency: u32::try_from(response.latency.as_micros()).unwrap_or(u32::MAX),
            })
            .map_err(|error| refused(&tenant, &error)),))
    })
}

fn code(error: &RequestError) -> WitRequestCode {
    match error {
        RequestError::Url { .. } | RequestError::Header { .. } | RequestError::Method { .. } => {
            WitRequestCode::Invalid
        }
        RequestError::Denied { .. } => WitRequestCode::Denied,
        RequestError::Connect { source, .. } => match source {
            ConnectError::Denied { .. } | ConnectError::NotPublic { .. } => WitRequestCode::Denied,
            ConnectError::TimedOut => WitRequestCode::TimedOut,
            ConnectError::Refused
            | ConnectError::NotFound { .. }
            | ConnectError::TooManyOutbound { .. }
            | ConnectError::TooMany { .. }
            | ConnectError::Draining
            | ConnectError::Enter(_)
            | ConnectError::System(_) => WitRequestCode::Unreachable,
        },
        RequestError::Secure { .. } => WitRequestCode::Insecure,
        RequestError::TimedOut { .. } => WitRequestCode::TimedOut,
        RequestError::TooLarge { .. } => WitRequestCode::TooLarge,
        RequestError::Redirects { .. }
        | RequestError::Broken { .. }
        | RequestError::Coding { .. }
        | RequestError::Handshake { .. } => WitRequestCode::Broken,
        RequestError::TooMany { .. }
        | RequestError::TooManyWebSockets { .. }
        | RequestError::Draining => WitRequestCode::Exhausted,
    }
}
