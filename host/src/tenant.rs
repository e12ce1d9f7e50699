//! Everything the host keeps for one tenant. Tenants share machine code, threads and this type's code, never an instance of it.

use crate::config::Settings;
use crate::conn::table::SocketTable;
use crate::console::Console;
use crate::files::Files;
use crate::net::buffer::BufferPool;
use crate::net::http::Server;
use crate::observe::Counters;
use crate::permit::Permits;
use crate::route::Routes;
use crate::store::{State, StateError};
use crate::timer::Timers;
use arc_swap::ArcSwapOption;
use aro_wit::manifest::Manifest;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use tokio::sync::{Notify, Semaphore};
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
    pub(crate) state: State,
    pub(crate) counters: Counters,
    pub(crate) permits: Permits,
    /// One permit for each event that nobody waits for.
    pub(crate) detached: Arc<Semaphore>,
    pub(crate) timers: Timers,
    /// Whether the start waits for the end of the program.
    pub(crate) keeping: AtomicBool,
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
    pub(crate) listeners: AtomicUsize,
    pub(crate) listeners_changed: Notify,
    /// Whether a listener has taken the port that the operator set for the first one.
    pub(crate) port_override_used: AtomicBool,
    pub(crate) tasks: TaskTracker,
    phase: AtomicU8,
}

impl Tenant {
    /// A tenant that is about to run the program of `manifest`.
    pub(crate) fn new(
        id: TenantId,
        settings: &Arc<Settings>,
        manifest: &Manifest,
    ) -> Result<Self, StateError> {
        let limits = &settings.limits;
        Ok(Self {
            state: State::open(&id.0, settings, manifest)?,
            id,
            console: Console::new(settings.console.clone()),
            files: Arc::new(Files::new(&settings.grants.directories, limits)),
            sockets: SocketTable::new(),
            http: Mutex::default(),
            counters: Counters::default(),
            permits: Permits::new(limits.instances_max, limits.event_depth_max),
            detached: Arc::new(Semaphore::new(limits.detached_events_max)),
            timers: Timers::default(),
            keeping: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            buffers: BufferPool::new(limits.read_buffers_max),
            routes: ArcSwapOption::empty(),
            connections: AtomicUsize::new(0),
            listeners: AtomicUsize::new(0),
            listeners_changed: Notify::new(),
            port_override_used: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            phase: AtomicU8::new(Phase::Running as u8),
            settings: Arc::clone(settings),
        })
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

    /// Waits until no handler runs and no event waits for one.
    pub(crate) async fn idle(&self) {
        let all = u32::try_from(self.settings.limits.detached_events_max).unwrap_or(u32::MAX);
        while !self.is_idle() {
            drop(self.detached.acquire_many(all).await);
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

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
