//! Repositories on disk: one data file for each tenant, written by one thread.
//!
//! Changes reach the thread through a queue. It takes all that wait, writes them in one transaction and makes that durable once: many writers share one wait for the disk, and each is answered when its changes cannot be lost any more. A file that cannot be written ends its use: everything after that fails until the host is started again, because memory and disk would disagree.

use super::datum::Datum;
use super::repository::{Repositories, Repository};
use super::table::{Millis, RowBytes};
use super::{StoreError, StoreOpenError};
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// The layout of a data file that this host reads and writes.
const FORMAT: u64 = 1;
/// Facts about the file.
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("aro");
const META_FORMAT: &str = "format";
/// Names of repositories to their numbers.
const REPOSITORIES: TableDefinition<'static, &str, u32> = TableDefinition::new("repositories");
/// Number of the repository and position to the time of creation (8 bytes, big endian) and the row.
const ROWS: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("rows");
/// Number of the repository and name of a setting to its value: rows, or milliseconds.
const SETTINGS: TableDefinition<'static, (u32, &str), u64> = TableDefinition::new("settings");
const SETTING_ROWS: &str = "maxSize";
const SETTING_TIME: &str = "ttl";
/// Directories above a new data file that are synchronised: its tenant's, the one given, and the one that holds it.
const NEW_DIRECTORIES_MAX: usize = 3;
/// Bytes of a time.
const TIME_BYTES: usize = 8;
/// Changes that wait to be written; whoever has more to write waits for room.
const QUEUE_DEPTH_MAX: usize = 4096;
/// Changes that one transaction holds.
const BATCH_MAX: usize = 1024;
/// Pages that are kept in memory. Rows are read from the file once, so that only the inner pages matter.
const CACHE_BYTES: usize = 64 << 20;

/// One change of the data file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Repository {
        number: u32,
        name: Arc<str>,
    },
    Put {
        repository: u32,
        position: u64,
        created: Millis,
        row: RowBytes,
    },
    Remove {
        repository: u32,
        position: u64,
    },
    Clear {
        repository: u32,
    },
    /// What is none stays as it is.
    Settings {
        repository: u32,
        rows: Option<usize>,
        time: Option<Millis>,
    },
}

/// Changes of one statement, and who waits for them.
#[derive(Debug)]
struct Message {
    records: Vec<Record>,
    pending: Arc<AtomicUsize>,
    done: oneshot::Sender<()>,
}

/// Writes changes to a data file.
#[derive(Debug)]
pub(crate) struct Journal {
    /// None when the file is to be closed.
    queue: Mutex<Option<mpsc::Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: Arc<Mutex<Option<String>>>,
}

/// Room for the changes of one statement.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    journal: &'a Journal,
    permit: mpsc::OwnedPermit<Message>,
}

/// Changes that are on their way.
#[derive(Debug)]
pub(crate) struct Submitted {
    done: oneshot::Receiver<()>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Changes<'_> {
    /// Hands changes over; to be done while the table is still locked, so that they arrive in order.
    pub(crate) fn submit(self, repository: &Repository, records: Vec<Record>) -> Submitted {
        let (done, receiver) = oneshot::channel();
        repository.pending.fetch_add(1, Ordering::AcqRel);
        let message = Message {
            records,
            pending: Arc::clone(&repository.pending),
            done,
        };
        drop(self.permit.send(message));
        Submitted {
            done: receiver,
            failure: Arc::clone(&self.journal.failure),
        }
    }
}

impl Submitted {
    /// Waits until the changes cannot be lost.
    pub(crate) async fn committed(self) -> Result<(), StoreError> {
        match self.done.await {
            Ok(()) => Ok(()),
            Err(_) => Err(failed(&self.failure)),
        }
    }
}

