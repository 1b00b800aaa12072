//! What files hash to, remembered by size, times and inode, so that a file that has not changed is not read again.
//! Knows the racy-git rule: a file changed as late as it was read, or as the memory was written, is read again (git, "racy-git").

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forge_schemas::{Digest, Failure};
use serde::{Deserialize, Serialize};

use super::sealed::{read_sealed, write_sealed};

/// What files hash to.
pub struct Hashes {
    path: PathBuf,
    written: i128,
    known: HashMap<PathBuf, Known>,
    learned: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Known {
    stat: Stat,
    digest: Digest,
}

/// What the file system says of a file. One that was written to says something else, but for one that was written twice
/// within a tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
    executable: bool,
}

/// A file's content and whether it may be executed: what a task sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHash {
    /// The sha256 of its content.
    pub digest: Digest,
    /// What the file system said of it before it was read.
    pub stat: Stat,
}

/// The clock by which files are marked ticks this seldom, at worst.
const TICK: Duration = Duration::from_millis(20);

impl Hashes {
    /// What is remembered in this file; nothing where it is missing or unreadable.
    pub fn open(path: PathBuf) -> Hashes {
        let known: HashMap<PathBuf, Known> =
            read_sealed(&path).and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default();
        let written = std::fs::metadata(&path).map_or(0, |it| nanoseconds(it.mtime(), it.mtime_nsec()));
        Hashes { path, written, known, learned: Mutex::default() }
    }

    /// What a file hashes to. Any number of threads may ask.
    pub fn of(&self, path: &Path) -> io::Result<FileHash> {
        self.of_file(path, &std::fs::metadata(path)?)
    }

    /// The same, where the metadata of the file are known.
    pub fn of_file(&self, path: &Path, metadata: &Metadata) -> io::Result<FileHash> {
        let stat = Stat::of(metadata);
        let known = self.known.get(path).filter(|it| it.stat == stat && stat.is_before(self.written));
        if let Some(known) = known {
            return Ok(FileHash { digest: known.digest, stat });
        }
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let stat = Stat::of(&std::fs::metadata(path)?);
        let (digest, _) = super::blobs::hash(path)?;
        // Changed a moment ago, it may be changed once more within the same tick, and show it by nothing.
        if stat.is_settled(began) {
            self.learned_now().insert(path.to_path_buf(), Known { stat, digest });
        }
        Ok(FileHash { digest, stat })
    }

    /// Writes what was learned.
    pub fn save(mut self) -> Result<(), Failure> {
        let learned = std::mem::take(&mut *self.learned_now());
        if learned.is_empty() {
            return Ok(());
        }
        self.known.extend(learned);
        let bytes = postcard::to_stdvec(&self.known).map_err(|error| Failure::bug(error.to_string()))?;
        write_sealed(&self.path, bytes).map_err(|error| Failure::file("write", &self.path, &error))
    }

    fn learned_now(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.learned.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl FileHash {
    /// Whether it may be executed.
    pub fn is_executable(&self) -> bool {
        self.stat.executable
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.stat.size
    }
}

impl Stat {
    /// From what the file system says.
    pub fn of(metadata: &Metadata) -> Stat {
        Stat {
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            executable: metadata.mode() & 0o100 != 0,
        }
    }

    // Whether whoever writes to it after `began`, when it is read, marks it by another time.
    fn is_settled(&self, began: Duration) -> bool {
        self.is_before(began.saturating_sub(TICK).as_nanos() as i128)
    }

    // A user can set the one time back, and a wrong clock both.
    fn is_before(&self, time: i128) -> bool {
        self.modified.max(self.changed) < time
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("source");
        let memory = directory.path().join("memory");
        std::fs::write(&file, b"one").unwrap();
        let hashes = Hashes::open(memory.clone());
        assert_eq!(hashes.of(&file).unwrap().digest, Digest::of(b"one"));
        hashes.save().unwrap();
        std::fs::write(&file, b"two").unwrap();
        let hashes = Hashes::open(memory.clone());
        assert_eq!(hashes.of(&file).unwrap().digest, Digest::of(b"two"));
        hashes.save().unwrap();
        assert_eq!(Hashes::open(memory).of(&file).unwrap().digest, Digest::of(b"two"));
    }

    // File systems that mark each write by a time of its own can't show what this guards against; many still don't.
    #[test]
    fn what_was_changed_within_a_tick_of_being_read_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("source");
        std::fs::write(&file, b"one").unwrap();
        let stat = Stat::of(&std::fs::metadata(&file).unwrap());
        let read_after =
            |tick: f64, stat: Stat| stat.is_settled(Duration::from_nanos(stat.changed as u64) + TICK.mul_f64(tick));
        assert!(!read_after(0.0, stat));
        assert!(!read_after(1.0, stat));
        assert!(read_after(1.1, stat));
        assert!(!read_after(0.5, Stat { modified: 0, ..stat }), "a user has set its time back");
        assert!(!read_after(1.1, Stat { modified: stat.modified + (1 << 40), ..stat }), "a time to come");
    }

    #[test]
    fn garbage_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        std::fs::write(&memory, [0xff; 64]).unwrap();
        std::fs::write(directory.path().join("source"), b"one").unwrap();
        let hashes = Hashes::open(memory);
        assert_eq!(hashes.of(&directory.path().join("source")).unwrap().digest, Digest::of(b"one"));
    }
}
