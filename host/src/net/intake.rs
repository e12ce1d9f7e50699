//! What a tenant has received in part: bodies of requests, lines and frames, messages of WebSockets. Each has a limit of its own; many of them together have this one, or a thousand peers that never finish would fill the memory of all tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What each part has for nothing: small ones, which are nearly all, touch no common counter.
const FREE_BYTES: usize = 64 << 10;
/// Beyond that, room is taken in steps.
const STEP_BYTES: usize = 256 << 10;

/// All parts of a tenant.
#[derive(Debug)]
pub(crate) struct Intake {
    held: AtomicUsize,
    max: usize,
}

/// There is no room for more of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "more than {max} bytes have been received in part by all connections: received_mib allows more"
)]
pub(crate) struct Full {
    max: usize,
}

impl Intake {
    /// `max` bytes at most, beside what each part has for nothing.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { held, max })
    }
}

/// One thing that is received. What it holds is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Part {
    of: Arc<Intake>,
    held: usize,
}

impl Part {
    /// Of which nothing has been received yet.
    pub(crate) fn new(of: &Arc<Intake>) -> Self {
        let of = Arc::clone(of);
        Self { of, held: 0 }
    }

    /// So many bytes have been received of it.
    ///
    /// # Errors
    /// [`Full`] if the tenant holds too much.
    pub(crate) fn reach(&mut self, bytes: usize) -> Result<(), Full> {
        let beyond = bytes.saturating_sub(FREE_BYTES);
        if beyond <= self.held {
            return Ok(());
        }
        let more = beyond.next_multiple_of(STEP_BYTES) - self.held;
        let before = self.of.held.fetch_add(more, Ordering::Relaxed);
        if before + more > self.of.max {
            self.of.held.fetch_sub(more, Ordering::Relaxed);
            return Err(Full { max: self.of.max });
        }
        self.held += more;
        Ok(())
    }

    /// It is whole, and the next one begins.
    pub(crate) fn clear(&mut self) {
        if self.held > 0 {
            self.of.held.fetch_sub(self.held, Ordering::Relaxed);
            self.held = 0;
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_what_there_is_and_give_it_back() {
        let intake = Intake::new(2 * STEP_BYTES);
        let (mut one, mut other) = (Part::new(&intake), Part::new(&intake));
        let of_steps = |steps: usize| FREE_BYTES + steps * STEP_BYTES;
        one.reach(of_steps(1)).unwrap();
        other.reach(FREE_BYTES).unwrap();
        other.reach(FREE_BYTES + 1).unwrap();
        assert!(one.reach(of_steps(1) + 1).is_err());
        one.reach(of_steps(1)).unwrap();
        other.clear();
        one.reach(of_steps(2)).unwrap();
        assert!(other.reach(of_steps(1)).is_err());
        drop(one);
        other.reach(of_steps(2)).unwrap();
        drop(other);
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
    }
}
