//! State that outlives instances: repositories and published variables, in memory, bounded per tenant.

pub(crate) mod datum;
pub(crate) mod filter;
pub(crate) mod published;
pub(crate) mod repository;

use crate::config::Limits;
use published::Published;
use repository::Repositories;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The state of one tenant.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) published: Published,
    pub(crate) repositories: Repositories,
}

impl State {
    pub(crate) fn new(limits: &Limits) -> Self {
        let budget = Arc::new(Budget {
            used: AtomicUsize::new(0),
            max: limits.state_bytes_max,
        });
        Self {
            published: Published::new(Arc::clone(&budget), limits.published_max),
            repositories: Repositories::new(budget, limits),
        }
    }
}

/// Why a value was not stored; the program sees the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the value is malformed")]
    Malformed(#[source] datum::DatumError),
    #[error("repository {repository:?} is limited to {max} rows")]
    Rows { repository: String, max: usize },
    #[error("a program is limited to {max} repositories")]
    Repositories { max: usize },
    #[error("the state of a program is limited to {} MiB", max >> 20)]
    Bytes { max: usize },
    #[error("the system gives no random bytes")]
    Random,
}

/// The bytes that a tenant's state may take.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    fn reserve(&self, bytes: usize) -> Result<(), StoreError> {
        let reserved = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.max)
            });
        reserved
            .map(|_| ())
            .map_err(|_| StoreError::Bytes { max: self.max })
    }

    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}
