//! `aro:net/listeners`.

use crate::conn::id::SocketId;
use crate::engine::state::GuestState;
use crate::engine::types::WitSocket;
use crate::net::listener;
use wasmtime::component::{LinkerInstance, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut LinkerInstance<'_, GuestState>) -> Result<()> {
    interface.func_wrap(
        "listen",
        |store: StoreContextMut<'_, GuestState>, (port, name): (u16, WasmStr)| {
            let name = name.to_str(&store)?;
            let opened = listener::listen(&store.data().scope.tenant, port, &name);
            Ok((opened
                .map(SocketId::halves)
                .map_err(|error| error.to_string()),))
        },
    )?;
    interface.func_wrap(
        "close",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            listener::close(&store.data().scope.tenant, SocketId::from_halves(socket));
            Ok(())
        },
    )
}
