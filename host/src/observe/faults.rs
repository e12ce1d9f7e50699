//! The last executions of a tenant that ended early, for whoever looks at the admin page: what, where in the source, and why.

use super::executions::Ending;
use crate::failure::{Failure, place};
use aro_wit::manifest::{FeatureSet, Manifest};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// Failures that are remembered.
const FAULTS_MAX: usize = 50;
/// Bytes that are kept of each text of a failure, because programs make them.
const TEXT_BYTES_MAX: usize = 400;

/// An execution that ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Counts the faults of a tenant, from 1.
    pub number: u64,
    /// When it ended.
    pub at: SystemTime,
    /// Name of the feature set.
    pub feature_set: String,
    /// Its activity.
    pub activity: String,
    /// `failed`, `trapped` or `limited`.
    pub ending: &'static str,
    /// The limit that ended it.
    pub limit: Option<&'static str>,
    /// The statement as written, if it is known.
    pub statement: Option<String>,
    /// Where that stands: `main.aro:12:5`.
    pub place: Option<String>,
    /// Why.
    pub cause: String,
    /// The connection whose event it was.
    pub connection: Option<String>,
    /// Number of the event.
    pub event: u64,
    /// How long it took.
    pub took: Duration,
}

/// What is known of an execution besides its failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circumstances {
    pub(crate) connection: Option<String>,
    pub(crate) event: u64,
    pub(crate) took: Duration,
}

#[derive(Debug, Default)]
struct Table {
    count: u64,
    last: VecDeque<Fault>,
}

/// The faults of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Table>);

impl Faults {
    /// Remembers one, and forgets the oldest.
    pub(crate) fn note(
        &self,
        (manifest, entry): (&Manifest, &FeatureSet),
        failure: &Failure,
        circumstances: &Circumstances,
    ) {
        let statement = failure.statement_in(entry);
        let limit = match failure.ending {
            Ending::Limited(limit) => Some(limit.name()),
            Ending::Done | Ending::Failed | Ending::Trapped => None,
        };
        let mut table = self.0.lock();
        table.count += 1;
        if table.last.len() >= FAULTS_MAX {
            table.last.pop_front();
        }
        let number = table.count;
        table.last.push_back(Fault {
            number,
            at: SystemTime::now(),
            feature_set: cut(&entry.name),
            activity: cut(&entry.activity),
            ending: failure.ending.name(),
            limit,
            statement: statement.map(|statement| cut(&statement.text)),
            place: statement.and_then(|statement| Some(cut(&place(manifest, statement)?))),
            cause: cut(&failure.cause),
            connection: circumstances.connection.clone(),
            event: circumstances.event,
            took: circumstances.took,
        });
    }

    /// The last ones, newest first.
    pub(crate) fn read(&self) -> Vec<Fault> {
        self.0.lock().last.iter().rev().cloned().collect()
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let shown = text.get(..end).unwrap_or_default();
    match end < text.len() {
        true => format!("{shown}…"),
        false => shown.to_owned(),
    }
}
