//! `aro:events/bus`, `aro:events/timers` and `aro:program/lifetime`.

use super::{Constant, Done, Interface, Pending};
use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::{GuestState, Scope};
use crate::engine::trap;
use crate::event::{self, Chain};
use crate::observe::limit::Limit;
use crate::timer::{self, Repeat, TimerError};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

/// How long `keep` waits before it looks whether anything runs, where nothing is open that could cause an event (runtime.md 1.4.2).
const BATCH_GRACE: Duration = Duration::from_millis(500);
/// Interval of looking.
const BATCH_CHECK: Duration = Duration::from_millis(100);
/// Looks in a row that must find nothing running.
const BATCH_CHECKS: u32 = 20;

type Answer = (std::result::Result<(), String>,);

struct Handled;

impl Constant for Handled {
    type Answer = Answer;
    const ANSWER: Answer = (Ok(()),);
}

pub(super) fn define_bus(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("emit", emit)
}

fn emit<'a>(
    store: StoreContextMut<'a, GuestState>,
    (subject, payload): (WasmStr, WasmList<u8>),
) -> Pending<'a, Answer> {
    let raised = raised(&store, subject);
    match raised {
        Err(error) => Box::new(async move { Err(error) }),
        Ok(None) => Done::<Handled>::boxed(),
        Ok(Some(Err(error))) => Box::new(async move { Ok((Err(error.to_string()),)) }),
        Ok(Some(Ok(chain))) => Box::new(deliver(store, chain, payload)),
    }
}

type Raised = Option<std::result::Result<Arc<Chain>, event::RaiseError>>;

/// The chain of a new event; none if nothing handles it.
fn raised(store: &StoreContextMut<'_, GuestState>, subject: WasmStr) -> Result<Raised> {
    let subject = subject.to_str(store)?;
    let state = store.data();
    let tenant = &state.scope.tenant;
    if !event::is_handled(&state.scope, &subject) {
        return Ok(None);
    }
    let chain = Chain::extend(state.chain.as_ref(), &subject, &tenant.settings.limits);
    if let Err(error) = &chain {
        tenant.counters.hit(error.limit());
    }
    Ok(Some(chain))
}

async fn deliver(
    mut store: StoreContextMut<'_, GuestState>,
    chain: Arc<Chain>,
    payload: WasmList<u8>,
) -> Result<Answer> {
    suspend(&mut store)?;
    let payload: Arc<[u8]> = payload.as_le_slice(&store).into();
    let scope = Arc::clone(&store.data().scope);
    event::deliver(&scope, &chain, payload).await;
    resume(&mut store);
    Ok((Ok(()),))
}

pub(super) fn define_timers(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "schedule",
        |store: StoreContextMut<'_, GuestState>,
         (event, milliseconds, once): (WasmStr, u64, bool)| {
            let event = event.to_str(&store)?;
            let repeat = if once { Repeat::Once } else { Repeat::Always };
            let interval = Duration::from_millis(milliseconds);
            let scope = &store.data().scope;
            let started = timer::schedule(&scope.tenant, &scope.life, &event, interval, repeat);
            if let Err(TimerError::TooMany { .. }) = started {
                scope.tenant.counters.hit(Limit::Timers);
            }
            Ok((started.map_err(|error| error.to_string()),))
        },
    )?;
    interface.func_wrap(
        "cancel",
        |store: StoreContextMut<'_, GuestState>, (event,): (WasmStr,)| {
            let event = event.to_str(&store)?;
            let scope = &store.data().scope;
            scope.life.timers.cancel(&event);
            scope.tenant.timers.cancel(&event);
            Ok(())
        },
    )
}

pub(super) fn define_lifetime(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async(
        "keep",
        |mut store: StoreContextMut<'_, GuestState>, (): ()| {
            Box::new(async move {
                suspend(&mut store)?;
                let scope = Arc::clone(&store.data().scope);
                scope.life.keep();
                keep(&scope).await;
                resume(&mut store);
                Ok(())
            })
        },
    )
}

/// Until the program is told to stop, or nothing can happen any more: no event source is left and no handler has run for a while (runtime.md 1.4.2).
async fn keep(scope: &Scope) {
    let tenant = &scope.tenant;
    let finished = async {
        tokio::time::sleep(BATCH_GRACE).await;
        let mut quiet = 0;
        while quiet < BATCH_CHECKS {
            let changed = tenant.sources_changed.notified();
            let timers = tenant.timers.count() + scope.life.timers.count();
            let timers = timers + tenant.monitors.count() + scope.life.monitors.count();
            let sockets = tenant.sources();
            if sockets > 0 && timers == 0 {
                changed.await;
            } else {
                tokio::time::sleep(BATCH_CHECK).await;
            }
            let idle = sockets + timers == 0 && tenant.is_quiet();
            quiet = if idle { quiet + 1 } else { 0 };
        }
    };
    if tenant
        .stopping
        .run_until_cancelled(finished)
        .await
        .is_some()
    {
        tenant.stopping.cancel();
    }
}

/// Before a wait: what the guest has used is charged, and a time-out will name the statement.
pub(super) fn suspend(store: &mut StoreContextMut<'_, GuestState>) -> Result<()> {
    store.data_mut().pause()?;
    let statement = trap::statement_now(&*store);
    store.data_mut().suspended_at = statement;
    Ok(())
}

/// After a wait: the guest is charged from now on.
pub(super) fn resume(store: &mut StoreContextMut<'_, GuestState>) {
    store.data().scope.clock.mark();
    store.set_epoch_deadline(SLICE_TICKS);
}
