//! `aro:files`.

use super::wait::block;
use super::{Interface, Pending};
use crate::engine::state::{GuestState, Scope};
use crate::engine::types::WitWanted;
use crate::event;
use crate::files::monitor::{self, MonitorError};
use crate::files::{Files, Refused, Wanted};
use crate::observe::limit::Limit;
use crate::tenant::Tenant;
use aro_wit::manifest::FILE_DELETED;
use std::io::ErrorKind;
use std::result::Result as Outcome;
use std::sync::Arc;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{AsContextMut, Result, StoreContextMut};

type Store<'a> = StoreContextMut<'a, GuestState>;

/// How the sentences of an action begin (actions.md 17.0).
#[derive(Clone, Copy)]
struct Words {
    /// When there is nothing at the path.
    missing: &'static str,
    /// When something else is wrong.
    failing: &'static str,
}

const READ: Words = Words {
    missing: "File not found",
    failing: "Error reading",
};
const WRITE: Words = Words {
    missing: "File not found",
    failing: "Error writing",
};
const LIST: Words = Words {
    missing: "Directory not found",
    failing: "Error listing",
};
const WATCH: Words = Words {
    missing: "Directory not found",
    failing: "Error watching",
};
const STAT: Words = Words {
    missing: "Path not found",
    failing: "Error getting stats for",
};
const MAKE: Words = Words {
    missing: "Directory not found",
    failing: "Error creating directory",
};
const COPY: Words = Words {
    missing: "File not found",
    failing: "Error copying",
};
const MOVE: Words = Words {
    missing: "File not found",
    failing: "Error moving",
};
const REMOVE: Words = Words {
    missing: "Path not found",
    failing: "Error deleting",
};

impl Words {
    /// Counts a limit that was met, and says what is wrong.
    fn refuse(self, tenant: &Tenant, refused: &Refused, path: &str, shown: &str) -> String {
        if let Some(limit) = refused.limit() {
            tenant.counters.hit(limit);
        }
        self.say(refused, path, shown)
    }

    /// The sentence for `path`; `shown` names all paths that take part.
    fn say(self, refused: &Refused, path: &str, shown: &str) -> String {
        if let Refused::Io(error) = refused {
            let kind = error.kind();
            return if kind == ErrorKind::NotFound {
                format!("{}: {path}", self.missing)
            } else if kind == ErrorKind::PermissionDenied {
                format!("Permission denied: {path}")
            } else {
                format!("{} {shown}: {kind}", self.failing)
            };
        }
        if matches!(refused, Refused::Outside | Refused::Root) {
            return format!("Permission denied: {path}: {refused}");
        }
        format!("{} {shown}: {refused}", self.failing)
    }
}

pub(super) fn define_reading(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("read", |store: Store<'_>, (path,): (WasmStr,)| {
        one(store, path, READ, Files::read)
    })?;
    interface.func_wrap_async(
        "list",
        |store: Store<'_>, (path, recursively, pattern): (WasmStr, bool, WasmStr)| {
            let pattern = owned(&store, pattern);
            one(store, path, LIST, move |files, path| {
                files.list(path, recursively, &pattern.map_err(|_| invalid())?)
            })
        },
    )?;
    interface.func_wrap_async("stat", |store: Store<'_>, (path,): (WasmStr,)| {
        one(store, path, STAT, Files::stat)
    })?;
    interface.func_wrap_async("exists", exists)
}

pub(super) fn define_writing(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async(
        "write",
        |store: Store<'_>, (path, data): (WasmStr, WasmList<u8>)| {
            let data = data.as_le_slice(&store).to_vec();
            one(store, path, WRITE, move |files, path| {
                files.write(path, &data)
            })
        },
    )?;
    interface.func_wrap_async(
        "append",
        |store: Store<'_>, (path, data): (WasmStr, WasmList<u8>)| {
            let data = data.as_le_slice(&store).to_vec();
            one(store, path, WRITE, move |files, path| {
                files.append(path, &data)
            })
        },
    )?;
    interface.func_wrap_async("make-directory", |store: Store<'_>, (path,): (WasmStr,)| {
        one(store, path, MAKE, Files::make_directory)
    })?;
    interface.func_wrap_async("touch", |store: Store<'_>, (path,): (WasmStr,)| {
        one(store, path, WRITE, Files::touch)
    })?;
    interface.func_wrap_async(
        "copy",
        |store: Store<'_>, (source, target): (WasmStr, WasmStr)| {
            two(store, source, target, COPY, Files::copy)
        },
    )?;
    interface.func_wrap_async(
        "move",
        |store: Store<'_>, (source, target): (WasmStr, WasmStr)| {
            let scope = Arc::clone(&store.data().scope);
            two(store, source, target, MOVE, move |files, source, target| {
                gone(&scope, source, || files.rename(source, target))
            })
        },
    )?;
    interface.func_wrap_async("remove", |store: Store<'_>, (path,): (WasmStr,)| {
        let scope = Arc::clone(&store.data().scope);
        one(store, path, REMOVE, move |files, path| {
            gone(&scope, path, || files.remove(path))
        })
    })
}

