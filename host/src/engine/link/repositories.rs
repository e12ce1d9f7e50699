//! `aro:state/repositories`.
//!
//! A table stays locked during a search, and a long search gives the executor back in between: other workers go on, and whoever wants the same table waits without holding a thread.

use super::events::{resume, suspend};
use super::{Interface, Pending};
use crate::engine::state::GuestState;
use crate::engine::types::{WitFilter, WitOperator, WitSelection, WitStored};
use crate::event::{self, Chain, RaiseError};
use crate::observe::limit::Limit;
use crate::store::StoreError;
use crate::store::change::{self, Change};
use crate::store::datum::{Datum, encode_array};
use crate::store::durable::{Record, Submitted};
use crate::store::filter::{Comparison, Filter, FilterError, Operator};
use crate::store::repository::{Repositories, Repository, Retention, now};
use crate::store::table::{Effect, Gone, Put, RowBytes, Selection, Table};
use crate::tenant::Tenant;
use std::sync::Arc;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

/// Rows that are looked at, or stored, before the executor gets its turn: a few milliseconds at most.
const ROWS_AT_ONCE: usize = 1024;

type Answer<T> = (std::result::Result<T, String>,);
type Guest<'a> = StoreContextMut<'a, GuestState>;

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("store", store)?;
    interface.func_wrap_async("retrieve", retrieve)?;
    interface.func_wrap_async("delete", delete)?;
    interface.func_wrap_async("clear", clear)?;
    interface.func_wrap_async("count", |store: Guest<'_>, (repository,): (WasmStr,)| {
        Box::new(async move {
            let name = repository.to_str(&store)?;
            let tenant = Arc::clone(&store.data().scope.tenant);
            Ok((tenant.state.repositories.count(&name).await,))
        })
    })?;
    interface.func_wrap_async(
        "configure",
        |store: Guest<'_>, (repository, setting, value): (WasmStr, WasmStr, WasmList<u8>)| {
            Box::new(async move {
                let (name, setting) = (repository.to_str(&store)?, setting.to_str(&store)?);
                let value = Datum::decode(value.as_le_slice(&store));
                let tenant = Arc::clone(&store.data().scope.tenant);
                let configured = async {
                    let value = value.map_err(StoreError::Malformed)?;
                    let retention = Retention::of(&setting, &value)?;
                    let repositories = &tenant.state.repositories;
                    repositories.configure(&name, retention).await
                };
                Ok((configured.await.map_err(|error| text(&error)),))
            })
        },
    )
}

/// Why a host function gives up: as an answer to the program, or as the end of the execution.
enum Stop {
    Refused(String, Option<Limit>),
    Trap(wasmtime::Error),
}

impl<E: std::error::Error + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Refused(text(&error), limit(&error))
    }
}

/// The limit that an error is about.
fn limit(error: &(dyn std::error::Error + 'static)) -> Option<Limit> {
    if let Some(error) = error.downcast_ref::<RaiseError>() {
        return Some(error.limit());
    }
    error.downcast_ref::<StoreError>()?.limit()
}

fn answer<T>(store: &Guest<'_>, outcome: std::result::Result<T, Stop>) -> Result<Answer<T>> {
    match outcome {
        Ok(value) => Ok((Ok(value),)),
        Err(Stop::Refused(text, limit)) => {
            if let Some(limit) = limit {
                store.data().scope.tenant.counters.hit(limit);
            }
            Ok((Err(text),))
        }
        Err(Stop::Trap(error)) => Err(error),
    }
}

/// Lets others run in the middle of long work, for which the guest is charged.
async fn breathe(store: &mut Guest<'_>) -> std::result::Result<(), Stop> {
    suspend(store).map_err(Stop::Trap)?;
    tokio::task::yield_now().await;
    resume(store);
    Ok(())
}

fn store<'a>(
    mut store: Guest<'a>,
    (repository, value): (WasmStr, WasmList<u8>),
) -> Pending<'a, Answer<WitStored>> {
    Box::new(async move {
        let name = repository.to_str(&store)?.into_owned();
        let value = Datum::decode(value.as_le_slice(&store));
        let stored = match value {
            Ok(value) => store_all(&mut store, &name, value).await,
            Err(error) => Err(StoreError::Malformed(error).into()),
        };
        answer(&store, stored)
    })
}

