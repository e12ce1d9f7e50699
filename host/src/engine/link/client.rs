//! `aro:http/client`.

use super::wait::wait;
use super::{Interface, Pending};
use crate::engine::state::GuestState;
use crate::engine::types::{WitAnswer, WitAsk, WitRequestCode, WitRequestError};
use crate::net::connect::ConnectError;
use crate::net::http::client::{self, Request, RequestError};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Result, StoreContextMut};

type Answer = (std::result::Result<WitAnswer, WitRequestError>,);

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("send", send)
}

fn send<'a>(store: StoreContextMut<'a, GuestState>, (ask,): (WitAsk,)) -> Pending<'a, Answer> {
    let tenant = Arc::clone(&store.data().scope.tenant);
    let request = Request {
        method: ask.method,
        url: ask.url,
        headers: ask.headers,
        body: ask.body.into(),
        time: match ask.timeout {
            0 => None,
            milliseconds => Some(Duration::from_millis(milliseconds.into())),
        },
    };
    Box::new(async move {
        let answered = wait(store, client::request(&tenant, request)).await?;
        Ok((answered
            .map(|response| WitAnswer {
                status: response.status,
                headers: response.headers,
                body: response.body,
                latency: u32::try_from(response.latency.as_micros()).unwrap_or(u32::MAX),
            })
            .map_err(|error| WitRequestError {
                code: code(&error),
                message: error.to_string(),
            }),))
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
        RequestError::Redirects { .. } | RequestError::Broken { .. } => WitRequestCode::Broken,
        RequestError::TooMany { .. } | RequestError::Draining => WitRequestCode::Exhausted,
    }
}
