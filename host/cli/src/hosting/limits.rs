//! The limits that a configuration sets, each with its unit in its name.

use anyhow::Context;
use aro_host::Limits;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::time::Duration;

/// `limits` of the defaults or of a tenant.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    cpu_ms: Option<u64>,
    wall_ms: Option<u64>,
    start_ms: Option<u64>,
    drain_ms: Option<u64>,
    memory_mib: Option<usize>,
    instances: Option<usize>,
    connections: Option<usize>,
    outbound: Option<usize>,
    listeners: Option<usize>,
    channels: Option<usize>,
    timers: Option<usize>,
    detached_events: Option<usize>,
    event_depth: Option<usize>,
    events_per_second: Option<NonZeroU32>,
    queue_kib: Option<usize>,
    queue_messages: Option<usize>,
    message_kib: Option<usize>,
    frame_kib: Option<usize>,
    http_requests: Option<usize>,
    http_body_kib: Option<usize>,
    rows: Option<usize>,
    repositories: Option<usize>,
    state_mib: Option<usize>,
    record_mib: Option<usize>,
    record_event_kib: Option<usize>,
    file_mib: Option<usize>,
}

impl LimitsTable {
    /// How many instances are asked for.
    pub(super) fn instances(&self) -> Option<usize> {
        self.instances
    }

    /// Sets what is listed.
    pub(super) fn apply(&self, limits: &mut Limits) -> anyhow::Result<()> {
        let milliseconds = [
            (self.cpu_ms, &mut limits.cpu_time_max),
            (self.wall_ms, &mut limits.wall_time_max),
            (self.start_ms, &mut limits.start_time_max),
            (self.drain_ms, &mut limits.drain_time_max),
        ];
        for (given, limit) in milliseconds {
            if let Some(given) = given {
                *limit = Duration::from_millis(given);
            }
        }
        let counts = [
            (self.instances, &mut limits.instances_max),
            (self.connections, &mut limits.connections_max),
            (self.outbound, &mut limits.outbound_max),
            (self.listeners, &mut limits.listeners_max),
            (self.channels, &mut limits.channels_max),
            (self.timers, &mut limits.timers_max),
            (self.detached_events, &mut limits.detached_events_max),
            (self.event_depth, &mut limits.event_depth_max),
            (self.queue_messages, &mut limits.queue_messages_max),
            (self.http_requests, &mut limits.http_requests_max),
            (self.rows, &mut limits.repository_rows_max),
            (self.repositories, &mut limits.repositories_max),
        ];
        for (given, limit) in counts {
            if let Some(given) = given {
                *limit = given;
            }
        }
        self.apply_bytes(limits)?;
        // What is received without framing of its own cannot be longer than what may be asked for.
        limits.frame_bytes_default = limits.frame_bytes_default.min(limits.frame_bytes_max);
        if self.events_per_second.is_some() {
            limits.events_per_second_max = self.events_per_second;
        }
        Ok(())
    }

    /// Those in bytes.
    fn apply_bytes(&self, limits: &mut Limits) -> anyhow::Result<()> {
        let bytes = [
            (
                "memory_mib",
                self.memory_mib,
                20,
                &mut limits.memory_bytes_max,
            ),
            ("state_mib", self.state_mib, 20, &mut limits.state_bytes_max),
            (
                "record_mib",
                self.record_mib,
                20,
                &mut limits.record_bytes_max,
            ),
            (
                "record_event_kib",
                self.record_event_kib,
                10,
                &mut limits.record_event_bytes_max,
            ),
            ("file_mib", self.file_mib, 20, &mut limits.file_bytes_max),
            ("queue_kib", self.queue_kib, 10, &mut limits.queue_bytes_max),
            (
                "message_kib",
                self.message_kib,
                10,
                &mut limits.message_bytes_max,
            ),
            ("frame_kib", self.frame_kib, 10, &mut limits.frame_bytes_max),
            (
                "http_body_kib",
                self.http_body_kib,
                10,
                &mut limits.http_body_bytes_max,
            ),
        ];
        for (key, given, shift, limit) in bytes {
            if let Some(given) = given {
                let unit: usize = 1 << shift;
                *limit = given
                    .checked_mul(unit)
                    .with_context(|| format!("limits.{key} = {given} is too large"))?;
            }
        }
        Ok(())
    }
}
