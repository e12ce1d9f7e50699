//! `aro:net/connections`.

use super::{Constant, Done, Interface, Pending};
use crate::config::SlowPeer;
use crate::conn::Connection;
use crate::conn::id::SocketId;
use crate::conn::outbound::{Closing, Refusal, SHARE_BYTES_MIN, Wake};
use crate::conn::table::{Socket, Which};
use crate::console::Stream;
use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::{GuestState, Refused};
use crate::engine::trap;
use crate::engine::types::{WitFilter, WitMessageKind, WitSendError, WitSocket};
use crate::net::event_stream::{self, Label};
use crate::net::listener;
use crate::net::websocket::{CloseReason, Kind};
use crate::observe::limit::Limit;
use crate::store::datum::Datum;
use bytes::Bytes;
use std::cell::OnceCell;
use std::sync::Arc;
use wasmtime::component::WasmList;
use wasmtime::{Result, StoreContextMut};

type SendAnswer = (std::result::Result<(), WitSendError>,);

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("send", send)?;
    interface.func_wrap("broadcast", broadcast)?;
    interface.func_wrap("broadcast-where", broadcast_where)?;
    interface.func_wrap(
        "close",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            match find(store.data(), socket) {
                Some(connection) => connection.close(CloseReason::NORMAL),
                None => {
                    let id = SocketId::from_halves(socket);
                    listener::close(&store.data().scope.tenant, id);
                }
            }
            Ok(())
        },
    )?;
    interface.func_wrap(
        "finish",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            match find(store.data(), socket) {
                Some(connection) => connection.finish(),
                None => {
                    let which = Which::Of(SocketId::from_halves(socket));
                    let sockets = &store.data().scope.tenant.sockets;
                    sockets.each_connection(which, |connection| connection.finish());
                }
            }
            Ok(())
        },
    )
}

struct Sent;

impl Constant for Sent {
    type Answer = SendAnswer;
    const ANSWER: SendAnswer = (Ok(()),);
}

struct Closed;

impl Constant for Closed {
    type Answer = SendAnswer;
    const ANSWER: SendAnswer = (Err(WitSendError::Closed),);
}

/// The connection of an identity; its own connection is known to a handler without a look at the table.
pub(super) fn find(state: &GuestState, socket: WitSocket) -> Option<Arc<Connection>> {
    let id = SocketId::from_halves(socket);
    match &state.connection {
        Some(own) if own.id == id => Some(Arc::clone(own)),
        _ => state.scope.tenant.sockets.connection(id),
    }
}

/// A connection's own task looks at its queue when its handler returns or waits, so nobody need wake it.
fn wake_for(state: &GuestState, connection: &Connection) -> Wake {
    if state
        .connection
        .as_ref()
        .is_some_and(|own| own.id == connection.id)
    {
        Wake::Own
    } else {
        Wake::Task
    }
}

fn send<'a>(
    mut store: StoreContextMut<'a, GuestState>,
    (socket, data, kind): (WitSocket, WasmList<u8>, WitMessageKind),
) -> Pending<'a, SendAnswer> {
    let label = store.data_mut().label.take();
    let max = store.data().scope.tenant.settings.limits.message_bytes_max;
    if data.len() > max {
        let bytes = data.len();
        return Box::new(async move { Err(Refused::Message { bytes, max }.into()) });
    }
    let Some(connection) = find(store.data(), socket) else {
        let id = SocketId::from_halves(socket);
        if matches!(
            store.data().scope.tenant.sockets.find(id),
            Some(Socket::Listener(_))
        ) {
            let sent = broadcast(store, (Some(socket), data));
            return Box::new(async move { sent.map(|_| (Ok(()),)) });
        }
        report_closed(&store, socket);
        return Done::<Closed>::boxed();
    };
    let wake = wake_for(store.data(), &connection);
    let bytes = data.as_le_slice(&store);
    let kind = connection.kind_of(bytes, kind.into());
    let event = connection
        .is_event_stream()
        .then(|| event_stream::event(label.as_deref(), bytes));
    let sent = connection.send(event.as_deref().unwrap_or(bytes), kind, wake);
    match sent {
        Ok(()) => Done::<Sent>::boxed(),
        Err(Refusal::Closed) => {
            report_closed(&store, socket);
            Done::<Closed>::boxed()
        }
        Err(Refusal::Full) => {
            let payload = event.map_or_else(|| Bytes::copy_from_slice(bytes), Bytes::from);
            Box::new(send_wait(store, connection, payload, kind))
        }
    }
}

