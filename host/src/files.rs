//! Files of programs: what the actions on files do, within the granted directories and never outside.

mod entry;
mod glob;
pub(crate) mod monitor;
mod place;

use crate::config::Limits;
use crate::observe::limit::Limit;
use crate::store::datum::Datum;
use place::{Directory, Place};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Deepest nesting of directories that is listed or copied.
const DEPTH_MAX: usize = 64;

/// The directories of a tenant and the limits on their use. All functions block.
#[derive(Debug)]
pub(crate) struct Files {
    /// Canonical; relative paths begin at the first.
    roots: Vec<PathBuf>,
    file_bytes_max: usize,
    appended_bytes_max: u64,
    entries_max: usize,
}

/// What `exists` looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    File,
    Directory,
}

/// A file that is open.
#[derive(Debug)]
pub(crate) struct ServedFile {
    pub(crate) name: String,
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) changed: Option<SystemTime>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is outside of the directories that the program may use")]
    Outside,
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("it would be larger than {0} bytes")]
    Full(u64),
    #[error("there are more than {0} entries")]
    TooMany(usize),
    #[error("directories are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("it is neither a file nor a directory")]
    Special,
    #[error("one path lies within the other")]
    Nested,
    #[error("it is one of the granted directories")]
    Root,
}

impl Refused {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooLarge(_) => Some(Limit::FileBytes),
            Self::Full(_) => Some(Limit::AppendedFileBytes),
            Self::TooMany(_) => Some(Limit::DirectoryEntries),
            Self::Io(_)
            | Self::Outside
            | Self::TooDeep
            | Self::Special
            | Self::Nested
            | Self::Root => None,
        }
    }
}

type Done<T> = Result<T, Refused>;

impl Files {
    /// Directories that cannot be found are left out; settings are validated before.
    pub(crate) fn new(directories: &[PathBuf], limits: &Limits) -> Self {
        Self {
            roots: directories
                .iter()
                .filter_map(|directory| directory.canonicalize().ok())
                .collect(),
            file_bytes_max: limits.file_bytes_max,
            appended_bytes_max: limits.appended_file_bytes_max,
            entries_max: limits.directory_entries_max,
        }
    }

    /// The contents of a file.
    pub(crate) fn read(&self, path: &str) -> Done<Vec<u8>> {
        let file = self.open_regular(&self.locate(path)?)?;
        self.read_all(file)
    }

    /// A file that is to be read piece by piece, whatever its size.
    pub(crate) fn serve(&self, path: &str) -> Done<ServedFile> {
        let file = self.open_regular(&self.locate(path)?)?;
        let metadata = file.metadata()?;
        Ok(ServedFile {
            name: path.to_owned(),
            length: metadata.len(),
            changed: metadata.modified().ok(),
            file,
        })
    }

