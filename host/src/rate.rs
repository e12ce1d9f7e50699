//! Events that a tenant may cause from outside in a second: reading from TCP pauses, HTTP is answered with 429.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use std::num::NonZeroU32;
use std::time::Duration;

/// The rate of one tenant, if it has a limit. As many events as a second may have may come at once.
pub(crate) struct Rate(Option<DefaultDirectRateLimiter>);

impl Rate {
    pub(crate) fn new(events_per_second_max: Option<NonZeroU32>) -> Self {
        Self(
            events_per_second_max
                .map(|max| DefaultDirectRateLimiter::direct(Quota::per_second(max))),
        )
    }

    /// Takes an event.
    ///
    /// # Errors
    /// How long to wait before the next attempt.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        let taken = limiter.check();
        taken.map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }

    /// Waits for an event.
    pub(crate) async fn wait(&self) {
        while let Err(time) = self.take() {
            tokio::time::sleep(time).await;
        }
    }
}
