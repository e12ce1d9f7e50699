//! Watched directories: what others do to the files in them becomes events (runtime.md 3.11).

use super::place::Directory;
use super::{Files, Refused};
use crate::console::Stream;
use crate::event;
use crate::life::Life;
use crate::observe::limit::Limit;
use crate::observe::log::Repeated;
use crate::store::datum::Datum;
use crate::tenant::Tenant;
use aro_wit::manifest::{FILE_CREATED, FILE_DELETED, FILE_MODIFIED};
use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

/// Changes within this time are one where they are the same: a file is written in many steps.
const TOGETHER: Duration = Duration::from_millis(25);

/// Watched directories by their real paths: those of a tenant, or those that a start watches. Where both are locked, the tenant's comes first.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    /// Never locked while the system is asked: executors look here.
    running: Mutex<HashMap<PathBuf, Watched>>,
    /// Held by the one that begins to watch: whoever wants the same meanwhile finds it watched.
    beginning: Mutex<()>,
}

/// A directory that is watched.
#[derive(Debug, Clone)]
struct Watched {
    identity: Identity,
    stopped: CancellationToken,
}

/// Device and number of a directory. It is open while it is watched, so that no other one can get them.
type Identity = (u64, u64);

impl Watched {
    /// Whether its path still leads to it: a directory may be deleted, and made again.
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| identity(&found) == self.identity)
    }
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

/// Why a directory is not watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{max} directories are watched already")]
    TooMany { max: usize },
    #[error("the system does not watch it: {0}")]
    System(String),
}

/// What happened to an entry of a directory: the subject of its event, and its name.
type Change = (&'static str, String);

impl Monitors {
    pub(crate) fn count(&self) -> usize {
        self.running.lock().len()
    }

    pub(crate) fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock());
        running
            .values()
            .for_each(|watched| watched.stopped.cancel());
    }

    /// Blocks.
    fn watches(&self, directory: &Path) -> bool {
        let watched = self.running.lock().get(directory).cloned();
        watched.is_some_and(|watched| watched.is_at(directory))
    }

    /// Stops watching what is no longer where it was. Blocks.
    fn leave_lost(&self) {
        let known: Vec<(PathBuf, Watched)> = {
            let running = self.running.lock();
            let copied = running
                .iter()
                .map(|(path, watched)| (path.clone(), watched.clone()));
            copied.collect()
        };
        for (path, watched) in known {
            if !watched.is_at(&path) {
                watched.stopped.cancel();
                self.running.lock().remove(&path);
            }
        }
    }
}

/// Watches the directory at `path`; one that is watched already stays so. What a start watches ends with its `life`. Blocks.
///
/// # Errors
/// [`MonitorError`] if there is no such directory within what the program may read, or too many are watched.
pub(crate) fn watch(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    path: &str,
) -> Result<(), MonitorError> {
    let files = &tenant.files;
    let directory = files.enter(&files.locate(path)?)?;
    let key = directory.real().to_owned();
    let _beginning = tenant.monitors.beginning.lock();
    let (of_tenant, of_life) = (&tenant.monitors, &life.monitors);
    of_tenant.leave_lost();
    of_life.leave_lost();
    {
        let (of_tenant, of_life) = (of_tenant.running.lock(), of_life.running.lock());
        if of_tenant.contains_key(&key) || of_life.contains_key(&key) {
            return Ok(());
        }
        let max = tenant.settings.limits.watched_directories_max;
        if of_tenant.len() + of_life.len() >= max {
            return Err(MonitorError::TooMany { max });
        }
    }
    let (owner, stopped) = match life.is_starting() {
        true => (of_life, life.over.child_token()),
        false => (of_tenant, tenant.draining.child_token()),
    };
    let (changes, arrived) = mpsc::channel(tenant.settings.limits.watched_changes_max);
    let watcher = watcher(&directory, Intake::new(tenant, changes))?;
    let watched = Watched {
        identity: identity(&directory.metadata()?),
        stopped: stopped.clone(),
    };
    owner.running.lock().insert(key, watched);
    let base = match path {
        "." | "./" => PathBuf::new(),
        path => PathBuf::from(path),
    };
    let (tenant, life) = (Arc::clone(tenant), Arc::clone(life));
    let tasks = tenant.tasks.clone();
    tasks.spawn(async move {
        stopped
            .run_until_cancelled(report(&tenant, &life, &base, arrived))
            .await;
        // It watches by the path of the open directory.
        drop(watcher);
        drop(directory);
    });
    Ok(())
}

