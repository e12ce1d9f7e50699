//! `aro:net/outbound`.

use super::listeners::framing;
use super::wait::wait;
use super::{Interface, Pending};
use crate::conn::id::SocketId;
use crate::engine::state::GuestState;
use crate::engine::types::{WitConnectCode, WitConnectError, WitConnectOptions, WitSocket};
use crate::net::connect::{self, ConnectError, Request};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::WasmStr;
use wasmtime::{Result, StoreContextMut};

type Answer = (std::result::Result<WitSocket, WitConnectError>,);

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("connect", connect)
}

fn connect<'a>(
    store: StoreContextMut<'a, GuestState>,
    (host, port, name, options): (WasmStr, u16, WasmStr, WitConnectOptions),
) -> Pending<'a, Answer> {
    let limits = &store.data().scope.tenant.settings.limits;
    let framing = framing(options.framing, options.frame_bytes_max, limits);
    let time = match options.timeout {
        0 => None,
        milliseconds => Some(Duration::from_millis(milliseconds.into())),
    };
    let texts = host
        .to_str(&store)
        .and_then(|host| Ok((host.into_owned(), name.to_str(&store)?.into_owned())));
    let scope = Arc::clone(&store.data().scope);
    Box::new(async move {
        let (host, name) = texts?;
        let framing = match framing {
            Ok(framing) => framing,
            Err(message) => {
                let code = WitConnectCode::Exhausted;
                return Ok((Err(WitConnectError { code, message }),));
            }
        };
        let request = Request {
            host,
            port,
            name,
            framing,
            half_close: options.half_close,
            time,
        };
        let opened = wait(store, connect::connect(&scope.tenant, &scope.life, request)).await?;
        Ok((opened
            .map(SocketId::halves)
            .map_err(|error| WitConnectError {
                code: code(&error),
                message: error.to_string(),
            }),))
    })
}

fn code(error: &ConnectError) -> WitConnectCode {
    match error {
        ConnectError::Refused => WitConnectCode::Refused,
        ConnectError::NotFound { .. } => WitConnectCode::NotFound,
        ConnectError::TimedOut => WitConnectCode::TimedOut,
        ConnectError::Denied { .. } | ConnectError::NotPublic { .. } => WitConnectCode::Denied,
        ConnectError::TooManyOutbound { .. }
        | ConnectError::TooMany { .. }
        | ConnectError::Draining
        | ConnectError::Enter(_) => WitConnectCode::Exhausted,
        ConnectError::System(_) => WitConnectCode::Failed,
    }
}
