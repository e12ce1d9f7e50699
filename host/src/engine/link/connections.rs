//! `aro:net/connections`.

use super::{Constant, Done, Pending};
use crate::config::SlowPeer;
use crate::conn::Connection;
use crate::conn::id::SocketId;
use crate::conn::outbound::{Closing, Refusal, SHARE_BYTES_MIN, Wake};
use crate::console::Stream;
use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::{GuestState, Refused};
use crate::engine::trap;
use crate::engine::types::{WitSendError, WitSocket};
use bytes::Bytes;
use std::sync::Arc;
use wasmtime::component::{LinkerInstance, WasmList};
use wasmtime::{Result, StoreContextMut};

type SendAnswer = (std::result::Result<(), WitSendError>,);

pub(super) fn define(interface: &mut LinkerInstance<'_, GuestState>) -> Result<()> {
    interface.func_wrap_async("send", send)?;
    interface.func_wrap("broadcast", broadcast)?;
    interface.func_wrap(
        "close",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            if let Some(connection) = find(store.data(), socket) {
                connection.outbound.close(Closing::Flush);
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
fn find(state: &GuestState, socket: WitSocket) -> Option<Arc<Connection>> {
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
    store: StoreContextMut<'a, GuestState>,
    (socket, data): (WitSocket, WasmList<u8>),
) -> Pending<'a, SendAnswer> {
    let max = store.data().scope.tenant.settings.limits.message_bytes_max;
    if data.len() > max {
        let bytes = data.len();
        return Box::new(async move { Err(Refused::Message { bytes, max }.into()) });
    }
    let Some(connection) = find(store.data(), socket) else {
        report_closed(&store, socket);
        return Done::<Closed>::boxed();
    };
    let wake = wake_for(store.data(), &connection);
    match connection.send(data.as_le_slice(&store), wake) {
        Ok(()) => Done::<Sent>::boxed(),
        Err(Refusal::Closed) => {
            report_closed(&store, socket);
            Done::<Closed>::boxed()
        }
        Err(Refusal::Full) => Box::new(send_wait(store, connection, data)),
    }
}

async fn send_wait(
    mut store: StoreContextMut<'_, GuestState>,
    connection: Arc<Connection>,
    data: WasmList<u8>,
) -> Result<SendAnswer> {
    store.data_mut().charge()?;
    let statement = trap::statement_now(&store);
    store.data_mut().suspended_at = statement;
    let payload = Bytes::copy_from_slice(data.as_le_slice(&store));
    let limit = store.data().scope.tenant.settings.limits.send_wait_max;
    let sent = tokio::time::timeout(limit, connection.outbound.push_wait(&payload)).await;
    store.set_epoch_deadline(SLICE_TICKS);
    Ok(match sent {
        Ok(Ok(())) => (Ok(()),),
        Ok(Err(Refusal::Full)) | Err(_) => (Err(WitSendError::Full),),
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
    store: StoreContextMut<'_, GuestState>,
    (listener, data): (Option<WitSocket>, WasmList<u8>),
) -> Result<(u32,)> {
    let state = store.data();
    let tenant = &state.scope.tenant;
    let max = tenant.settings.limits.message_bytes_max;
    if data.len() > max {
        return Err(Refused::Message {
            bytes: data.len(),
            max,
        }
        .into());
    }
    let bytes = data.as_le_slice(&store);
    // Encoded once and shared; short payloads are cheaper to copy, so that they coalesce with what is queued already.
    let shared = (bytes.len() >= SHARE_BYTES_MIN).then(|| Bytes::copy_from_slice(bytes));
    let mut taken = 0;
    tenant
        .sockets
        .each_connection(listener.map(SocketId::from_halves), |connection| {
            let wake = wake_for(state, connection);
            let pushed = match &shared {
                Some(shared) => connection.send_shared(shared, wake),
                None => connection.send(bytes, wake),
            };
            match pushed {
                Ok(()) => taken += 1,
                Err(Refusal::Closed) => {}
                Err(Refusal::Full) => {
                    tenant.counters.slow_peers.add(1);
                    if tenant.settings.slow_peer == SlowPeer::Disconnect {
                        connection.outbound.close(Closing::Abort);
                    }
                }
            }
        });
    Ok((taken,))
}