async fn store_all(
    store: &mut Guest<'_>,
    name: &str,
    value: Datum,
) -> std::result::Result<WitStored, Stop> {
    let scope = Arc::clone(&store.data().scope);
    let tenant = &scope.tenant;
    let repository = tenant.state.repositories.open(name)?;
    let chain = observers(store, &repository)?;
    let rows = if let Datum::List(rows) = value {
        rows
    } else {
        vec![value]
    };
    let mut stored = Stored::default();
    match chain {
        None => {
            let mut rows = rows.into_iter().peekable();
            while rows.peek().is_some() && stored.refused.is_none() {
                let some = rows.by_ref().take(ROWS_AT_ONCE);
                store_some(tenant, &repository, some, &mut stored).await?;
                if rows.peek().is_some() {
                    breathe(store).await?;
                }
            }
            finish(store, &repository, &mut stored).await?;
        }
        // Each row's observers have finished before the next row is stored (runtime.md 3.6.2).
        Some(chain) => {
            for row in rows {
                store_some(tenant, &repository, [row], &mut stored).await?;
                finish(store, &repository, &mut stored).await?;
                if let Some(change) = stored.last.as_ref().and_then(change_of) {
                    let payload = change::changed(&repository, &change, now());
                    suspend(store).map_err(Stop::Trap)?;
                    event::deliver(&scope, &chain, payload).await;
                    resume(store);
                }
            }
        }
    }
    Ok(match stored.last {
        Some(put) => WitStored {
            row: put.row.to_vec(),
            created: put.effect == Effect::Created,
        },
        None => WitStored {
            row: Datum::List(Vec::new()).encode(),
            created: false,
        },
    })
}

/// The chain of the events that a change causes; none if nobody observes the repository.
fn observers(
    store: &Guest<'_>,
    repository: &Repository,
) -> std::result::Result<Option<Arc<Chain>>, Stop> {
    let state = store.data();
    let tenant = &state.scope.tenant;
    if !event::is_handled(&state.scope, &repository.changed) {
        return Ok(None);
    }
    let limits = &tenant.settings.limits;
    let chain = Chain::extend(state.chain.as_ref(), &repository.changed, limits)?;
    Ok(Some(chain))
}

/// What a statement has stored so far.
#[derive(Default)]
struct Stored {
    /// What became of the last row.
    last: Option<Put>,
    /// Rows that had to go and that nobody has been told of.
    evicted: Vec<Gone>,
    /// The last changes that are on their way to disk; those before them are there when they are.
    submitted: Option<Submitted>,
    /// Why a row was not stored. Rows before it are.
    refused: Option<StoreError>,
}

/// Stores rows at once, up to one that is refused.
async fn store_some(
    tenant: &Arc<Tenant>,
    repository: &Arc<Repository>,
    rows: impl IntoIterator<Item = Datum>,
    stored: &mut Stored,
) -> std::result::Result<(), Stop> {
    let repositories = &tenant.state.repositories;
    let changes = repositories.changes().await?;
    let mut records = Vec::new();
    let mut table = repository.table.write().await;
    for row in rows {
        match table.put(row, now(), &repositories.bounds()) {
            Ok(mut put) => {
                if changes.is_some() {
                    repository.records(&put, &mut records);
                }
                let gone = std::mem::take(&mut put.gone);
                let evicted = gone.into_iter().filter(|gone| gone.is_eviction);
                stored.evicted.extend(evicted);
                stored.last = Some(put);
            }
            Err(error) => {
                stored.refused = Some(error);
                break;
            }
        }
    }
    if let Some(changes) = changes {
        stored.submitted = Some(changes.submit(repository, records));
    }
    drop(table);
    repository.touch();
    Ok(())
}

/// Waits until what was stored cannot be lost, and tells of what had to go.
async fn finish(
    store: &Guest<'_>,
    repository: &Arc<Repository>,
    stored: &mut Stored,
) -> std::result::Result<(), Stop> {
    if let Some(submitted) = stored.submitted.take() {
        submitted.committed().await?;
    }
    let evicted = std::mem::take(&mut stored.evicted);
    if !evicted.is_empty() {
        let of = Arc::clone(repository);
        let payloads = evicted
            .into_iter()
            .map(move |gone| change::evicted(&of, &gone.row, now()));
        let state = store.data();
        let cause = state.chain.as_ref();
        event::raise_all(&state.scope, cause, &repository.evicted, payloads);
    }
    match stored.refused.take() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// What observers are told of a stored row; nothing if it is as it was.
fn change_of(put: &Put) -> Option<Change> {
    let new = Arc::clone(&put.row);
    match &put.effect {
        Effect::Created => Some(Change::Created { new }),
        Effect::Replaced { old } => Some(Change::Updated {
            old: Arc::clone(old),
            new,
        }),
        Effect::Unchanged => None,
    }
}

fn retrieve<'a>(
    mut store: Guest<'a>,
    (repository, groups, selection): (WasmStr, WitFilter, WitSelection),
) -> Pending<'a, Answer<Vec<u8>>> {
    Box::new(async move {
        let name = repository.to_str(&store)?.into_owned();
        let rows = retrieve_rows(&mut store, &name, groups, selection).await;
        answer(&store, rows)
    })
}

