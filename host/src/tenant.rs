//! Everything the host keeps for one tenant. Tenants share machine code, threads and this type's code, never an instance of it.

use crate::config::Settings;
use crate::conn::channel::{ChannelLimits, Channels};
use crate::conn::outbound::{Outbound, QueueLimits};
use crate::conn::table::SocketTable;
use crate::console::Console;
use crate::engine::clock;
use crate::engine::load::Code;
use crate::engine::turns::{Share, Turns};
use crate::files::Files;
use crate::files::monitor::Monitors;
use crate::net::buffer::BufferPool;
use crate::net::connect::ConnectError;
use crate::net::http::Server;
use crate::net::http::client::Client;
use crate::net::http::client::followed::Streams;
use crate::net::intake::Intake;
use crate::net::listener::Listener;
use crate::observe::Counters;
use crate::observe::limit::Limit;
use crate::observe::traffic::Protocol;
use crate::permit::Permits;
use crate::rate::Rate;
use crate::record::{Bounds, Recorder};
use crate::release::Releases;
use crate::route::Routes;
use crate::store::{State, StateError};
use crate::timer::Timers;
use arc_swap::ArcSwapOption;
use aro_wit::manifest::Manifest;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest tenant name, in bytes.
const TENANT_BYTES_MAX: usize = 64;

/// Name of a tenant: 1 to 64 ASCII letters, digits, `-` or `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// A text that cannot name a tenant.
#[derive(Debug, thiserror::Error)]
#[error("tenant name {name:?} is not 1 to {TENANT_BYTES_MAX} letters, digits, `-` or `_`")]
pub struct TenantIdError {
    name: String,
}

impl TenantId {
    /// Reads a tenant's name.
    ///
    /// # Errors
    /// [`TenantIdError`] if it has another shape.
    pub fn new(name: &str) -> Result<Self, TenantIdError> {
        let fits = (1..=TENANT_BYTES_MAX).contains(&name.len());
        if fits
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        {
            Ok(Self(name.into()))
        } else {
            Err(TenantIdError {
                name: name.chars().take(TENANT_BYTES_MAX).collect(),
            })
        }
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the life of a tenant's program has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Events are read and handled.
    Running,
    /// Nothing more is accepted or read; what is queued is still written.
    Draining,
    /// Connections end without further events.
    Closing,
}

/// One tenant.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) console: Console,
    pub(crate) files: Arc<Files>,
    pub(crate) sockets: SocketTable,
    /// Open HTTP servers.
    pub(crate) http: Mutex<Vec<Arc<Server>>>,
    /// Those of them that are reached through shared listeners, and take requests.
    pub(crate) http_attached: AtomicUsize,
    /// The listener that is reached through a shared one.
    pub(crate) tcp_attached: ArcSwapOption<Listener>,
    /// Connections of requests to others.
    pub(crate) client: Client,
    /// Streams that it follows.
    pub(crate) client_streams: Streams,
    pub(crate) channels: Channels,
    /// One permit for each name that is being resolved.
    pub(crate) resolutions: Arc<Semaphore>,
    /// One permit for each HTTP request whose body is read or that is being answered, until the peer has taken the answer.
    pub(crate) http_requests: Arc<Semaphore>,
    /// What it has received in part.
    pub(crate) intake: Arc<Intake>,
    websockets: AtomicUsize,
    pub(crate) state: State,
    pub(crate) counters: Counters,
    /// Who records its events, if somebody does.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) permits: Permits,
    /// What it may compute beside others.
    pub(crate) share: Share,
    pub(crate) rate: Rate,
    /// Its idle instances.
    pub(crate) idle: AtomicUsize,
    /// One permit for each event that nobody waits for.
    pub(crate) detached: Arc<Semaphore>,
    /// One of those permits has been given back.
    pub(crate) settled: Notify,
    pub(crate) timers: Timers,
    /// Directories that its handlers watch.
    pub(crate) monitors: Monitors,
    /// The program is asked to end.
    pub(crate) stopping: CancellationToken,
    /// Entered with [`Phase::Draining`].
    pub(crate) draining: CancellationToken,
    /// Entered with [`Phase::Closing`].
    pub(crate) closing: CancellationToken,
    pub(crate) buffers: BufferPool,
    /// Where events go. Replaced whole; emptied when the program ends, which also breaks the cycle from here through idle instances back to the tenant.
    pub(crate) routes: ArcSwapOption<Routes>,
    pub(crate) connections: AtomicUsize,
    /// Those of them that the program has opened itself.
    pub(crate) outbound: AtomicUsize,
    pub(crate) listeners: AtomicUsize,
    /// The last listener or outbound connection may be gone.
    pub(crate) sources_changed: Notify,
    /// The versions of its program.
    pub(crate) releases: Releases,
    pub(crate) tasks: TaskTracker,
    /// Nobody waits for the handlers that run any more.
    pub(crate) stalled: AtomicBool,
    /// When it was made.
    pub(crate) begun: SystemTime,
    phase: AtomicU8,
}

