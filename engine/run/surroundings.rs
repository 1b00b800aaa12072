//! What all of a process shares and any code in it can change: the directory that it works in, and its umask.
//! Does not know who has changed it.

use std::env::{current_dir, set_current_dir};
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::process::umask;

/// How they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Surroundings {
    directory: Option<PathBuf>,
    /// None where the system does not say it without changing it.
    umask: Option<u32>,
}

impl Surroundings {
    /// Those of this process, now.
    pub fn now() -> Surroundings {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        Surroundings {
            directory: current_dir().ok(),
            umask: umask.and_then(|it| u32::from_str_radix(it.trim(), 8).ok()),
        }
    }

    /// Puts back what is not as it was. Answers what that was, as the end of a sentence.
    pub fn put_back(&self) -> Option<String> {
        let now = Surroundings::now();
        let mut changed = Vec::new();
        if let Some(directory) = self.directory.as_ref().filter(|_| self.directory != now.directory) {
            // If it is gone, there is no way back.
            let _ = set_current_dir(directory);
            let to = now.directory.map_or_else(|| "one that is gone".to_owned(), |it| format!("`{}`", it.display()));
            changed.push(format!("the directory that forge works in to {to}"));
        }
        if let (Some(before), Some(now)) = (self.umask.filter(|_| self.umask != now.umask), now.umask) {
            umask(Mode::from_raw_mode(before));
            changed.push(format!("the umask of forge's process from {before:04o} to {now:04o}"));
        }
        (!changed.is_empty()).then(|| changed.join(", and "))
    }
}
