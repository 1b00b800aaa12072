//! One forge at a time in a project: a lock on a file that says who holds it.
//! The kernel lets go of it when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use forge_schemas::Failure;

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock. While another holds it, `waiting` is told who that is, once.
pub fn wait_for(path: &Path, waiting: impl FnOnce(&str)) -> Result<Lock, Failure> {
    let failure = |error: io::Error| Failure::file("lock", path, &error);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failure)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(path).unwrap_or_default();
            waiting(holder.trim());
            file.lock().map_err(failure)?;
        }
        Err(TryLockError::Error(error)) => return Err(failure(error)),
    }
    sign(&file).map_err(failure)?;
    Ok(Lock { _file: file })
}

/// Who holds the lock, if anybody does. Takes nothing, and makes nothing.
pub fn holder(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => std::fs::read_to_string(path).ok(),
        _ => None,
    }
}

fn sign(mut file: &File) -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    file.set_len(0)?;
    writeln!(file, "process {} ({})", std::process::id(), arguments.join(" "))
}