/// The recorder of a tenant, in a directory of its own within that of all.
fn recorder(id: &TenantId, settings: &Settings) -> Result<Option<Recorder>, StateError> {
    let Some(directory) = &settings.record else {
        return Ok(None);
    };
    let directory = directory.join(&*id.0);
    let bounds = Bounds {
        event_bytes_max: settings.limits.record_event_bytes_max,
        bytes_max: settings.limits.record_bytes_max as u64,
    };
    match Recorder::open(&directory, bounds) {
        Ok(recorder) => Ok(Some(recorder)),
        Err(source) => Err(StateError::Record { directory, source }),
    }
}

impl Tenant {
    /// A tenant that is about to run the program of `manifest`.
    pub(crate) fn new(
        id: TenantId,
        settings: &Arc<Settings>,
        manifest: &Manifest,
        turns: &Arc<Turns>,
    ) -> Result<Self, StateError> {
        let limits = &settings.limits;
        let counters = Counters::default();
        Ok(Self {
            state: State::open(&id.0, settings, manifest)?,
            console: Console::new(settings, &id.0, &counters.limits),
            share: Share::new(turns, settings.weight),
            rate: Rate::new(limits.events_per_second_max),
            idle: AtomicUsize::new(0),
            files: Arc::new(Files::new(&settings.grants.directories, limits)),
            sockets: SocketTable::new(),
            http: Mutex::default(),
            http_attached: AtomicUsize::new(0),
            tcp_attached: ArcSwapOption::empty(),
            client: Client::new(limits.request_connections_max),
            client_streams: Streams::default(),
            channels: Channels::new(ChannelLimits {
                channels_max: limits.channels_max,
                name_bytes_max: limits.channel_name_bytes_max,
                subscriptions_max: limits.subscriptions_max,
            }),
            resolutions: Arc::new(Semaphore::new(limits.resolutions_max)),
            http_requests: Arc::new(Semaphore::new(limits.http_requests_max)),
            intake: Intake::new(limits.received_bytes_max),
            websockets: AtomicUsize::new(0),
            counters,
            recorder: recorder(&id, settings)?,
            permits: Permits::new(limits.instances_max, limits.event_depth_max),
            detached: Arc::new(Semaphore::new(limits.detached_events_max)),
            settled: Notify::new(),
            timers: Timers::default(),
            monitors: Monitors::default(),
            stopping: CancellationToken::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            buffers: BufferPool::new(limits.read_buffers_max),
            routes: ArcSwapOption::empty(),
            connections: AtomicUsize::new(0),
            outbound: AtomicUsize::new(0),
            listeners: AtomicUsize::new(0),
            sources_changed: Notify::new(),
            releases: Releases::default(),
            tasks: TaskTracker::new(),
            stalled: AtomicBool::new(false),
            begun: SystemTime::now(),
            phase: AtomicU8::new(Phase::Running as u8),
            settings: Arc::clone(settings),
            id,
        })
    }

    /// Keeps the artifact of a version whose events are recorded.
    pub(crate) fn keep_recorded(&self, code: &Code, file: &[u8]) -> Result<(), StateError> {
        let (Some(recorder), Some(digest)) = (&self.recorder, &code.digest) else {
            return Ok(());
        };
        recorder
            .keep_app(digest, file)
            .map_err(|source| StateError::Record {
                directory: recorder.directory().to_owned(),
                source,
            })
    }

    /// Waits until all that was recorded is kept; nothing is recorded any more.
    pub(crate) async fn end_recording(self: &Arc<Self>) {
        if self.recorder.is_none() {
            return;
        }
        let tenant = Arc::clone(self);
        let ending = tokio::task::spawn_blocking(move || {
            tenant.recorder.as_ref().map(Recorder::end);
        });
        drop(ending.await);
    }

    pub(crate) fn enter_phase(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        if phase >= Phase::Draining {
            self.draining.cancel();
        }
        if phase >= Phase::Closing {
            self.closing.cancel();
        }
    }

