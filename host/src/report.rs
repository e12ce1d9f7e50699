//! What a host says of its tenants to those who operate it, and a program of itself.

mod process;
pub(crate) mod program;
mod prometheus;

use crate::conn::table::Which;
use crate::observe::Observed;
use crate::observe::durations::Durations;
use crate::observe::executions::FeatureSetStatus;
use crate::observe::faults::Fault;
use crate::observe::traffic::ProtocolStatus;
use crate::tenant::{Tenant, TenantId};
pub use process::ProcessStatus;
pub(crate) use prometheus::metrics;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A tenant at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantStatus {
    /// Its name.
    pub id: TenantId,
    /// Whether its program has started and does not end.
    pub is_running: bool,
    /// Number of the version that runs.
    pub version: Option<u64>,
    /// Open connections.
    pub connections: usize,
    /// Connections by protocol.
    pub protocols: Vec<ProtocolStatus>,
    /// What is queued for its connections.
    pub queues: QueueStatus,
    /// Events that wait for an instance.
    pub events_waiting: usize,
    /// Events under way that nobody waits for.
    pub events_detached: usize,
    /// Outermost handlers under way.
    pub instances_running: usize,
    /// Instances that wait for an event.
    pub instances_idle: usize,
    /// Linear memory of all its instances, in bytes.
    pub instance_bytes: usize,
    /// Repositories and published variables, in bytes.
    pub state_bytes: usize,
    /// CPU time of its handlers, in steps of five milliseconds.
    pub cpu_time: Duration,
    /// Where its listeners listen.
    pub listeners: Vec<SocketAddr>,
    /// Where its HTTP servers listen.
    pub http_servers: Vec<SocketAddr>,
    /// How long its executions took.
    pub durations: Durations,
    /// The limits that were met, with how often.
    pub limits: Vec<(&'static str, u64)>,
    /// What has been counted.
    pub observed: Observed,
}

/// What waits to be written to the connections of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Bytes in all queues.
    pub bytes: usize,
    /// Messages in all queues.
    pub messages: usize,
    /// Bytes in the fullest queue.
    pub largest_bytes: usize,
}

/// What more there is to know of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantDetail {
    /// The tenant.
    pub status: TenantStatus,
    /// Those of its feature sets that have been executed, by component.
    pub feature_sets: Vec<FeatureSetStatus>,
    /// The last executions that ended early, newest first.
    pub faults: Vec<Fault>,
}

impl TenantStatus {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        Self::with(tenant, &tenant.counters.records.read())
    }

    fn with(tenant: &Tenant, feature_sets: &[FeatureSetStatus]) -> Self {
        let releases = tenant.releases.list();
        let current = releases.iter().find(|release| release.is_current);
        let listeners = tenant.sockets.listeners();
        let servers = tenant.http.lock();
        let mut durations = Durations::default();
        for set in feature_sets {
            durations.add(&set.durations);
        }
        let detached_max = tenant.settings.limits.detached_events_max;
        let detached_free = tenant.detached.available_permits();
        Self {
            id: tenant.id.clone(),
            is_running: tenant.is_running(),
            version: current.map(|release| release.number),
            connections: tenant.connections.load(Ordering::Acquire),
            protocols: tenant.counters.traffic.read(),
            queues: QueueStatus::of(tenant),
            events_waiting: tenant.counters.waiting.load(Ordering::Relaxed),
            events_detached: detached_max.saturating_sub(detached_free),
            instances_running: tenant.permits.in_use(),
            instances_idle: tenant.idle.load(Ordering::Acquire),
            instance_bytes: tenant.counters.memory.load(Ordering::Relaxed),
            state_bytes: tenant.state.bytes(),
            cpu_time: tenant.cpu_time(),
            listeners: listeners.iter().map(|listener| listener.address).collect(),
            http_servers: servers.iter().map(|server| server.address()).collect(),
            durations,
            limits: tenant.counters.limits.read(),
            observed: tenant.counters.observe(),
        }
    }
}

impl TenantDetail {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let feature_sets = tenant.counters.records.read();
        Self {
            status: TenantStatus::with(tenant, &feature_sets),
            feature_sets,
            faults: tenant.counters.faults.read(),
        }
    }
}

impl QueueStatus {
    fn of(tenant: &Tenant) -> Self {
        let mut status = Self::default();
        tenant.sockets.each_connection(Which::All, |connection| {
            let (bytes, messages) = connection.outbound.depth();
            status.bytes += bytes;
            status.messages += messages;
            status.largest_bytes = status.largest_bytes.max(bytes);
        });
        status
    }
}
