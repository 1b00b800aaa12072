//! The source files of a project: what a step reads, as paths and as one digest.
//! Does not know which files a path names: that is said where pipes can ask it too.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::sources;
use forge_schemas::{Digest, Digester, Failure, FailureClass};

use crate::store::Hashes;

/// The source files below a directory.
pub struct Sources {
    root: PathBuf,
    digests: Mutex<HashMap<String, Arc<Digest>>>,
}

impl Sources {
    /// Those of the project in this directory.
    pub fn of_project(root: &Path) -> Sources {
        Sources { root: root.to_path_buf(), digests: Mutex::default() }
    }

    /// The files that `pattern` names: a file, all of a directory, or what a glob matches. Sorted, relative to the project.
    pub fn files(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let tops = sources::matches(&self.root, pattern)?;
        let files: io::Result<Vec<Vec<PathBuf>>> = tops.iter().map(|top| sources::files(&self.root, top)).collect();
        Ok(files?.concat())
    }

    /// One digest of all that `pattern` names: paths, contents, and who may execute them.
    pub fn digest(&self, pattern: &str, hashes: &Hashes) -> Result<Digest, Failure> {
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
        if let Some(digest) = known {
            return Ok(*digest);
        }
        let digest = self.read_digest(pattern, hashes).map_err(|error| {
            Failure::new(FailureClass::Machine, format!("can't read the source `{pattern}`: {error}"))
        })?;
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(pattern.to_owned(), Arc::new(digest));
        Ok(digest)
    }

    fn read_digest(&self, pattern: &str, hashes: &Hashes) -> io::Result<Digest> {
        let mut digester = Digester::default();
        for path in self.files(pattern)? {
            let whole = self.root.join(&path);
            // A link is what it says, not what it leads to: that may lie anywhere.
            if std::fs::symlink_metadata(&whole)?.is_symlink() && !whole.is_file() {
                writeln!(digester, "link {} {}", path.display(), std::fs::read_link(&whole)?.display())?;
                continue;
            }
            let hash = hashes.of(&whole)?;
            let mode = if hash.executable { "x" } else { "-" };
            writeln!(digester, "{mode} {} {}", hash.digest, path.display())?;
        }
        Ok(digester.finish().0)
    }
}
