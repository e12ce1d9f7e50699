//! What is counted of feature sets. A version of a program looks its records up once, when it is loaded; an execution then counts by reference.

use super::Counter;
use super::durations::{Durations, Histogram};
use super::limit::Limit;
use aro_wit::manifest::{FeatureSet, Manifest};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Done,
    /// A statement failed.
    Failed,
    /// The sandbox ended it.
    Trapped,
    /// A limit ended it.
    Limited(Limit),
}

impl Ending {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Trapped => "trapped",
            Self::Limited(_) => "limited",
        }
    }
}

/// The record of one feature set of a tenant; outlives the versions that have it.
#[derive(Debug)]
pub(crate) struct Executions {
    /// Name of its component, unique in a program: letters, digits and hyphens.
    component: String,
    name: String,
    activity: String,
    durations: Histogram,
    failed: Counter,
    trapped: Counter,
    limited: Counter,
}

/// The executions of a feature set at one moment. One that runs is not counted until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureSetStatus {
    /// Name of its component.
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its activity.
    pub activity: String,
    /// How long all of them took.
    pub durations: Durations,
    /// Those that ended with a failed statement.
    pub failed: u64,
    /// Those that trapped.
    pub trapped: u64,
    /// Those that a limit ended.
    pub limited: u64,
}

impl FeatureSetStatus {
    /// Executions that ended as they should.
    #[must_use]
    pub fn done(&self) -> u64 {
        let others = self.not_done();
        self.durations.count().saturating_sub(others)
    }

    /// Executions that ended early.
    #[must_use]
    pub fn not_done(&self) -> u64 {
        self.failed + self.trapped + self.limited
    }
}

impl Executions {
    fn new(entry: &FeatureSet) -> Self {
        Self {
            component: entry.component.clone(),
            name: entry.name.clone(),
            activity: entry.activity.clone(),
            durations: Histogram::default(),
            failed: Counter::default(),
            trapped: Counter::default(),
            limited: Counter::default(),
        }
    }

    fn is_of(&self, entry: &FeatureSet) -> bool {
        self.name == entry.name && self.activity == entry.activity
    }

    /// Counts one.
    pub(crate) fn ended(&self, took: Duration, ending: Ending) {
        self.durations.count(took);
        match ending {
            Ending::Done => {}
            Ending::Failed => self.failed.add(1),
            Ending::Trapped => self.trapped.add(1),
            Ending::Limited(_) => self.limited.add(1),
        }
    }

    fn read(&self) -> FeatureSetStatus {
        FeatureSetStatus {
            component: self.component.clone(),
            name: self.name.clone(),
            activity: self.activity.clone(),
            failed: self.failed.value(),
            trapped: self.trapped.value(),
            limited: self.limited.value(),
            durations: self.durations.read(),
        }
    }
}

/// The records of a tenant, by component.
#[derive(Debug, Default)]
pub(crate) struct Records {
    table: Mutex<BTreeMap<String, Arc<Executions>>>,
    /// Executions, and those that ended early, of feature sets that no version has any more.
    forgotten: [Counter; 2],
}

impl Records {
    /// The records of a version, in the order of its manifest. What no version has any more is forgotten, so that many versions do not gather many names.
    pub(crate) fn follow(&self, manifest: &Manifest) -> Vec<Arc<Executions>> {
        let sets = &manifest.feature_sets;
        let names: BTreeSet<&str> = sets.iter().map(|entry| entry.component.as_str()).collect();
        let mut table = self.table.lock();
        table.retain(|name, record| {
            let stays = names.contains(name.as_str()) || Arc::strong_count(record) > 1;
            if !stays {
                self.forget(record);
            }
            stays
        });
        let mut record = |entry: &FeatureSet| {
            let known = table.get(&entry.component);
            if let Some(known) = known.filter(|known| known.is_of(entry)) {
                return Arc::clone(known);
            }
            let new = Arc::new(Executions::new(entry));
            let old = table.insert(entry.component.clone(), Arc::clone(&new));
            if let Some(old) = old {
                self.forget(&old);
            }
            new
        };
        sets.iter().map(&mut record).collect()
    }

    fn forget(&self, record: &Executions) {
        let status = record.read();
        let [all, not_done] = &self.forgotten;
        all.add(status.durations.count());
        not_done.add(status.not_done());
    }

    /// All that have been executed, by component.
    pub(crate) fn read(&self) -> Vec<FeatureSetStatus> {
        let table = self.table.lock();
        let all = table.values().map(|record| record.read());
        all.filter(|status| status.durations.count() > 0).collect()
    }

    /// Executions, and those of them that ended early.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let [all, not_done] = &self.forgotten;
        let forgotten = (all.value(), not_done.value());
        self.read().iter().fold(forgotten, |sum, status| {
            let count = status.durations.count();
            (sum.0 + count, sum.1 + status.not_done())
        })
    }
}
