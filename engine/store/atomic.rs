//! Files appear whole under their final name, or not at all: written beside, synced, renamed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file so that nobody ever sees half of it.
pub fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".forge-").tempfile_in(directory)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_data()?;
    set_mode(beside.path(), 0o644)?;
    beside.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Makes the names in a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_data()
}

/// Sets a file's mode, whatever the umask.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
