//! One execution, watched from its begin to its end: counted, traced where somebody asks for that, remembered where it failed.

use super::executions::Ending;
use super::faults::Circumstances;
use super::limit::Limit;
use super::log::LogFormat;
use crate::conn::id::SocketId;
use crate::engine::feature_set::Cause;
use crate::engine::state::Scope;
use crate::failure::Failure;
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::Empty;

/// An execution under way. A start that is dropped waited for the end of its program and has been replaced; any other that is dropped while it waits was ended by a limit of whoever waited for it.
pub(crate) struct Watch<'a> {
    scope: &'a Scope,
    is_of_life: bool,
    connection: Option<SocketId>,
    /// Number of the event, among those of the tenant that have one; zero where nobody has asked yet.
    pub(crate) event: u64,
    /// Of target `aro_event` and level INFO; without a subscriber for those it is nothing.
    pub(crate) span: Span,
    begun: Instant,
    is_over: bool,
}

impl<'a> Watch<'a> {
    pub(crate) fn begin(scope: &'a Scope, cause: &Cause) -> Self {
        let (connection, name) = match cause {
            Cause::Connection(connection) => (Some(connection.id), "connection"),
            Cause::Event(_) => (None, "event"),
            Cause::Request(_) => (None, "request"),
            Cause::LifeCycle => (None, "life-cycle"),
        };
        let span = tracing::info_span!(
            target: "aro_event",
            "event",
            tenant = %scope.tenant.id,
            feature_set = scope.entry().name,
            activity = scope.entry().activity,
            cause = name,
            event = Empty,
            connection = Empty,
            duration_us = Empty,
            outcome = Empty,
        );
        let tenant = &scope.tenant;
        let is_told = !span.is_disabled() || tenant.console.format == LogFormat::Json;
        let event = match is_told {
            true => tenant.counters.event_number(),
            false => 0,
        };
        if !span.is_disabled() {
            span.record("event", event);
            if let Some(id) = connection {
                span.record("connection", tracing::field::display(id));
            }
        }
        Self {
            scope,
            is_of_life: matches!(cause, Cause::LifeCycle),
            connection,
            event,
            span,
            begun: Instant::now(),
            is_over: false,
        }
    }

    /// It is over.
    pub(crate) fn end<T>(mut self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let ending = match &outcome {
            Ok(_) => Ending::Done,
            Err(failure) => failure.ending,
        };
        let took = self.ended(ending);
        outcome.map_err(|mut failure| {
            let counters = &self.scope.tenant.counters;
            if let Ending::Limited(limit) = ending {
                counters.hit(limit);
            }
            let circumstances = Circumstances {
                connection: self.connection.map(|id| id.to_string()),
                event: match self.event {
                    0 => counters.event_number(),
                    event => event,
                },
                took,
            };
            let of = (&*self.scope.manifest, self.scope.entry());
            counters.faults.note(of, &failure, &circumstances);
            failure.circumstances = Some(Box::new(circumstances));
            failure
        })
    }

    /// Counts it; answers how long it took.
    fn ended(&mut self, ending: Ending) -> Duration {
        self.is_over = true;
        let took = self.begun.elapsed();
        self.scope.executions.ended(took, ending);
        if !self.span.is_disabled() {
            let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.span.record("duration_us", microseconds);
            self.span.record("outcome", ending.name());
            tracing::info!(target: "aro_event", parent: &self.span, "ended");
        }
        took
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.ended(match self.is_of_life {
                true => Ending::Done,
                false => Ending::Limited(Limit::WallTime),
            });
        }
    }
}
