//! A loaded feature set: its compiled component, its idle instances, and how one event is run in one of them.

pub(super) mod signature;
mod watched;

use super::clock::SLICE_TICKS;
use super::pool::idle_instances_max;
use super::state::{GuestState, Scope, Watch};
use super::trap;
use super::types::{
    WitFailure, WitHttpResponse, WitMessageKind, WitRequest, WitResponse, WitSocket, WitTestFailure,
};
use crate::config::{Isolation, Limits};
use crate::conn::Connection;
use crate::console::Stream;
use crate::event::Chain;
use crate::failure::Failure;
use crate::files::ServedFile;
use crate::net::buffer::Chunk;
use crate::net::websocket::Kind;
use crate::observe::executions::Ending;
use crate::observe::limit::Limit;
use crate::observe::watch;
use crate::record::occasion::Occasion;
use aro_wit::manifest::{FeatureSet as Entry, Manifest};
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{Store, UpdateDeadline};
use watched::Told;

/// An instance whose memory has grown by more than this is not kept: memory cannot shrink, and an idle instance must be cheap.
const IDLE_GROWN_BYTES_MAX: usize = 1 << 20;

type Answer = (Result<(), WitFailure>,);
type StartAnswer = (Result<WitResponse, WitFailure>,);
type Connected = TypedFunc<(WitSocket,), Answer>;
type Data = TypedFunc<(WitSocket, Chunk), Answer>;
type Disconnected = TypedFunc<(WitSocket, Arc<str>), Answer>;
type Message = TypedFunc<(WitSocket, Arc<[u8]>, WitMessageKind), Answer>;
type Start = TypedFunc<(), StartAnswer>;
type Test = TypedFunc<(), (Result<(), WitTestFailure>,)>;
type Event = TypedFunc<(Arc<[u8]>,), Answer>;
type Operation = TypedFunc<(WitRequest,), (Result<WitHttpResponse, WitFailure>,)>;
type End = TypedFunc<(Option<Arc<str>>,), Answer>;

/// Why a feature set is run.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// Something happened on this connection.
    Connection(Arc<Connection>),
    /// The last event of this chain was raised.
    Event(Arc<Chain>),
    /// Somebody has sent a request; the response may stay open.
    Request(Option<Arc<Connection>>),
    /// The program starts or ends.
    LifeCycle,
}

/// A request for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What an operation answers.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What is sent in place of the body.
    pub(crate) file: Option<ServedFile>,
}

/// What a feature set is run with.
#[derive(Debug)]
pub(crate) enum Call {
    Connected,
    Data { data: Chunk },
    Message { kind: Kind, data: Arc<[u8]> },
    Finished,
    Disconnected { reason: Arc<str> },
    Event { payload: Arc<[u8]> },
    End { error: Option<Arc<str>> },
}

/// What the start of a program returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Exports by position, found once when the component is loaded.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Exports {
    pub(super) start: Option<ComponentExportIndex>,
    pub(super) end: Option<ComponentExportIndex>,
    pub(super) test: Option<ComponentExportIndex>,
    pub(super) connected: Option<ComponentExportIndex>,
    pub(super) data: Option<ComponentExportIndex>,
    pub(super) finished: Option<ComponentExportIndex>,
    pub(super) disconnected: Option<ComponentExportIndex>,
    pub(super) websocket_connected: Option<ComponentExportIndex>,
    pub(super) websocket_message: Option<ComponentExportIndex>,
    pub(super) websocket_disconnected: Option<ComponentExportIndex>,
    pub(super) event: Option<ComponentExportIndex>,
    pub(super) operation: Option<ComponentExportIndex>,
}

