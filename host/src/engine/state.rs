//! What the host keeps beside each instance: whose it is, the event it runs for, what it has used.

use super::clock::{self, Clock};
use super::feature_set::Cause;
use super::turns::Turn;
use crate::conn::Connection;
use crate::event::Chain;
use crate::files::ServedFile;
use crate::life::Life;
use crate::net::event_stream::Label;
use crate::observe::executions::{Ending, Executions};
use crate::observe::limit::Limit;
use crate::record::recording::Recording;
use crate::record::replay::Replay;
use crate::route::Routes;
use crate::store::published::PublishError;
use crate::tenant::Tenant;
use aro_wit::manifest::{FeatureSet, Manifest};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasmtime::{ResourceLimiter, Result};

/// What all instances of a feature set share.
pub(crate) struct Scope {
    pub(crate) tenant: Arc<Tenant>,
    /// The life of the program that it belongs to.
    pub(crate) life: Arc<Life>,
    /// The handlers of that life, which own this.
    pub(crate) routes: Weak<Routes>,
    pub(crate) manifest: Arc<Manifest>,
    /// Position in the manifest.
    pub(crate) index: usize,
    pub(crate) clock: Clock,
    /// Of the artifact; only where its events are recorded.
    pub(crate) digest: Option<[u8; 32]>,
    /// What its executions are counted in.
    pub(crate) executions: Arc<Executions>,
}

impl Scope {
    /// The handlers of the version that it belongs to; none while no program of the tenant runs.
    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        let runs = self.tenant.routes.load().is_some();
        runs.then(|| self.routes.upgrade()).flatten()
    }

    /// The feature set's entry in the manifest.
    pub(crate) fn entry(&self) -> &FeatureSet {
        self.manifest
            .feature_sets
            .get(self.index)
            .expect("loading checked that the manifest has an entry for each component")
    }
}

/// The data of a store.
pub(crate) struct GuestState {
    pub(crate) scope: Arc<Scope>,
    /// The connection whose event is being handled.
    pub(crate) connection: Option<Arc<Connection>>,
    /// The events that led to the execution.
    pub(crate) chain: Option<Arc<Chain>>,
    /// What the response of the request that is being handled is besides what the handler answers; none in other executions.
    pub(crate) response: Option<ResponseState>,
    pub(crate) memory: Memory,
    /// Identity of the running execution among those that publish; none until it publishes.
    pub(crate) execution: Option<u64>,
    /// The statement that was running when the guest last gave the executor back.
    pub(crate) suspended_at: Option<u32>,
    /// What the next message is called where it becomes an event of a stream.
    pub(crate) label: Option<Box<Label>>,
    /// Number of the event that is being handled.
    pub(crate) event: u64,
    cpu_ticks: u64,
    cpu_time_max: Duration,
    /// What is recorded of the execution, or answers it.
    pub(crate) watch: Watch,
    /// The turn that it computes with, where it needs one.
    turn: Option<TurnSlot>,
}

/// Who looks on while a guest runs.
#[derive(Debug)]
pub(crate) enum Watch {
    /// Nobody.
    None,
    /// What passes is recorded.
    Recording(Box<Recording>),
    /// What was recorded answers.
    Replay(Box<Replay>),
}

/// Shared with the wait for the next turn, which has no access to the store.
type TurnSlot = Arc<Mutex<Option<Turn>>>;

impl GuestState {
    pub(crate) fn new(scope: Arc<Scope>) -> Self {
        let cpu_time_max = scope.tenant.settings.limits.cpu_time_max;
        Self {
            scope,
            connection: None,
            chain: None,
            response: None,
            memory: Memory::default(),
            execution: None,
            suspended_at: None,
            label: None,
            event: 0,
            cpu_ticks: 0,
            cpu_time_max,
            watch: Watch::None,
            turn: None,
        }
    }

    /// Makes an instance ready for its next event.
    pub(crate) fn begin(&mut self, cause: Cause, event: u64, cpu_time_max: Duration) {
        self.cpu_time_max = cpu_time_max;
        let is_request = matches!(cause, Cause::Request(_));
        self.response = is_request.then(ResponseState::default);
        (self.connection, self.chain) = match cause {
            Cause::Connection(connection) => (Some(connection), None),
            Cause::Event(chain) => (None, Some(chain)),
            Cause::Request(stream) => (stream, None),
            Cause::LifeCycle => (None, None),
        };
        self.memory.denied = false;
        self.event = event;
        self.execution = None;
        self.suspended_at = None;
        self.label = None;
        self.cpu_ticks = 0;
        self.watch = Watch::None;
    }

    /// Ends what lives as long as an execution. One that is dropped while it waits ends, too.
    pub(crate) fn end_execution(&mut self) {
        if let Some(execution) = self.execution.take() {
            self.scope.tenant.state.published.end(execution);
        }
    }

