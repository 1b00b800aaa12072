//! A private copy of a library, to be mapped in place of the file: the very bytes that were hashed, whatever is
//! written to the file meanwhile or later.
//! Does not know what the bytes are.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The copy. It may go when the library is mapped.
pub(super) struct Copy {
    path: PathBuf,
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
}

#[cfg(target_os = "linux")]
fn in_memory(bytes: &[u8]) -> io::Result<Copy> {
    use std::os::fd::IntoRawFd;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"forge-plugin", flags)?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    let path = |fd: i32| PathBuf::from(format!("/proc/self/fd/{fd}"));
    // Without /proc there is no way to name it.
    File::open(path(std::os::fd::AsRawFd::as_raw_fd(&file)))?;
    // Left open for ever: the C library knows what it has mapped by its name, and would take the next library under
    // the same number for this one.
    Ok(Copy { path: path(file.into_raw_fd()), scratch: None })
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &[u8]) -> io::Result<Copy> {
    Err(io::ErrorKind::Unsupported.into())
}

fn in_directory(bytes: &[u8]) -> io::Result<Copy> {
    let scratch = tempfile::Builder::new().prefix("forge-plugin-").tempdir()?;
    let path = scratch.path().join("plugin");
    File::create(&path)?.write_all(bytes)?;
    Ok(Copy { path, scratch: Some(scratch) })
}
