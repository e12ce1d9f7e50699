//! `aro:http/event-streams`.

use super::Interface;
use super::connections::{FanOut, field};
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
    // No group selects every connection.
    let filter = match groups.is_empty() {
        true => None,
        false => match super::repositories::filter(groups) {
            Ok(filter) => Some(filter),
            Err(error) => return Ok((Err(super::repositories::text(&error)),)),
        },
    };
    let mut fan_out = FanOut::new(store.data(), data.as_le_slice(&store))?;
    let sockets = &store.data().scope.tenant.sockets;
    sockets.each_connection(Which::EventStreams, |connection| {
        let selects = |name: &_| field(connection, name);
        if filter
            .as_ref()
            .is_none_or(|filter| filter.selects_fields(selects))
        {
            fan_out.push(connection);
        }
    });
    Ok((Ok(fan_out.taken()),))
}
