//! Timers: raise an event at intervals until the program ends. They outlive the instance that started them.

use crate::event;
use crate::life::Life;
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

/// Timers by the event they raise: those of a tenant, or those that a start has started.
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

    /// Enters a timer if there is room for `room` timers, in place of the one of the same event.
    fn insert(
        &self,
        event: &Arc<str>,
        stopped: &CancellationToken,
        room: usize,
        max: usize,
    ) -> Result<(), TimerError> {
        let mut running = self.running.lock();
        if running.len() >= room && !running.contains_key(event) {
            return Err(TimerError::TooMany { max });
        }
        if let Some(replaced) = running.insert(Arc::clone(event), stopped.clone()) {
            replaced.cancel();
        }
        Ok(())
    }

    /// Stops the timers of events that `newer` has timers of.
    pub(crate) fn give_way(&self, newer: &Self) {
        let events: Vec<Arc<str>> = newer.running.lock().keys().map(Arc::clone).collect();
        events.iter().for_each(|event| self.cancel(event));
    }

    /// Stops the timer of an event, if there is one.
    pub(crate) fn cancel(&self, event: &str) {
        if let Some(timer) = self.running.lock().remove(event) {
            timer.cancel();
        }
    }
}

/// Starts the timer of an event in place of the one that it has. One that a start starts ends with its `life`.
///
/// # Errors
/// [`TimerError`] if the interval is out of range or the tenant has too many timers.
pub(crate) fn schedule(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    event: &str,
    interval: Duration,
    repeat: Repeat,
) -> Result<(), TimerError> {
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        return Err(TimerError::Interval(interval));
    }
    let event: Arc<str> = event.into();
    let at_start = life.is_starting();
    let (timers, others, stopped) = match at_start {
        true => (&life.timers, &tenant.timers, life.over.child_token()),
        false => (&tenant.timers, &life.timers, tenant.draining.child_token()),
    };
    let max = tenant.settings.limits.timers_max;
    timers.insert(&event, &stopped, max.saturating_sub(others.count()), max)?;
    if !at_start {
        others.cancel(&event);
    }
    let (owner, life) = (Arc::clone(tenant), Arc::clone(life));
    tenant.tasks.spawn(async move {
        let ticking = tick(&owner, &life, &event, interval, repeat);
        if stopped.run_until_cancelled(ticking).await.is_some() {
            // It has fired its one time; a timer that was cancelled is no longer in the table.
            let timers = if at_start {
                &life.timers
            } else {
                &owner.timers
            };
            timers.running.lock().remove(&event);
        }
    });
    Ok(())
}

async fn tick(tenant: &Arc<Tenant>, life: &Life, event: &str, interval: Duration, repeat: Repeat) {
    let payload: Arc<[u8]> = Arc::from(EMPTY_MAP);
    let mut ticks = interval_at(Instant::now() + interval, interval);
    // A host that was held up does not make up for it in a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !life.is_admitted().await {
            return;
        }
        event::raise(tenant, event, &payload);
        if repeat == Repeat::Once {
            return;
        }
    }
}