impl Journal {
    pub(crate) async fn changes(&self) -> Result<Changes<'_>, StoreError> {
        let queue = self.queue.lock().clone();
        let Some(queue) = queue else {
            return Err(failed(&self.failure));
        };
        match queue.reserve_owned().await {
            Ok(permit) => Ok(Changes {
                journal: self,
                permit,
            }),
            Err(_) => Err(failed(&self.failure)),
        }
    }

    /// Takes no further changes; when those that have room are written, the file is closed.
    pub(super) fn begin_close(&self) {
        // Without a sender the thread writes what waits and ends, and the file with it.
        drop(self.queue.lock().take());
    }

    /// The same, and waits until the file is closed.
    pub(super) async fn close(&self) {
        self.begin_close();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A writer that panicked has answered nobody, which is how everybody knows.
            let joined = tokio::task::spawn_blocking(|| drop(thread.join()));
            drop(joined.await);
        }
    }

    /// Fails when the file could not be written.
    pub(crate) fn health(&self) -> Result<(), StoreError> {
        match &*self.failure.lock() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Disk {
                reason: reason.clone(),
            }),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.begin_close();
        if let Some(thread) = self.thread.get_mut().take() {
            // A writer that panicked has answered nobody, which is how everybody knows.
            drop(thread.join());
        }
    }
}

fn failed(failure: &Mutex<Option<String>>) -> StoreError {
    let reason = failure.lock().clone();
    StoreError::Disk {
        reason: reason.unwrap_or_else(|| "it is closed".to_owned()),
    }
}

/// A data file that has been read.
#[derive(Debug)]
pub(crate) struct DataFile {
    database: Database,
    /// Repositories that it knows.
    known: BTreeSet<String>,
}

impl DataFile {
    /// Opens the file of a tenant, makes it if there is none, and puts its rows into `repositories`.
    pub(crate) fn open(path: &Path, repositories: &Repositories) -> Result<Self, StoreOpenError> {
        let refused = |what: String| StoreOpenError {
            path: path.to_owned(),
            what,
        };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| refused(error.to_string()))?;
        }
        let is_new = !path.exists();
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|error| refused(open_refusal(&error)))?;
        let format = prepare(&database).map_err(|error| refused(damaged(&error)))?;
        if format != FORMAT {
            return Err(refused(format!(
                "it was written in format {format}; this host reads format {FORMAT}"
            )));
        }
        if is_new {
            keep_name(path).map_err(|error| refused(error.to_string()))?;
        }
        let known = load(&database, repositories).map_err(refused)?;
        Ok(Self { database, known })
    }

    /// Whether the file has this repository, with rows or without.
    pub(crate) fn knows(&self, repository: &str) -> bool {
        self.known.contains(repository)
    }

    /// Writes what the program was seeded with, and takes changes from now on.
    pub(crate) fn start(self, path: &Path, seeded: &[Record]) -> Result<Journal, StoreOpenError> {
        let refused = |what: String| StoreOpenError {
            path: path.to_owned(),
            what,
        };
        if !seeded.is_empty() {
            commit(&self.database, seeded).map_err(|error| refused(error.to_string()))?;
        }
        let (queue, receiver) = mpsc::channel(QUEUE_DEPTH_MAX);
        let failure: Arc<Mutex<Option<String>>> = Arc::default();
        let noted = Arc::clone(&failure);
        let database = self.database;
        let thread = std::thread::Builder::new()
            .name("data file".into())
            .spawn(move || write_all(&database, receiver, &noted))
            .map_err(|error| refused(error.to_string()))?;
        Ok(Journal {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failure,
        })
    }
}

/// Makes the entry of a new file durable: a file that is synchronised can still be lost with the name of it. So can the directories on its way, which may be new, too.
fn keep_name(path: &Path) -> std::io::Result<()> {
    for directory in path.ancestors().skip(1).take(NEW_DIRECTORIES_MAX) {
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn open_refusal(error: &redb::DatabaseError) -> String {
    if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
        "another host uses it".to_owned()
    } else if let redb::DatabaseError::Storage(error) = error {
        damaged(error)
    } else {
        error.to_string()
    }
}

fn damaged(error: &dyn std::error::Error) -> String {
    format!(
        "it is damaged, or no data file: {error}; restore it from a copy, or move it away to begin without rows"
    )
}

/// The format of the file, which is set if the file is new.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut meta = transaction.open_table(META)?;
        let known = meta.get(META_FORMAT)?.map(|format| format.value());
        match known {
            Some(format) => format,
            None => {
                meta.insert(META_FORMAT, FORMAT)?;
                FORMAT
            }
        }
    };
    if format == FORMAT {
        transaction.open_table(REPOSITORIES)?;
        transaction.open_table(ROWS)?;
        transaction.open_table(SETTINGS)?;
        transaction.commit()?;
    }
    Ok(format)
}