/// Exports of one instance, found when first called.
#[derive(Default)]
struct Functions {
    start: Option<Start>,
    end: Option<End>,
    test: Option<Test>,
    connected: Option<Connected>,
    data: Option<Data>,
    finished: Option<Connected>,
    disconnected: Option<Disconnected>,
    websocket_connected: Option<Connected>,
    websocket_message: Option<Message>,
    websocket_disconnected: Option<Disconnected>,
    event: Option<Event>,
    operation: Option<Operation>,
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
    #[expect(
        clippy::vec_box,
        reason = "a guest is passed on several times for each event and should move as a pointer"
    )]
    idle: Mutex<Vec<Box<Guest>>>,
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

    /// The manifest of its program.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.scope.manifest
    }

    /// Runs it for an event and reports a failure on the console: a handler cannot fail whoever caused the event.
    pub(crate) async fn handle(&self, cause: Cause, call: Call) {
        if let Err(failure) = self.run(cause, call).await {
            self.report(&failure);
        }
    }

    /// Says on the console that an execution has failed.
    pub(crate) fn report(&self, failure: &Failure) {
        let of = (&*self.scope.manifest, self.entry());
        let text = failure.in_handler(of.0, of.1);
        let console = &self.scope.tenant.console;
        console.fail(Stream::Error, &text, of, failure);
    }

    /// Runs it for an event.
    pub(crate) async fn run(&self, cause: Cause, call: Call) -> Result<(), Failure> {
        let limits = &self.scope.tenant.settings.limits;
        let allowance = match &cause {
            Cause::Connection(_) | Cause::Event(_) | Cause::Request(_) => {
                Allowance::of_event(limits)
            }
            Cause::LifeCycle => Allowance::of_end(limits),
        };
        let occasion = self.occasion(|| Occasion::of(&cause, &call));
        self.execute(cause, allowance, occasion, async |guest| {
            guest.call(&self.exports, call).await
        })
        .await
    }

    /// Runs it as the start of the program.
    pub(crate) async fn start(&self) -> Result<Response, Failure> {
        let allowance = Allowance::of_start(&self.scope.tenant.settings.limits);
        let occasion = self.occasion(|| Occasion::Start);
        self.execute(Cause::LifeCycle, allowance, occasion, async |guest| {
            guest.start(&self.exports).await
        })
        .await
    }

    /// Runs it for a request, whose response may stay open as `stream`.
    pub(crate) async fn request(
        &self,
        request: Request,
        stream: Option<Arc<Connection>>,
    ) -> Result<HttpResponse, Failure> {
        let allowance = Allowance::of_event(&self.scope.tenant.settings.limits);
        let occasion = self.occasion(|| Occasion::Request(request.clone()));
        self.execute(Cause::Request(stream), allowance, occasion, async |guest| {
            guest.request(&self.exports, request).await
        })
        .await
    }

    /// Runs it as a test.
    pub(crate) async fn test(&self) -> Result<(), Failure> {
        let allowance = Allowance::of_end(&self.scope.tenant.settings.limits);
        let occasion = self.occasion(|| Occasion::Test);
        self.execute(Cause::LifeCycle, allowance, occasion, async |guest| {
            guest.test(&self.exports).await
        })
        .await
    }

    /// Takes an instance, runs `call` in it within its limits, and keeps it or drops it as the isolation policy says.
    async fn execute<T: Told, F>(
        &self,
        cause: Cause,
        allowance: Allowance,
        occasion: Option<Box<Occasion>>,
        call: impl AsyncFnOnce(&mut Guest) -> wasmtime::Result<Result<T, F>>,
    ) -> Result<T, Failure>
    where
        Failure: From<F>,
    {
        let tenant = &self.scope.tenant;
        let depth = match &cause {
            Cause::Event(chain) => chain.depth(),
            Cause::Connection(_) | Cause::Request(_) | Cause::LifeCycle => 0,
        };
        let _permit = match tenant.permits.try_acquire(depth) {
            Some(permit) => permit,
            None => tenant.wait_for_permit(depth).await,
        };
        let watch = watch::Watch::begin(&self.scope, &cause);
        let event = watch.event;
        let mut execution = pin!(async {
            let guest = self.take(allowance).await?;
            self.execute_in(guest, (cause, event), allowance, occasion, call)
                .await
        });
        // Pinned where it is: to hand it to `tracing` would be to move all of it with every event.
        let outcome = poll_fn(|cx| {
            let _inside = watch.span.enter();
            execution.as_mut().poll(cx)
        });
        let outcome = outcome.await;
        watch.end(outcome)
    }

    async fn execute_in<T: Told, F>(
        &self,
        mut guest: Box<Guest>,
        (cause, event): (Cause, u64),
        allowance: Allowance,
        occasion: Option<Box<Occasion>>,
        call: impl AsyncFnOnce(&mut Guest) -> wasmtime::Result<Result<T, F>>,
    ) -> Result<T, Failure>
    where
        Failure: From<F>,
    {
        let state = guest.store.data_mut();
        state.begin(cause, event, allowance.cpu_time_max);
        if occasion.is_some() {
            self.record(&mut guest);
        }
        guest.store.set_epoch_deadline(SLICE_TICKS);
        if let Some(turn) = self.scope.tenant.share.admit().await {
            guest.store.data_mut().hold_turn(turn);
        }
        let outcome = self.within(allowance, pin!(call(&mut guest))).await;
        guest.store.data().release_turn();
        guest.store.data_mut().end_execution();
        let recording = occasion.and_then(|occasion| Some((occasion, guest.recording()?)));
        let outcome = match outcome {
            // The guest ended by itself and is in good order, whatever it says of its program.
            Ok(Ok(answer)) => {
                self.give_back(guest);
                answer.map_err(Failure::from)
            }
            Ok(Err(error)) => Err(trap::failure_of(&error, guest.store.data())),
            Err(elapsed) => Err(Failure::of_host(
                guest.store.data().suspended_at,
                elapsed.to_string(),
                Ending::Limited(Limit::WallTime),
            )),
        };
        if let Some((occasion, recording)) = recording {
            self.recorded(&occasion, recording, &outcome);
        }
        outcome
    }

    /// Polls once before a timer is set, because most executions end without waiting.
    async fn within<T>(
        &self,
        allowance: Allowance,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, TookTooLong> {
        if let Poll::Ready(done) = futures_util::poll!(metered(&self.scope, work.as_mut())) {
            return Ok(done);
        }
        let Some(limit) = allowance.wall_time_max else {
            return Ok(metered(&self.scope, work).await);
        };
        tokio::time::timeout(limit, metered(&self.scope, work))
            .await
            .map_err(|_| TookTooLong { limit })
    }

    async fn take(&self, allowance: Allowance) -> Result<Box<Guest>, Failure> {
        let idle = self.idle.lock().pop();
        if let Some(guest) = idle {
            self.scope.tenant.idle.fetch_sub(1, Ordering::AcqRel);
            return Ok(guest);
        }
        // A component may run code of its own while it is instantiated: the limits hold for that too.
        let cause = match self.within(allowance, pin!(self.instantiate())).await {
            Ok(Ok(guest)) => return Ok(guest),
            Ok(Err(refused)) => refused,
            Err(elapsed) => (elapsed.to_string(), Ending::Limited(Limit::WallTime)),
        };
        let (cause, ending) = cause;
        let cause = format!("no instance could be made: {cause}");
        Err(Failure::of_host(None, cause, ending))
    }

    /// A fresh instance, or in a few words why there is none.
    async fn instantiate(&self) -> Result<Box<Guest>, (String, Ending)> {
        self.scope.tenant.counters.instances_made.add(1);
        let mut store = Store::new(
            self.component.engine(),
            GuestState::new(Arc::clone(&self.scope)),
        );
        store.limiter(|state| state);
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
            let turn = store.data_mut().next_turn();
            Ok(UpdateDeadline::YieldCustom(SLICE_TICKS, turn))
        });
        store.set_epoch_deadline(SLICE_TICKS);
        let instance = match self.component.instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) => {
                let failure = trap::failure_of(&error, store.data());
                return Err((failure.cause, failure.ending));
            }
        };
        Ok(Box::new(Guest {
            store,
            instance,
            functions: Functions::default(),
            served: 0,
        }))
    }

    fn give_back(&self, mut guest: Box<Guest>) {
        let settings = &self.scope.tenant.settings;
        guest.served += 1;
        match settings.isolation {
            Isolation::Reuse { events_max } if guest.served < events_max => {}
            Isolation::Reuse { .. } | Isolation::Event => return,
        }
        let is_large = guest.store.data().memory.grown_bytes > IDLE_GROWN_BYTES_MAX;
        if is_large || self.scope.life.replaced.is_cancelled() {
            return;
        }
        // An idle instance must not keep a connection alive.
        guest.store.data_mut().connection = None;
        guest.store.data_mut().chain = None;
        guest.store.data_mut().response = None;
        if self.scope.tenant.idle.fetch_add(1, Ordering::AcqRel) < idle_instances_max(settings) {
            let mut idle = self.idle.lock();
            if idle.len() < settings.limits.idle_instances_max {
                idle.push(guest);
                return;
            }
        }
        self.scope.tenant.idle.fetch_sub(1, Ordering::AcqRel);
    }

    /// Drops the idle instances.
    pub(crate) fn clear_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        self.scope
            .tenant
            .idle
            .fetch_sub(idle.len(), Ordering::AcqRel);
        drop(idle);
    }
}

