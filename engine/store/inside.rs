//! Calls under way that can end this very process: a file each in `.forge/inside`, held and there while the call lasts. One that
//! nobody holds is of a process that did not live to see the end of its call.
//! Does not know what is called.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where these files are.
#[derive(Debug, Clone)]
pub struct Inside {
    directory: PathBuf,
}

/// A call under way; its end is that of this.
pub struct UnderWay {
    path: PathBuf,
    _held: File,
}

impl Inside {
    /// Those of the project in this directory.
    pub fn of_project(directory: &Path) -> Inside {
        Inside { directory: directory.join(".forge/inside") }
    }

    /// Notes that a call begins, in these words. None where there is no folder yet, or no room: no call fails for that.
    pub fn begin(&self, words: &str) -> Option<UnderWay> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let _ = std::fs::create_dir(&self.directory);
        let path = self.directory.join(format!("{}{}", own_names(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
        // Held before it says anything: what says nothing is not looked at.
        let _ = file.lock();
        let call = UnderWay { path, _held: file.try_clone().ok()? };
        file.write_all(words.as_bytes()).ok()?;
        Some(call)
    }

    /// What was noted by processes that are gone, and is forgotten now.
    pub fn left_over(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).collect();
        paths.sort_unstable();
        paths.iter().filter_map(|path| forget(path)).collect()
    }

    /// Forgets what this process has noted: its end is told, and by itself.
    pub fn forget_own(&self) {
        let own = own_names();
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|it| it.file_name().as_encoded_bytes().starts_with(own.as_bytes())) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn own_names() -> String {
    format!("{}-", std::process::id())
}

fn forget(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    file.try_lock().ok()?;
    let words = std::fs::read_to_string(path).ok().filter(|it| !it.is_empty())?;
    std::fs::remove_file(path).ok()?;
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_forgotten_and_what_is_left_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let inside = Inside::of_project(directory.path());
        assert!(inside.begin("there is no folder").is_none());
        std::fs::create_dir(directory.path().join(".forge")).unwrap();
        let [one, other] = ["one", "other"].map(|words| inside.begin(words).unwrap());
        assert_eq!(inside.left_over(), [""; 0], "both are under way");
        drop(one);
        // As a crash does it: nobody holds the file any more, and nobody has removed it.
        std::fs::write(inside.directory.join("0-7"), "it died").unwrap();
        assert_eq!(inside.left_over(), ["it died"]);
        assert_eq!(inside.left_over(), [""; 0]);
        inside.forget_own();
        assert_eq!(std::fs::read_dir(&inside.directory).unwrap().count(), 0);
        drop(other);
    }
}
