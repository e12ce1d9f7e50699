//! What a host says of its tenants to those who operate it.

use crate::observe::Observed;
use crate::tenant::{Tenant, TenantId};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
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
    /// Outermost handlers under way.
    pub instances_running: usize,
    /// Instances that wait for an event.
    pub instances_idle: usize,
    /// CPU time of its handlers, in steps of five milliseconds.
    pub cpu_time: Duration,
    /// Where its listeners listen.
    pub listeners: Vec<SocketAddr>,
    /// Where its HTTP servers listen.
    pub http_servers: Vec<SocketAddr>,
    /// What has been counted.
    pub observed: Observed,
}

impl TenantStatus {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let releases = tenant.releases.list();
        let current = releases.iter().find(|release| release.is_current);
        let listeners = tenant.sockets.listeners();
        let servers = tenant.http.lock();
        Self {
            id: tenant.id.clone(),
            is_running: tenant.routes.load().is_some() && !tenant.stopping.is_cancelled(),
            version: current.map(|release| release.number),
            connections: tenant.connections.load(Ordering::Acquire),
            instances_running: tenant.permits.in_use(),
            instances_idle: tenant.idle.load(Ordering::Acquire),
            cpu_time: tenant.cpu_time(),
            listeners: listeners.iter().map(|listener| listener.address).collect(),
            http_servers: servers.iter().map(|server| server.address()).collect(),
            observed: tenant.counters.observe(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    tenant: String,
}

/// What a number is called and says: its name without `aro_` and `_total`, and its help.
type Named<T> = (&'static str, &'static str, fn(&TenantStatus) -> T);

const COUNTERS: [Named<u64>; 11] = [
    (
        "host_connections_opened",
        "Connections that were opened",
        |one| one.observed.connections_opened,
    ),
    (
        "host_connections_refused",
        "Connections closed because there were too many",
        |one| one.observed.connections_refused,
    ),
    (
        "host_slow_peers",
        "Broadcasts that met a full queue",
        |one| one.observed.slow_peers,
    ),
    (
        "host_accept_errors",
        "Connections that the system did not give",
        |one| one.observed.accept_errors,
    ),
    ("host_events", "Executions of feature sets", |one| {
        one.observed.events
    }),
    ("host_events_failed", "Executions that failed", |one| {
        one.observed.events_failed
    }),
    (
        "host_events_dropped",
        "Events that nobody waits for, dropped",
        |one| one.observed.events_dropped,
    ),
    (
        "host_events_rate_limited",
        "Events from outside that had to wait or were refused",
        |one| one.observed.rate_limited,
    ),
    ("host_instances_made", "Instances that were made", |one| {
        one.observed.instances_made
    }),
    (
        "host_sends_to_closed",
        "Sends to connections that were gone",
        |one| one.observed.sends_to_closed,
    ),
    ("host_cpu_milliseconds", "CPU time of handlers", |one| {
        u64::try_from(one.cpu_time.as_millis()).unwrap_or(u64::MAX)
    }),
];

const GAUGES: [Named<usize>; 5] = [
    ("host_connections", "Open connections", |one| {
        one.connections
    }),
    (
        "host_instances_running",
        "Outermost handlers under way",
        |one| one.instances_running,
    ),
    (
        "host_instances_idle",
        "Instances that wait for an event",
        |one| one.instances_idle,
    ),
    ("host_listeners", "Open listeners and HTTP servers", |one| {
        one.listeners.len() + one.http_servers.len()
    }),
    (
        "host_version",
        "Number of the version that runs, 0 for none",
        |one| {
            one.version
                .and_then(|version| usize::try_from(version).ok())
                .unwrap_or_default()
        },
    ),
];

/// The text that Prometheus reads (OpenMetrics 1.0).
pub(crate) fn metrics(tenants: &[Arc<Tenant>]) -> String {
    let tenants: Vec<TenantStatus> = tenants
        .iter()
        .map(|tenant| TenantStatus::of(tenant))
        .collect();
    let labels = |one: &TenantStatus| Labels {
        tenant: one.id.to_string(),
    };
    let mut registry = Registry::with_prefix("aro");
    for (name, help, value) in COUNTERS {
        let family = Family::<Labels, Counter>::default();
        for one in &tenants {
            family.get_or_create(&labels(one)).inc_by(value(one));
        }
        registry.register(name, help, family);
    }
    for (name, help, value) in GAUGES {
        let family = Family::<Labels, Gauge>::default();
        for one in &tenants {
            let value = i64::try_from(value(one)).unwrap_or(i64::MAX);
            family.get_or_create(&labels(one)).set(value);
        }
        registry.register(name, help, family);
    }
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing to a string cannot fail");
    text
}
