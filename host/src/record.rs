//! Recording of events: each in a file of its own, within a bound for all of them, written by a thread that nobody waits for.
//!
//! Recordings hold what programs see, secrets included: files are readable by their owner only.

pub(crate) mod occasion;
pub(crate) mod pen;
pub(crate) mod recording;
pub(crate) mod replay;
mod show;

use parking_lot::Mutex;
use recording::{Head, Recording};
use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Finished recordings that wait for the disk; further ones are dropped and counted.
const WAITING_MAX: usize = 256;
/// Ending of the files of events.
const EVENT_ENDING: &str = ".event";
/// Ending of the files of artifacts.
const APP_ENDING: &str = ".wasm";
/// Characters of a feature set's name that the name of a file has.
const NAME_CHARACTERS_MAX: usize = 64;
/// Digits of the number that a file's name begins with.
const NUMBER_DIGITS: usize = 16;
/// Digits of the artifact's digest in the name of a file.
const APP_DIGITS: usize = 12;

/// Records the events of one tenant.
#[derive(Debug)]
pub(crate) struct Recorder {
    directory: PathBuf,
    event_bytes_max: usize,
    /// None once the program has ended.
    writer: Mutex<Option<(SyncSender<Finished>, JoinHandle<()>)>>,
    /// Events that are not in the directory, because the disk is too slow or refuses.
    lost: AtomicU64,
}

struct Finished {
    /// The first digits of the artifact's digest.
    app: String,
    component: String,
    file: Vec<u8>,
}

/// A file in the directory.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    name: String,
    bytes: u64,
}

impl Recorder {
    /// Opens the directory, makes it if there is none, and goes on behind what is in it.
    pub(crate) fn open(directory: &Path, limits: Bounds) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let shelf = Shelf::open(directory, limits.bytes_max)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("aro-record".to_owned())
            .spawn(move || write_all(shelf, &receiver))?;
        Ok(Self {
            directory: directory.to_owned(),
            event_bytes_max: limits.event_bytes_max,
            writer: Mutex::new(Some((sender, thread))),
            lost: AtomicU64::new(0),
        })
    }

    /// Where it writes.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps an artifact beside the events that it will handle.
    pub(crate) fn keep_app(&self, digest: &[u8], file: &[u8]) -> io::Result<()> {
        let app = hexadecimal(digest);
        let path = self.directory.join(short(&app).to_owned() + APP_ENDING);
        if path.exists() {
            return Ok(());
        }
        // Whoever sees the name sees all of the file.
        let unfinished = self.directory.join("unfinished-app");
        remove(&unfinished)?;
        create(&unfinished)?.write_all(file)?;
        fs::rename(&unfinished, path)
    }

    /// An event is about to be handled.
    pub(crate) fn begin(&self) -> Recording {
        Recording::new(self.event_bytes_max)
    }

    /// It has been handled. Never waits.
    pub(crate) fn finish(&self, recording: Recording, head: &Head<'_>, outcome: &str) {
        let finished = Finished {
            app: short(&hexadecimal(head.app)).to_owned(),
            component: plain(head.component),
            file: recording.finish(head, outcome),
        };
        let writer = self.writer.lock();
        let sent = writer
            .as_ref()
            .is_some_and(|(sender, _)| sender.try_send(finished).is_ok());
        if !sent && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(directory = %self.directory.display(), "the disk is too slow: events are not recorded");
        }
    }

    /// Waits until everything that was recorded is in the directory; nothing is recorded any more. Blocks.
    pub(crate) fn end(&self) {
        let writer = self.writer.lock().take();
        if let Some((sender, thread)) = writer {
            drop(sender);
            drop(thread.join());
        }
    }
}

/// Limits of recordings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Calls of one event.
    pub(crate) event_bytes_max: usize,
    /// All files in the directory.
    pub(crate) bytes_max: u64,
}

fn write_all(mut shelf: Shelf, finished: &Receiver<Finished>) {
    let mut is_refused = false;
    for event in finished {
        let written = shelf.put(&event);
        if let Err(error) = &written
            && !is_refused
        {
            tracing::warn!(directory = %shelf.directory.display(), %error, "an event cannot be recorded");
        }
        is_refused = written.is_err();
    }
}

/// The files of a directory, oldest first.
struct Shelf {
    directory: PathBuf,
    events: VecDeque<Kept>,
    bytes: u64,
    bytes_max: u64,
    number: u64,
}

