//! The source files of a project: what a step reads, as paths and as one digest.
//! Does not know which files a path names: that is said where pipes can ask it too.

use std::collections::HashMap;
use std::fs::Metadata;
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
    found: Mutex<HashMap<String, Found>>,
    /// Of what patterns name, where that is more than a file.
    digests: Mutex<HashMap<String, Digest>>,
}

/// What a pattern names.
#[derive(Clone)]
enum Found {
    /// One file, which is no link.
    File(PathBuf, Metadata),
    /// Any number of them, sorted.
    Files(Arc<[PathBuf]>),
}

impl Sources {
    /// Those of the project in this directory.
    pub fn of_project(root: &Path) -> Sources {
        Sources { root: root.to_path_buf(), found: Mutex::default(), digests: Mutex::default() }
    }

    /// The files that `pattern` names: a file, all of a directory, or what a glob matches. Sorted, relative to the project.
    pub fn files(&self, pattern: &str) -> io::Result<Arc<[PathBuf]>> {
        Ok(match self.look(pattern)? {
            Found::File(path, _) => Arc::new([path]),
            Found::Files(paths) => paths,
        })
    }

    /// One digest of all that `pattern` names: paths, contents, and who may execute them.
    pub fn digest(&self, pattern: &str, hashes: &Hashes) -> Result<Digest, Failure> {
        self.read_digest(pattern, hashes)
            .map_err(|error| Failure::new(FailureClass::Machine, format!("can't read the source `{pattern}`: {error}")))
    }

    fn read_digest(&self, pattern: &str, hashes: &Hashes) -> io::Result<Digest> {
        let paths = match self.look(pattern)? {
            Found::File(path, metadata) => return self.digest_of([(&path, Some(metadata))], hashes),
            Found::Files(paths) => paths,
        };
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).copied();
        if let Some(digest) = known {
            return Ok(digest);
        }
        let digest = self.digest_of(paths.iter().map(|path| (path, None)), hashes)?;
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(pattern.to_owned(), digest);
        Ok(digest)
    }

    fn digest_of<'p>(
        &self,
        files: impl IntoIterator<Item = (&'p PathBuf, Option<Metadata>)>,
        hashes: &Hashes,
    ) -> io::Result<Digest> {
        let mut digester = Digester::default();
        for (path, metadata) in files {
            let whole = self.root.join(path);
            let metadata = metadata.map_or_else(|| std::fs::symlink_metadata(&whole), Ok)?;
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

    fn look(&self, pattern: &str) -> io::Result<Found> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
        if let Some(found) = known {
            return Ok(found);
        }
        let found = self.find(pattern)?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(pattern.to_owned(), found.clone());
        Ok(found)
    }

    fn find(&self, pattern: &str) -> io::Result<Found> {
        let metadata = std::fs::symlink_metadata(self.root.join(pattern));
        if let Ok(metadata) = metadata
            && metadata.is_file()
        {
            return Ok(Found::File(PathBuf::from(pattern), metadata));
        }
        let tops = sources::matches(&self.root, pattern)?;
        let files: io::Result<Vec<Vec<PathBuf>>> = tops.iter().map(|top| sources::files(&self.root, top)).collect();
        Ok(Found::Files(files?.concat().into()))
    }
}
