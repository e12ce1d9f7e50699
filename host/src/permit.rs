//! Permits to run: one for each instance that may run at once.
//!
//! A handler that raises an event keeps its permit while the event's handlers run, which need permits too. If all came from one pool, handlers that wait for each other's permits could stop a tenant for ever. So each depth of nesting has permits of its own, half as many as the depth above it and at least one: whoever holds a permit waits only for deeper ones, and the deepest wait for nobody.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The permits of one tenant.
#[derive(Debug)]
pub(crate) struct Permits {
    instances_max: usize,
    levels: Box<[Semaphore]>,
}

/// Permits of one depth.
fn of_depth(instances_max: usize, depth: usize) -> usize {
    let halvings = u32::try_from(depth).unwrap_or(u32::MAX);
    instances_max.checked_shr(halvings).unwrap_or(0).max(1)
}

/// Permits of all depths together: instances that may exist at once because they run.
pub(crate) fn total(instances_max: usize, event_depth_max: usize) -> usize {
    (0..=event_depth_max)
        .map(|depth| of_depth(instances_max, depth))
        .sum()
}

impl Permits {
    pub(crate) fn new(instances_max: usize, event_depth_max: usize) -> Self {
        Self {
            instances_max,
            levels: (0..=event_depth_max)
                .map(|depth| Semaphore::new(of_depth(instances_max, depth)))
                .collect(),
        }
    }

    fn level(&self, depth: usize) -> &Semaphore {
        self.levels
            .get(depth)
            .expect("an event nested deeper than there are levels is refused before")
    }

    /// A permit for an execution that is nested `depth` events deep, if there is one and nobody waits.
    pub(crate) fn try_acquire(&self, depth: usize) -> Option<SemaphorePermit<'_>> {
        self.level(depth).try_acquire().ok()
    }

    /// Waits for a permit, fairly.
    pub(crate) async fn acquire(&self, depth: usize) -> SemaphorePermit<'_> {
        self.level(depth)
            .acquire()
            .await
            .expect("this semaphore is never closed")
    }

    /// Waits until nothing runs: nested executions run only while the outermost do.
    pub(crate) async fn idle(&self) {
        if let Some(outermost) = self.levels.first() {
            let all = u32::try_from(self.instances_max).unwrap_or(u32::MAX);
            drop(outermost.acquire_many(all).await);
        }
    }

    /// Outermost executions under way.
    pub(crate) fn in_use(&self) -> usize {
        self.levels.first().map_or(0, |outermost| {
            self.instances_max
                .saturating_sub(outermost.available_permits())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_depth_has_a_permit_and_the_total_is_their_sum() {
        assert_eq!(total(1, 3), 4);
        assert_eq!(total(1000, 0), 1000);
        assert_eq!(total(8, 4), 8 + 4 + 2 + 1 + 1);
        assert_eq!(of_depth(1000, 200), 1);
    }

    #[tokio::test]
    async fn a_deeper_execution_does_not_wait_for_a_shallower_one() {
        let permits = Permits::new(1, 2);
        let outer = permits.acquire(0).await;
        assert_eq!(permits.in_use(), 1);
        let inner = permits.acquire(1).await;
        drop((inner, outer));
        permits.idle().await;
        assert_eq!(permits.in_use(), 0);
    }
}
