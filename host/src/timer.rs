//! Timers: raise an event at intervals until the program ends. They outlive the instance that started them.

use crate::event;
use crate::tenant::Tenant;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// Longest interval: beyond it a timer is a mistake of units.
const INTERVAL_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// An empty CBOR map (RFC 8949 3.1).
const EMPTY_MAP: [u8; 1] = [0xA0];

/// The timers of one tenant by the event they raise.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    running: Mutex<HashMap<Arc<str>, CancellationToken>>,
}

/// How often a timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Once,
    Always,
}

/// Why a timer was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerError {
    #[error("an interval of {} ms is not one of {} ms to 366 days", .0.as_millis(), INTERVAL_MIN.as_millis())]
    Interval(Duration),
    #[error(
        "{max} timers run already: cancel one, or schedule the same event again to replace its timer"
    )]
    TooMany { max: usize },
}

impl Timers {
    pub(crate) fn count(&self) -> usize {
        self.running.lock().len()
    }

    /// Stops the timer of an event, if there is one.
    pub(crate) fn cancel(&self, event: &str) {
        if let Some(timer) = self.running.lock().remove(event) {
            timer.cancel();
        }
    }
}

/// Starts the timer of an event in place of the one that it has.
///
/// # Errors
/// [`TimerError`] if the interval is out of range or the tenant has too many timers.
pub(crate) fn schedule(
    tenant: &Arc<Tenant>,
    event: &str,
    interval: Duration,
    repeat: Repeat,
) -> Result<(), TimerError> {
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        return Err(TimerError::Interval(interval));
    }
    let event: Arc<str> = event.into();
    let stopped = tenant.draining.child_token();
    {
        let mut running = tenant.timers.running.lock();
        let max = tenant.settings.limits.timers_max;
        if running.len() >= max && !running.contains_key(&event) {
            return Err(TimerError::TooMany { max });
        }
        if let Some(replaced) = running.insert(Arc::clone(&event), stopped.clone()) {
            replaced.cancel();
        }
    }
    let owner = Arc::clone(tenant);
    tenant.tasks.spawn(async move {
        let ticking = tick(&owner, &event, interval, repeat);
        if stopped.run_until_cancelled(ticking).await.is_some() {
            // It has fired its one time; a timer that was cancelled is no longer in the table.
            owner.timers.running.lock().remove(&event);
        }
    });
    Ok(())
}

async fn tick(tenant: &Arc<Tenant>, event: &str, interval: Duration, repeat: Repeat) {
    let payload: Arc<[u8]> = Arc::from(EMPTY_MAP);
    let mut ticks = interval_at(Instant::now() + interval, interval);
    // A host that was held up does not make up for it in a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        event::raise(tenant, event, &payload);
        if repeat == Repeat::Once {
            return;
        }
    }
}
