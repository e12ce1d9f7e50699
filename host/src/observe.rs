//! What the host counts. Plain counters that never wait; an exporter reads them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections_opened: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) slow_peers: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) events: Counter,
    pub(crate) events_failed: Counter,
    pub(crate) instances_made: Counter,
    pub(crate) sends_to_closed: Counter,
    pub(crate) events_dropped: Counter,
    pub(crate) rate_limited: Counter,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Connections accepted.
    pub connections_opened: u64,
    /// Connections closed at once because the tenant had too many.
    pub connections_refused: u64,
    /// Times a broadcast met a peer whose queue was full.
    pub slow_peers: u64,
    /// Times the system refused to accept a connection.
    pub accept_errors: u64,
    /// Executions of feature sets.
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
    pub(crate) fn observe(&self) -> Observed {
        Observed {
            connections_opened: self.connections_opened.value(),
            connections_refused: self.connections_refused.value(),
            slow_peers: self.slow_peers.value(),
            accept_errors: self.accept_errors.value(),
            events: self.events.value(),
            events_failed: self.events_failed.value(),
            instances_made: self.instances_made.value(),
            sends_to_closed: self.sends_to_closed.value(),
            events_dropped: self.events_dropped.value(),
            rate_limited: self.rate_limited.value(),
        }
    }
}