pub(super) fn define_monitoring(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("watch", watch)?;
    interface.func_wrap("stop", |store: Store<'_>, (): ()| {
        let scope = &store.data().scope;
        scope.tenant.monitors.stop();
        scope.life.monitors.stop();
        Ok(())
    })
}

fn watch<'a>(store: Store<'a>, (path,): (WasmStr,)) -> Pending<'a, (Outcome<(), String>,)> {
    let path = owned(&store, path);
    let scope = Arc::clone(&store.data().scope);
    Box::new(async move {
        let path = path?;
        let work = move || {
            monitor::watch(&scope.tenant, &scope.life, &path).map_err(|error| match error {
                MonitorError::Refused(refused) => {
                    WATCH.refuse(&scope.tenant, &refused, &path, &path)
                }
                MonitorError::TooMany { .. } => {
                    scope.tenant.counters.hit(Limit::WatchedDirectories);
                    format!("{} {path}: {error}", WATCH.failing)
                }
                MonitorError::System(_) => format!("{} {path}: {error}", WATCH.failing),
            })
        };
        Ok((block(store, work).await?,))
    })
}

pub(super) fn define_serving(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("respond-with", respond_with)
}

fn respond_with<'a>(store: Store<'a>, (path,): (WasmStr,)) -> Pending<'a, (Outcome<(), String>,)> {
    let path = owned(&store, path);
    let files = Arc::clone(&store.data().scope.tenant.files);
    Box::new(async move {
        let path = path?;
        let mut store = store;
        let work = move || {
            files
                .serve(&path)
                .map_err(|refused| READ.say(&refused, &path, &path))
        };
        let opened = match block(store.as_context_mut(), work).await? {
            Ok(file) => file,
            Err(error) => return Ok((Err(error),)),
        };
        let response = store.data_mut().response.as_mut();
        Ok((match response {
            Some(response) => {
                response.file = Some(opened);
                Ok(())
            }
            None => Err("only the answer to a request can be a file".to_owned()),
        },))
    })
}

fn owned(store: &Store<'_>, text: WasmStr) -> Result<String> {
    text.to_str(store).map(std::borrow::Cow::into_owned)
}

/// A text that is no text never reaches a file.
fn invalid() -> Refused {
    Refused::Io(ErrorKind::InvalidInput.into())
}

/// Removes a file with `work`, and tells handlers of files that it is gone.
fn gone(
    scope: &Arc<Scope>,
    path: &str,
    work: impl FnOnce() -> Outcome<(), Refused>,
) -> Outcome<(), Refused> {
    if !event::is_handled(scope, FILE_DELETED) {
        return work();
    }
    let directory = scope.tenant.files.directory_of(path);
    work()?;
    monitor::removed(&scope.tenant, &scope.life, path, directory.as_deref());
    Ok(())
}

/// Does something with one path.
fn one<'a, T: Send + 'static>(
    store: Store<'a>,
    path: WasmStr,
    words: Words,
    work: impl FnOnce(&Files, &str) -> Outcome<T, Refused> + Send + 'static,
) -> Pending<'a, (Outcome<T, String>,)> {
    let path = owned(&store, path);
    let tenant = Arc::clone(&store.data().scope.tenant);
    Box::new(async move {
        let path = path?;
        let work = move || {
            let done = work(&tenant.files, &path);
            done.map_err(|refused| words.refuse(&tenant, &refused, &path, &path))
        };
        Ok((block(store, work).await?,))
    })
}

/// Does something with two paths.
fn two<'a>(
    store: Store<'a>,
    source: WasmStr,
    target: WasmStr,
    words: Words,
    work: impl FnOnce(&Files, &str, &str) -> Outcome<(), Refused> + Send + 'static,
) -> Pending<'a, (Outcome<(), String>,)> {
    let paths = owned(&store, source).and_then(|source| Ok((source, owned(&store, target)?)));
    let tenant = Arc::clone(&store.data().scope.tenant);
    Box::new(async move {
        let (source, target) = paths?;
        let work = move || {
            let shown = format!("{source} to {target}");
            let done = work(&tenant.files, &source, &target);
            done.map_err(|refused| words.refuse(&tenant, &refused, &source, &shown))
        };
        Ok((block(store, work).await?,))
    })
}

fn exists<'a>(store: Store<'a>, (path, wanted): (WasmStr, WitWanted)) -> Pending<'a, (bool,)> {
    let path = owned(&store, path);
    let files = Arc::clone(&store.data().scope.tenant.files);
    let wanted = match wanted {
        WitWanted::Any => Wanted::Any,
        WitWanted::File => Wanted::File,
        WitWanted::Directory => Wanted::Directory,
    };
    Box::new(async move {
        let path = path?;
        Ok((block(store, move || files.exists(&path, wanted)).await?,))
    })
}
