//! A private copy of a library, to be mapped in place of the file: the very bytes that were hashed, whatever is
//! written to the file meanwhile or later.
//! Does not know what the bytes are.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The copy. When it goes, so does its name; what was mapped stays.
pub(super) struct Copy {
    path: PathBuf,
    file: Option<File>,
    #[expect(dead_code, reason = "dropping it removes the directory")]
    scratch: Option<tempfile::TempDir>,
}

impl Copy {
    /// In memory and sealed, where the system has that; else in a directory of this user alone.
    pub(super) fn of(bytes: &[u8]) -> io::Result<Copy> {
        in_memory(bytes).or_else(|_| in_directory(bytes))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be called when it was mapped. Its descriptor stays open for ever: the C library knows what it has mapped by
    /// name, and would take the next copy for this one if it got the same number.
    pub(super) fn keep(mut self) {
        std::mem::forget(self.file.take());
    }
}

#[cfg(target_os = "linux")]
fn in_memory(bytes: &[u8]) -> io::Result<Copy> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let mut file = File::from(memfd_create(c"forge-plugin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Without /proc it has no name.
    File::open(&path)?;
    Ok(Copy { path, file: Some(file), scratch: None })
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &[u8]) -> io::Result<Copy> {
    Err(io::ErrorKind::Unsupported.into())
}

fn in_directory(bytes: &[u8]) -> io::Result<Copy> {
    let scratch = tempfile::Builder::new().prefix("forge-plugin-").tempdir()?;
    let path = scratch.path().join("plugin");
    File::create(&path)?.write_all(bytes)?;
    Ok(Copy { path, file: None, scratch: Some(scratch) })
}
