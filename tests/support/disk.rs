//! Disks that are full, can't be written to, or fail at a given call: a file system in memory, and calls that strace lets fail.
//! Does not know who meets them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::forge::through;
use super::program::output;

/// A file system in memory over a directory; it goes away with its owner.
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// One with these options of tmpfs: `size=64k`, `nr_inodes=20`.
    pub fn over(place: &Path, options: &str) -> Disk {
        let options = format!("mode=755,{options}");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place));
        Disk { place: place.to_path_buf() }
    }

    /// From now on it has these options.
    pub fn change(&self, options: &str) {
        output(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.place));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that is still ending may hold it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}

/// The same command, with `inject` (strace's words: `fsync:error=EIO:when=3`) in all of its threads and children. Where a
/// path is given, only what is done to that file. What was traced is written to `trace`.
pub fn failing(command: &Command, inject: &str, path: Option<&Path>, trace: &Path) -> Command {
    let calls = inject.split(':').next().unwrap_or_default();
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--quiet=all", "--signal=none", "-e", &format!("trace={calls}")]);
    if inject != calls {
        strace.args(["-e", &format!("inject={inject}")]);
    }
    if let Some(path) = path {
        strace.arg("--trace-path").arg(path);
    }
    strace.arg("--output").arg(trace);
    through(strace, command)
}