/// Puts the rows of the file into `repositories`; answers the names that it has.
fn load(database: &Database, repositories: &Repositories) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let read = || -> Result<_, redb::Error> {
        let transaction = database.begin_read()?;
        Ok((
            transaction.open_table(REPOSITORIES)?,
            transaction.open_table(ROWS)?,
            transaction.open_table(SETTINGS)?,
        ))
    };
    let (table, rows, settings) = read().map_err(|error| damaged(&error))?;
    let mut numbered = Vec::new();
    for entry in table.iter().map_err(|error| damaged(&error))? {
        let (name, number) = entry.map_err(|error| damaged(&error))?;
        numbered.push((number.value(), name.value().to_owned()));
    }
    numbered.sort_unstable();
    for (number, name) in numbered {
        let repository = repositories
            .reopen(&name, number)
            .map_err(|error| error.to_string())?;
        let setting = |name| -> Result<Option<u64>, String> {
            let found = settings.get((number, name));
            Ok(found
                .map_err(|error| damaged(&error))?
                .map(|value| value.value()))
        };
        repositories.retain(&repository, setting(SETTING_ROWS)?, setting(SETTING_TIME)?);
        for entry in rows
            .range((number, 0)..=(number, u64::MAX))
            .map_err(|error| damaged(&error))?
        {
            let (key, value) = entry.map_err(|error| damaged(&error))?;
            let (_, position) = key.value();
            let (created, row) = split(value.value())
                .ok_or_else(|| format!("it is damaged: row {position} of repository {name:?}"))?;
            repositories
                .restore(&repository, position, created, row)
                .map_err(|error| error.to_string())?;
        }
        names.insert(name);
    }
    Ok(names)
}

fn split(value: &[u8]) -> Option<(Millis, RowBytes)> {
    let (created, row) = value.split_first_chunk::<TIME_BYTES>()?;
    Datum::decode(row).ok()?;
    Some((u64::from_be_bytes(*created), row.into()))
}

fn write_all(
    database: &Database,
    mut queue: mpsc::Receiver<Message>,
    failure: &Mutex<Option<String>>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(message) = queue.try_recv()
        {
            batch.push(message);
        }
        let records: Vec<&Record> = batch.iter().flat_map(|message| &message.records).collect();
        if !records.is_empty()
            && let Err(error) = commit(database, records)
        {
            tracing::error!(%error, "the data file cannot be written");
            *failure.lock() = Some(error.to_string());
            // Dropping the queue and the batch tells everybody who waits.
            return;
        }
        for message in batch {
            message.pending.fetch_sub(1, Ordering::AcqRel);
            // Whoever waited may have been cut off meanwhile.
            let _is_heard = message.done.send(()).is_ok();
        }
    }
}

/// Writes changes in one transaction and waits until they are durable.
fn commit<'a>(
    database: &Database,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut rows = transaction.open_table(ROWS)?;
        let mut value = Vec::new();
        for record in records {
            match record {
                Record::Repository { number, name } => {
                    let mut repositories = transaction.open_table(REPOSITORIES)?;
                    repositories.insert(&**name, number)?;
                }
                Record::Put {
                    repository,
                    position,
                    created,
                    row,
                } => {
                    value.clear();
                    value.extend_from_slice(&created.to_be_bytes());
                    value.extend_from_slice(row);
                    rows.insert((*repository, *position), value.as_slice())?;
                }
                Record::Remove {
                    repository,
                    position,
                } => {
                    rows.remove((*repository, *position))?;
                }
                Record::Settings {
                    repository,
                    rows: size,
                    time,
                } => {
                    let mut settings = transaction.open_table(SETTINGS)?;
                    if let Some(size) = size {
                        settings.insert((*repository, SETTING_ROWS), *size as u64)?;
                    }
                    if let Some(time) = time {
                        settings.insert((*repository, SETTING_TIME), time)?;
                    }
                }
                Record::Clear { repository } => {
                    rows.retain_in((*repository, 0)..=(*repository, u64::MAX), |_, _| false)?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