impl Drop for FeatureSet {
    fn drop(&mut self) {
        self.clear_idle();
    }
}

/// What one execution may use.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    cpu_time_max: Duration,
    /// None lets it wait as long as it likes.
    wall_time_max: Option<Duration>,
}

impl Allowance {
    fn of_event(limits: &Limits) -> Self {
        Self {
            cpu_time_max: limits.cpu_time_max,
            wall_time_max: Some(limits.wall_time_max),
        }
    }

    /// A start may wait for the end of the program.
    fn of_start(limits: &Limits) -> Self {
        Self {
            cpu_time_max: limits.life_cycle_cpu_time_max,
            wall_time_max: None,
        }
    }

    fn of_end(limits: &Limits) -> Self {
        Self {
            cpu_time_max: limits.life_cycle_cpu_time_max,
            wall_time_max: Some(limits.life_cycle_wall_time_max),
        }
    }
}

/// An execution that was cut off while it waited.
#[derive(Debug, thiserror::Error)]
#[error("took longer than {} ms", limit.as_millis())]
struct TookTooLong {
    limit: Duration,
}

/// Has the clock start anew with each poll, so that waiting is not charged as CPU time.
fn metered<T>(
    scope: &Scope,
    mut running: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = T> + Unpin {
    poll_fn(move |cx| {
        let timed = scope.clock.resume();
        let polled = running.as_mut().poll(cx);
        drop(timed);
        scope.tenant.share.charge(scope.clock.spent());
        polled
    })
}

impl Guest {
    async fn call(
        &mut self,
        exports: &Exports,
        call: Call,
    ) -> wasmtime::Result<Result<(), WitFailure>> {
        let (answer,) = match call {
            Call::Data { data } => {
                let function = self.function(|functions| &mut functions.data, exports.data)?;
                let socket = self.socket()?;
                function.call_async(&mut self.store, (socket, data)).await?
            }
            Call::Message { kind, data } => {
                let function = self.function(
                    |functions| &mut functions.websocket_message,
                    exports.websocket_message,
                )?;
                let (socket, kind) = (self.socket()?, kind.into());
                function
                    .call_async(&mut self.store, (socket, data, kind))
                    .await?
            }
            Call::Connected => {
                let function = if self.is_websocket() {
                    self.function(
                        |functions| &mut functions.websocket_connected,
                        exports.websocket_connected,
                    )?
                } else {
                    self.function(|functions| &mut functions.connected, exports.connected)?
                };
                let socket = self.socket()?;
                function.call_async(&mut self.store, (socket,)).await?
            }
            Call::Finished => {
                let function =
                    self.function(|functions| &mut functions.finished, exports.finished)?;
                let socket = self.socket()?;
                function.call_async(&mut self.store, (socket,)).await?
            }
            Call::Disconnected { reason } => {
                let function = if self.is_websocket() {
                    self.function(
                        |functions| &mut functions.websocket_disconnected,
                        exports.websocket_disconnected,
                    )?
                } else {
                    self.function(
                        |functions| &mut functions.disconnected,
                        exports.disconnected,
                    )?
                };
                let socket = self.socket()?;
                function
                    .call_async(&mut self.store, (socket, reason))
                    .await?
            }
            Call::Event { payload } => {
                let function = self.function(|functions| &mut functions.event, exports.event)?;
                function.call_async(&mut self.store, (payload,)).await?
            }
            Call::End { error } => {
                let function = self.function(|functions| &mut functions.end, exports.end)?;
                function.call_async(&mut self.store, (error,)).await?
            }
        };
        Ok(answer)
    }

    async fn start(&mut self, exports: &Exports) -> wasmtime::Result<Result<Response, WitFailure>> {
        let start = self.function(|functions| &mut functions.start, exports.start)?;
        let (answer,) = start.call_async(&mut self.store, ()).await?;
        Ok(answer.map(|response| Response {
            status: response.status,
            reason: response.reason,
            fields: response.fields,
        }))
    }

    async fn request(
        &mut self,
        exports: &Exports,
        request: Request,
    ) -> wasmtime::Result<Result<HttpResponse, WitFailure>> {
        let operation = self.function(|functions| &mut functions.operation, exports.operation)?;
        let request = WitRequest {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            parameters: request.parameters,
            body: request.body,
        };
        let (answer,) = operation.call_async(&mut self.store, (request,)).await?;
        let state = self.store.data_mut().response.take();
        Ok(answer.map(|response| HttpResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
            file: state.and_then(|state| state.file),
        }))
    }

    async fn test(&mut self, exports: &Exports) -> wasmtime::Result<Result<(), WitTestFailure>> {
        let test = self.function(|functions| &mut functions.test, exports.test)?;
        let (answer,) = test.call_async(&mut self.store, ()).await?;
        Ok(answer)
    }

    fn is_websocket(&self) -> bool {
        let state = self.store.data();
        match (&state.connection, &state.watch) {
            (Some(connection), _) => connection.is_websocket(),
            (None, Watch::Replay(replay)) => {
                replay.socket.is_some_and(|socket| socket.is_websocket)
            }
            (None, Watch::None | Watch::Recording(_)) => false,
        }
    }

    /// The connection whose event is being handled.
    fn socket(&self) -> wasmtime::Result<WitSocket> {
        let state = self.store.data();
        let socket = match (&state.connection, &state.watch) {
            (Some(connection), _) => Some(connection.id.halves()),
            (None, Watch::Replay(replay)) => replay.socket.map(|socket| socket.halves),
            (None, Watch::None | Watch::Recording(_)) => None,
        };
        socket.ok_or_else(|| wasmtime::Error::msg("this event belongs to no connection"))
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
