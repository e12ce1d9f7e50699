//! From a path that a program wrote to an entry of an open directory that it may use.
//!
//! The directory is opened first and asked for its real path then, and everything is done relative to the open directory: nothing that is renamed or linked meanwhile can lead outside.

use super::{Done, Files, Refused};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// An open directory whose real path has been checked.
#[derive(Debug)]
pub(super) struct Directory {
    handle: File,
    /// Where it was when it was opened.
    real: PathBuf,
}

/// An entry of an open directory, whether it is there or not.
#[derive(Debug)]
pub(super) struct Place {
    directory: Arc<Directory>,
    /// One part of a path; `.` for the directory itself.
    pub(super) name: OsString,
}

impl Directory {
    /// A path to the open directory, whatever its names are by now.
    pub(super) fn path(&self) -> PathBuf {
        path_of(&self.handle, &self.real)
    }

    /// Its real path when it was opened.
    pub(super) fn real(&self) -> &Path {
        &self.real
    }

    /// Facts about the open directory.
    pub(super) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.handle.metadata()
    }

    /// An entry of it.
    pub(super) fn place(self: &Arc<Self>, name: &OsStr) -> Place {
        Place {
            directory: Arc::clone(self),
            name: name.to_owned(),
        }
    }
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// The real path of its directory when that was opened.
    pub(super) fn parent(&self) -> &Path {
        &self.directory.real
    }

    /// Facts about the entry itself, even if it is a symbolic link.
    pub(super) fn metadata(&self) -> io::Result<fs::Metadata> {
        fs::symlink_metadata(self.path())
    }

    /// Its real path, for comparison with others.
    pub(super) fn shown(&self) -> io::Result<PathBuf> {
        let directory = real_path(&self.directory.handle, &self.directory.real)?;
        Ok(match self.name == *"." {
            true => directory,
            false => directory.join(&self.name),
        })
    }

    /// A new file: fails if there is anything.
    pub(super) fn create(&self) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.path())
    }

    /// A place beside it that nobody uses, hidden.
    pub(super) fn sibling(&self) -> io::Result<Place> {
        let random = getrandom::u64().map_err(|_| io::Error::from(ErrorKind::Other))?;
        Ok(Place {
            directory: Arc::clone(&self.directory),
            name: format!(".{random:016x}.part").into(),
        })
    }
}

#[cfg(target_os = "linux")]
fn path_of(handle: &File, _real: &Path) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Where open files have no paths of their own, the checked path has to do.
#[cfg(not(target_os = "linux"))]
fn path_of(_handle: &File, real: &Path) -> PathBuf {
    real.to_owned()
}

#[cfg(target_os = "linux")]
fn real_path(handle: &File, real: &Path) -> io::Result<PathBuf> {
    fs::read_link(path_of(handle, real))
}

#[cfg(not(target_os = "linux"))]
fn real_path(_handle: &File, real: &Path) -> io::Result<PathBuf> {
    real.canonicalize()
}

impl Files {
    /// The path as the system would read it.
    pub(super) fn full(&self, path: &str) -> PathBuf {
        match self.roots.first() {
            Some(root) => root.join(path),
            None => PathBuf::from(path),
        }
    }

    fn grants(&self, real: &Path) -> bool {
        self.roots.iter().any(|root| real.starts_with(root))
    }

    /// Opens a directory that must be within what is granted.
    fn open(&self, path: &Path) -> Done<Arc<Directory>> {
        let handle = File::open(path)?;
        let real = real_path(&handle, path)?;
        if !self.grants(&real) {
            return Err(Refused::Outside);
        }
        if !handle.metadata()?.is_dir() {
            return Err(io::Error::from(ErrorKind::NotADirectory).into());
        }
        Ok(Arc::new(Directory { handle, real }))
    }

    /// Whether an opened file is within what is granted.
    pub(super) fn verify(&self, file: &File) -> Done<()> {
        if cfg!(target_os = "linux") && !self.grants(&real_path(file, Path::new(""))?) {
            return Err(Refused::Outside);
        }
        Ok(())
    }