    /// Waits until the events that are under way leave room for another one at this depth.
    pub(crate) async fn wait_for_permit(&self, depth: usize) -> SemaphorePermit<'_> {
        self.counters.hit(Limit::Instances);
        let _waiting = Waiting::begin(&self.counters.waiting);
        self.permits.acquire(depth).await
    }

    /// Listeners and outbound connections: what can cause events as long as it is open.
    pub(crate) fn sources(&self) -> usize {
        self.listeners.load(Ordering::Acquire) + self.outbound.load(Ordering::Acquire)
    }

    /// CPU time that its guests have used.
    pub(crate) fn cpu_time(&self) -> Duration {
        clock::duration(self.share.ticks())
    }

    /// An outbound queue for a new connection.
    pub(crate) fn queue(&self) -> Outbound {
        let limits = &self.settings.limits;
        Outbound::new(QueueLimits {
            bytes_max: limits.queue_bytes_max,
            messages_max: limits.queue_messages_max,
        })
    }

    /// Whether its program has started and does not end.
    pub(crate) fn is_running(&self) -> bool {
        self.routes.load().is_some() && !self.stopping.is_cancelled()
    }

    /// Waits until no handler runs and no event waits for one.
    pub(crate) async fn idle(&self) {
        while !self.is_idle() {
            let settled = self.settled.notified();
            // Not by acquiring all permits: events that are raised meanwhile would find none.
            if self.detached.available_permits() < self.settings.limits.detached_events_max {
                settled.await;
            }
            self.permits.idle().await;
        }
    }

    fn is_idle(&self) -> bool {
        self.detached.available_permits() == self.settings.limits.detached_events_max
            && self.permits.in_use() == 0
    }

    /// Whether nothing runs but the start itself.
    pub(crate) fn is_quiet(&self) -> bool {
        self.detached.available_permits() == self.settings.limits.detached_events_max
            && self.permits.in_use() <= 1
    }

    /// Whether `phase` or a later one has been entered.
    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) >= phase as u8
    }
}

/// Counts what waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection's share of what the tenant may have; given back when dropped.
pub(crate) struct Slot {
    tenant: Arc<Tenant>,
    protocol: Protocol,
}

impl Slot {
    /// None when the tenant has too many connections.
    pub(crate) fn inbound(tenant: &Arc<Tenant>, protocol: Protocol) -> Option<Self> {
        let max = tenant.settings.limits.connections_max;
        if !take(&tenant.connections, max) {
            tenant.counters.hit(Limit::Connections);
            return None;
        }
        let lane = tenant.counters.traffic.of(protocol);
        lane.open.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            tenant: Arc::clone(tenant),
            protocol,
        })
    }

    /// Counts it as opened.
    pub(crate) fn opened(&self) {
        let lane = self.tenant.counters.traffic.of(self.protocol);
        lane.opened.add(1);
    }

    /// Something else is spoken on the connection from now on.
    pub(crate) fn becomes(&mut self, protocol: Protocol) {
        let traffic = &self.tenant.counters.traffic;
        let before = std::mem::replace(&mut self.protocol, protocol);
        traffic.of(before).open.fetch_sub(1, Ordering::Relaxed);
        traffic.of(protocol).open.fetch_add(1, Ordering::Relaxed);
        traffic.of(protocol).opened.add(1);
    }

    /// What is spoken on the connection.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// # Errors
    /// [`ConnectError`] says of what there is too much.
    pub(crate) fn outbound(tenant: &Arc<Tenant>) -> Result<Self, ConnectError> {
        let max = tenant.settings.limits.outbound_max;
        if !take(&tenant.outbound, max) {
            tenant.counters.hit(Limit::Outbound);
            return Err(ConnectError::TooManyOutbound { max });
        }
        Self::inbound(tenant, Protocol::Outbound).ok_or_else(|| {
            tenant.outbound.fetch_sub(1, Ordering::AcqRel);
            let max = tenant.settings.limits.connections_max;
            ConnectError::TooMany { max }
        })
    }
}

impl Slot {
    /// Whose share it is.
    pub(crate) fn is_of(&self, tenant: &Arc<Tenant>) -> bool {
        Arc::ptr_eq(&self.tenant, tenant)
    }

    /// The tenant has met a limit on the connection.
    pub(crate) fn hit(&self, limit: Limit) {
        self.tenant.counters.hit(limit);
    }

    /// Whether the tenant has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.tenant.is_in(Phase::Closing)
    }
}

/// A WebSocket's share of what the tenant may have, besides that of its connection.
#[derive(Debug)]
pub(crate) struct WebSocketSlot {
    tenant: Arc<Tenant>,
}

impl WebSocketSlot {
    /// None when the tenant has too many WebSockets.
    pub(crate) fn take(tenant: &Arc<Tenant>) -> Option<Self> {
        let max = tenant.settings.limits.websockets_max;
        if !take(&tenant.websockets, max) {
            tenant.counters.hit(Limit::WebSockets);
            return None;
        }
        Some(Self {
            tenant: Arc::clone(tenant),
        })
    }
}

impl Drop for WebSocketSlot {
    fn drop(&mut self) {
        self.tenant.websockets.fetch_sub(1, Ordering::AcqRel);
    }
}

fn take(count: &AtomicUsize, max: usize) -> bool {
    let taken = count.fetch_add(1, Ordering::AcqRel) < max;
    if !taken {
        count.fetch_sub(1, Ordering::AcqRel);
    }
    taken
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.tenant.connections.fetch_sub(1, Ordering::AcqRel);
        let lane = self.tenant.counters.traffic.of(self.protocol);
        lane.open.fetch_sub(1, Ordering::Relaxed);
        if self.protocol == Protocol::Outbound {
            self.tenant.outbound.fetch_sub(1, Ordering::AcqRel);
            self.tenant.sources_changed.notify_waiters();
        }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
