//! Published variables (runtime.md 7.9): a name, a value, who published it and for how long.

use super::{Budget, StoreError};
use crate::observe::limit::Limit;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an entry costs beside its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// How long a published value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the program: published at its start or end.
    Program,
    /// Until the execution of this number ends.
    Execution(u64),
}

/// Who may read beside feature sets of the publisher's activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader<'a> {
    /// Nobody else.
    Activity(&'a str),
    /// The end of the program reads everything.
    ProgramEnd,
}

/// A value that is there and may not be read; the program sees the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Variable '{name}' is not accessible from '{reader}': it was published in '{publisher}'")]
pub(crate) struct OtherActivity {
    name: String,
    reader: String,
    publisher: String,
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    activity: String,
    lifetime: Lifetime,
}

impl Entry {
    fn cost(&self, name: &str) -> usize {
        name.len() + self.value.len() + self.activity.len() + ENTRY_OVERHEAD_BYTES
    }
}

/// The published variables of a tenant.
#[derive(Debug)]
pub(crate) struct Published {
    entries: Mutex<FxHashMap<String, Entry>>,
    budget: Arc<Budget>,
    entries_max: usize,
    executions: AtomicU64,
}

/// Why a value was not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("published variables are limited to {max}")]
    TooMany { max: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PublishError {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooMany { .. } => Some(Limit::Published),
            Self::Store(error) => error.limit(),
        }
    }
}

impl Published {
    pub(crate) fn new(budget: Arc<Budget>, entries_max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            budget,
            entries_max,
            executions: AtomicU64::new(0),
        }
    }

    /// A number for an execution that is about to publish.
    pub(crate) fn new_execution(&self) -> u64 {
        self.executions.fetch_add(1, Ordering::Relaxed)
    }

    /// Publishes, replacing what was there.
    pub(crate) fn publish(
        &self,
        name: &str,
        value: Vec<u8>,
        activity: &str,
        lifetime: Lifetime,
    ) -> Result<(), PublishError> {
        let entry = Entry {
            value,
            activity: activity.to_owned(),
            lifetime,
        };
        let mut entries = self.entries.lock();
        if entries.len() >= self.entries_max && !entries.contains_key(name) {
            return Err(PublishError::TooMany {
                max: self.entries_max,
            });
        }
        self.budget.reserve(entry.cost(name))?;
        if let Some(before) = entries.insert(name.to_owned(), entry) {
            self.budget.release(before.cost(name));
        }
        Ok(())
    }

    /// The value, if there is one that the reader may see.
    pub(crate) fn read(
        &self,
        name: &str,
        reader: Reader<'_>,
    ) -> Result<Option<Vec<u8>>, OtherActivity> {
        let entries = self.entries.lock();
        let Some(entry) = entries.get(name) else {
            return Ok(None);
        };
        match reader {
            Reader::Activity(reader)
                if !reader.is_empty() && !entry.activity.is_empty() && reader != entry.activity =>
            {
                Err(OtherActivity {
                    name: name.to_owned(),
                    reader: reader.to_owned(),
                    publisher: entry.activity.clone(),
                })
            }
            Reader::Activity(_) | Reader::ProgramEnd => Ok(Some(entry.value.clone())),
        }
    }

    /// Removes what an execution published, unless another has published the name since.
    pub(crate) fn end(&self, execution: u64) {
        self.entries.lock().retain(|name, entry| {
            let ends = entry.lifetime == Lifetime::Execution(execution);
            if ends {
                self.budget.release(entry.cost(name));
            }
            !ends
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        Published::new(Arc::new(Budget::new(1 << 20)), 2)
    }

    #[test]
    fn values_are_read_by_the_same_activity() {
        let published = published();
        published
            .publish("users", vec![1], "User API", Lifetime::Program)
            .unwrap();
        assert_eq!(
            published.read("users", Reader::Activity("User API")),
            Ok(Some(vec![1]))
        );
        assert_eq!(
            published.read("users", Reader::Activity("")),
            Ok(Some(vec![1]))
        );
        assert_eq!(
            published.read("users", Reader::ProgramEnd),
            Ok(Some(vec![1]))
        );
        assert_eq!(
            published.read("others", Reader::Activity("Billing")),
            Ok(None)
        );
        let refused = published
            .read("users", Reader::Activity("Billing"))
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Variable 'users' is not accessible from 'Billing': it was published in 'User API'"
        );
    }

    #[test]
    fn values_end_with_the_execution_that_published_them_last() {
        let published = published();
        let (first, second) = (published.new_execution(), published.new_execution());
        published
            .publish("a", vec![1], "", Lifetime::Execution(first))
            .unwrap();
        published
            .publish("b", vec![2], "", Lifetime::Execution(first))
            .unwrap();
        published
            .publish("b", vec![3], "", Lifetime::Execution(second))
            .unwrap();
        assert!(matches!(
            published.publish("c", vec![4], "", Lifetime::Program),
            Err(PublishError::TooMany { max: 2 })
        ));
        published.end(first);
        assert_eq!(published.read("a", Reader::ProgramEnd), Ok(None));
        assert_eq!(published.read("b", Reader::ProgramEnd), Ok(Some(vec![3])));
        published.end(second);
        assert_eq!(published.read("b", Reader::ProgramEnd), Ok(None));
        assert_eq!(published.budget.used.load(Ordering::Relaxed), 0);
    }
}
