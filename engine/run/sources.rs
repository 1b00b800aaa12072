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
    /// What patterns name. A run looks once: sources do not change under it.
    found: Mutex<HashMap<String, Arc<[PathBuf]>>>,
    digests: Mutex<HashMap<String, Digest>>,
}

impl Sources {
    /// Those of the project in this directory.
    pub fn of_project(root: &Path) -> Sources {
        Sources { root: root.to_path_buf(), found: Mutex::default(), digests: Mutex::default() }
    }

    /// The files that `pattern` names: a file, all of a directory, or what a glob matches. Sorted, relative to the project.
    pub fn files(&self, pattern: &str) -> io::Result<Arc<[PathBuf]>> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
        if let Some(files) = known {
            return Ok(files);
        }
        let files: Arc<[PathBuf]> = self.find(pattern)?.into();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(pattern.to_owned(), files.clone());
        Ok(files)
    }

    /// One digest of all that `pattern` names: paths, contents, and who may execute them.
    pub fn digest(&self, pattern: &str, hashes: &Hashes) -> Result<Digest, Failure> {
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).copied();
        if let Some(digest) = known {
            return Ok(digest);
        }
        let digest = self.read_digest(pattern, hashes).map_err(|error| {
            Failure::new(FailureClass::Machine, format!("can't read the source `{pattern}`: {error}"))
        })?;
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(pattern.to_owned(), digest);
        Ok(digest)
    }

    fn find(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let tops = sources::matches(&self.root, pattern)?;
        let files: io::Result<Vec<Vec<PathBuf>>> = tops.iter().map(|top| sources::files(&self.root, top)).collect();
        Ok(files?.concat())
    }

    fn read_digest(&self, pattern: &str, hashes: &Hashes) -> io::Result<Digest> {
        let mut digester = Digester::default();
        for path in self.files(pattern)?.iter() {
            let whole = self.root.join(path);
            let metadata = std::fs::symlink_metadata(&whole)?;
            // A link is what it says, and the file that it leads to; where that is no file it may lead anywhere.
            if metadata.is_symlink() {
                writeln!(digester, "link {} {}", path.display(), std::fs::read_link(&whole)?.display())?;
                if !whole.is_file() {
                    continue;
                }
            }
            let hash = if metadata.is_symlink() { hashes.of(&whole)? } else { hashes.of_file(&whole, &metadata)? };
            let mode = if hash.executable { "x" } else { "-" };
            writeln!(digester, "{mode} {} {}", hash.digest, path.display())?;
        }
        Ok(digester.finish().0)
    }
}
