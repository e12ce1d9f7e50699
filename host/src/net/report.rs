//! Events about sockets that are not the events of one connection: `ServerStarted`, `ServerStopped`, `SocketError`, `EventStreamClosed`.

use super::connect::{self, Request};
use super::listener::Listener;
use crate::conn::Connection;
use crate::event;
use crate::store::change::date_text;
use crate::store::datum::Datum;
use crate::store::repository::now;
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A listener is open; it has taken no connection yet.
const SERVER_STARTED: &str = "ServerStarted";
/// A listener has been closed, and the program runs on.
const SERVER_STOPPED: &str = "ServerStopped";
/// A connection cannot be opened, or breaks; a listener cannot accept.
const SOCKET_ERROR: &str = "SocketError";

/// The peer of a response that stays open has gone, or the program has closed it.
const EVENT_STREAM_CLOSED: &str = "EventStreamClosed";

/// What went wrong.
#[derive(Debug, Clone)]
pub(crate) struct SocketError {
    /// A word that programs compare with.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) error: String,
}

type Fields = BTreeMap<String, Datum>;

fn fields<const N: usize>(entries: [(&str, Datum); N]) -> Fields {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn text(text: impl Into<String>) -> Datum {
    Datum::Text(text.into())
}

fn encoded(fields: Fields) -> Arc<[u8]> {
    Datum::Map(fields).encode().into()
}

fn of_listener(listener: &Listener) -> Fields {
    fields([
        ("server", text(listener.name.as_str())),
        ("host", text(listener.address.ip().to_string())),
        ("port", Datum::Int(i64::from(listener.address.port()))),
        ("connection", Datum::Handle(listener.id.bytes())),
    ])
}

fn of_error(error: &SocketError) -> Fields {
    fields([
        ("timestamp", Datum::Date(date_text(now()))),
        ("error", text(error.error.as_str())),
        ("code", text(error.code)),
    ])
}

/// Waits for the handlers, so that they run before the first connection is taken.
pub(super) async fn server_started(tenant: &Arc<Tenant>, listener: &Listener) {
    if let Some(permit) = event::detached(tenant, SERVER_STARTED) {
        let chain = event::Chain::detached(SERVER_STARTED);
        event::deliver(tenant, &chain, encoded(of_listener(listener))).await;
        drop(permit);
    }
}

pub(super) fn server_stopped(tenant: &Arc<Tenant>, listener: &Listener) {
    if event::is_handled(tenant, SERVER_STOPPED) {
        event::raise(tenant, SERVER_STOPPED, &encoded(of_listener(listener)));
    }
}

pub(super) fn accept_failed(tenant: &Arc<Tenant>, listener: &Listener, error: &std::io::Error) {
    if event::is_handled(tenant, SOCKET_ERROR) {
        let error = SocketError {
            code: "accept",
            error: error.to_string(),
        };
        let mut fields = of_error(&error);
        fields.insert("server".to_owned(), text(listener.name.as_str()));
        event::raise(tenant, SOCKET_ERROR, &encoded(fields));
    }
}

pub(super) fn connect_failed(
    tenant: &Arc<Tenant>,
    request: &Request,
    attempt: Option<u32>,
    error: &SocketError,
) {
    if !event::is_handled(tenant, SOCKET_ERROR) {
        return;
    }
    let mut fields = of_error(error);
    fields.insert("remoteAddress".to_owned(), text(connect::target(request)));
    if let Some(attempt) = attempt {
        fields.insert("client".to_owned(), text(request.name.as_str()));
        fields.insert("attempt".to_owned(), Datum::Int(i64::from(attempt)));
    }
    event::raise(tenant, SOCKET_ERROR, &encoded(fields));
}

pub(super) fn event_stream_closed(tenant: &Arc<Tenant>, connection: &Connection) {
    if event::is_handled(tenant, EVENT_STREAM_CLOSED) {
        let fields = fields([
            ("timestamp", Datum::Date(date_text(now()))),
            ("connection", Datum::Handle(connection.id.bytes())),
            ("connectionId", text(connection.id.to_string())),
            ("remoteAddress", text(connection.remote())),
            ("path", text(connection.name())),
        ]);
        event::raise(tenant, EVENT_STREAM_CLOSED, &encoded(fields));
    }
}

/// Waits for the handlers: the disconnected event comes after them.
pub(super) async fn broken(tenant: &Arc<Tenant>, connection: &Connection, error: &SocketError) {
    let Some(permit) = event::detached(tenant, SOCKET_ERROR) else {
        return;
    };
    let mut fields = of_error(error);
    let side = match connection.listener() {
        Some(_) => "server",
        None => "client",
    };
    if !connection.name().is_empty() {
        fields.insert(side.to_owned(), text(connection.name()));
    }
    fields.extend(self::fields([
        ("connection", Datum::Handle(connection.id.bytes())),
        ("connectionId", text(connection.id.to_string())),
        ("remoteAddress", text(connection.remote())),
    ]));
    let chain = event::Chain::detached(SOCKET_ERROR);
    event::deliver(tenant, &chain, encoded(fields)).await;
    drop(permit);
}
