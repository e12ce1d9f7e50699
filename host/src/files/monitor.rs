//! Watched directories: what others do to the files in them becomes events (runtime.md 3.11).

use super::place::Directory;
use super::{Files, Refused};
use crate::event;
use crate::life::Life;
use crate::store::datum::Datum;
use crate::tenant::Tenant;
use aro_wit::manifest::{FILE_CREATED, FILE_DELETED, FILE_MODIFIED};
use indexmap::IndexSet;
use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Changes that wait for their events; further ones are lost, and the log says so.
const CHANGES_MAX: usize = 4096;
/// Changes within this time are one where they are the same: a file is written in many steps.
const TOGETHER: Duration = Duration::from_millis(25);

/// Watched directories by their real paths: those of a tenant, or those that a start watches.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    running: Mutex<HashMap<PathBuf, CancellationToken>>,
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
        running.values().for_each(CancellationToken::cancel);
    }

    fn watches(&self, directory: &Path) -> bool {
        self.running.lock().contains_key(directory)
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
    if tenant.monitors.watches(&key) || life.monitors.watches(&key) {
        return Ok(());
    }
    let max = tenant.settings.limits.watched_directories_max;
    if tenant.monitors.count() + life.monitors.count() >= max {
        return Err(MonitorError::TooMany { max });
    }
    let (owner, stopped) = match life.is_starting() {
        true => (&life.monitors, life.over.child_token()),
        false => (&tenant.monitors, tenant.draining.child_token()),
    };
    let (changes, arrived) = mpsc::channel(CHANGES_MAX);
    let watcher = watcher(&directory, changes)?;
    owner.running.lock().insert(key, stopped.clone());
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
    changes: mpsc::Sender<Change>,
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
    let noticed = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        for change in changes_of(&event) {
            if changes.try_send(change).is_err() {
                tracing::warn!("changes of files came faster than their handlers and are lost");
            }
        }
    };
    let mut watcher = notify::recommended_watcher(noticed).map_err(system)?;
    let watched = watcher.watch(&directory.path(), RecursiveMode::NonRecursive);
    watched.map_err(system)?;
    Ok(watcher)
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
        let mut changes = IndexSet::from([first]);
        while let Ok(change) = arrived.try_recv() {
            changes.insert(change);
        }
        if !life.is_admitted().await {
            return;
        }
        for (subject, name) in changes {
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
