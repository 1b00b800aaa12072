//! The store: content by digest in an OCI image layout, the record of tasks, and what people look at under `dist/`.
//! Knows no task and no pipe: it is given files and artifacts.

mod atomic;
mod blobs;
mod clean;
mod dist;
mod elsewhere;
mod format;
mod hashes;
mod inside;
mod journal;
mod lock;
mod parts;
mod reach;
mod record;
mod sealed;
mod stat;
mod verify;

use std::path::{Path, PathBuf};

use forge_schemas::Failure;

pub use atomic::{write_beside, write_history};
pub use blobs::{Blobs, hash};
pub use clean::{Removed, clean, clean_all};
pub use dist::is_executable;
pub use dist::{Dist, Earlier, Lists};
pub use hashes::{FileHash, Hashes};
pub use inside::Inside;
pub use journal::{Begun, Intent, Journal, Release};
pub use lock::{Lock, Patience, holder};
pub use parts::{Changed, Mark, Parts, PartsLog};
pub use record::{Fingerprint, Record, Remembered};
pub use sealed::{read_sealed, read_sealed_as, write_sealed};
pub use stat::{Directory, Stat};
pub use verify::{Verdict, verify};

/// The folder `.forge` beside the project file, and what lies where in it.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of the project in this directory, for one who only looks. Fails where a newer forge has written it.
    pub fn look(directory: &Path) -> Result<Folder, Failure> {
        let root = directory.join(".forge");
        format::check(&root)?;
        Ok(Folder { root })
    }

    /// The folder of the project in this directory, for one who works in it: held, and made where it is missing. While
    /// another holds it, `waiting` is told who that is, once.
    pub fn take(directory: &Path, patience: Patience, waiting: impl FnMut(&str)) -> Result<(Folder, Lock), Failure> {
        let folder = Folder::look(directory)?;
        let lock = lock::wait_for(&folder.file("lock"), patience, waiting)?;
        // Looked at again: whoever held it may have been another forge.
        let folder = Folder::of_project(directory)?;
        format::settle(&folder.root)?;
        for directory in [folder.root.clone(), folder.store(), folder.notes()] {
            atomic::clear_left_over(&directory);
        }
        Ok((folder, lock))
    }

    /// The folder of the project in this directory; made where it is missing. Not held: nothing in it is removed.
    pub fn of_project(directory: &Path) -> Result<Folder, Failure> {
        let folder = Folder::look(directory)?;
        let root = &folder.root;
        for name in ["store/blobs/sha256", "runs", "work"] {
            let path = root.join(name);
            std::fs::create_dir_all(&path).map_err(|error| Failure::file("make", &path, &error))?;
        }
        ignore_all(root)?;
        Ok(folder)
    }

    /// Whether there is such a folder.
    pub fn exists(&self) -> bool {
        self.root.is_dir()
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

    /// Where content lies that is not what its name says.
    pub fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
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
