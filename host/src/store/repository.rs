//! The repositories of a tenant: tables by name, each behind a lock that is held while a long search gives the executor back.
//!
//! Whoever changes a table hands what changed to the journal before the lock is released, so that the data file sees the changes of a table in their order, and answers nobody before the journal has them on disk.

use super::datum::Datum;
use super::durable::{Changes, Journal, Record};
use super::table::{Bounds, Effect, Millis, Put, RowBytes, Table};
use super::{Budget, StoreError};
use crate::config::Limits;
use aro_wit::manifest;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, RwLock};

/// What a repository costs beside its rows.
const REPOSITORY_OVERHEAD_BYTES: usize = 512;

/// All repositories of a tenant.
#[derive(Debug)]
pub(crate) struct Repositories {
    all: Mutex<Known>,
    /// Fields that are indexed beside those that identify rows, as the program lists them.
    indexed: Mutex<HashMap<String, Vec<String>>>,
    budget: Arc<Budget>,
    journal: Option<Journal>,
    rows_max: usize,
    repositories_max: usize,
    answer_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Known {
    by_name: FxHashMap<Arc<str>, Arc<Repository>>,
    /// Number of the next one that is made.
    next: u32,
}

/// One repository.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) name: Arc<str>,
    /// Subject of the events of its changes.
    pub(crate) changed: Arc<str>,
    /// Subject of the events of its evictions.
    pub(crate) evicted: Arc<str>,
    pub(crate) table: RwLock<Table>,
    /// What the data file knows it by.
    number: u32,
    /// Whether the data file knows its name.
    is_named: AtomicBool,
    /// Changes that are not on disk yet.
    pub(super) pending: Arc<AtomicUsize>,
    /// Told of every change.
    pub(super) touched: Notify,
    /// Whether anything has changed since it was last asked.
    is_dirty: AtomicBool,
}

/// A setting of a repository (runtime.md 7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    Rows(usize),
    Time(Duration),
}

impl Repository {
    fn new(name: &str, number: u32, indexed: &[String]) -> Self {
        let name: Arc<str> = name.into();
        Self {
            changed: manifest::repository_changed(&name).into(),
            evicted: manifest::repository_evicted(&name).into(),
            table: RwLock::new(Table::new(Arc::clone(&name), indexed)),
            number,
            is_named: AtomicBool::new(false),
            pending: Arc::default(),
            touched: Notify::new(),
            is_dirty: AtomicBool::new(false),
            name,
        }
    }

    /// What to tell the journal of a stored row; to be called while the table is locked.
    pub(crate) fn records(&self, put: &Put, records: &mut Vec<Record>) {
        records.extend(self.naming());
        records.extend(put.gone.iter().map(|gone| self.removal(gone.position)));
        // A row that is gone at once is not written first.
        let stays = put.gone.iter().all(|gone| gone.position != put.position);
        if put.effect != Effect::Unchanged && stays {
            records.push(Record::Put {
                repository: self.number,
                position: put.position,
                created: put.created,
                row: Arc::clone(&put.row),
            });
        }
    }

    /// What to tell the journal before anything else of a repository that it does not know.
    fn naming(&self) -> Option<Record> {
        (!self.is_named.swap(true, Ordering::AcqRel)).then(|| Record::Repository {
            number: self.number,
            name: Arc::clone(&self.name),
        })
    }

    /// Notes that its rows have changed.
    pub(crate) fn touch(&self) {
        self.is_dirty.store(true, Ordering::Release);
        self.touched.notify_one();
    }

    /// Whether its rows have changed since this was last called.
    pub(super) fn take_dirty(&self) -> bool {
        self.is_dirty.swap(false, Ordering::AcqRel)
    }

    /// What to tell the journal of a removed row.
    pub(crate) fn removal(&self, position: u64) -> Record {
        Record::Remove {
            repository: self.number,
            position,
        }
    }

    /// What to tell the journal when all rows are removed.
    pub(crate) fn emptied(&self) -> Record {
        Record::Clear {
            repository: self.number,
        }
    }
}

