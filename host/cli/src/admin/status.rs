//! What runs, as the admin interface tells it: to the page, to `aro-host top`, to whoever asks. Only numbers that grow and numbers of now; whoever wants a rate asks twice.

use aro_host::{
    Durations, Fault, FeatureSetStatus, Host, ProcessStatus, Release, TenantDetail, TenantId,
    TenantStatus,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When this process began to tell.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The host at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Whole {
    /// Milliseconds since the host has started; what rates are measured by.
    pub(crate) uptime_ms: u64,
    pub(crate) host_version: String,
    pub(crate) process: Process,
    pub(crate) tenants: Vec<One>,
}

/// The process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) cpu_ms: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) descriptors: u64,
    pub(crate) descriptors_max: u64,
}

/// A tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct One {
    pub(crate) tenant: String,
    pub(crate) running: bool,
    pub(crate) version: Option<u64>,
    /// Open connections.
    pub(crate) connections: usize,
    pub(crate) protocols: BTreeMap<String, Lane>,
    pub(crate) listeners: Vec<String>,
    pub(crate) http: Vec<String>,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_messages: usize,
    pub(crate) queue_largest_bytes: usize,
    pub(crate) events: u64,
    pub(crate) events_failed: u64,
    pub(crate) events_waiting: usize,
    pub(crate) events_detached: usize,
    /// Outermost handlers under way.
    pub(crate) instances: usize,
    pub(crate) instances_idle: usize,
    pub(crate) instance_bytes: usize,
    pub(crate) state_bytes: usize,
    pub(crate) cpu_ms: u64,
    pub(crate) durations: Buckets,
    pub(crate) limits: BTreeMap<String, u64>,
}

/// Connections of one protocol.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Lane {
    pub(crate) open: usize,
    pub(crate) opened: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// A histogram without the empty buckets at both ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Buckets {
    /// The first bucket that is told.
    pub(crate) first: usize,
    pub(crate) counts: Vec<u64>,
    pub(crate) sum_us: u64,
}

/// All there is to know of a tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Detail {
    pub(crate) uptime_ms: u64,
    pub(crate) status: One,
    pub(crate) feature_sets: Vec<Set>,
    /// Newest first.
    pub(crate) faults: Vec<Failed>,
    pub(crate) versions: Vec<Version>,
}

/// A feature set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Set {
    pub(crate) component: String,
    pub(crate) name: String,
    pub(crate) activity: String,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) trapped: u64,
    pub(crate) limited: u64,
    pub(crate) durations: Buckets,
}

/// An execution that ended early.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) number: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) feature_set: String,
    pub(crate) activity: String,
    pub(crate) ending: String,
    pub(crate) limit: Option<String>,
    pub(crate) statement: Option<String>,
    pub(crate) place: Option<String>,
    pub(crate) cause: String,
    pub(crate) connection: Option<String>,
    pub(crate) event: u64,
    pub(crate) took_us: u64,
}

/// A version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: u64,
    pub(crate) program: String,
    pub(crate) sha256: String,
    /// Seconds since 1970.
    pub(crate) loaded: u64,
    pub(crate) current: bool,
    pub(crate) kept: bool,
}

impl Whole {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            uptime_ms: uptime_ms(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            process: ProcessStatus::now().into(),
            tenants: host.tenants().iter().map(One::of).collect(),
        }
    }
}

impl Detail {
    /// None if there is no such tenant.
    pub(crate) fn of(host: &Host, name: &str) -> Option<Self> {
        let id = TenantId::new(name).ok()?;
        let TenantDetail {
            status,
            feature_sets,
            faults,
            ..
        } = host.detail(&id).ok()?;
        let versions = host.releases(&id).ok()?;
        Some(Self {
            uptime_ms: uptime_ms(),
            status: One::of(&status),
            feature_sets: feature_sets.into_iter().map(Set::from).collect(),
            faults: faults.into_iter().map(Failed::from).collect(),
            versions: versions.into_iter().map(Version::from).collect(),
        })
    }
}

/// From now on time is counted.
pub(crate) fn begin() {
    LazyLock::force(&BEGUN);
}

fn uptime_ms() -> u64 {
    milliseconds(BEGUN.elapsed())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl From<ProcessStatus> for Process {
    fn from(process: ProcessStatus) -> Self {
        Self {
            cpu_ms: milliseconds(process.cpu_user + process.cpu_system),
            resident_bytes: process.resident_bytes,
            descriptors: process.descriptors,
            descriptors_max: process.descriptors_max,
        }
    }
}

impl One {
    fn of(status: &TenantStatus) -> Self {
        let lane = |lane: &aro_host::ProtocolStatus| Lane {
            open: lane.open,
            opened: lane.opened,
            received: lane.received,
            sent: lane.sent,
        };
        let protocols = status.protocols.iter();
        let limits = status.limits.iter();
        Self {
            tenant: status.id.to_string(),
            running: status.is_running,
            version: status.version,
            connections: status.connections,
            protocols: protocols
                .map(|one| (one.name.to_owned(), lane(one)))
                .collect(),
            listeners: status.listeners.iter().map(ToString::to_string).collect(),
            http: status
                .http_servers
                .iter()
                .map(ToString::to_string)
                .collect(),
            queue_bytes: status.queues.bytes,
            queue_messages: status.queues.messages,
            queue_largest_bytes: status.queues.largest_bytes,
            events: status.observed.events,
            events_failed: status.observed.events_failed,
            events_waiting: status.events_waiting,
            events_detached: status.events_detached,
            instances: status.instances_running,
            instances_idle: status.instances_idle,
            instance_bytes: status.instance_bytes,
            state_bytes: status.state_bytes,
            cpu_ms: milliseconds(status.cpu_time),
            durations: Buckets::from(&status.durations),
            limits: limits
                .map(|(name, times)| ((*name).to_owned(), *times))
                .collect(),
        }
    }
}

impl From<&Durations> for Buckets {
    fn from(durations: &Durations) -> Self {
        let counts = &durations.counts;
        let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
        let last = counts.iter().rposition(|count| *count > 0);
        let told = last.and_then(|last| counts.get(first..=last));
        Self {
            first,
            counts: told.unwrap_or_default().to_vec(),
            sum_us: microseconds(durations.sum),
        }
    }
}

impl From<FeatureSetStatus> for Set {
    fn from(status: FeatureSetStatus) -> Self {
        Self {
            done: status.done(),
            durations: Buckets::from(&status.durations),
            component: status.component,
            name: status.name,
            activity: status.activity,
            failed: status.failed,
            trapped: status.trapped,
            limited: status.limited,
        }
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            number: fault.number,
            at_ms: milliseconds(since_1970(fault.at)),
            feature_set: fault.feature_set,
            activity: fault.activity,
            ending: fault.ending.to_owned(),
            limit: fault.limit.map(str::to_owned),
            statement: fault.statement,
            place: fault.place,
            cause: fault.cause,
            connection: fault.connection,
            event: fault.event,
            took_us: microseconds(fault.took),
        }
    }
}

impl From<Release> for Version {
    fn from(release: Release) -> Self {
        Self {
            version: release.number,
            program: release.program,
            sha256: release.digest,
            loaded: since_1970(release.loaded).as_secs(),
            current: release.is_current,
            kept: release.is_kept,
        }
    }
}
