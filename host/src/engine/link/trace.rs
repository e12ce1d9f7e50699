//! `aro:debug/trace`, for replays only.

use super::Interface;
use crate::engine::state::GuestState;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.unrecorded(
        "statement",
        |mut store: StoreContextMut<'_, GuestState>, (index,): (u32,)| {
            store.data_mut().replay()?.statement(index)
        },
    )?;
    interface.unrecorded(
        "bound",
        |mut store: StoreContextMut<'_, GuestState>, (name, value): (WasmStr, WasmList<u8>)| {
            let name = name.to_str(&store)?.into_owned();
            let value = value.as_le_slice(&store).to_vec();
            store.data_mut().replay()?.bound(&name, &value)
        },
    )
}
