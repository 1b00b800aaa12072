//! One forge at a time in a project: a lock on a file that says who holds it.
//! The kernel lets go of it when its holder dies; the file stays, and means nothing then.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use forge_schemas::{Failure, FailureClass};

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What one does who finds the lock taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Waits until its holder is done.
    Wait,
    /// Fails at once.
    None,
}

/// Takes the lock. While another holds it, `waiting` is told who that is, once.
pub fn wait_for(path: &Path, patience: Patience, mut waiting: impl FnMut(&str)) -> Result<Lock, Failure> {
    loop {
        let file = try_once(path, patience, &mut waiting)?;
        // Whoever held it may have removed the file: then the lock on it keeps nobody out.
        if is_at(&file, path) {
            // On a full disk, which is perhaps to be cleaned, whoever waits is not told for whom.
            let _ = sign(&file);
            return Ok(Lock { _file: file });
        }
    }
}

fn try_once(path: &Path, patience: Patience, waiting: &mut impl FnMut(&str)) -> Result<File, Failure> {
    let failure = |error: io::Error| Failure::file("lock", path, &error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| Failure::file("make", directory, &error))?;
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failure)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(failure(error)),
    }
    let holder = signature(path);
    if patience == Patience::None {
        let message = format!("another forge works in this project: {holder}");
        return Err(Failure::new(FailureClass::Machine, message).help("without `--no-wait` forge waits for it"));
    }
    waiting(&holder);
    loop {
        match file.lock() {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(error)),
        }
    }
}

/// Who holds the lock, if anybody does. Takes nothing, and makes nothing.
pub fn holder(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => std::fs::read_to_string(path).ok(),
        _ => None,
    }
}

// It may have taken the lock and not signed yet, or have found no room to.
fn signature(path: &Path) -> String {
    let signed = std::fs::read(path).unwrap_or_default();
    match String::from_utf8_lossy(&signed).trim() {
        "" => "a process that has not said which it is".to_owned(),
        holder => holder.to_owned(),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |it: std::fs::Metadata| (it.dev(), it.ino());
    file.metadata().ok().map(place).is_some_and(|it| std::fs::metadata(path).ok().map(place) == Some(it))
}

fn sign(mut file: &File) -> io::Result<()> {
    let arguments: Vec<String> =
        std::env::args_os().map(|it| it.to_string_lossy().escape_debug().to_string()).collect();
    file.set_len(0)?;
    // In one call, so that nobody reads half of it.
    let signed = format!("process {} ({})\n", std::process::id(), arguments.join(" "));
    file.write_all(signed.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b1_who_does_not_wait_is_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("folder/lock");
        let never = |_: &str| panic!("nobody holds it");
        let lock = wait_for(&path, Patience::None, never).unwrap();
        let failure = wait_for(&path, Patience::None, never).unwrap_err();
        let holder = format!("another forge works in this project: process {} (", std::process::id());
        assert!(failure.message.starts_with(&holder), "{failure}");
        drop(lock);
        wait_for(&path, Patience::None, never).unwrap();
    }

    #[test]
    fn b1_a_lock_whose_file_is_gone_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = wait_for(&path, Patience::Wait, |_| {}).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::scope(|threads| {
            let second = threads.spawn(|| {
                wait_for(&path, Patience::Wait, |_| told.send(()).unwrap()).unwrap();
                // What it holds is the file that is there now.
                std::fs::read_to_string(&path).unwrap()
            });
            heard.recv().unwrap();
            std::fs::remove_file(&path).unwrap();
            drop(held);
            assert!(second.join().unwrap().starts_with("process "));
        });
    }
}