async fn send_wait(
    mut store: StoreContextMut<'_, GuestState>,
    connection: Arc<Connection>,
    payload: Bytes,
    kind: Kind,
) -> Result<SendAnswer> {
    store.data_mut().pause()?;
    let statement = trap::statement_now(&store);
    store.data_mut().suspended_at = statement;
    let limit = store.data().scope.tenant.settings.limits.send_wait_max;
    let sent = tokio::time::timeout(limit, connection.send_wait(&payload, kind)).await;
    store.set_epoch_deadline(SLICE_TICKS);
    Ok(match sent {
        Ok(Ok(())) => (Ok(()),),
        Ok(Err(Refusal::Full)) | Err(_) => {
            store.data().scope.tenant.counters.hit(Limit::SendWait);
            (Err(WitSendError::Full),)
        }
        Ok(Err(Refusal::Closed)) => (Err(WitSendError::Closed),),
    })
}

/// A send to a connection that is gone succeeds for the program (runtime.md 6.6.3); people who look for lost messages find this.
fn report_closed(store: &StoreContextMut<'_, GuestState>, socket: WitSocket) {
    let scope = &store.data().scope;
    scope.tenant.counters.sends_to_closed.add(1);
    let entry = scope.entry();
    let statement = trap::statement_now(store)
        .and_then(|index| entry.statements.get(usize::try_from(index).ok()?));
    let place = statement.map_or_else(String::new, |statement| {
        let place = crate::failure::place(&scope.manifest, statement).unwrap_or_default();
        format!(": {} ({place})", statement.text)
    });
    let id = SocketId::from_halves(socket);
    scope.tenant.console.write(
        Stream::Error,
        &format!(
            "[{}] nothing was sent, connection {id} is closed{place}",
            entry.name
        ),
    );
}

fn broadcast(
    mut store: StoreContextMut<'_, GuestState>,
    (listener, data): (Option<WitSocket>, WasmList<u8>),
) -> Result<(u32,)> {
    let label = store.data_mut().label.take();
    let fan_out = FanOut::new(&store, &data, label)?;
    Ok((fan_out.push_each(which(listener), |_| true),))
}

fn which(listener: Option<WitSocket>) -> Which {
    listener.map_or(Which::Inbound, |id| Which::Of(SocketId::from_halves(id)))
}

fn broadcast_where(
    mut store: StoreContextMut<'_, GuestState>,
    (listener, groups, data): (Option<WitSocket>, WitFilter, WasmList<u8>),
) -> Result<(std::result::Result<u32, String>,)> {
    let label = store.data_mut().label.take();
    let fan_out = FanOut::new(&store, &data, label)?;
    Ok((fan_out.push_selected(which(listener), groups),))
}

/// What a `where` clause can say of a connection.
fn field(connection: &Connection, name: &str) -> Option<Datum> {
    Some(match name {
        "path" => Datum::Text(connection.path()?.to_owned()),
        "id" | "connectionId" | "connection" => Datum::Handle(connection.id.bytes()),
        "remoteAddress" | "remote" | "address" => Datum::Text(connection.remote()),
        "server" | "name" => Datum::Text(connection.name().to_owned()),
        "kind" if connection.is_websocket() => Datum::Text("websocket".to_owned()),
        "kind" if connection.is_event_stream() => Datum::Text("event-stream".to_owned()),
        "kind" => Datum::Text("inbound".to_owned()),
        "port" => Datum::Int(connection.port().into()),
        _ => return None,
    })
}

