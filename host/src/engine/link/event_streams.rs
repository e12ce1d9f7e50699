//! `aro:http/event-streams`.

use super::Interface;
use super::connections::FanOut;
use crate::conn::table::Which;
use crate::engine::state::GuestState;
use crate::engine::types::WitFilter;
use crate::net::event_stream::Label;
use wasmtime::component::{WasmList, WasmStr};
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
    interface.func_wrap("label", label)?;
    interface.func_wrap("broadcast", broadcast)
}

fn label(
    mut store: StoreContextMut<'_, GuestState>,
    (event, id): (WasmStr, WasmStr),
) -> Result<(std::result::Result<(), String>,)> {
    let label = Label::new(&event.to_str(&store)?, &id.to_str(&store)?);
    Ok((match label {
        Ok(label) => {
            store.data_mut().label = Some(Box::new(label));
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    },))
}

fn broadcast(
    mut store: StoreContextMut<'_, GuestState>,
    (groups, data): (WitFilter, WasmList<u8>),
) -> Result<(std::result::Result<u32, String>,)> {
    let label = store.data_mut().label.take();
    let fan_out = FanOut::new(&store, &data, label)?;
    Ok((fan_out.push_selected(Which::EventStreams, groups),))
}
