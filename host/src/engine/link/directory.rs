//! `aro:net/directory`.

use super::Interface;
use crate::conn::Origin;
use crate::conn::id::SocketId;
use crate::conn::table::Socket;
use crate::engine::state::GuestState;
use crate::engine::types::{WitDescription, WitSocket, WitSocketKind};
use wasmtime::component::WasmStr;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "describe",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            let id = SocketId::from_halves(socket);
            let own = store.data().connection.as_ref().filter(|own| own.id == id);
            let found = own
                .map(|own| Socket::Connection(std::sync::Arc::clone(own)))
                .or_else(|| store.data().scope.tenant.sockets.find(id));
            Ok((found.as_ref().map(describe),))
        },
    )?;
    interface.func_wrap(
        "find",
        |store: StoreContextMut<'_, GuestState>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?;
            Ok((store
                .data()
                .scope
                .tenant
                .sockets
                .named(&name)
                .map(SocketId::halves),))
        },
    )
}

fn describe(socket: &Socket) -> WitDescription {
    match socket {
        Socket::Listener(listener) => WitDescription {
            kind: WitSocketKind::Listener,
            remote_address: listener.address.to_string(),
            name: listener.name.clone(),
            port: listener.address.port(),
            open: listener.is_open(),
        },
        Socket::Connection(connection) => WitDescription {
            kind: match &connection.origin {
                Origin::Inbound { .. } => WitSocketKind::Inbound,
                Origin::Outbound(_) if connection.is_websocket() => WitSocketKind::WebSocket,
                Origin::Outbound(_) => WitSocketKind::Outbound,
                Origin::WebSocket(_) => WitSocketKind::WebSocket,
                Origin::EventStream(_) => WitSocketKind::EventStream,
            },
            remote_address: connection.remote(),
            name: connection
                .path()
                .unwrap_or_else(|| connection.name())
                .to_owned(),
            port: connection.port(),
            open: connection.is_open(),
        },
    }
}
