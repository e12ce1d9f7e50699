//! `aro:http/server`.

use super::Interface;
use crate::engine::state::GuestState;
use crate::net::http;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "start",
        |store: StoreContextMut<'_, GuestState>, (port,): (Option<u16>,)| {
            let started = http::start(&store.data().scope, port);
            Ok((started.map_err(|error| error.to_string()),))
        },
    )?;
    interface.func_wrap(
        "configure-websockets",
        |store: StoreContextMut<'_, GuestState>,
         (path, protocols): (Option<String>, Option<Vec<String>>)| {
            let mut websocket = store.data().scope.life.websocket.lock();
            let changed = websocket.change(path, protocols);
            Ok((changed.map_err(|error| error.to_string()),))
        },
    )?;
    interface.func_wrap("stop", |store: StoreContextMut<'_, GuestState>, (): ()| {
        http::stop(&store.data().scope.tenant);
        Ok(())
    })
}
