//! `aro:net/channels`.

use super::Interface;
use super::connections::{FanOut, find};
use crate::engine::state::GuestState;
use crate::engine::types::WitSocket;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "subscribe",
        |store: StoreContextMut<'_, GuestState>, (socket, channel): (WitSocket, WasmStr)| {
            let channel = channel.to_str(&store)?;
            let tenant = &store.data().scope.tenant;
            let done = match find(store.data(), socket) {
                Some(connection) => tenant.channels.subscribe(&connection, &channel),
                None => Ok(()),
            };
            let done = done.map_err(|error| {
                tenant.counters.hit(error.limit());
                error.to_string()
            });
            Ok((done,))
        },
    )?;
    interface.func_wrap(
        "unsubscribe",
        |store: StoreContextMut<'_, GuestState>, (socket, channel): (WitSocket, WasmStr)| {
            let channel = channel.to_str(&store)?;
            if let Some(connection) = find(store.data(), socket) {
                let channels = &store.data().scope.tenant.channels;
                channels.unsubscribe(&connection, &channel);
            }
            Ok(())
        },
    )?;
    interface.func_wrap("publish", publish)?;
    interface.func_wrap(
        "count",
        |store: StoreContextMut<'_, GuestState>, (channel,): (WasmStr,)| {
            let channel = channel.to_str(&store)?;
            let count = store.data().scope.tenant.channels.count(&channel);
            Ok((u32::try_from(count).unwrap_or(u32::MAX),))
        },
    )
}

fn publish(
    mut store: StoreContextMut<'_, GuestState>,
    (channel, data): (WasmStr, WasmList<u8>),
) -> Result<(u32,)> {
    let label = store.data_mut().label.take();
    let channel = channel.to_str(&store)?;
    let mut fan_out = FanOut::new(&store, &data, label)?;
    let channels = &store.data().scope.tenant.channels;
    channels.each_member(&channel, |connection| fan_out.push(connection));
    Ok((fan_out.taken(),))
}
