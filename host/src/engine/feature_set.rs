//! A loaded feature set: its compiled component, its idle instances, and how one event is run in one of them.

use super::EngineError;
use super::clock::{Clock, SLICE_TICKS};
use super::state::{GuestState, Scope};
use super::trap;
use super::types::{WitFailure, WitResponse, WitSocket};
use crate::config::Isolation;
use crate::conn::Connection;
use crate::console::Stream;
use crate::failure::Failure;
use crate::net::buffer::Chunk;
use aro_wit::manifest::FeatureSet as Entry;
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{Store, UpdateDeadline};

type Answer = (Result<(), WitFailure>,);
type StartAnswer = (Result<WitResponse, WitFailure>,);
type Connected = TypedFunc<(WitSocket,), Answer>;
type Data = TypedFunc<(WitSocket, Chunk), Answer>;
type Disconnected = TypedFunc<(WitSocket, &'static str), Answer>;
type Start = TypedFunc<(), StartAnswer>;
type End = TypedFunc<(Option<Arc<str>>,), Answer>;

/// What a feature set is run for.
#[derive(Debug)]
pub(crate) enum Call {
    Connected {
        connection: Arc<Connection>,
    },
    Data {
        connection: Arc<Connection>,
        data: Chunk,
    },
    Disconnected {
        connection: Arc<Connection>,
        reason: &'static str,
    },
    End {
        error: Option<Arc<str>>,
    },
}

/// What the start of a program returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Exports by position, found once when the component is loaded.
#[derive(Debug, Default)]
pub(super) struct Exports {
    pub(super) start: Option<ComponentExportIndex>,
    pub(super) end: Option<ComponentExportIndex>,
    pub(super) connected: Option<ComponentExportIndex>,
    pub(super) data: Option<ComponentExportIndex>,
    pub(super) disconnected: Option<ComponentExportIndex>,
}

/// Exports of one instance, found when first called.
#[derive(Default)]
struct Functions {
    start: Option<Start>,
    end: Option<End>,
    connected: Option<Connected>,
    data: Option<Data>,
    disconnected: Option<Disconnected>,
}

/// One instance and its store.
struct Guest {
    store: Store<GuestState>,
    instance: Instance,
    functions: Functions,
    served: u32,
}

/// A feature set of a loaded program.
pub(crate) struct FeatureSet {
    pub(super) scope: Arc<Scope>,
    pub(super) component: InstancePre<GuestState>,
    pub(super) exports: Exports,
    idle: Mutex<Vec<Guest>>,
}

/// An execution that ended early, and whether its instance may go on.
enum Ended {
    /// The guest said so; it is in good order.
    Failed(Failure),
    /// It trapped or was cut off.
    Broken(Failure),
}

impl FeatureSet {
    pub(super) fn new(scope: Scope, component: InstancePre<GuestState>, exports: Exports) -> Self {
        Self {
            scope: Arc::new(scope),
            component,
            exports,
            idle: Mutex::default(),
        }
    }

    /// Its entry in the manifest.
    pub(crate) fn entry(&self) -> &Entry {
        self.scope.entry()
    }

    /// Runs it for an event and reports a failure on the console: a handler cannot fail whoever caused the event.
    pub(crate) async fn handle(&self, call: Call) {
        if let Err(failure) = self.run(call).await {
            let text = failure.in_handler(&self.scope.manifest, self.entry());
            self.scope.tenant.console.write(Stream::Error, &text);
        }
    }

    /// Runs it for an event.
    pub(crate) async fn run(&self, call: Call) -> Result<(), Failure> {
        let connection = match &call {
            Call::Connected { connection }
            | Call::Data { connection, .. }
            | Call::Disconnected { connection, .. } => Some(Arc::clone(connection)),
            Call::End { .. } => None,
        };
        self.execute(connection, async |guest| {
            guest.call(&self.exports, call).await
        })
        .await
    }

    /// Runs it as the start of the program.
    pub(crate) async fn start(&self) -> Result<Response, Failure> {
        self.execute(None, async |guest| {
            let start = guest.function(|functions| &mut functions.start, self.exports.start)?;
            let (answer,) = start.call_async(&mut guest.store, ()).await?;
            Ok(answer.map(|response| Response {
                status: response.status,
                reason: response.reason,
                fields: response.fields,
            }))
        })
        .await
    }

    /// Takes an instance, runs `call` in it within its limits, and keeps it or drops it as the isolation policy says.
    async fn execute<T>(
        &self,
        connection: Option<Arc<Connection>>,
        call: impl AsyncFnOnce(&mut Guest) -> wasmtime::Result<Result<T, WitFailure>>,
    ) -> Result<T, Failure> {
        let tenant = &self.scope.tenant;
        let _permit = match tenant.instances.try_acquire() {
            Ok(permit) => permit,
            Err(_) => tenant
                .instances
                .acquire()
                .await
                .expect("this semaphore is never closed"),
        };
        tenant.counters.events.add(1);
        let ended = match self.take().await {
            Ok(mut guest) => {
                guest.store.data_mut().begin(connection);
                let outcome = self.within_limits(&mut guest, call).await;
                if let Some(execution) = guest.store.data().execution {
                    tenant.state.published.end(execution);
                }
                if !matches!(outcome, Err(Ended::Broken(_))) {
                    self.give_back(guest);
                }
                outcome
            }
            Err(error) => Err(Ended::Broken(Failure::of_host(
                None,
                format!("no instance could be made: {error}"),
            ))),
        };
        ended.map_err(|ended| {
            tenant.counters.events_failed.add(1);
            match ended {
                Ended::Failed(failure) | Ended::Broken(failure) => failure,
            }
        })
    }

    /// Polls once before a timer is set, because most executions end without waiting.
    async fn within_limits<T>(
        &self,
        guest: &mut Guest,
        call: impl AsyncFnOnce(&mut Guest) -> wasmtime::Result<Result<T, WitFailure>>,
    ) -> Result<T, Ended> {
        guest.store.set_epoch_deadline(SLICE_TICKS);
        let limit = self.scope.tenant.settings.limits.wall_time_max;
        let outcome = {
            let mut running = pin!(call(guest));
            match futures_util::poll!(metered(&self.scope.clock, running.as_mut())) {
                std::task::Poll::Ready(outcome) => Ok(outcome),
                std::task::Poll::Pending => {
                    tokio::time::timeout(limit, metered(&self.scope.clock, running)).await
                }
            }
        };
        match outcome {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(failure))) => Err(Ended::Failed(failure.into())),
            Ok(Err(error)) => Err(Ended::Broken(trap::failure_of(&error, guest.store.data()))),
            Err(_elapsed) => {
                let cause = format!("took longer than {} ms", limit.as_millis());
                Err(Ended::Broken(Failure::of_host(
                    guest.store.data().suspended_at,
                    cause,
                )))
            }
        }
    }

    async fn take(&self) -> Result<Guest, EngineError> {
        if let Some(guest) = self.idle.lock().pop() {
            return Ok(guest);
        }
        self.scope.tenant.counters.instances_made.add(1);
        let mut store = Store::new(
            self.component.engine(),
            GuestState::new(Arc::clone(&self.scope)),
        );
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(
            self.scope
                .tenant
                .settings
                .limits
                .message_bytes_max
                .saturating_mul(2),
        );
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().charge()?;
            let statement = trap::statement_now(&store);
            store.data_mut().suspended_at = statement;
            // Tokio polls its sockets before it resumes a task that yields this way: spinning guests cannot starve them.
            Ok(UpdateDeadline::YieldCustom(
                SLICE_TICKS,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        store.set_epoch_deadline(SLICE_TICKS);
        let instance = self
            .component
            .instantiate_async(&mut store)
            .await
            .map_err(EngineError)?;
        Ok(Guest {
            store,
            instance,
            functions: Functions::default(),
            served: 0,
        })
    }

    fn give_back(&self, mut guest: Guest) {
        guest.store.data_mut().begin(None);
        guest.served += 1;
        if let Isolation::Reuse { events_max } = self.scope.tenant.settings.isolation
            && guest.served < events_max
        {
            let mut idle = self.idle.lock();
            if idle.len() < self.scope.tenant.settings.limits.idle_instances_max {
                idle.push(guest);
            }
        }
    }

    /// Drops the idle instances.
    pub(crate) fn clear_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// Has the clock start anew with each poll, so that waiting is not charged as CPU time.
fn metered<T>(
    clock: &Clock,
    mut running: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = T> + Unpin {
    poll_fn(move |cx| {
        clock.resume();
        running.as_mut().poll(cx)
    })
}

impl Guest {
    async fn call(
        &mut self,
        exports: &Exports,
        call: Call,
    ) -> wasmtime::Result<Result<(), WitFailure>> {
        let (answer,) = match call {
            Call::Data { connection, data } => {
                let function = self.function(|functions| &mut functions.data, exports.data)?;
                function
                    .call_async(&mut self.store, (connection.id.halves(), data))
                    .await?
            }
            Call::Connected { connection } => {
                let function =
                    self.function(|functions| &mut functions.connected, exports.connected)?;
                function
                    .call_async(&mut self.store, (connection.id.halves(),))
                    .await?
            }
            Call::Disconnected { connection, reason } => {
                let function = self.function(
                    |functions| &mut functions.disconnected,
                    exports.disconnected,
                )?;
                function
                    .call_async(&mut self.store, (connection.id.halves(), reason))
                    .await?
            }
            Call::End { error } => {
                let function = self.function(|functions| &mut functions.end, exports.end)?;
                function.call_async(&mut self.store, (error,)).await?
            }
        };
        Ok(answer)
    }

    fn function<P, R>(
        &mut self,
        known: impl Fn(&mut Functions) -> &mut Option<TypedFunc<P, R>>,
        export: Option<ComponentExportIndex>,
    ) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        if let Some(function) = known(&mut self.functions) {
            return Ok(*function);
        }
        let export = export.ok_or_else(|| {
            wasmtime::Error::msg("the component does not export what its manifest promises")
        })?;
        let function = self.instance.get_typed_func(&mut self.store, export)?;
        *known(&mut self.functions) = Some(function);
        Ok(function)
    }
}
