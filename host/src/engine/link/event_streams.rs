//! `aro:http/event-streams`.

use super::Interface;
use super::connections::FanOut;
use crate::conn::table::Which;
use crate::engine::state::GuestState;
use crate::engine::types::WitFilter;
use wasmtime::component::WasmList;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "current",
        |store: StoreContextMut<'_, GuestState>, (): ()| {
            let own = store.data().connection.as_ref();
            let own = own.filter(|own| own.is_event_stream());
            Ok((own.map(|own| own.id.halves()),))
        },
    )?;
    interface.func_wrap("broadcast", broadcast)
}

fn broadcast(
    store: StoreContextMut<'_, GuestState>,
    (groups, data): (WitFilter, WasmList<u8>),
) -> Result<(std::result::Result<u32, String>,)> {
    let fan_out = FanOut::new(store.data(), data.as_le_slice(&store))?;
    Ok((fan_out.push_selected(Which::EventStreams, groups),))
}
