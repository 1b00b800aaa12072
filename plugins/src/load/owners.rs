//! Whose a file is, and who else could have written it: what others may change is not loaded.
//! Does not know what the file holds.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::LoadError;

/// Users whose files may be loaded.
#[derive(Debug, Clone)]
pub struct Owners(Vec<u32>);

/// How a file stands in the world, as it was when it was opened.
#[derive(Debug)]
pub(super) struct Standing {
    file: Entry,
    /// The directory of the name that was given, and that of the file that it leads to.
    directories: Vec<(PathBuf, Entry)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    user: u32,
    group: u32,
    mode: u32,
}

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

impl Owners {
    /// Root, and the user of this process.
    pub fn of_process() -> Owners {
        Owners(vec![0, rustix::process::geteuid().as_raw()])
    }

    /// These, and whoever owns this file.
    #[must_use]
    pub fn and_of(mut self, path: &Path) -> Owners {
        self.0.extend(fs::metadata(path).map(|it| it.uid()));
        self
    }
}

impl Standing {
    pub(super) fn of(file: &File, path: &Path) -> io::Result<Standing> {
        let real = fs::canonicalize(path)?;
        let mut directories: Vec<PathBuf> = [path, &real].into_iter().filter_map(parent).collect();
        directories.dedup();
        let with_entry = |path: PathBuf| Ok((fs::metadata(&path).map(Entry::of)?, path));
        let directories = directories.into_iter().map(with_entry).map(|it| it.map(|(entry, path)| (path, entry)));
        Ok(Standing { file: Entry::of(file.metadata()?), directories: directories.collect::<io::Result<_>>()? })
    }

    pub(super) fn judge(&self, owners: &Owners) -> Result<(), LoadError> {
        let wrong = |what: String, help: &str| Err(LoadError::new(what).help(help));
        if let Some(flaw) = self.file.flaw(owners) {
            return wrong(format!("{} {}", flaw.of_file(), flaw.numbers(self.file)), flaw.help());
        }
        let flawed = self.directories.iter().find_map(|(path, entry)| Some((path, entry, entry.flaw(owners)?)));
        match flawed {
            Some((path, entry, flaw)) => wrong(
                format!("its directory `{}` {} {}", path.display(), flaw.of_directory(), flaw.numbers(*entry)),
                flaw.help(),
            ),
            None => Ok(()),
        }
    }
}

/// The directory of a name; `.` for a name alone.
fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

/// Why a file or a directory can't be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Foreign,
    OthersWrite,
    GroupWrites,
}

impl Entry {
    fn of(metadata: Metadata) -> Entry {
        Entry { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }

    fn flaw(&self, owners: &Owners) -> Option<Flaw> {
        // Most systems give every user a group of the same number, and let it write: nobody else is in it.
        let own_group = self.group == self.user;
        match () {
            () if !owners.0.contains(&self.user) => Some(Flaw::Foreign),
            () if self.mode & OTHERS_WRITE != 0 => Some(Flaw::OthersWrite),
            () if self.mode & GROUP_WRITES != 0 && !own_group => Some(Flaw::GroupWrites),
            () => None,
        }
    }
}

impl Flaw {
    fn of_file(self) -> &'static str {
        match self {
            Flaw::Foreign => "it belongs to another user",
            Flaw::OthersWrite => "everyone may write to it",
            Flaw::GroupWrites => "a group may write to it",
        }
    }

    fn of_directory(self) -> &'static str {
        match self {
            Flaw::Foreign => "belongs to another user",
            Flaw::OthersWrite => "may be written to by everyone",
            Flaw::GroupWrites => "may be written to by a group",
        }
    }

    fn numbers(self, entry: Entry) -> String {
        match self {
            Flaw::Foreign => format!("(uid {})", entry.user),
            Flaw::OthersWrite => format!("(mode {:04o})", entry.mode),
            Flaw::GroupWrites => format!("(mode {:04o}, gid {})", entry.mode, entry.group),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Flaw::Foreign => "it must be yours, root's, or that of who owns the project file: see `chown`",
            Flaw::OthersWrite => "whoever can change it runs code as you: `chmod o-w` it",
            Flaw::GroupWrites => "whoever can change it runs code as you: `chmod g-w` it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user: u32, group: u32, mode: u32, expect: Option<Flaw>) {
        let owners = Owners(vec![0, 1000]);
        assert_eq!(Entry { user, group, mode }.flaw(&owners), expect, "{user}:{group} {mode:o}");
    }

    #[test]
    fn who_may_have_written_it() {
        check(1000, 1000, 0o755, None);
        check(0, 0, 0o755, None);
        check(1000, 1000, 0o775, None);
        check(1000, 100, 0o775, Some(Flaw::GroupWrites));
        check(1000, 1000, 0o777, Some(Flaw::OthersWrite));
        check(0, 0, 0o1777, Some(Flaw::OthersWrite));
        check(1001, 1001, 0o755, Some(Flaw::Foreign));
    }
}