    fn read_all(&self, file: File) -> Done<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = self.file_bytes_max as u64;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > self.file_bytes_max {
            return Err(Refused::TooLarge(limit));
        }
        Ok(bytes)
    }

    /// Replaces a file as a whole.
    pub(crate) fn write(&self, path: &str, data: &[u8]) -> Done<()> {
        if data.len() > self.file_bytes_max {
            return Err(Refused::TooLarge(self.file_bytes_max as u64));
        }
        let place = self.locate_new(path)?;
        let before = place.metadata().ok();
        if before.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let temporary = place.sibling()?;
        let written = temporary.create().and_then(|mut file| {
            file.write_all(data)?;
            if let Some(before) = &before {
                file.set_permissions(before.permissions())?;
            }
            fs::rename(temporary.path(), place.path())
        });
        written.map_err(|error| {
            drop(fs::remove_file(temporary.path()));
            error.into()
        })
    }

    /// Adds to the end of a file, which is made if there is none.
    pub(crate) fn append(&self, path: &str, data: &[u8]) -> Done<()> {
        let place = self.locate_new(path)?;
        if place.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Refused::Special);
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(place.path())?;
        self.verify(&file)?;
        if file.metadata()?.len().saturating_add(data.len() as u64) > self.appended_bytes_max {
            return Err(Refused::Full(self.appended_bytes_max));
        }
        Ok(file.write_all(data)?)
    }

    /// The entries of a directory by path, encoded.
    pub(crate) fn list(&self, path: &str, recursively: bool, pattern: &str) -> Done<Vec<u8>> {
        let directory = self.enter(&self.locate(path)?)?;
        let mut found = Vec::new();
        let shown = if path.is_empty() { "." } else { path };
        self.walk(&directory, shown, recursively, pattern, 0, &mut found)?;
        Ok(Datum::List(found).encode())
    }

    fn walk(
        &self,
        directory: &Arc<Directory>,
        shown: &str,
        recursively: bool,
        pattern: &str,
        depth: usize,
        found: &mut Vec<Datum>,
    ) -> Done<()> {
        if depth > DEPTH_MAX {
            return Err(Refused::TooDeep);
        }
        for name in self.names(directory)? {
            let place = directory.place(&name);
            // What has gone meanwhile is not there.
            let Ok(metadata) = place.metadata() else {
                continue;
            };
            let name = name.to_string_lossy();
            let path = format!("{}/{name}", shown.trim_end_matches('/'));
            if pattern.is_empty() || glob::matches(pattern, &name) {
                if found.len() == self.entries_max {
                    return Err(Refused::TooMany(self.entries_max));
                }
                found.push(Datum::Map(entry::facts(&name, &path, &metadata)));
            }
            if recursively && metadata.is_dir() {
                let inner = self.enter(&place)?;
                self.walk(&inner, &path, true, pattern, depth + 1, found)?;
            }
        }
        Ok(())
    }

    /// Names in a directory, in order.
    fn names(&self, directory: &Directory) -> Done<Vec<std::ffi::OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory.path())? {
            if names.len() == self.entries_max {
                return Err(Refused::TooMany(self.entries_max));
            }
            names.push(entry?.file_name());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// All facts about an entry, encoded.
    pub(crate) fn stat(&self, path: &str) -> Done<Vec<u8>> {
        let place = self.locate(path)?;
        let metadata = place.metadata()?;
        let name = match place.name.to_str() {
            Some(".") | None => Path::new(path).file_name().unwrap_or(OsStr::new(path)),
            Some(_) => &place.name,
        };
        let mut facts = entry::facts(&name.to_string_lossy(), path, &metadata);
        facts.extend(entry::more_facts(&metadata));
        Ok(Datum::Map(facts).encode())
    }

    /// Whether there is such an entry; what the program may not see is not there.
    pub(crate) fn exists(&self, path: &str, wanted: Wanted) -> bool {
        let found = self
            .locate(path)
            .ok()
            .and_then(|place| place.metadata().ok());
        found.is_some_and(|found| match wanted {
            Wanted::Any => true,
            Wanted::File => !found.is_dir(),
            Wanted::Directory => found.is_dir(),
        })
    }

    /// Makes a directory and those around it.
    pub(crate) fn make_directory(&self, path: &str) -> Done<()> {
        let full = self.full(path);
        self.make_all(&full).map(drop)
    }

    /// Makes an empty file, or sets the modification time of one.
    pub(crate) fn touch(&self, path: &str) -> Done<()> {
        let place = self.locate_new(path)?;
        if place.metadata().is_ok_and(|found| found.is_dir()) {
            return Ok(File::open(place.path())?.set_modified(SystemTime::now())?);
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(place.path())?;
        self.verify(&file)?;
        Ok(file.set_modified(SystemTime::now())?)
    }

    /// Copies a file or a directory with all it holds; the target is replaced when the copy is complete.
    pub(crate) fn copy(&self, source: &str, target: &str) -> Done<()> {
        let (source, target) = (self.locate(source)?, self.locate_new(target)?);
        let metadata = source.metadata()?;
        if apart(&source, &target)? {
            return Ok(());
        }
        let temporary = target.sibling()?;
        let mut budget = self.entries_max;
        let copied = self
            .copy_entry(&source, &metadata, &temporary, 0, &mut budget)
            .and_then(|()| replace(&temporary, &target));
        copied.inspect_err(|_| drop(remove_all(&temporary)))
    }

    fn copy_entry(
        &self,
        source: &Place,
        metadata: &fs::Metadata,
        target: &Place,
        depth: usize,
        budget: &mut usize,
    ) -> Done<()> {
        if depth > DEPTH_MAX {
            return Err(Refused::TooDeep);
        }
        *budget = budget
            .checked_sub(1)
            .ok_or(Refused::TooMany(self.entries_max))?;
        if metadata.is_file() {
            let mut from = self.open_regular(source)?;
            let mut to = target.create()?;
            io::copy(&mut from, &mut to)?;
            return Ok(to.set_permissions(metadata.permissions())?);
        }
        if !metadata.is_dir() {
            return Err(Refused::Special);
        }
        fs::create_dir(target.path())?;
        let (from, to) = (self.enter(source)?, self.enter(target)?);
        for name in self.names(&from)? {
            let inner = from.place(&name);
            let metadata = inner.metadata()?;
            self.copy_entry(&inner, &metadata, &to.place(&name), depth + 1, budget)?;
        }
        Ok(())
    }

    /// Gives an entry another path; the target is replaced.
    pub(crate) fn rename(&self, source: &str, target: &str) -> Done<()> {
        let (source, target) = (self.locate(source)?, self.locate_new(target)?);
        source.metadata()?;
        if source.name == *"." {
            return Err(Refused::Root);
        }
        if apart(&source, &target)? {
            return Ok(());
        }
        replace(&source, &target)
    }

    /// Removes a file or an empty directory.
    pub(crate) fn remove(&self, path: &str) -> Done<()> {
        let place = self.locate(path)?;
        if place.name == *"." {
            return Err(Refused::Root);
        }
        let removed = match place.metadata()?.is_dir() {
            true => fs::remove_dir(place.path()),
            false => fs::remove_file(place.path()),
        };
        Ok(removed?)
    }
}

/// Whether two places are one; refuses a place within the other, which neither copying nor moving survives.
fn apart(source: &Place, target: &Place) -> Done<bool> {
    let (from, to) = (source.shown()?, target.shown()?);
    if from == to {
        return Ok(true);
    }
    if from.starts_with(&to) || to.starts_with(&from) {
        return Err(Refused::Nested);
    }
    Ok(false)
}

/// Puts an entry where another may be.
fn replace(source: &Place, target: &Place) -> Done<()> {
    if target.metadata().is_ok_and(|found| found.is_dir())
        || (target.metadata().is_ok() && source.metadata()?.is_dir())
    {
        remove_all(target)?;
    }
    Ok(fs::rename(source.path(), target.path())?)
}

fn remove_all(place: &Place) -> io::Result<()> {
    match place.metadata()?.is_dir() {
        true => fs::remove_dir_all(place.path()),
        false => fs::remove_file(place.path()),
    }
}

#[cfg(test)]
mod tests;