impl Repositories {
    /// No repositories yet; `declared` lists what the program says of them.
    pub(crate) fn new(
        budget: Arc<Budget>,
        limits: &Limits,
        declared: &[manifest::Repository],
    ) -> Self {
        Self {
            all: Mutex::default(),
            indexed: Mutex::new(indexed(declared)),
            budget,
            journal: None,
            rows_max: limits.repository_rows_max,
            repositories_max: limits.repositories_max,
            answer_bytes_max: limits.answer_bytes_max,
        }
    }

    /// From now on nothing is acknowledged before `journal` has it.
    pub(crate) fn keep_in(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// Where changes are kept, if they are.
    pub(super) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Bounds of every table.
    pub(crate) fn bounds(&self) -> Bounds<'_> {
        Bounds {
            rows_max: self.rows_max,
            budget: &self.budget,
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Most bytes of rows that one statement gets.
    pub(crate) fn answer_bytes_max(&self) -> usize {
        self.answer_bytes_max
    }

    /// Asks for room in the journal: to be done before a table is changed, so that what was changed is also written. None where nothing is.
    pub(crate) async fn changes(&self) -> Result<Option<Changes<'_>>, StoreError> {
        match &self.journal {
            None => Ok(None),
            Some(journal) => journal.changes().await.map(Some),
        }
    }

    /// Waits until everything that has been stored in a repository is on disk: what a program reads must not be lost either.
    pub(crate) async fn settle(&self, repository: &Repository) -> Result<(), StoreError> {
        let pending = repository.pending.load(Ordering::Acquire);
        match &self.journal {
            Some(journal) if pending > 0 => {
                let changes = journal.changes().await?;
                changes.submit(repository, Vec::new()).committed().await
            }
            Some(journal) => journal.health(),
            None => Ok(()),
        }
    }

    /// The repository of this name, if anything has been stored in it or set for it.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Repository>> {
        self.all.lock().by_name.get(name).map(Arc::clone)
    }

    /// The repository of this name, made if there is none.
    pub(crate) fn open(&self, name: &str) -> Result<Arc<Repository>, StoreError> {
        self.open_as(name, None)
    }

    /// The repository that a data file knows by this number.
    pub(super) fn reopen(&self, name: &str, number: u32) -> Result<Arc<Repository>, StoreError> {
        let repository = self.open_as(name, Some(number))?;
        repository.is_named.store(true, Ordering::Release);
        Ok(repository)
    }

    fn open_as(&self, name: &str, number: Option<u32>) -> Result<Arc<Repository>, StoreError> {
        let mut all = self.all.lock();
        if let Some(repository) = all.by_name.get(name) {
            return Ok(Arc::clone(repository));
        }
        if all.by_name.len() >= self.repositories_max {
            return Err(StoreError::Repositories {
                max: self.repositories_max,
            });
        }
        self.budget
            .reserve(name.len() + REPOSITORY_OVERHEAD_BYTES)?;
        let number = number.unwrap_or(all.next);
        all.next = all.next.max(number.saturating_add(1));
        let indexed = self.indexed.lock();
        let indexed = indexed.get(name).map_or(&[][..], Vec::as_slice);
        let repository = Arc::new(Repository::new(name, number, indexed));
        all.by_name
            .insert(Arc::clone(&repository.name), Arc::clone(&repository));
        Ok(repository)
    }

    /// Number of rows, expired ones included.
    pub(crate) async fn count(&self, name: &str) -> u64 {
        let Some(repository) = self.find(name) else {
            return 0;
        };
        let count = repository.table.read().await.len();
        // A count cannot fail; the next statement that can will.
        drop(self.settle(&repository).await);
        count as u64
    }

