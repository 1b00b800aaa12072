//! What the file system says of files, and directories in which it is asked about many.
//! Does not know what is in them.

use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags, open, statat};
use serde::{Deserialize, Serialize};

/// What the file system says of a file. One that was written to says something else, but for one that was written twice
/// within a tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    size: u64,
    /// In nanoseconds since 1970, as is `changed`.
    modified: i64,
    changed: i64,
    inode: u64,
    /// Which sort of file it is, and who may do what with it.
    mode: u32,
}

/// A directory. It is opened once, so that the system need not find it again for each of ten thousand files in it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// None where it is not there yet.
    opened: Option<OwnedFd>,
}

/// The clock by which files are marked ticks this seldom, at worst.
const TICK: Duration = Duration::from_millis(20);

impl Directory {
    /// The directory of this path, whether it is there or not.
    pub fn at(path: PathBuf) -> Directory {
        let opened = open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok();
        Directory { path, opened }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file system that it is on.
    pub fn device(&self) -> Option<u64> {
        std::fs::metadata(&self.path).ok().map(|it| it.dev())
    }

    /// What the file system says of a file by its name; of a link, what it says of the file that it leads to.
    pub fn stat(&self, name: &str) -> io::Result<Stat> {
        self.ask(name, AtFlags::empty())
    }

    /// The same, but of a link what it says of the link.
    pub fn stat_link(&self, name: &str) -> io::Result<Stat> {
        self.ask(name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// What lies in it, with itself and the one around it, as far as that can be read.
    pub fn entries(&self) -> impl Iterator<Item = DirEntry> {
        self.opened.iter().filter_map(|it| Dir::read_from(it).ok()).flatten().flatten()
    }

    fn ask(&self, name: &str, flags: AtFlags) -> io::Result<Stat> {
        let said = match &self.opened {
            Some(directory) => statat(directory, name, flags)?,
            None => statat(CWD, self.path.join(name), flags)?,
        };
        Ok(Stat {
            size: said.st_size as u64,
            modified: nanoseconds(said.st_mtime, said.st_mtime_nsec as i64),
            changed: nanoseconds(said.st_ctime, said.st_ctime_nsec as i64),
            inode: said.st_ino,
            mode: said.st_mode,
        })
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
            mode: metadata.mode(),
        }
    }

    /// Of an empty file that was changed at this time.
    #[cfg(test)]
    pub fn at(time: i64) -> Stat {
        Stat { size: 0, modified: time, changed: time, inode: 1, mode: 0o100_644 }
    }

    /// How many bytes the file has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When its content was changed last, in nanoseconds since 1970.
    pub fn modified(&self) -> i64 {
        self.modified
    }

    /// Which file it is, among those of its file system.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether it is a file, and no directory or link.
    pub fn is_file(&self) -> bool {
        FileType::from_raw_mode(self.mode).is_file()
    }

    /// Whether its owner may execute it.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Whether these are two names of one file. That a name was added to it meanwhile makes no difference.
    pub fn is_same_file(&self, other: &Stat) -> bool {
        Stat { changed: 0, ..*self } == Stat { changed: 0, ..*other }
    }

    /// Whether whoever writes to it after `began`, in time since 1970, marks it by another time.
    pub fn is_settled(&self, began: Duration) -> bool {
        self.is_before(began.saturating_sub(TICK).as_nanos() as i64)
    }

    /// Whether it was changed before this time, in nanoseconds since 1970. A user can set the one of its times back, and a
    /// wrong clock both.
    pub fn is_before(&self, time: i64) -> bool {
        self.modified.max(self.changed) < time
    }
}

// A time that is too far away for that is the last that there is, and later than any that is asked about.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    // File systems that mark each write by a time of its own can't show what this guards against; many still don't.
    #[test]
    fn what_was_changed_within_a_tick_of_being_read_is_not_settled() {
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
    fn a_directory_says_what_the_path_says() {
        let directory = tempfile::tempdir().unwrap();
        let (there, missing) = (directory.path().join("there"), directory.path().join("missing"));
        std::fs::create_dir(&there).unwrap();
        let directories = [Directory::at(there.clone()), Directory::at(missing.clone())];
        std::fs::create_dir(missing).unwrap();
        for directory in directories {
            let file = directory.path().join("file");
            std::fs::write(&file, b"12345").unwrap();
            std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
            let is = Stat::of(&std::fs::metadata(&file).unwrap());
            assert!(is.is_file() && !is.is_executable() && is.size() == 5);
            assert_eq!(directory.stat("file").unwrap(), is);
            assert_eq!(directory.stat("link").unwrap(), is);
            assert_eq!(directory.stat_link("file").unwrap(), is);
            assert!(!directory.stat_link("link").unwrap().is_file());
            assert_eq!(directory.stat("nothing").unwrap_err().kind(), io::ErrorKind::NotFound);
            std::fs::hard_link(&file, directory.path().join("name")).unwrap();
            assert!(directory.stat("name").unwrap().is_same_file(&is));
        }
    }
}