impl Shelf {
    fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut events = Vec::new();
        let mut apps = Vec::new();
        let mut bytes = 0;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let size = entry.metadata()?.len();
            if name.ends_with(EVENT_ENDING) {
                events.push(Kept { name, bytes: size });
                bytes += size;
            } else if let Some(app) = name.strip_suffix(APP_ENDING) {
                apps.push(app.to_owned());
            }
        }
        let needs = |app: &str| events.iter().any(|event| app_of(&event.name) == Some(app));
        for app in apps.iter().filter(|app| !needs(app)) {
            remove(&directory.join(app.to_owned() + APP_ENDING))?;
        }
        events.sort_by(|one, other| one.name.cmp(&other.name));
        let last = events.last().and_then(|event| event.name.split('-').next());
        let number = last.and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(Self {
            directory: directory.to_owned(),
            events: events.into(),
            bytes,
            bytes_max,
            number,
        })
    }

    /// Writes an event, and drops the oldest ones where there are too many bytes.
    fn put(&mut self, event: &Finished) -> io::Result<()> {
        self.number += 1;
        let number = format!("{:0NUMBER_DIGITS$}", self.number);
        let name = format!("{number}-{}-{}{EVENT_ENDING}", event.app, event.component);
        let bytes = event.file.len() as u64;
        if bytes > self.bytes_max {
            return Ok(());
        }
        while self.bytes + bytes > self.bytes_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.bytes;
            remove(&self.directory.join(&oldest.name))?;
            self.drop_app_of(&oldest.name, &event.app)?;
        }
        // Whoever sees the name sees all of the file.
        let unfinished = self.directory.join("unfinished");
        remove(&unfinished)?;
        create(&unfinished)?.write_all(&event.file)?;
        fs::rename(&unfinished, self.directory.join(&name))?;
        self.bytes += bytes;
        self.events.push_back(Kept { name, bytes });
        Ok(())
    }

    /// Drops the artifact of a dropped event if no other event needs it.
    fn drop_app_of(&self, event: &str, current: &str) -> io::Result<()> {
        let Some(dropped) = app_of(event).filter(|dropped| *dropped != current) else {
            return Ok(());
        };
        let mut events = self.events.iter();
        if events.any(|event| app_of(&event.name) == Some(dropped)) {
            return Ok(());
        }
        remove(&self.directory.join(dropped.to_owned() + APP_ENDING))
    }
}

/// The artifact that the name of an event's file names.
fn app_of(event: &str) -> Option<&str> {
    event.split('-').nth(1)
}

fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A name that a manifest says, as a part of a file's name.
fn plain(name: &str) -> String {
    let part = name.chars().take(NAME_CHARACTERS_MAX);
    part.map(|character| match character.is_ascii_alphanumeric() {
        true => character,
        false => '-',
    })
    .collect()
}

/// Digits of bytes, in small letters.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digits of an artifact's digest that names of files have.
pub(crate) fn short(app: &str) -> &str {
    app.get(..APP_DIGITS).unwrap_or(app)
}

/// Where the artifact of a recorded event is kept, beside the event.
pub(crate) fn app_beside(event: &Path, app: &str) -> PathBuf {
    event.with_file_name(short(app).to_owned() + APP_ENDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(app: &str, bytes: usize) -> Finished {
        Finished {
            app: app.to_owned(),
            component: "greet".to_owned(),
            file: vec![0; bytes],
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn names_of_manifests_lead_nowhere_else() {
        assert_eq!(plain("../a/B c"), "---a-B-c");
        assert_eq!(plain(&"x".repeat(1000)).len(), NAME_CHARACTERS_MAX);
    }

    #[test]
    fn the_oldest_events_make_room_and_their_artifacts_go_with_the_last_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs::write(at.join("aa.wasm"), "").unwrap();
        let mut shelf = Shelf::open(at, 100).unwrap();
        // Nobody needs it yet.
        assert!(names(at).is_empty());
        fs::write(at.join("aa.wasm"), "").unwrap();
        for _ in 0..3 {
            shelf.put(&event("aa", 40)).unwrap();
        }
        assert_eq!(
            names(at),
            [
                "0000000000000002-aa-greet.event",
                "0000000000000003-aa-greet.event",
                "aa.wasm"
            ]
        );
        // It goes on behind what is there.
        let mut shelf = Shelf::open(at, 100).unwrap();
        shelf.put(&event("bb", 90)).unwrap();
        assert_eq!(names(at), ["0000000000000004-bb-greet.event"]);
        // What fits nowhere is not worth the others.
        shelf.put(&event("bb", 101)).unwrap();
        assert_eq!(names(at).len(), 1);
    }
}
