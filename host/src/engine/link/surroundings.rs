//! `aro:program/parameters`, `aro:program/environment`, `aro:program/metrics`, `aro:console/input`, `aro:timers/sleep`.

use super::wait::{block, wait};
use super::{Interface, Pending};
use crate::engine::state::GuestState;
use crate::engine::types::WitAmount;
use crate::input::{self, Amount};
use crate::report::program;
use std::time::Duration;
use wasmtime::component::WasmStr;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define_parameters(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap("all", |store: StoreContextMut<'_, GuestState>, (): ()| {
        let settings = &store.data().scope.tenant.settings;
        Ok((settings.parameters.encoded(),))
    })
}

pub(super) fn define_environment(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "get",
        |store: StoreContextMut<'_, GuestState>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?;
            let grants = &store.data().scope.tenant.settings.grants;
            Ok((grants.environment.get(&name),))
        },
    )?;
    interface.func_wrap("all", |store: StoreContextMut<'_, GuestState>, (): ()| {
        let grants = &store.data().scope.tenant.settings.grants;
        Ok((grants.environment.all(),))
    })
}

pub(super) fn define_metrics(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "read",
        |store: StoreContextMut<'_, GuestState>, (format,): (WasmStr,)| {
            let format = format.to_str(&store)?;
            let tenant = &store.data().scope.tenant;
            Ok((program::text(tenant, &format),))
        },
    )
}

pub(super) fn define_sleep(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("sleep", sleep)
}

fn sleep<'a>(store: StoreContextMut<'a, GuestState>, (milliseconds,): (u64,)) -> Pending<'a, ()> {
    let time = Duration::from_millis(milliseconds);
    Box::new(async move { wait(store, tokio::time::sleep(time)).await })
}

pub(super) fn define_input(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("read", read)
}

type ReadAnswer = (std::result::Result<Option<String>, String>,);

fn read<'a>(
    store: StoreContextMut<'a, GuestState>,
    (amount,): (WitAmount,),
) -> Pending<'a, ReadAnswer> {
    let amount = match amount {
        WitAmount::Line => Amount::Line,
        WitAmount::Rest => Amount::Rest,
    };
    let bytes_max = store.data().scope.tenant.settings.limits.input_bytes_max;
    Box::new(async move {
        let read = block(store, move || input::read(amount, bytes_max)).await?;
        Ok((read.map_err(|error| error.to_string()),))
    })
}
