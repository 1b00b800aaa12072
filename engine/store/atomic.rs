//! Files appear whole under their final name, or not at all: written beside, synced, renamed.
//! Does not know what is in them.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// How the names of files begin that are not whole yet. One that is there although no forge runs was left by a kill.
const BESIDE: &str = ".forge-";

/// Writes a file so that nobody ever sees half of it.
pub fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut beside = beside(directory)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_data()?;
    beside.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// The same for what is history: it is not durable, and may be empty after the power has failed.
pub fn write_history(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = beside(path.parent().unwrap_or(Path::new(".")))?;
    beside.write_all(bytes)?;
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

// In the same directory, so that it can be renamed, wherever the system keeps temporary files.
fn beside(directory: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(BESIDE).tempfile_in(directory)?;
    set_mode(file.path(), 0o644)?;
    Ok(file)
}

/// Whether a file of this name is one that was not whole when its writer died.
pub fn is_left_over(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(BESIDE.as_bytes())
}

/// Removes what a kill has left beside the files of a directory. Only whoever holds the lock may.
pub fn clear_left_over(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|it| is_left_over(&it.file_name())) {
        // It takes room, and does no other harm.
        let _ = std::fs::remove_file(entry.path());
    }
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
