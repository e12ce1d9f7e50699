//! `aro:state/repositories`.

use crate::engine::state::GuestState;
use crate::engine::types::{WitFilter, WitOperator, WitStored};
use crate::store::filter::{Comparison, Filter, FilterError, Operator};
use wasmtime::component::{LinkerInstance, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut LinkerInstance<'_, GuestState>) -> Result<()> {
    interface.func_wrap(
        "store",
        |store: StoreContextMut<'_, GuestState>, (repository, value): (WasmStr, WasmList<u8>)| {
            let name = repository.to_str(&store)?;
            let stored = store
                .data()
                .scope
                .tenant
                .state
                .repositories
                .store(&name, value.as_le_slice(&store));
            Ok((stored
                .map(|stored| WitStored {
                    row: stored.row,
                    created: stored.created,
                })
                .map_err(|error| text(&error)),))
        },
    )?;
    interface.func_wrap(
        "retrieve",
        |store: StoreContextMut<'_, GuestState>, (repository, groups): (WasmStr, WitFilter)| {
            let name = repository.to_str(&store)?;
            let repositories = &store.data().scope.tenant.state.repositories;
            Ok((filter(groups)
                .map(|filter| repositories.retrieve(&name, &filter))
                .map_err(|error| text(&error)),))
        },
    )?;
    interface.func_wrap(
        "delete",
        |store: StoreContextMut<'_, GuestState>, (repository, groups): (WasmStr, WitFilter)| {
            let name = repository.to_str(&store)?;
            let repositories = &store.data().scope.tenant.state.repositories;
            Ok((filter(groups)
                .map(|filter| repositories.delete(&name, &filter))
                .map_err(|error| text(&error)),))
        },
    )?;
    interface.func_wrap(
        "count",
        |store: StoreContextMut<'_, GuestState>, (repository,): (WasmStr,)| {
            let name = repository.to_str(&store)?;
            Ok((store.data().scope.tenant.state.repositories.count(&name),))
        },
    )
}

/// An error and its causes, as the program sees it.
pub(super) fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

pub(super) fn filter(groups: WitFilter) -> std::result::Result<Filter, FilterError> {
    let groups = groups.into_iter().map(|group| {
        group
            .into_iter()
            .map(|given| Comparison::new(given.field, operator(given.operator), &given.value))
            .collect()
    });
    Filter::new(groups.collect::<std::result::Result<_, _>>()?)
}

fn operator(operator: WitOperator) -> Operator {
    match operator {
        WitOperator::Equal => Operator::Equal,
        WitOperator::NotEqual => Operator::NotEqual,
        WitOperator::Less => Operator::Less,
        WitOperator::LessOrEqual => Operator::LessOrEqual,
        WitOperator::Greater => Operator::Greater,
        WitOperator::GreaterOrEqual => Operator::GreaterOrEqual,
        WitOperator::Contains => Operator::Contains,
        WitOperator::StartsWith => Operator::StartsWith,
        WitOperator::EndsWith => Operator::EndsWith,
        WitOperator::Matches => Operator::Matches,
        WitOperator::OneOf => Operator::OneOf,
        WitOperator::NotOneOf => Operator::NotOneOf,
    }
}