fn watcher(
    directory: &Directory,
    mut intake: Intake,
) -> Result<notify::RecommendedWatcher, MonitorError> {
    // The text of other kinds names paths of the host.
    let system = |error: notify::Error| match error.kind {
        notify::ErrorKind::Io(error) => MonitorError::System(error.kind().to_string()),
        notify::ErrorKind::MaxFilesWatch
        | notify::ErrorKind::Generic(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => {
            MonitorError::System("too many files are watched, or it is gone".to_owned())
        }
    };
    let noticed = move |event| intake.take(event);
    let mut watcher = notify::recommended_watcher(noticed).map_err(system)?;
    let watched = watcher.watch(&directory.path(), RecursiveMode::NonRecursive);
    watched.map_err(system)?;
    Ok(watcher)
}

/// Where the changes of one directory come in.
struct Intake {
    tenant: Arc<Tenant>,
    changes: mpsc::Sender<Change>,
    lost: Repeated,
}

impl Intake {
    fn new(tenant: &Arc<Tenant>, changes: mpsc::Sender<Change>) -> Self {
        Self {
            tenant: Arc::clone(tenant),
            changes,
            lost: Repeated::default(),
        }
    }

    fn take(&mut self, event: notify::Result<notify::Event>) {
        let event = match event {
            // The system has dropped some of its own.
            Ok(event) if event.need_rescan() => return self.lost(),
            Ok(event) => event,
            Err(_) => return self.lost(),
        };
        for change in changes_of(&event) {
            match self.changes.try_send(change) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.lost(),
                // It is watched no more.
                Err(TrySendError::Closed(_)) => return,
            }
        }
    }

    fn lost(&mut self) {
        self.tenant.counters.hit(Limit::WatchedChanges);
        if let Some(times) = self.lost.note() {
            let more = match times {
                1 => String::new(),
                times => format!(": {times} of them"),
            };
            let text =
                format!("changes of files came faster than their handlers and are lost{more}");
            self.tenant.console.write(Stream::Error, &text);
        }
    }
}

/// Changes that become events together, in their order. One that is the same as the last one of its name is that one.
#[derive(Debug, Default)]
struct Gathered {
    changes: Vec<Change>,
    last: HashMap<String, &'static str>,
}

impl Gathered {
    fn add(&mut self, (subject, name): Change) {
        if self.last.insert(name.clone(), subject) != Some(subject) {
            self.changes.push((subject, name));
        }
    }
}

/// What programs are told of an event of the system.
fn changes_of(event: &notify::Event) -> Vec<Change> {
    let subjects: &[&'static str] = match event.kind {
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            &[FILE_CREATED]
        }
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            &[FILE_DELETED]
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return Vec::new(),
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => &[FILE_MODIFIED],
        EventKind::Modify(_) | EventKind::Access(_) | EventKind::Any | EventKind::Other => {
            return Vec::new();
        }
    };
    let names = event
        .paths
        .iter()
        .filter_map(|path| path.file_name()?.to_str());
    let changes = subjects.iter().flat_map(|subject| {
        let told = |name: &&str| !(*subject == FILE_MODIFIED && name.starts_with('.'));
        let names = names
            .clone()
            .filter(told)
            .filter(|name| !Files::is_temporary(name));
        names.map(|name| (*subject, name.to_owned()))
    });
    changes.collect()
}

/// Raises events in the order of the changes, once the version that wants them handles events.
async fn report(
    tenant: &Arc<Tenant>,
    life: &Life,
    base: &Path,
    mut arrived: mpsc::Receiver<Change>,
) {
    while let Some(first) = arrived.recv().await {
        tokio::time::sleep(TOGETHER).await;
        let mut gathered = Gathered::default();
        gathered.add(first);
        // No more than have come by now: more may come for ever.
        for _ in 0..arrived.len() {
            if let Ok(change) = arrived.try_recv() {
                gathered.add(change);
            }
        }
        if !life.is_admitted().await {
            return;
        }
        for (subject, name) in gathered.changes {
            raise(tenant, subject, &base.join(name));
        }
    }
}

fn raise(tenant: &Arc<Tenant>, subject: &str, path: &Path) {
    if event::is_handled(tenant, subject) {
        let path = Datum::Text(path.to_string_lossy().into_owned());
        let payload = Datum::Map([("path".to_owned(), path)].into());
        event::raise(tenant, subject, &payload.encode().into());
    }
}

/// A program has removed or moved the file at `path`, whose directory was at `real`: its handlers are told, unless that is watched, which tells them as well.
pub(crate) fn removed(tenant: &Arc<Tenant>, life: &Life, path: &str, real: Option<&Path>) {
    let is_watched = |real: &Path| tenant.monitors.watches(real) || life.monitors.watches(real);
    if !real.is_some_and(is_watched) {
        raise(tenant, FILE_DELETED, Path::new(path));
    }
}

impl Files {
    /// The real path of the directory that an entry lies in. Blocks.
    pub(crate) fn directory_of(&self, path: &str) -> Option<PathBuf> {
        let place = self.locate(path).ok()?;
        Some(place.parent().to_owned())
    }

    /// Whether a name is that of a file that a `Write` fills before it takes the place of another.
    fn is_temporary(name: &str) -> bool {
        let middle = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".part"));
        middle.is_some_and(|middle| {
            middle.len() == 16 && middle.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }
}

impl From<io::Error> for MonitorError {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_changes_are_one_and_what_lies_between_them_is_told() {
        let (created, deleted, modified) = (FILE_CREATED, FILE_DELETED, FILE_MODIFIED);
        let mut gathered = Gathered::default();
        for (subject, name) in [
            (created, "a"),
            (modified, "a"),
            (created, "b"),
            (modified, "a"),
            (deleted, "a"),
            (created, "a"),
            (deleted, "b"),
        ] {
            gathered.add((subject, name.to_owned()));
        }
        let told = gathered.changes.iter();
        let told: Vec<_> = told.map(|(subject, name)| (*subject, &**name)).collect();
        assert_eq!(
            told,
            [
                (created, "a"),
                (modified, "a"),
                (created, "b"),
                (deleted, "a"),
                (created, "a"),
                (deleted, "b"),
            ]
        );
    }
}