    /// The recording of this execution.
    pub(crate) fn recording(&mut self) -> Option<&mut Recording> {
        match &mut self.watch {
            Watch::Recording(recording) => Some(recording),
            Watch::None | Watch::Replay(_) => None,
        }
    }

    /// What answers this execution.
    pub(crate) fn replay(&mut self) -> Result<&mut Replay, Refused> {
        match &mut self.watch {
            Watch::Replay(replay) => Ok(replay),
            Watch::None | Watch::Recording(_) => Err(Refused::Recorded(
                "nothing was recorded of how an instance begins".to_owned(),
            )),
        }
    }

    /// Charges a guest that is about to wait, and gives its turn on: it does not compute meanwhile.
    pub(crate) fn pause(&mut self) -> Result<(), Refused> {
        self.charge()?;
        self.release_turn();
        Ok(())
    }

    /// Computes with this turn from now on.
    pub(crate) fn hold_turn(&mut self, turn: Turn) {
        self.turn = Some(Arc::new(Mutex::new(Some(turn))));
    }

    /// Gives its turn on, if it has one.
    pub(crate) fn release_turn(&self) {
        if let Some(slot) = &self.turn {
            drop(slot.lock().take());
        }
    }

    /// Gives the executor back, and waits for its tenant's next turn where others want one too.
    pub(crate) fn next_turn(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let tenant = Arc::clone(&self.scope.tenant);
        let slot = Arc::clone(self.turn.get_or_insert_default());
        // It waits before it gives its turn on, so that it may get it again.
        let next = tenant.share.has_others().then(|| tenant.share.wait());
        self.release_turn();
        Box::pin(async move {
            // Tokio polls its sockets before it resumes a task that yields this way: spinning guests cannot starve them.
            tokio::task::yield_now().await;
            if let Some(next) = next
                && let Ok(turn) = next.await
            {
                *slot.lock() = Some(turn);
            }
        })
    }

    /// Charges the time since the guest was resumed; fails when it has used all it may.
    pub(crate) fn charge(&mut self) -> Result<(), Refused> {
        let spent = self.scope.clock.spent();
        self.cpu_ticks += spent;
        self.scope.tenant.share.charge(spent);
        let limit = self.cpu_time_max;
        let used = clock::duration(self.cpu_ticks);
        if used >= limit {
            Err(Refused::CpuTime { limit })
        } else {
            Ok(())
        }
    }
}

/// What a response is besides what its handler answers.
#[derive(Debug, Default)]
pub(crate) struct ResponseState {
    /// Its body, in place of the one that the handler answers.
    pub(crate) file: Option<ServedFile>,
}

/// Something that ends an execution because the host does not allow it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("ran longer than {} ms of CPU time", limit.as_millis())]
    CpuTime { limit: Duration },
    #[error("a message of {bytes} bytes is too long; at most {max} can be sent at once")]
    Message { bytes: usize, max: usize },
    #[error("{0}")]
    Publish(PublishError),
    #[error("{bytes} random bytes were asked for at once; at most {max} are given")]
    Random { bytes: u64, max: u64 },
    #[error("the system gives no random bytes")]
    NoRandom,
    /// As it was refused when it was recorded.
    #[error("{0}")]
    Recorded(String),
}

impl Refused {
    /// How it ends the execution.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::CpuTime { .. } => Ending::Limited(Limit::CpuTime),
            Self::Message { .. } => Ending::Limited(Limit::MessageBytes),
            Self::Publish(error) => error.limit().map_or(Ending::Failed, Ending::Limited),
            Self::Random { .. } | Self::NoRandom | Self::Recorded(_) => Ending::Failed,
        }
    }
}

/// The memory of an instance.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Whether a request was denied during this event: explains the trap of the guest's allocator that follows.
    pub(crate) denied: bool,
    /// What has been granted beyond the initial memory since the instance was made.
    pub(crate) grown_bytes: usize,
    /// All that has been granted.
    held_bytes: usize,
}

impl Drop for GuestState {
    fn drop(&mut self) {
        self.end_execution();
        let memory = &self.scope.tenant.counters.memory;
        memory.fetch_sub(self.memory.held_bytes, Ordering::Relaxed);
    }
}

/// Elements of one table.
const TABLE_ELEMENTS_MAX: usize = 4096;

/// Bounds the memory of the instance and remembers that it wanted more.
impl ResourceLimiter for GuestState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let tenant = &self.scope.tenant;
        let allowed = desired <= tenant.settings.limits.memory_bytes_max;
        // The first request, from nothing, is the initial memory.
        if allowed && current > 0 {
            self.memory.grown_bytes += desired - current;
        }
        if allowed {
            let more = desired.saturating_sub(current);
            self.memory.held_bytes += more;
            tenant.counters.memory.fetch_add(more, Ordering::Relaxed);
        }
        self.memory.denied |= !allowed;
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}
