//! The numbers of a host as Prometheus reads them (OpenMetrics 1.0): one table of what there is, encoded when somebody asks.
//!
//! Labels come from closed sets and from names that were checked: tenants, components, protocols, limits. No label holds text that a program has made.

use super::{ProcessStatus, TenantDetail};
use crate::observe::executions::FeatureSetStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

/// End of the first bucket of histograms that is told.
const SHORTEST_TOLD: Duration = Duration::from_micros(8);

/// Where samples are written to: labels beside that of the tenant, and the value.
type Emit<'a> = dyn FnMut(&[(&str, &str)], Value<'_>) -> fmt::Result + 'a;

/// One number or histogram.
#[derive(Clone, Copy)]
enum Value<'a> {
    Count(u64),
    Seconds(Duration),
    Level(usize),
    Durations(&'a FeatureSetStatus),
}

/// A metric of tenants.
struct Metric {
    /// Without the prefix, the unit and `_total`.
    name: &'static str,
    unit: Option<Unit>,
    ty: MetricType,
    help: &'static str,
    samples: fn(&TenantDetail, &mut Emit<'_>) -> fmt::Result,
}

macro_rules! metric {
    ($ty:ident, $name:literal, $unit:expr, $help:literal, $samples:expr) => {
        Metric {
            name: $name,
            unit: $unit,
            ty: MetricType::$ty,
            help: $help,
            samples: $samples,
        }
    };
}

const TENANTS: &[Metric] = &[
    metric!(
        Gauge,
        "host_tenant_running",
        None,
        "Whether the program of the tenant runs",
        |one, emit| { emit(&[], Value::Level(one.status.is_running.into())) }
    ),
    metric!(
        Gauge,
        "host_version",
        None,
        "Number of the version that runs, 0 for none",
        |one, emit| {
            let version = one
                .status
                .version
                .and_then(|number| usize::try_from(number).ok());
            emit(&[], Value::Level(version.unwrap_or_default()))
        }
    ),
    metric!(
        Counter,
        "host_events",
        None,
        "Executions of feature sets that have ended, by how they ended",
        |one, emit| {
            one.feature_sets
                .iter()
                .try_for_each(|set| outcomes(set, emit))
        }
    ),
    metric!(
        Histogram,
        "host_event_duration",
        Some(Unit::Seconds),
        "How long executions took, waiting in host functions included",
        |one, emit| {
            let mut sets = one.feature_sets.iter();
            sets.try_for_each(|set| emit(&[("feature_set", &set.component)], Value::Durations(set)))
        }
    ),
    metric!(
        Gauge,
        "host_events_waiting",
        None,
        "Events that wait for an instance",
        |one, emit| { emit(&[], Value::Level(one.status.events_waiting)) }
    ),
    metric!(
        Gauge,
        "host_events_detached",
        None,
        "Events under way that nobody waits for",
        |one, emit| { emit(&[], Value::Level(one.status.events_detached)) }
    ),
    metric!(
        Counter,
        "host_limit_hits",
        None,
        "Times that somebody met a limit, by its name",
        |one, emit| {
            let mut limits = one.status.limits.iter();
            limits.try_for_each(|(name, times)| emit(&[("limit", name)], Value::Count(*times)))
        }
    ),
    metric!(
        Gauge,
        "host_connections",
        None,
        "Open connections",
        |one, emit| {
            let mut all = one.status.protocols.iter();
            all.try_for_each(|lane| emit(&[("protocol", lane.name)], Value::Level(lane.open)))
        }
    ),
    metric!(
        Counter,
        "host_connections_opened",
        None,
        "Connections accepted, opened by the program, or upgraded to the protocol",
        |one, emit| {
            let mut all = one.status.protocols.iter();
            all.try_for_each(|lane| emit(&[("protocol", lane.name)], Value::Count(lane.opened)))
        }
    ),
    metric!(
        Counter,
        "host_received",
        Some(Unit::Bytes),
        "Bytes received from peers, without those of TLS",
        |one, emit| {
            let mut all = one.status.protocols.iter();
            all.try_for_each(|lane| emit(&[("protocol", lane.name)], Value::Count(lane.received)))
        }
    ),
    metric!(
        Counter,
        "host_sent",
        Some(Unit::Bytes),
        "Bytes sent to peers, without those of TLS",
        |one, emit| {
            let mut all = one.status.protocols.iter();
            all.try_for_each(|lane| emit(&[("protocol", lane.name)], Value::Count(lane.sent)))
        }
    ),
    metric!(
        Gauge,
        "host_queue",
        Some(Unit::Bytes),
        "Bytes that wait to be written to peers",
        |one, emit| { emit(&[], Value::Level(one.status.queues.bytes)) }
    ),
    metric!(
        Gauge,
        "host_queue_largest",
        Some(Unit::Bytes),
        "Bytes that wait for the peer with the fullest queue",
        |one, emit| { emit(&[], Value::Level(one.status.queues.largest_bytes)) }
    ),
    metric!(
        Gauge,
        "host_queue_messages",
        None,
        "Messages that wait to be written to peers",
        |one, emit| { emit(&[], Value::Level(one.status.queues.messages)) }
    ),
    metric!(
        Gauge,
        "host_listeners",
        None,
        "Open listeners and HTTP servers",
        |one, emit| {
            let servers = one.status.http_servers.len();
            emit(&[], Value::Level(one.status.listeners.len() + servers))
        }
    ),
    metric!(
        Counter,
        "host_accept_errors",
        None,
        "Connections that the system did not give",
        |one, emit| { emit(&[], Value::Count(one.status.observed.accept_errors)) }
    ),
    metric!(
        Counter,
        "host_sends_to_closed",
        None,
        "Sends to connections that were gone",
        |one, emit| { emit(&[], Value::Count(one.status.observed.sends_to_closed)) }
    ),
    metric!(
        Gauge,
        "host_instances",
        None,
        "Instances: outermost handlers under way, and those that wait for an event",
        |one, emit| {
            emit(
                &[("state", "running")],
                Value::Level(one.status.instances_running),
            )?;
            emit(
                &[("state", "idle")],
                Value::Level(one.status.instances_idle),
            )
        }
    ),
    metric!(
        Counter,
        "host_instances_made",
        None,
        "Instances that were made",
        |one, emit| { emit(&[], Value::Count(one.status.observed.instances_made)) }
    ),
    metric!(
        Gauge,
        "host_memory",
        Some(Unit::Bytes),
        "Memory: linear memory of instances; repositories and published variables",
        |one, emit| {
            emit(
                &[("of", "instances")],
                Value::Level(one.status.instance_bytes),
            )?;
            emit(&[("of", "state")], Value::Level(one.status.state_bytes))
        }
    ),
    metric!(
        Counter,
        "host_cpu",
        Some(Unit::Seconds),
        "CPU time of handlers, in steps of five milliseconds",
        |one, emit| { emit(&[], Value::Seconds(one.status.cpu_time)) }
    ),
];

fn outcomes(set: &FeatureSetStatus, emit: &mut Emit<'_>) -> fmt::Result {
    for (outcome, count) in [
        ("done", set.done()),
        ("failed", set.failed),
        ("trapped", set.trapped),
        ("limited", set.limited),
    ] {
        let labels = [
            ("feature_set", set.component.as_str()),
            ("outcome", outcome),
        ];
        emit(&labels, Value::Count(count))?;
    }
    Ok(())
}

/// What is told of the process, with its value.
fn of_process(
    process: &ProcessStatus,
    refused: u64,
) -> [(&'static str, Option<Unit>, &'static str, ProcessValue); 6] {
    let cpu = process.cpu_user + process.cpu_system;
    [
        (
            "host_shared_connections_refused",
            None,
            "Connections that listeners of several tenants closed at once because they had too many",
            ProcessValue::Count(refused),
        ),
        (
            "process_cpu",
            Some(Unit::Seconds),
            "CPU time of the process",
            ProcessValue::Time(cpu),
        ),
        (
            "process_resident_memory",
            Some(Unit::Bytes),
            "Memory of the process",
            ProcessValue::Level(process.resident_bytes),
        ),
        (
            "process_virtual_memory",
            Some(Unit::Bytes),
            "Address space of the process",
            ProcessValue::Level(process.virtual_bytes),
        ),
        (
            "process_open_fds",
            None,
            "Open descriptors",
            ProcessValue::Level(process.descriptors),
        ),
        (
            "process_max_fds",
            None,
            "Descriptors that may be open",
            ProcessValue::Level(process.descriptors_max),
        ),
    ]
}

enum ProcessValue {
    Time(Duration),
    Count(u64),
    Level(u64),
}

/// Everything at the moment of a scrape.
#[derive(Debug)]
struct Scrape {
    tenants: Vec<TenantDetail>,
    process: ProcessStatus,
    /// Connections that shared listeners refused.
    refused: u64,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in TENANTS {
            let (unit, ty) = (metric.unit.as_ref(), metric.ty);
            let mut family = encoder.encode_descriptor(metric.name, metric.help, unit, ty)?;
            for tenant in &self.tenants {
                let id = tenant.status.id.to_string();
                (metric.samples)(tenant, &mut |labels, value| {
                    let mut all = vec![("tenant", id.as_str())];
                    all.extend(labels);
                    sample(family.encode_family(&all.as_slice())?, metric.ty, value)
                })?;
            }
        }
        for (name, unit, help, value) in of_process(&self.process, self.refused) {
            let ty = match value {
                ProcessValue::Time(_) | ProcessValue::Count(_) => MetricType::Counter,
                ProcessValue::Level(_) => MetricType::Gauge,
            };
            let mut one = encoder.encode_descriptor(name, help, unit.as_ref(), ty)?;
            match value {
                ProcessValue::Time(time) => {
                    one.encode_counter::<NoLabelSet, _, f64>(&time.as_secs_f64(), None)?;
                }
                ProcessValue::Count(count) => {
                    one.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
                }
                ProcessValue::Level(level) => one.encode_gauge(&level)?,
            }
        }
        Ok(())
    }
}

fn sample(mut encoder: MetricEncoder<'_>, ty: MetricType, value: Value<'_>) -> fmt::Result {
    match value {
        Value::Count(count) => encoder.encode_counter::<NoLabelSet, _, f64>(&count, None),
        Value::Seconds(time) if matches!(ty, MetricType::Counter) => {
            encoder.encode_counter::<NoLabelSet, _, f64>(&time.as_secs_f64(), None)
        }
        Value::Seconds(time) => encoder.encode_gauge(&time.as_secs_f64()),
        Value::Level(level) => encoder.encode_gauge(&(level as u64)),
        Value::Durations(set) => {
            let durations = &set.durations;
            encoder.encode_histogram::<NoLabelSet>(
                durations.sum.as_secs_f64(),
                durations.count(),
                &durations.octaves(SHORTEST_TOLD),
                None,
            )
        }
    }
}

/// The text that Prometheus reads.
pub(crate) fn metrics(tenants: Vec<TenantDetail>, refused: u64) -> String {
    let mut registry = Registry::with_prefix("aro");
    registry.register_collector(Box::new(Scrape {
        tenants,
        process: ProcessStatus::now(),
        refused,
    }));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing to a string cannot fail");
    text
}
