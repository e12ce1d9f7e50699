//! `aro:state/published`.

use super::Interface;
use crate::engine::state::{GuestState, Refused};
use crate::store::published::{Lifetime, Reader};
use aro_wit::manifest::{SETTING, Trigger};
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap("publish", publish)?;
    interface.func_wrap(
        "read",
        |store: StoreContextMut<'_, GuestState>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?;
            let scope = &store.data().scope;
            let reader = if runs_at(
                &scope.entry().triggers,
                &[Trigger::EndSuccess, Trigger::EndError],
            ) {
                Reader::ProgramEnd
            } else {
                Reader::Activity(&scope.entry().activity)
            };
            Ok((scope
                .tenant
                .state
                .published
                .read(&name, reader)
                .map_err(|error| error.to_string()),))
        },
    )
}

fn runs_at(triggers: &[Trigger], those: &[Trigger]) -> bool {
    triggers.iter().any(|trigger| those.contains(trigger))
}

fn publish(
    mut store: StoreContextMut<'_, GuestState>,
    (name, value): (WasmStr, WasmList<u8>),
) -> Result<()> {
    let scope = std::sync::Arc::clone(&store.data().scope);
    let published = &scope.tenant.state.published;
    let entry = scope.entry();
    let name = name.to_str(&store)?.into_owned();
    let is_setting = name.starts_with(SETTING);
    let activity = if is_setting { "" } else { &entry.activity };
    let is_of_program = runs_at(
        &entry.triggers,
        &[Trigger::Start, Trigger::EndSuccess, Trigger::EndError],
    );
    let lifetime = if is_setting || is_of_program {
        Lifetime::Program
    } else {
        Lifetime::Execution(
            *store
                .data_mut()
                .execution
                .get_or_insert_with(|| published.new_execution()),
        )
    };
    let value = value.as_le_slice(&store).to_vec();
    published
        .publish(&name, value, activity, lifetime)
        .map_err(|error| Refused::Publish(error).into())
}
