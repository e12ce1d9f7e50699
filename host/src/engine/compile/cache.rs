//! Compiled code on disk, a file for each part, named by what it was compiled from. A file that is not whole is as good as none.

use super::Key;
use super::code::MachineCode;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Bytes of the digest at the end of a file.
const DIGEST_BYTES: usize = 32;
/// Nobody else may write what runs as machine code, or read what it was made from.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const OTHERS_WRITE: u32 = 0o022;
/// Part of the limit that stays when the oldest files are deleted.
const KEPT_PART: f64 = 0.75;
/// A file that is used is marked so, but no more often than this.
const MARK_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Files that a process began to write and did not finish.
const BEGUN: &str = "begun";
const BEGUN_AGE_MAX: Duration = Duration::from_secs(60 * 60);

pub(super) struct Cache {
    directory: PathBuf,
    bytes_max: u64,
    /// Bytes of all files, known from the first write on.
    bytes: Mutex<Option<u64>>,
    written: AtomicU64,
}

impl Cache {
    /// Makes the directory where there is none; refuses one that others own or can write to.
    pub(super) fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)?;
        let cache = Self {
            directory: directory.to_owned(),
            bytes_max,
            bytes: Mutex::default(),
            written: AtomicU64::new(0),
        };
        let metadata = fs::metadata(directory)?;
        // A file of ours tells who we are, and that we may write.
        let (path, probe) = cache.begin("probe")?;
        let owner = probe.metadata()?.uid();
        fs::remove_file(path)?;
        if metadata.uid() != owner {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.mode() & OTHERS_WRITE != 0 {
            return Err(io::Error::other("others may write to it; chmod 700 helps"));
        }
        Ok(cache)
    }

    pub(super) fn read(&self, key: &Key) -> Option<MachineCode> {
        let path = self.path(key);
        let mut bytes = fs::read(&path).ok()?;
        let code_bytes = bytes.len().checked_sub(DIGEST_BYTES)?;
        let digest = bytes.split_off(code_bytes);
        if Sha256::digest(&bytes)[..] != digest[..] {
            tracing::warn!(path = %path.display(), "compiled code is damaged and made anew");
            return None;
        }
        mark(&path);
        Some(MachineCode::vouched(bytes))
    }

    /// Keeps code; a failure costs time at the next start only.
    pub(super) fn write(&self, key: &Key, code: &MachineCode) {
        if let Err(error) = self.try_write(key, code.as_bytes()) {
            let path = self.directory.display();
            tracing::warn!(%path, %error, "compiled code cannot be kept");
        }
    }

    fn try_write(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        let (begun, mut file) = self.begin(&name(key))?;
        let written = file
            .write_all(code)
            .and_then(|()| file.write_all(&Sha256::digest(code)))
            .and_then(|()| fs::rename(&begun, self.path(key)));
        if let Err(error) = written {
            fs::remove_file(&begun).ok();
            return Err(error);
        }
        self.bound((code.len() + DIGEST_BYTES) as u64)
    }

    /// Opens a file that no other process and no other thread writes to.
    fn begin(&self, name: &str) -> io::Result<(PathBuf, File)> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}.{}.{number}.{BEGUN}", std::process::id());
        let path = self.directory.join(name);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE);
        let file = options.open(&path)?;
        Ok((path, file))
    }

    /// Notes what was written; deletes the files that were not used for longest where all are too much.
    fn bound(&self, added: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock();
        let sum = bytes.map_or_else(|| self.sum(), |bytes| Ok(bytes + added))?;
        *bytes = Some(sum);
        if sum > self.bytes_max {
            *bytes = Some(self.delete_oldest()?);
        }
        Ok(())
    }

    fn sum(&self) -> io::Result<u64> {
        Ok(self.files()?.iter().map(|file| file.bytes).sum())
    }

    fn delete_oldest(&self) -> io::Result<u64> {
        let mut files = self.files()?;
        files.sort_unstable_by_key(|file| file.used);
        let mut left: u64 = files.iter().map(|file| file.bytes).sum();
        let kept = (self.bytes_max as f64 * KEPT_PART) as u64;
        for file in files {
            let is_left_over =
                file.is_begun && file.used.elapsed().is_ok_and(|age| age > BEGUN_AGE_MAX);
            if is_left_over || left > kept && !file.is_begun {
                // Another process may have been faster.
                fs::remove_file(&file.path).ok();
                left -= file.bytes;
            }
        }
        Ok(left)
    }

    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // One that is deleted meanwhile does not count.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                let path = entry.path();
                files.push(Kept {
                    bytes: metadata.len(),
                    used: metadata.modified()?,
                    is_begun: path.extension().is_some_and(|end| end == BEGUN),
                    path,
                });
            }
        }
        Ok(files)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(name(key))
    }
}

/// A file of the cache.
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    is_begun: bool,
}

fn name(key: &Key) -> String {
    let mut name = String::with_capacity(2 * key.len());
    for byte in key {
        // Writing to a text cannot fail.
        write!(name, "{byte:02x}").ok();
    }
    name
}

/// Notes that a file is in use.
fn mark(path: &Path) {
    let is_old = |file: &File| -> io::Result<bool> {
        let used = file.metadata()?.modified()?;
        Ok(used.elapsed().is_ok_and(|age| age > MARK_INTERVAL))
    };
    let marked = File::open(path).and_then(|file| match is_old(&file)? {
        true => file.set_modified(SystemTime::now()),
        false => Ok(()),
    });
    if let Err(error) = marked {
        tracing::debug!(%error, "compiled code cannot be marked as used");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn code(byte: u8, bytes: usize) -> MachineCode {
        MachineCode::vouched(vec![byte; bytes])
    }

    #[test]
    fn what_was_written_is_read_back_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("deep/code"), 1 << 20).unwrap();
        assert!(cache.read(&[1; 32]).is_none());
        cache.write(&[1; 32], &code(7, 100));
        assert_eq!(cache.read(&[1; 32]).unwrap().as_bytes(), [7; 100]);
        let path = cache.path(&[1; 32]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for damage in [0, 50, 131] {
            cache.write(&[1; 32], &code(7, 100));
            let mut bytes = fs::read(&path).unwrap();
            bytes[damage] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(cache.read(&[1; 32]).is_none(), "byte {damage}");
            bytes.truncate(damage);
            fs::write(&path, &bytes).unwrap();
            assert!(cache.read(&[1; 32]).is_none(), "{damage} bytes");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702] {
            fs::set_permissions(directory.path(), PermissionsExt::from_mode(mode)).unwrap();
            let error = Cache::open(directory.path(), 1).err().unwrap();
            assert!(error.to_string().contains("others may write"), "{error}");
        }
    }

    #[test]
    fn the_oldest_files_go_when_the_limit_is_passed() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path(), 1000).unwrap();
        for number in 0..6_u8 {
            cache.write(&[number; 32], &code(number, 100));
            let used = SystemTime::now() - Duration::from_secs(60 * (10 - u64::from(number)));
            let file = File::options().write(true).open(cache.path(&[number; 32]));
            file.unwrap().set_modified(used).unwrap();
        }
        // Six files of 132 bytes fit; the next two pass 1,000 and leave at most 750.
        cache.write(&[6; 32], &code(6, 100));
        cache.write(&[7; 32], &code(7, 100));
        let kept: Vec<u8> = (0..8)
            .filter(|key| cache.read(&[*key; 32]).is_some())
            .collect();
        assert_eq!(kept, [3, 4, 5, 6, 7]);
    }
}