/// One payload on its way into many queues: encoded once, and shared where copying would cost more.
pub(super) struct FanOut<'a> {
    state: &'a GuestState,
    bytes: &'a [u8],
    /// Short payloads are copied, so that they coalesce with what is queued already.
    shared: Option<Bytes>,
    /// What WebSockets get it marked as: text if it is UTF-8 and nobody says otherwise. Found out for the first of them.
    kind: OnceCell<Kind>,
    /// As an event of a stream, and what it is called. Made for the first of them.
    event: OnceCell<Bytes>,
    label: Option<Box<Label>>,
    taken: u32,
}

impl<'a> FanOut<'a> {
    /// Called so on streams of events. Fails where the payload is too long.
    pub(super) fn new(
        store: &'a StoreContextMut<'_, GuestState>,
        data: &WasmList<u8>,
        label: Option<Box<Label>>,
    ) -> std::result::Result<Self, Refused> {
        let (state, bytes) = (store.data(), data.as_le_slice(store));
        let max = state.scope.tenant.settings.limits.message_bytes_max;
        if bytes.len() > max {
            let bytes = bytes.len();
            return Err(Refused::Message { bytes, max });
        }
        let shared = (bytes.len() >= SHARE_BYTES_MIN).then(|| Bytes::copy_from_slice(bytes));
        Ok(Self {
            state,
            bytes,
            shared,
            kind: OnceCell::new(),
            event: OnceCell::new(),
            label,
            taken: 0,
        })
    }

    /// The same, marked as `kind` for WebSockets.
    pub(super) fn marked(self, kind: Kind) -> Self {
        let kind = match kind {
            Kind::Text => self.kind(),
            Kind::Binary => Kind::Binary,
        };
        Self {
            kind: OnceCell::from(kind),
            ..self
        }
    }

    fn kind(&self) -> Kind {
        *self
            .kind
            .get_or_init(|| match std::str::from_utf8(self.bytes) {
                Ok(_) => Kind::Text,
                Err(_) => Kind::Binary,
            })
    }

    /// Queues it on a connection. Never waits: a peer whose queue is full is treated as the policy says.
    pub(super) fn push(&mut self, connection: &Connection) {
        let wake = wake_for(self.state, connection);
        let kind = match connection.is_websocket() {
            true => self.kind(),
            false => Kind::Binary,
        };
        let pushed = match &self.shared {
            _ if connection.is_event_stream() => {
                let event = || event_stream::event(self.label.as_deref(), self.bytes).into();
                connection.send_shared(self.event.get_or_init(event), kind, wake)
            }
            Some(shared) => connection.send_shared(shared, kind, wake),
            None => connection.send(self.bytes, kind, wake),
        };
        match pushed {
            Ok(()) => self.taken += 1,
            Err(Refusal::Closed) => {}
            Err(Refusal::Full) => {
                let tenant = &self.state.scope.tenant;
                tenant.counters.hit(Limit::QueueBytes);
                if tenant.settings.slow_peer == SlowPeer::Disconnect {
                    connection.outbound.close(Closing::Abort);
                }
            }
        }
    }

    /// How many queues took it.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// Queues it on the connections that `is_meant`; answers how many took it.
    fn push_each(mut self, which: Which, is_meant: impl Fn(&Connection) -> bool) -> u32 {
        let sockets = &self.state.scope.tenant.sockets;
        sockets.each_connection(which, |connection| {
            if is_meant(connection) {
                self.push(connection);
            }
        });
        self.taken
    }

    /// Queues it on the connections that a `where` clause selects.
    pub(super) fn push_selected(
        self,
        which: Which,
        groups: WitFilter,
    ) -> std::result::Result<u32, String> {
        let filter = super::repositories::filter(groups);
        let filter = filter.map_err(|error| super::repositories::text(&error))?;
        let selects = |one: &_| filter.selects_fields(|name| field(one, name));
        Ok(self.push_each(which, selects))
    }
}