async fn retrieve_rows(
    store: &mut Guest<'_>,
    name: &str,
    groups: WitFilter,
    selection: WitSelection,
) -> std::result::Result<Vec<u8>, Stop> {
    let filter = filter(groups)?;
    let tenant = Arc::clone(&store.data().scope.tenant);
    let repositories = &tenant.state.repositories;
    let Some(repository) = repositories.find(name) else {
        return Ok(encode_array(&Vec::<RowBytes>::new()));
    };
    let rows = {
        let table = repository.table.read().await;
        search(store, repositories, &table, &filter, selection.into()).await?
    };
    repositories.settle(&repository).await?;
    let rows: Vec<RowBytes> = rows.into_iter().map(|(_, row)| row).collect();
    Ok(encode_array(&rows))
}

async fn search(
    store: &mut Guest<'_>,
    repositories: &Repositories,
    table: &Table,
    filter: &Filter,
    selection: Selection,
) -> std::result::Result<Vec<(u64, RowBytes)>, Stop> {
    let mut scan = table.scan(filter, selection, now());
    while !table.advance(&mut scan, filter, ROWS_AT_ONCE) {
        breathe(store).await?;
    }
    Ok(table.found(scan, repositories.answer_bytes_max())?)
}

fn delete<'a>(
    mut store: Guest<'a>,
    (repository, groups): (WasmStr, WitFilter),
) -> Pending<'a, Answer<Vec<u8>>> {
    Box::new(async move {
        let name = repository.to_str(&store)?.into_owned();
        let deleted = delete_rows(&mut store, &name, groups).await;
        answer(&store, deleted)
    })
}

async fn delete_rows(
    store: &mut Guest<'_>,
    name: &str,
    groups: WitFilter,
) -> std::result::Result<Vec<u8>, Stop> {
    let filter = filter(groups)?;
    let scope = Arc::clone(&store.data().scope);
    let tenant = &scope.tenant;
    let repositories = &tenant.state.repositories;
    let Some(repository) = repositories.find(name) else {
        return Ok(encode_array(&Vec::<RowBytes>::new()));
    };
    let changes = repositories.changes().await?;
    let (removed, submitted) = {
        let mut table = repository.table.write().await;
        let found = search(store, repositories, &table, &filter, Selection::All).await?;
        for (position, _) in &found {
            table.remove(*position, repositories.budget());
        }
        let records = found
            .iter()
            .map(|(position, _)| repository.removal(*position));
        let records = match changes.is_some() {
            true => records.collect(),
            false => Vec::new(),
        };
        let submitted = changes.map(|changes| changes.submit(&repository, records));
        (found, submitted)
    };
    let removed: Vec<RowBytes> = removed.into_iter().map(|(_, row)| row).collect();
    let answer = encode_array(&removed);
    let deleted = match filter.is_empty() {
        // All rows at once are one change (runtime.md 3.6.2).
        true => vec![Change::Cleared],
        false => removed
            .into_iter()
            .map(|old| Change::Deleted { old })
            .collect(),
    };
    repository.touch();
    if let Some(submitted) = submitted {
        submitted.committed().await?;
    }
    tell_deleted(store, &repository, deleted);
    Ok(answer)
}

fn clear<'a>(mut store: Guest<'a>, (repository,): (WasmStr,)) -> Pending<'a, Answer<()>> {
    Box::new(async move {
        let name = repository.to_str(&store)?.into_owned();
        let cleared = clear_rows(&mut store, &name).await;
        answer(&store, cleared)
    })
}

async fn clear_rows(store: &mut Guest<'_>, name: &str) -> std::result::Result<(), Stop> {
    let scope = Arc::clone(&store.data().scope);
    let tenant = &scope.tenant;
    let repositories = &tenant.state.repositories;
    let Some(repository) = repositories.find(name) else {
        return Ok(());
    };
    let changes = repositories.changes().await?;
    let (rows, submitted) = {
        let mut table = repository.table.write().await;
        let rows = table.clear(repositories.budget());
        let records: Vec<Record> = vec![repository.emptied()];
        (
            rows,
            changes.map(|changes| changes.submit(&repository, records)),
        )
    };
    // Freeing a million rows takes a while.
    tokio::task::spawn_blocking(move || drop(rows));
    repository.touch();
    if let Some(submitted) = submitted {
        submitted.committed().await?;
    }
    tell_deleted(store, &repository, vec![Change::Cleared]);
    Ok(())
}

/// Tells observers in the background, in order (runtime.md 3.1.2).
fn tell_deleted(store: &Guest<'_>, repository: &Arc<Repository>, changes: Vec<Change>) {
    let (scope, cause) = (&store.data().scope, store.data().chain.as_ref());
    if changes.is_empty() || !event::is_handled(scope, &repository.changed) {
        return;
    }
    let of = Arc::clone(repository);
    let payloads = changes
        .into_iter()
        .map(move |change| change::changed(&of, &change, now()));
    event::raise_all(scope, cause, &repository.changed, payloads);
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

impl From<WitSelection> for Selection {
    fn from(selection: WitSelection) -> Self {
        match selection {
            WitSelection::All => Self::All,
            WitSelection::First => Self::First,
            WitSelection::Last => Self::Last,
            WitSelection::Random => Self::Random,
        }
    }
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
