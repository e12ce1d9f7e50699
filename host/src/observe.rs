//! What the host counts and tells of its tenants: every counter, limit, protocol and log field has its name here or in a file of this folder.
//!
//! Counting neither waits, nor allocates, nor looks anything up: what an event counts into is found when its program is loaded. Names become text when somebody asks.

pub(crate) mod durations;
pub(crate) mod executions;
pub(crate) mod faults;
pub(crate) mod limit;
pub(crate) mod log;
pub(crate) mod traffic;
pub(crate) mod watch;

use executions::Records;
use faults::Faults;
use limit::{Limit, LimitHits};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use traffic::Traffic;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accept_errors: Counter,
    pub(crate) instances_made: Counter,
    pub(crate) sends_to_closed: Counter,
    /// Shared with the console, which drops what nobody reads.
    pub(crate) limits: Arc<LimitHits>,
    pub(crate) traffic: Traffic,
    pub(crate) records: Records,
    pub(crate) faults: Faults,
    /// Events that wait for an instance.
    pub(crate) waiting: AtomicUsize,
    /// Linear memory of all instances, in bytes.
    pub(crate) memory: AtomicUsize,
    /// Numbers of events that have been given.
    event_numbers: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Connections accepted or opened.
    pub connections_opened: u64,
    /// Connections closed at once because the tenant had too many.
    pub connections_refused: u64,
    /// Times a broadcast met a peer whose queue was full.
    pub slow_peers: u64,
    /// Times the system refused to accept a connection.
    pub accept_errors: u64,
    /// Executions of feature sets that have ended.
    pub events: u64,
    /// Those that failed.
    pub events_failed: u64,
    /// Instances created.
    pub instances_made: u64,
    /// Sends to connections that were gone.
    pub sends_to_closed: u64,
    /// Events nobody waits for that were dropped because too many were under way.
    pub events_dropped: u64,
    /// Events from outside that had to wait or were refused because there were too many in a second.
    pub rate_limited: u64,
}

impl Counters {
    /// Somebody has met a limit.
    pub(crate) fn hit(&self, limit: Limit) {
        self.limits.of(limit).add(1);
    }

    /// A number for an event; counts from 1.
    pub(crate) fn event_number(&self) -> u64 {
        self.event_numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn observe(&self) -> Observed {
        let (events, events_failed) = self.records.totals();
        let limit = |limit| self.limits.of(limit).value();
        Observed {
            connections_opened: self.traffic.opened(),
            connections_refused: limit(Limit::Connections),
            slow_peers: limit(Limit::QueueBytes),
            accept_errors: self.accept_errors.value(),
            events,
            events_failed,
            instances_made: self.instances_made.value(),
            sends_to_closed: self.sends_to_closed.value(),
            events_dropped: limit(Limit::DetachedEvents),
            rate_limited: limit(Limit::EventsPerSecond),
        }
    }
}