    /// Opens a place that is a directory.
    pub(super) fn enter(&self, place: &Place) -> Done<Arc<Directory>> {
        if place.name == *"." {
            return Ok(Arc::clone(&place.directory));
        }
        if !place.metadata()?.is_dir() {
            return Err(io::Error::from(ErrorKind::NotADirectory).into());
        }
        self.open(&place.path())
    }

    /// Opens a regular file: a pipe or a device would keep who opens it.
    pub(super) fn open_regular(&self, place: &Place) -> Done<File> {
        let found = place.metadata()?;
        if found.is_dir() {
            return Err(io::Error::from(ErrorKind::IsADirectory).into());
        }
        if !found.is_file() {
            return Err(Refused::Special);
        }
        let file = File::open(place.path())?;
        self.verify(&file)?;
        Ok(file)
    }

    /// The place of a path whose directory exists. Symbolic links are followed where they lead to what is granted.
    pub(super) fn locate(&self, path: &str) -> Done<Place> {
        if path.is_empty() || path.contains('\0') {
            return Err(io::Error::from(ErrorKind::NotFound).into());
        }
        let full = self.full(path);
        match full.components().next_back() {
            Some(Component::Normal(name)) => {
                let parent = self.canonical(full.parent().unwrap_or(&full));
                // A root may lie in a directory that is not granted.
                let place = match parent {
                    Ok(parent) if self.grants(&parent) => self.open(&parent)?.place(name),
                    Ok(_) => return self.locate_real(&self.canonical(&full).map_err(hidden)?),
                    Err(error) => return Err(error),
                };
                if place.metadata().is_ok_and(|found| found.is_symlink()) {
                    return self.locate_real(&self.canonical(&place.path())?);
                }
                Ok(place)
            }
            _ => self.locate_real(&self.canonical(&full)?),
        }
    }

    /// The place of a path without symbolic links.
    fn locate_real(&self, real: &Path) -> Done<Place> {
        if !self.grants(real) {
            return Err(Refused::Outside);
        }
        if self.roots.iter().any(|root| root == real) {
            return Ok(self.open(real)?.place(OsStr::new(".")));
        }
        match (real.parent(), real.file_name()) {
            (Some(parent), Some(name)) => Ok(self.open(parent)?.place(name)),
            _ => Err(Refused::Outside),
        }
    }

    fn canonical(&self, path: &Path) -> Done<PathBuf> {
        match path.canonicalize() {
            Ok(real) => Ok(real),
            // Whether there is something outside is nobody's business.
            Err(_) if !self.begins_inside(path) => Err(Refused::Outside),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a path that cannot be resolved at least begins within what is granted.
    fn begins_inside(&self, path: &Path) -> bool {
        path.ancestors()
            .find_map(|ancestor| ancestor.canonicalize().ok())
            .is_some_and(|real| self.grants(&real))
    }

    /// The place of a path whose directories are made where they are missing.
    pub(super) fn locate_new(&self, path: &str) -> Done<Place> {
        match self.locate(path) {
            Err(Refused::Io(error)) if error.kind() == ErrorKind::NotFound && !path.is_empty() => {}
            located => return located,
        }
        let full = self.full(path);
        if let Some(parent) = full.parent() {
            self.make_all(parent)?;
        }
        self.locate(path)
    }

    /// Makes a directory and those around it, one by one from the innermost that exists.
    pub(super) fn make_all(&self, full: &Path) -> Done<()> {
        let mut missing = Vec::new();
        let mut existing = full;
        let real = loop {
            match existing.canonicalize() {
                Ok(real) => break real,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
            match (existing.parent(), existing.components().next_back()) {
                (Some(parent), Some(Component::Normal(name))) => {
                    missing.push(name);
                    existing = parent;
                }
                _ => return Err(io::Error::from(ErrorKind::NotFound).into()),
            }
        };
        if missing.is_empty() && self.grants(&real) {
            return match real.is_dir() {
                true => Ok(()),
                false => Err(io::Error::from(ErrorKind::AlreadyExists).into()),
            };
        }
        let mut directory = self.open(&real)?;
        for name in missing.into_iter().rev() {
            let place = directory.place(name);
            match fs::create_dir(place.path()) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
                _ => directory = self.enter(&place)?,
            }
        }
        Ok(())
    }
}

/// What lies outside is not told apart from what does not exist there.
fn hidden(_: Refused) -> Refused {
    Refused::Outside
}
