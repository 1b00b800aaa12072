//! The store: content by digest in an OCI image layout, the record of tasks, and what people look at under `dist/`.
//! Knows no task and no pipe: it is given files and artifacts.

mod atomic;
mod blobs;
mod dist;
mod hashes;
mod lock;
mod record;

use std::path::{Path, PathBuf};

use forge_schemas::Failure;

pub use atomic::write_beside;
pub use blobs::Blobs;
pub use dist::is_executable;
pub use dist::{Dist, Earlier};
pub use hashes::Hashes;
pub use lock::{Lock, holder, wait_for};
pub use record::{Fingerprint, Record, Remembered};

/// The folder `.forge` beside the project file, and what lies where in it.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of the project in this directory; made where it is missing.
    pub fn of_project(directory: &Path) -> Result<Folder, Failure> {
        let root = directory.join(".forge");
        for folder in ["store/blobs/sha256", "runs", "work"] {
            let path = root.join(folder);
            std::fs::create_dir_all(&path).map_err(|error| Failure::file("make", &path, &error))?;
        }
        ignore_all(&root)?;
        Ok(Folder { root })
    }

    /// The OCI image layout.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// One folder a run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The directories of steps that run.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// What a remote side answered, a file a task.
    pub fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    /// A file beside these.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

// git need not be told of this folder by the user.
fn ignore_all(root: &Path) -> Result<(), Failure> {
    let path = root.join(".gitignore");
    match path.exists() {
        true => Ok(()),
        false => write_beside(&path, b"*\n").map_err(|error| Failure::file("write", &path, &error)),
    }
}
