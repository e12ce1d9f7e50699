//! `aro:net/websockets`.

use super::Interface;
use super::connections::{FanOut, find};
use crate::conn::table::Which;
use crate::engine::state::GuestState;
use crate::engine::types::{WitFilter, WitMessageKind, WitSocket};
use crate::net::websocket::CloseReason;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap("broadcast", broadcast)?;
    interface.func_wrap("close", close)
}

fn broadcast(
    mut store: StoreContextMut<'_, GuestState>,
    (groups, data, kind): (WitFilter, WasmList<u8>, WitMessageKind),
) -> Result<(std::result::Result<u32, String>,)> {
    let label = store.data_mut().label.take();
    let fan_out = FanOut::new(&store, &data, label)?.marked(kind.into());
    Ok((fan_out.push_selected(Which::WebSockets, groups),))
}

fn close(
    store: StoreContextMut<'_, GuestState>,
    (socket, code, reason): (WitSocket, u16, WasmStr),
) -> Result<(std::result::Result<(), String>,)> {
    let reason = reason.to_str(&store)?;
    let reason = match CloseReason::new(code, &reason) {
        Ok(reason) => reason,
        Err(error) => return Ok((Err(error),)),
    };
    if let Some(connection) = find(store.data(), socket) {
        connection.close(reason);
    }
    Ok((Ok(()),))
}