    /// Sets one limit of a repository and leaves the other (runtime.md 7.6); kept with the rows where they are kept.
    pub(crate) async fn configure(
        &self,
        name: &str,
        retention: Retention,
    ) -> Result<(), StoreError> {
        let repository = self.open(name)?;
        let changes = self.changes().await?;
        let mut table = repository.table.write().await;
        let before = table.retention();
        match retention {
            Retention::Rows(rows) => table.set_size_max(rows),
            Retention::Time(time) => {
                table.set_time_to_live(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            }
        }
        let (rows, time) = table.retention();
        // Programs set the same at every start.
        let Some(changes) = changes.filter(|_| (rows, time) != before) else {
            return Ok(());
        };
        let mut records: Vec<Record> = repository.naming().into_iter().collect();
        records.push(Record::Settings {
            repository: repository.number,
            rows,
            time,
        });
        let submitted = changes.submit(&repository, records);
        drop(table);
        submitted.committed().await
    }

    /// Sets the limits that a data file has for a repository.
    pub(super) fn retain(&self, repository: &Repository, rows: Option<u64>, time: Option<Millis>) {
        let mut table = repository
            .table
            .try_write()
            .expect("nobody else knows of the table yet");
        if let Some(rows) = rows {
            table.set_size_max(usize::try_from(rows).unwrap_or(usize::MAX));
        }
        if let Some(time) = time {
            table.set_time_to_live(time);
        }
    }

    /// Follows what another version of the program says of its repositories: indexes the fields that it compares.
    pub(crate) async fn follow(&self, declared: &[manifest::Repository]) {
        *self.indexed.lock() = indexed(declared);
        let known: Vec<_> = self.all.lock().by_name.values().map(Arc::clone).collect();
        for repository in known {
            let declared = declared.iter().find(|one| *one.name == *repository.name);
            let fields = declared.map_or(&[][..], |declared| &declared.indexes);
            repository.table.write().await.follow(fields, &self.budget);
        }
    }

    /// Stores rows of a repository that nobody has used yet, on behalf of a version that brings them along.
    pub(super) async fn seed_later(
        &self,
        name: &str,
        rows: Vec<Datum>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let changes = self.changes().await?;
        let repository = self.open(name)?;
        let mut table = repository.table.write().await;
        let records = self.put_all(&repository, &mut table, rows, now)?;
        let submitted = changes.map(|changes| changes.submit(&repository, records));
        drop(table);
        match submitted {
            Some(submitted) => submitted.committed().await,
            None => Ok(()),
        }
    }

    /// Stores rows while nothing else can: before the program starts.
    pub(super) fn seed(
        &self,
        name: &str,
        rows: Vec<Datum>,
        now: Millis,
    ) -> Result<Vec<Record>, StoreError> {
        let repository = self.open(name)?;
        let mut table = repository
            .table
            .try_write()
            .expect("nobody else knows of the table yet");
        self.put_all(&repository, &mut table, rows, now)
    }

    fn put_all(
        &self,
        repository: &Repository,
        table: &mut Table,
        rows: Vec<Datum>,
        now: Millis,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for row in rows {
            let put = table.put(row, now, &self.bounds())?;
            repository.records(&put, &mut records);
        }
        Ok(records)
    }

    /// Puts a row of the data file where it was.
    pub(super) fn restore(
        &self,
        repository: &Repository,
        position: u64,
        created: Millis,
        row: RowBytes,
    ) -> Result<(), StoreError> {
        repository
            .table
            .try_write()
            .expect("nobody else knows of the table yet")
            .restore(position, created, row, &self.budget)
    }
}

/// The fields to index, by repository.
fn indexed(declared: &[manifest::Repository]) -> HashMap<String, Vec<String>> {
    let indexed = declared
        .iter()
        .map(|repository| (repository.name.clone(), repository.indexes.clone()));
    indexed.collect()
}

impl Retention {
    /// The meaning of a setting and its value; the names are the language's.
    pub(crate) fn of(setting: &str, value: &Datum) -> Result<Self, StoreError> {
        let refused = |what| StoreError::Setting {
            setting: setting.to_owned(),
            what,
        };
        match (setting, value) {
            ("maxSize", Datum::Int(rows)) => usize::try_from(*rows)
                .map(Self::Rows)
                .map_err(|_| refused("a number of rows from 0 on")),
            ("maxSize", _) => Err(refused("a number of rows from 0 on")),
            ("ttl", Datum::Int(seconds)) => u64::try_from(*seconds)
                .map(|seconds| Self::Time(Duration::from_secs(seconds)))
                .map_err(|_| refused("a number of seconds from 0 on")),
            ("ttl", Datum::Float(seconds)) => Duration::try_from_secs_f64(*seconds)
                .map(Self::Time)
                .map_err(|_| refused("a number of seconds from 0 on")),
            ("ttl", _) => Err(refused("a number of seconds from 0 on")),
            _ => Err(StoreError::NoSetting {
                setting: setting.to_owned(),
            }),
        }
    }
}

/// Now, as rows remember it.
pub(crate) fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|time| u64::try_from(time.as_millis()).ok())
        .unwrap_or_default()
}
