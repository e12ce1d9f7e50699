//! State that outlives instances: repositories and published variables, in memory, bounded per tenant; repositories also on disk where the operator wants that.

pub(crate) mod change;
pub(crate) mod datum;
pub(crate) mod durable;
pub(crate) mod filter;
mod index;
pub(crate) mod published;
pub(crate) mod repository;
pub(crate) mod seed;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod write_back;

use crate::config::Settings;
use crate::observe::limit::Limit;
use aro_wit::manifest::Manifest;
use durable::{DataFile, Record};
use published::Published;
use repository::Repositories;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ending of the name of a data file.
const DATA_FILE_EXTENSION: &str = "redb";

/// The state of one tenant.
#[derive(Debug)]
pub(crate) struct State {
    budget: Arc<Budget>,
    pub(crate) published: Published,
    pub(crate) repositories: Repositories,
}

/// Why a tenant's state cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("data file {}: {what}", path.display())]
pub struct StoreOpenError {
    path: PathBuf,
    what: String,
}

/// Why what a program is seeded with is refused.
#[derive(Debug, thiserror::Error)]
#[error("repository {repository:?} cannot be seeded: {what}")]
pub struct SeedError {
    repository: String,
    what: String,
}

/// Why a state cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The data file cannot be used.
    #[error(transparent)]
    Open(#[from] StoreOpenError),
    /// The rows that the program brings along cannot be stored.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// Events cannot be recorded where they are to be.
    #[error("events cannot be recorded in {}", directory.display())]
    Record {
        /// Where.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl State {
    /// The state of a tenant's program: what its data file holds, and in repositories that the file does not know what the program brings along.
    pub(crate) fn open(
        tenant: &str,
        settings: &Settings,
        manifest: &Manifest,
    ) -> Result<Self, StateError> {
        let limits = &settings.limits;
        let budget = Arc::new(Budget::new(limits.state_bytes_max));
        let mut repositories =
            Repositories::new(Arc::clone(&budget), limits, &manifest.repositories);
        let published = Published::new(Arc::clone(&budget), limits.published_max);
        match &settings.data {
            None => {
                seed(&repositories, manifest, |_| false)?;
            }
            Some(directory) => {
                let path = data_path(directory, tenant);
                let file = DataFile::open(&path, &repositories)?;
                let records = seed(&repositories, manifest, |name| file.knows(name))?;
                repositories.keep_in(file.start(&path, &records)?);
            }
        }
        Ok(Self {
            budget,
            published,
            repositories,
        })
    }
}

impl State {
    /// Bytes of all repositories and published variables.
    pub(crate) fn bytes(&self) -> usize {
        self.budget.used.load(Ordering::Relaxed)
    }

    /// Closes the data file, whoever still knows the state; changes that wait are written before.
    pub(crate) async fn close(&self) {
        if let Some(journal) = self.repositories.journal() {
            journal.close().await;
        }
    }

    /// The same without waiting for it.
    pub(crate) fn begin_close(&self) {
        if let Some(journal) = self.repositories.journal() {
            journal.begin_close();
        }
    }

    /// Makes the state fit another version of the program: indexes what it searches by, and stores the rows that it brings along for repositories that nobody has used yet.
    pub(crate) async fn follow(&self, manifest: &Manifest) -> Result<(), StateError> {
        let repositories = &self.repositories;
        repositories.follow(&manifest.repositories).await;
        let now = repository::now();
        for declared in &manifest.repositories {
            if declared.rows.is_empty() || repositories.find(&declared.name).is_some() {
                continue;
            }
            let rows = declared.rows.iter().map(seed::datum).collect();
            let seeded = repositories.seed_later(&declared.name, rows, now).await;
            seeded.map_err(|error| SeedError {
                repository: declared.name.clone(),
                what: error.to_string(),
            })?;
        }
        Ok(())
    }
}

fn data_path(directory: &Path, tenant: &str) -> PathBuf {
    directory.join(format!("{tenant}.{DATA_FILE_EXTENSION}"))
}

fn seed(
    repositories: &Repositories,
    manifest: &Manifest,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<Record>, SeedError> {
    let now = repository::now();
    let mut records = Vec::new();
    for declared in &manifest.repositories {
        if declared.rows.is_empty() || is_known(&declared.name) {
            continue;
        }
        let rows = declared.rows.iter().map(seed::datum).collect();
        let seeded = repositories
            .seed(&declared.name, rows, now)
            .map_err(|error| SeedError {
                repository: declared.name.clone(),
                what: error.to_string(),
            })?;
        records.extend(seeded);
    }
    Ok(records)
}

/// Why a statement on a repository failed; the program sees the text.
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
    #[error(
        "the rows of repository {repository:?} take more than the {} MiB that a statement may get: select fewer with `where`",
        max >> 20
    )]
    Answer { repository: String, max: usize },
    #[error("`{setting}` of a repository is {what}")]
    Setting { setting: String, what: &'static str },
    #[error("a repository has no setting `{setting}`: it has `maxSize` and `ttl`")]
    NoSetting { setting: String },
    #[error("the data file cannot be written: {reason}; the host has to be started again")]
    Disk { reason: String },
    #[error("the system gives no random bytes")]
    Random,
}

impl StoreError {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Rows { .. } => Some(Limit::RepositoryRows),
            Self::Repositories { .. } => Some(Limit::Repositories),
            Self::Bytes { .. } => Some(Limit::StateBytes),
            Self::Answer { .. } => Some(Limit::AnswerBytes),
            Self::Malformed(_)
            | Self::Setting { .. }
            | Self::NoSetting { .. }
            | Self::Disk { .. }
            | Self::Random => None,
        }
    }
}

/// The bytes that a tenant's state may take.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
        }
    }

    fn reserve(&self, bytes: usize) -> Result<(), StoreError> {
        self.exchange(bytes, 0)
    }

    /// Reserves bytes in place of others.
    fn exchange(&self, bytes: usize, freed: usize) -> Result<(), StoreError> {
        let exchanged = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                let sum = used.saturating_sub(freed).checked_add(bytes)?;
                // What makes a full state smaller is always possible.
                (sum <= self.max || bytes <= freed).then_some(sum)
            });
        exchanged
            .map(|_| ())
            .map_err(|_| StoreError::Bytes { max: self.max })
    }

    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}
